"""Adaptive pooling: bins that share out each spatial axis, so that any input gives one output size.

Bin i of m over n entries goes from ``floor(i n / m)`` to ``ceil((i + 1) n / m)``, as in torch; it may overlap
the next. One axis after the other, since bins of several axes are products; the last first.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._words import words


def adaptive_avg_pool(x: jax.Array, output_size: int | Sequence[int | None]) -> jax.Array:
    """Return the means of bins that share out each spatial axis.

    Bin i of m over n entries goes from ``floor(i n / m)`` to ``ceil((i + 1) n / m)``.

    Args:
        x: floating array (batch, space..., channels). Below float32 it is computed in float32.
        output_size: bins along each spatial axis, or one number for all; None keeps an axis.

    Returns:
        The means (batch, bins..., channels), in the dtype of `x`.

    Raises:
        ValueError: fewer than 3 axes, an empty one, or sizes that are not one whole number (or None) an axis.
        TypeError: `x` is not a floating array.

    Example:
        >>> adaptive_avg_pool(jnp.arange(5.0).reshape(1, 5, 1), 2).ravel().tolist()
        [1.0, 3.0]

    Reference:
        Equals ``torch.nn.AdaptiveAvgPool2d``, and 1d and 3d.
    """
    x = _checked("adaptive_avg_pool", x)
    wide = x if x.dtype.itemsize >= 4 else x.astype(jnp.float32)
    sizes = _sizes("adaptive_avg_pool", x, output_size)
    return _by_axes(wide, sizes, partial(jnp.mean, keepdims=True)).astype(x.dtype)


def adaptive_max_pool(x: jax.Array, output_size: int | Sequence[int | None]) -> jax.Array:
    """Return the maxima of bins that share out each spatial axis; the bins of `adaptive_avg_pool`.

    Args:
        x: floating array (batch, space..., channels).
        output_size: bins along each spatial axis, or one number for all; None keeps an axis.

    Returns:
        The maxima (batch, bins..., channels), in the dtype of `x`; the gradient goes to the first of equals
        in row-major order, and NaN is a maximum.

    Raises:
        ValueError: fewer than 3 axes, an empty one, or sizes that are not one whole number (or None) an axis.
        TypeError: `x` is not a floating array.

    Example:
        >>> adaptive_max_pool(jnp.arange(5.0).reshape(1, 5, 1), 2).ravel().tolist()
        [2.0, 4.0]

    Reference:
        Equals ``torch.nn.AdaptiveMaxPool2d``, and 1d and 3d.
    """
    x = _checked("adaptive_max_pool", x)
    return _by_axes(x, _sizes("adaptive_max_pool", x, output_size), _maximum)


def _by_axes(x: jax.Array, sizes: Sequence[int], pool: Callable[..., jax.Array]) -> jax.Array:
    for axis in range(len(sizes), 0, -1):
        n, m = x.shape[axis], sizes[axis - 1]
        if n % m == 0:
            x = pool(x.reshape(*x.shape[:axis], m, n // m, *x.shape[axis + 1 :]), axis=axis + 1)
            x = lax.squeeze(x, (axis + 1,))
        else:
            ends = [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
            parts = [lax.slice_in_dim(x, begin, end, axis=axis) for begin, end in ends]
            x = lax.concatenate([pool(part, axis=axis) for part in parts], axis)
    return x


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _maximum(x: jax.Array, axis: int) -> jax.Array:
    return jnp.max(x, axis, keepdims=True)


@_maximum.defjvp
def _maximum_jvp(axis: int, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (x,), (moved,) = primals, tangents
    value = jnp.max(x, axis, keepdims=True)
    places = lax.broadcasted_iota(jnp.int32, x.shape, axis)
    # Not "equal": a NaN is as great as any, so that each bin has a first.
    first = jnp.min(jnp.where(x < value, x.shape[axis], places), axis, keepdims=True)
    return value, jnp.sum(jnp.where(places == first, moved, 0), axis, keepdims=True)


def _checked(op: str, x: Any) -> jax.Array:
    if not jnp.issubdtype(getattr(x, "dtype", "int32"), jnp.floating):
        got = f"of dtype {x.dtype}" if hasattr(x, "dtype") else f"a {type(x).__name__}"
        raise TypeError(words(op, "x", got, "a floating array", "jnp.asarray(x, jnp.float32)"))
    if x.ndim < 3 or 0 in x.shape[1:-1]:
        got, expected = f"of shape {x.shape}", "(batch, space..., channels), no spatial axis empty"
        raise ValueError(words(op, "x", got, expected, "x[None] adds a batch of one"))
    return jnp.asarray(x)


def _sizes(op: str, x: jax.Array, output_size: Any) -> tuple[int, ...]:
    space = x.shape[1:-1]
    sizes = (output_size,) * len(space) if isinstance(output_size, int) else output_size
    fine = isinstance(sizes, Sequence) and len(sizes) == len(space)
    if not fine or any(type(m) is not int or m < 1 for m in sizes if m is not None):
        expected = f"a whole number of at least 1, or {len(space)} of them (None keeps an axis)"
        raise ValueError(words(op, "output_size", repr(output_size), expected, "output_size=7"))
    return tuple(n if m is None else m for n, m in zip(space, sizes))
