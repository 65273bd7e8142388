"""Outputs and measures of a trained network, in batches of one shape."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.data._named import check_counts, count, numbers, singles
from jaxdl.errors import ShapeError, explain
from jaxdl.net import Net, Tree, require
from jaxdl.train import door, evaluation
from jaxdl.train.parts import with_hyper
from jaxdl.train.spec import Arrays, Hyper, Loss, Metric, Spec

PROGRAMS_KEPT = 16


def predict(
    net: Net,
    params: Tree,
    state: Tree,
    inputs: Any,
    *,
    batch_size: int = 1024,
    scaling: Any = None,
    hyper: Hyper | None = None,
) -> Any:
    """Return the outputs of a network in evaluation mode, each example exactly once.

    Args:
        net: the network.
        params: its parameters.
        state: its running statistics.
        inputs: (examples, ...), finite numbers; or a dict of such by name, where the network takes one.
        batch_size: examples a call; one compilation for all calls of a batch size.
        scaling: applied to each batch, as in training.
        hyper: hyperparameters, for networks that read any in evaluation.

    Returns:
        NumPy array (examples, ...); of a network with several outputs their tree, each array so.

    Raises:
        ShapeError: no example, examples that the network does not take, or outputs not by example.
        FormatError: inputs that are not finite.
        ValueError: a batch size below 1.

    Example:
        >>> from jaxdl.net import from_pair
        >>> net = from_pair(lambda key: {"w": 2.0}, lambda params, x: x * params["w"])
        >>> predict(net, {"w": 2.0}, {}, np.ones((3, 1)), batch_size=2).tolist()
        [[2.0], [2.0], [2.0]]
    """
    require("predict", net)
    _checks.positive_integer("predict", "batch_size", batch_size)
    arrays = singles("predict", "inputs", numbers("predict", "inputs", inputs))
    if isinstance(arrays, dict):
        check_counts("predict", {"inputs": arrays})
    elif arrays.ndim < 1 or len(arrays) == 0:
        raise ShapeError(
            explain("predict", "inputs", got=f"of shape {arrays.shape}",
                    expected="(examples, ...) with at least one example", fix="pass inputs[None]")
        )  # fmt: skip
    examples = count(arrays)
    size = min(batch_size, examples)
    run, hyper = _predictor(net), door.hyper(hyper)
    # The last batch reaches back, so that all batches have one shape; what was seen is cut off.
    starts = [min(start, examples - size) for start in range(0, examples, size)]
    parts = [run(params, state, _rows(arrays, start, size), scaling, hyper) for start in starts]
    if any(jnp.shape(output)[:1] != (size,) for output in jax.tree.leaves(parts[0])):
        raise ShapeError(
            explain("predict", "net", got=f"a network with outputs {jax.tree.map(jnp.shape, parts[0])}",
                    expected=f"outputs ({size}, ...)", fix="return one output an example")
        )  # fmt: skip
    last = examples - size * (len(parts) - 1)

    def joined(*outputs: Any) -> np.ndarray:
        return np.concatenate(
            [*(np.asarray(output) for output in outputs[:-1]), np.asarray(outputs[-1])[-last:]]
        )

    return jax.tree.map(joined, *parts)


def evaluate(
    net: Net,
    params: Tree,
    state: Tree,
    data: door.Examples,
    *,
    loss: Loss,
    metrics: Mapping[str, Metric] | None = None,
    batch_size: int = 1024,
    reduction: str = "mean",
    scaling: Any = None,
    hyper: Hyper | None = None,
    labels: str = "classes",
) -> dict[str, float]:
    """Return the mean loss and metrics over a data set, every example exactly once.

    Args:
        net: the network.
        params: its parameters.
        state: its running statistics.
        data: a `Dataset` or (inputs, targets), arrays or dicts of arrays.
        loss: ``loss(outputs, targets) -> (batch, ...)``; no penalty is added.
        metrics: functions by name, one value per example.
        batch_size: examples a batch.
        reduction: ``"mean"`` or ``"half_mean"``.
        scaling: applied to each batch, as in training.
        hyper: hyperparameters, for networks and losses that read any.
        labels: what integer targets are, ``"classes"`` or ``"identities"``; see `Spec`.

    Returns:
        ``{"loss": ..., "<metric>": ...}``, Python floats.

    Raises:
        ShapeError, DtypeError, FormatError: data that do not fit each other or the network.

    Example:
        >>> from jaxdl import losses
        >>> from jaxdl.net import from_pair
        >>> net = from_pair(lambda key: {"w": 2.0}, lambda params, x: x * params["w"])
        >>> x = np.ones((3, 1))
        >>> evaluate(net, {"w": 2.0}, {}, (x, 4 * x), loss=losses.squared_error, batch_size=2)
        {'loss': 4.0}
    """
    require("evaluate", net)
    _checks.one_of("evaluate", "reduction", reduction, ("mean", "half_mean"))
    values = door.hyper(hyper)
    spec = Spec(1, 1, reduction=reduction, metrics=tuple((metrics or {}).items()),
                eval_batch_size=batch_size, labels=labels)  # fmt: skip
    arrays = door.arrays(net, data, None, scaling, values, labels=spec.labels)
    held = Arrays(None, None, arrays.inputs, arrays.targets, arrays.scaling)
    found = _evaluator(net, loss, spec)(params, state, held, values)
    return {name: float(value) for name, value in found.items()}


def _rows(arrays: Any, start: int, size: int) -> Any:
    return jax.tree.map(lambda array: array[start : start + size], arrays)


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def _predictor(net: Net) -> Callable[..., Any]:
    def run(params: Tree, state: Tree, x: Any, scaling: Any, hyper: Hyper) -> Any:
        scaled = x if scaling is None else scaling(x)
        return net.apply(params, state, scaled, train=False, hyper=hyper)[0]

    return jax.jit(run)


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def _evaluator(net: Net, loss: Loss, spec: Spec) -> Callable[..., Any]:
    takes_hyper = with_hyper(loss)

    def run(params: Tree, state: Tree, data: Arrays, hyper: Hyper) -> dict[str, jax.Array]:
        return evaluation.means(net, takes_hyper, spec, params, state, data, hyper)

    return jax.jit(run)
