"""Pooling as modules, so that what they return has a place in the network."""

import math
from collections.abc import Sequence

import jax
from flax import nnx

from jaxdl import _checks
from jaxdl.kernels import adaptive_pool, pool
from jaxdl.layers import _window
from jaxdl.layers._window import Padding


class _Pool(nnx.Module):
    """What a pool of windows is made with."""

    def __init__(
        self,
        window_shape: Sequence[int],
        *,
        strides: int | Sequence[int] | None = None,
        padding: Padding = "VALID",
        ceil_mode: bool = False,
    ) -> None:
        name = type(self).__name__
        self.window_shape = _window.sizes(name, "window_shape", window_shape)
        axes = len(self.window_shape)
        self.strides = self.window_shape if strides is None else _window.sizes(name, "strides", strides, axes)
        self.padding = _window.pads(name, padding, axes)
        self.ceil_mode = ceil_mode


class MaxPool(_Pool):
    """The maximum of every window; the gradient goes to the first of equals, and NaN is a maximum.

    Args:
        window_shape: size of the window along each spatial axis, 1 to 3 of them.
        strides: step, one number or one an axis; None: the window.
        padding: ``"SAME"``, ``"SAME_LOWER"``, ``"VALID"``, or ``((before, after), ...)``, smaller than the
            window; it never wins.
        ceil_mode: take also a last window that the end of the input cuts off, as torch does.

    Raises:
        ShapeError: the input has another rank or is smaller than the window; `window_shape`, `strides` or
            `padding` of another length.
        ValueError: a size or stride below 1, or an unknown name of a padding.
        DtypeError: the input is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> MaxPool((2, 2))(jnp.ones((1, 4, 4, 3))).shape
        (1, 2, 2, 3)
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., channels) to the maxima."""
        x = _window.batch("MaxPool", x, len(self.window_shape))
        with _window.named_errors():
            return pool.max_pool(x, self.window_shape, self.strides, self.padding, ceil_mode=self.ceil_mode)


class AvgPool(_Pool):
    """The mean of every window.

    Args:
        window_shape: size of the window along each spatial axis, 1 to 3 of them.
        strides: step, one number or one an axis; None: the window.
        padding: ``"SAME"``, ``"SAME_LOWER"``, ``"VALID"``, or ``((before, after), ...)``, smaller than the
            window.
        ceil_mode: take also a last window that the end of the input cuts off, as torch does.
        count_include_pad: count the zeros of the padding as entries.

    Raises:
        ShapeError: the input has another rank or is smaller than the window; `window_shape`, `strides` or
            `padding` of another length.
        ValueError: a size or stride below 1, or an unknown name of a padding.
        DtypeError: the input is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> AvgPool((2, 2))(jnp.ones((1, 4, 4, 3))).shape
        (1, 2, 2, 3)
    """

    def __init__(
        self,
        window_shape: Sequence[int],
        *,
        strides: int | Sequence[int] | None = None,
        padding: Padding = "VALID",
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(window_shape, strides=strides, padding=padding, ceil_mode=ceil_mode)
        self.count_include_pad = count_include_pad

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., channels) to the means."""
        x = _window.batch("AvgPool", x, len(self.window_shape))
        with _window.named_errors():
            return pool.avg_pool(
                x, self.window_shape, self.strides, self.padding, ceil_mode=self.ceil_mode,
                count_include_pad=self.count_include_pad,
            )  # fmt: skip


class GlobalAvgPool(nnx.Module):
    """The mean over all positions.

    Raises:
        ShapeError: the input has fewer than 3 axes, or an empty one.
        DtypeError: the input is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> GlobalAvgPool()(jnp.ones((1, 4, 4, 3))).shape
        (1, 3)
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., channels) to (batch, channels)."""
        with _window.named_errors():
            return _channels(adaptive_pool.adaptive_avg_pool(x, 1))


class GlobalMaxPool(nnx.Module):
    """The maximum over all positions.

    Raises:
        ShapeError: the input has fewer than 3 axes, or an empty one.
        DtypeError: the input is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> GlobalMaxPool()(jnp.ones((1, 4, 4, 3))).shape
        (1, 3)
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., channels) to (batch, channels)."""
        with _window.named_errors():
            return _channels(adaptive_pool.adaptive_max_pool(x, 1))


class AdaptiveAvgPool(nnx.Module):
    """The means of bins that share out each spatial axis, so that any input gives one output size.

    Args:
        output_size: bins along each spatial axis, or one number for all; None keeps an axis.

    Raises:
        ShapeError: the input has fewer than 3 axes, an empty one, or another number of spatial axes.
        DtypeError: the input is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> AdaptiveAvgPool(2)(jnp.ones((1, 5, 7, 3))).shape
        (1, 2, 2, 3)

    Reference:
        The bins of ``torch.nn.AdaptiveAvgPool2d``.
    """

    def __init__(self, output_size: int | Sequence[int | None]) -> None:
        self.output_size = _output_size(type(self).__name__, output_size)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., channels) to (batch, bins..., channels)."""
        with _window.named_errors():
            return adaptive_pool.adaptive_avg_pool(x, self.output_size)


class AdaptiveMaxPool(AdaptiveAvgPool):
    """The maxima of bins that share out each spatial axis; the bins of `AdaptiveAvgPool`.

    Args:
        output_size: bins along each spatial axis, or one number for all; None keeps an axis.

    Raises:
        ShapeError: the input has fewer than 3 axes, an empty one, or another number of spatial axes.
        DtypeError: the input is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> AdaptiveMaxPool((2, None))(jnp.ones((1, 5, 7, 3))).shape
        (1, 2, 7, 3)
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., channels) to (batch, bins..., channels)."""
        with _window.named_errors():
            return adaptive_pool.adaptive_max_pool(x, self.output_size)


class Flatten(nnx.Module):
    """All axes but the first as one.

    Raises:
        ShapeError: the input has no axis.

    Example:
        >>> import jax.numpy as jnp
        >>> Flatten()(jnp.ones((1, 4, 4, 3))).shape
        (1, 48)
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, ...) to (batch, features)."""
        x = _checks.array("Flatten", "x", x)
        _checks.rank_at_least("Flatten", "x", x, 1, "(batch, ...)")
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


def _channels(x: jax.Array) -> jax.Array:
    return x.reshape(x.shape[0], x.shape[-1])


def _output_size(op: str, value: int | Sequence[int | None]) -> int | tuple[int | None, ...]:
    if not isinstance(value, Sequence):
        return _checks.positive_integer(op, "output_size", value)
    return tuple(None if m is None else _checks.positive_integer(op, "output_size", m) for m in value)
