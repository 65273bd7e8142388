"""Pooling as modules, so that what they return has a place in the network."""

from collections.abc import Sequence

import jax
from flax import nnx

from jaxdl.kernels import pool


class MaxPool(nnx.Module):
    """The maximum of every window.

    Args:
        window_shape: size of the window along each spatial axis.
        strides: step along each spatial axis; None: the window.
        padding: ``"SAME"``, ``"VALID"``, or ``((before, after), ...)``.

    Example:
        >>> import jax.numpy as jnp
        >>> MaxPool((2, 2))(jnp.ones((1, 4, 4, 3))).shape
        (1, 2, 2, 3)
    """

    def __init__(
        self,
        window_shape: Sequence[int],
        *,
        strides: Sequence[int] | None = None,
        padding: str | Sequence[tuple[int, int]] = "VALID",
    ) -> None:
        self.window_shape = tuple(window_shape)
        self.strides = None if strides is None else tuple(strides)
        self.padding = padding if isinstance(padding, str) else tuple(padding)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., channels) to the maxima."""
        return pool.max_pool(x, self.window_shape, self.strides, self.padding)


class AvgPool(MaxPool):
    """The mean of every window.

    Args:
        window_shape: size of the window along each spatial axis.
        strides: step along each spatial axis; None: the window.
        padding: ``"SAME"``, ``"VALID"``, or ``((before, after), ...)``.

    Example:
        >>> import jax.numpy as jnp
        >>> AvgPool((2, 2))(jnp.ones((1, 4, 4, 3))).shape
        (1, 2, 2, 3)
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., channels) to the means."""
        return pool.avg_pool(x, self.window_shape, self.strides, self.padding)


class GlobalAvgPool(nnx.Module):
    """The mean over all positions.

    Example:
        >>> import jax.numpy as jnp
        >>> GlobalAvgPool()(jnp.ones((1, 4, 4, 3))).shape
        (1, 3)
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., channels) to (batch, channels)."""
        return x.mean(tuple(range(1, x.ndim - 1)))


class Flatten(nnx.Module):
    """All axes but the first as one.

    Example:
        >>> import jax.numpy as jnp
        >>> Flatten()(jnp.ones((1, 4, 4, 3))).shape
        (1, 48)
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, ...) to (batch, features)."""
        return x.reshape(x.shape[0], -1)
