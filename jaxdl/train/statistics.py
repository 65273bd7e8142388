"""Exact statistics for batch norm: those of the training set in the place of running averages."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl import _checks
from jaxdl.data._named import check_counts, count, numbers, singles
from jaxdl.errors import ShapeError, explain
from jaxdl.net import Net, Tree, require
from jaxdl.train import door
from jaxdl.train.spec import Hyper

PROGRAMS_KEPT = 16


def exact_statistics(
    net: Net,
    params: Tree,
    state: Tree,
    inputs: Any,
    *,
    batch_size: int = 1024,
    scaling: Any = None,
    hyper: Hyper | None = None,
) -> Tree:
    """Return the state with mean and biased variance of every batch norm taken over all of `inputs`.

    Each layer is measured on what evaluation sends it: the layers before it normalise with their exact
    statistics, dropout is off. Running averages forget, lag behind the parameters and mix batches; these
    do none of it, and do not depend on the batch size or the order. With L batch norms the examples are
    passed forward L times, one compiled program: after pass l the first l layers are exact.

    Args:
        net: a network of `jaxdl.net.functional` whose batch norms are `jaxdl.layers.BatchNorm`.
        params: its parameters.
        state: its running statistics, which only give the structure.
        inputs: training inputs (examples, ...), or a dict of such, finite numbers; all held on the device.
        batch_size: examples a step of a pass.
        scaling: applied to each batch, as in training.
        hyper: hyperparameters, for networks that read any in evaluation.

    Returns:
        The new state, to be used in the place of the old one in evaluation.

    Raises:
        TypeError: `net` is no `Net`.
        ValueError: a network without such a batch norm, or a batch size below 1.
        ShapeError: no example, or examples that the network does not take.
        FormatError: inputs that are not finite.

    Example:
        >>> from flax import nnx
        >>> from jaxdl.layers import BatchNorm
        >>> from jaxdl.net import functional
        >>> net = functional(lambda rngs: BatchNorm(1, rngs=rngs))
        >>> params, state = net.init(jax.random.key(0))
        >>> exact = exact_statistics(net, params, state, jnp.array([[1.0], [1.0], [5.0], [5.0]]))
        >>> exact["mean"].tolist(), exact["var"].tolist()
        ([3.0], [4.0])
    """
    require("exact_statistics", net)
    _checks.positive_integer("exact_statistics", "batch_size", batch_size)
    if net.measure is None:
        raise ValueError(
            explain("exact_statistics", "net", got="without a batch norm that can be measured",
                    expected="a network of net.functional with layers.BatchNorm, and no other batch norm",
                    fix="build it with jaxdl.layers.BatchNorm")
        )  # fmt: skip
    arrays = singles("exact_statistics", "inputs", numbers("exact_statistics", "inputs", inputs))
    if isinstance(arrays, dict):
        check_counts("exact_statistics", {"inputs": arrays})
    elif arrays.ndim < 2 or len(arrays) == 0:
        raise ShapeError(
            explain("exact_statistics", "inputs", got=f"of shape {arrays.shape}",
                    expected="(examples, ...) with at least one example", fix="pass the training inputs")
        )  # fmt: skip
    run = _measurer(net, min(batch_size, count(arrays)))
    return run(params, state, jax.tree.map(jnp.asarray, arrays), scaling, door.hyper(hyper))


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def _measurer(net: Net, size: int) -> Callable[..., Tree]:
    def run(params: Tree, state: Tree, inputs: Any, scaling: Any, hyper: Hyper) -> Tree:
        def measure(state: Tree, x: Any) -> Tree:
            return net.measure(params, state, x if scaling is None else scaling(x), hyper)  # type: ignore[misc]

        examples = count(inputs)
        steps, left = divmod(examples, size)
        batches = jax.tree.map(lambda x: x[: steps * size].reshape(-1, size, *x.shape[1:]), inputs)
        rest = jax.tree.map(lambda x: x[steps * size :], inputs)
        shares = jnp.array([size] * steps + ([left] if left else [])) / examples

        def one_pass(_: Any, state: Tree) -> Tree:
            found = lax.map(functools.partial(measure, state), batches)
            if left:
                last = measure(state, rest)
                found = jax.tree.map(lambda some, one: jnp.concatenate([some, one[None]]), found, last)
            return _pooled(state, found, shares)

        return lax.fori_loop(0, _norms(state), one_pass, state)

    return jax.jit(run)


def _is_norm(node: Any) -> bool:
    return (
        isinstance(node, Mapping) and {"mean", "var"} <= set(node) and not isinstance(node["mean"], Mapping)
    )


def _norms(state: Tree) -> int:
    return sum(map(_is_norm, jax.tree.leaves(state, is_leaf=_is_norm)))


def _pooled(state: Tree, found: Tree, shares: jax.Array) -> Tree:
    """Pool means and variances (batches, features) of batches with these shares of the examples."""

    def pool(node: Any, batches: Any) -> Any:
        if not _is_norm(node):
            return node
        # Taken about the first mean, then about the pooled one: no difference of large squares.
        first = batches["mean"][0]
        mean = first + weighted(batches["mean"] - first[None])
        spread = batches["var"] + jnp.square(batches["mean"] - mean[None])
        return {**node, "mean": mean, "var": weighted(spread)}

    weighted = functools.partial(jnp.tensordot, shares, axes=1, precision=lax.Precision.HIGHEST)
    return jax.tree.map(pool, state, found, is_leaf=_is_norm)
