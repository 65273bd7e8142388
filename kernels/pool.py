"""Pooling: the maximum or the mean of every window."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def max_pool(
    x: jax.Array,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
) -> jax.Array:
    """Return the maximum of every window.

    Args:
        x: array (batch, space..., channels).
        window_shape: size of the window along each spatial axis.
        strides: step along each spatial axis; None: the window.
        padding: ``"SAME"``, ``"VALID"``, or ``((before, after), ...)``.

    Returns:
        The maxima (batch, space..., channels).

    Example:
        >>> max_pool(jnp.arange(4.0).reshape(1, 4, 1), (2,)).ravel().tolist()
        [1.0, 3.0]
    """
    return _reduce(x, -jnp.inf, lax.max, window_shape, strides, padding)


def avg_pool(
    x: jax.Array,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
) -> jax.Array:
    """Return the mean of every window, padding counted.

    Args:
        x: array (batch, space..., channels).
        window_shape: size of the window along each spatial axis.
        strides: step along each spatial axis; None: the window.
        padding: ``"SAME"``, ``"VALID"``, or ``((before, after), ...)``.

    Returns:
        The means (batch, space..., channels).

    Example:
        >>> avg_pool(jnp.arange(4.0).reshape(1, 4, 1), (2,)).ravel().tolist()
        [0.5, 2.5]
    """
    return _reduce(x, 0.0, lax.add, window_shape, strides, padding) / math.prod(window_shape)


def _reduce(x: jax.Array, start: float, reduce: Any, window: Any, strides: Any, padding: Any) -> jax.Array:
    strides = window if strides is None else strides
    pads = padding if isinstance(padding, str) else ((0, 0), *padding, (0, 0))
    return lax.reduce_window(x, jnp.asarray(start, x.dtype), reduce, (1, *window, 1), (1, *strides, 1), pads)
