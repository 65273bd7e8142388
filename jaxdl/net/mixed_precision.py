"""Mixed precision: activations in few bits, parameters and running statistics as they are."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl.errors import DtypeError, explain
from jaxdl.net.contract import Net, Tree, require

LOW = (jnp.bfloat16, jnp.float16)


def mixed_precision(net: Net, dtype: Any = jnp.bfloat16) -> Net:
    """Return the same network, computing in `dtype`: ``y = float32(f(dtype(params), dtype(x)))``.

    Parameters, their gradients, the optimizer and running statistics stay float32; floating parameters and
    inputs are rounded to `dtype` at the start of every call, so that activations are in it, and outputs come
    back as float32, so that losses are summed in it. Batch norm takes mean and variance in float32 itself,
    and `train.exact_statistics` measures them in float32. (`jaxdl.layers.BatchNorm` returns `dtype` again;
    flax's own returns float32, and all that follows is computed in it.)

    Args:
        net: the network.
        dtype: ``jnp.bfloat16``, which has the range of float32, or ``jnp.float16``, whose gradients
            underflow below 6e-8: no loss scaling is done here.

    Returns:
        A `Net` with the same parameters; pass it to `fit`, `make_train`, `predict`.

    Raises:
        TypeError: `net` is no `Net`.
        DtypeError: another dtype.

    Example:
        >>> from jaxdl.net import from_pair
        >>> line = from_pair(lambda key: {"w": jnp.ones((1, 1))}, lambda params, x: x @ params["w"])
        >>> low = mixed_precision(line)
        >>> outputs, _ = low.apply({"w": jnp.ones((1, 1))}, {}, jnp.array([[1.001]]), train=False)
        >>> outputs.dtype.name, float(outputs[0, 0])
        ('float32', 1.0)

    Reference:
        Micikevicius et al. (2018); Kalamkar et al. (2019) for bfloat16.
    """
    require("mixed_precision", net)
    try:
        known = jnp.dtype(dtype) in [jnp.dtype(low) for low in LOW]
    except TypeError:
        known = False
    if not known:
        raise DtypeError(
            explain("mixed_precision", "dtype", got=repr(dtype), expected="bfloat16 or float16",
                    fix="mixed_precision(net, jnp.bfloat16)")
        )  # fmt: skip

    def apply(
        params: Tree,
        state: Tree,
        x: Any,
        *,
        train: bool,
        key: Any = None,
        hyper: Any = None,
    ) -> tuple[Any, Tree]:
        low = (_cast(params, dtype), state, _cast(x, dtype))
        outputs, after = net.apply(*low, train=train, key=key, hyper=hyper)
        return _cast(outputs, jnp.float32), jax.tree.map(_like, after, state)

    inner, hold = net.trace, net.hold

    def trace(params: Tree, state: Tree, x: Any, **options: Any) -> Any:
        return inner(_cast(params, dtype), state, _cast(x, dtype), **options)  # type: ignore[misc]

    def held(paths: frozenset[str]) -> Net:
        return mixed_precision(hold(paths), dtype)  # type: ignore[misc]

    return dataclasses.replace(net, apply=apply, trace=inner and trace, hold=hold and held)


def _like(new: Any, old: Any) -> Any:
    return new if new.dtype == old.dtype else new.astype(old.dtype)


def _cast(tree: Any, dtype: Any) -> Any:
    def cast(leaf: Any) -> Any:
        return leaf.astype(dtype) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating) else leaf

    return jax.tree.map(cast, tree)
