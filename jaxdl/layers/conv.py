"""Convolutional layers."""

import math
from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.initializers import Initializer, he, zeros
from jaxdl.kernels.conv import conv_general_dilated, conv_transpose
from jaxdl.layers import _window
from jaxdl.layers._window import Padding

PADDINGS = (*_window.PADDINGS, "CIRCULAR", "REFLECT", "CAUSAL")


class Conv(nnx.Conv):
    """Convolution of 1, 2 or 3 spatial axes: flax's own, with the kernel of `jaxdl.kernels.conv`.

    ``y[p, o] = b[o] + sum over window positions q and inputs i of x[p * stride + q, i] w[q, i, o]``, channels
    last; the number of spatial axes is the length of `kernel_size`.

    Args:
        in_features: channels of the input.
        out_features: channels of the output.
        kernel_size: window along each spatial axis, such as ``(3, 3)``.
        strides: step of the window, one number or one an axis.
        padding: ``"SAME"``, ``"SAME_LOWER"``, ``"VALID"``, ``((before, after), ...)`` with negative numbers
            to crop, or flax's ``"CIRCULAR"``, ``"REFLECT"`` and ``"CAUSAL"``.
        kernel_dilation: distance of the entries of the window, one number or one an axis.
        feature_group_count: groups of channels, each convolved for itself; `in_features` for depthwise.
        kernel_init: initialiser of w (window..., in / groups, out); He by default.
        bias_init: initialiser of b (out,); zeros by default.
        options: what else `flax.nnx.Conv` takes: `use_bias`, `input_dilation`, `dtype`, ...
        rngs: the random streams of the constructor.

    Raises:
        ShapeError: the input has another rank or other channels, or is smaller than the window; `strides`,
            `padding` or `kernel_dilation` of another length than `kernel_size`.
        ValueError: a size below 1, an unknown padding, or channels that the groups do not divide.
        DtypeError: the input is not floating, or a size is no whole number.

    Example:
        >>> import jax.numpy as jnp
        >>> Conv(1, 6, (5, 5), padding="VALID", rngs=nnx.Rngs(0))(jnp.ones((2, 28, 28, 1))).shape
        (2, 24, 24, 6)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Sequence[int],
        *,
        strides: int | Sequence[int] = 1,
        padding: Padding = "SAME",
        kernel_dilation: int | Sequence[int] = 1,
        feature_group_count: int = 1,
        kernel_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        window = _window.sizes("Conv", "kernel_size", kernel_size)
        groups = _checks.positive_integer("Conv", "feature_group_count", feature_group_count)
        for name, features in (("in_features", in_features), ("out_features", out_features)):
            if _checks.positive_integer("Conv", name, features) % groups:
                raise ValueError(
                    explain("Conv", name, got=features, expected=f"a multiple of the {groups} groups",
                            fix=f"{name}={math.ceil(features / groups) * groups}, or other groups")
                )  # fmt: skip
        options.setdefault("conv_general_dilated", conv_general_dilated)
        super().__init__(
            in_features, out_features, window, _window.sizes("Conv", "strides", strides, len(window)),
            padding=_window.pads("Conv", padding, len(window), PADDINGS),
            kernel_dilation=_window.sizes("Conv", "kernel_dilation", kernel_dilation, len(window)),
            feature_group_count=groups, kernel_init=kernel_init or he(), bias_init=bias_init or zeros(),
            rngs=rngs, **options,
        )  # fmt: skip

    def __call__(self, x: jax.Array, out_sharding: Any = None) -> jax.Array:
        """Map `x` (batch, space..., in) to (batch, space..., out)."""
        x = _input("Conv", x, len(self.kernel_size), self.in_features)
        if self.padding == "VALID" or not isinstance(self.padding, str):
            self._check_space(x.shape[1:-1])
        return super().__call__(x, out_sharding)

    def _check_space(self, space: tuple[int, ...]) -> None:
        """Raise `ShapeError` where the window does not fit into the padded input."""
        axes = len(space)
        pads = ((0, 0),) * axes if isinstance(self.padding, str) else self.padding
        spread = self.input_dilation if isinstance(self.input_dilation, Sequence) else None
        spread = spread or (self.input_dilation or 1,) * axes
        reach = tuple((k - 1) * d + 1 for k, d in zip(self.kernel_size, self.kernel_dilation))
        whole = tuple((n - 1) * d + 1 + sum(pair) for n, d, pair in zip(space, spread, pads))
        if any(n < k for n, k in zip(whole, reach)):
            raise ShapeError(
                explain("Conv", "x", got=f"of space {space}, {whole} with padding",
                        expected=f"at least the window, {reach}",
                        fix='padding="SAME", a smaller kernel_size, or larger images')
            )  # fmt: skip


class ConvTranspose(nnx.Module):
    """Transposed convolution: each input entry adds its multiple of the kernel to a larger output.

    Args:
        in_features: channels of the input.
        out_features: channels of the output.
        kernel_size: window along each spatial axis.
        strides: how much larger the output is, one number or one an axis.
        padding: ``"SAME"``, ``"VALID"``, or ``((before, after), ...)`` of the dilated input. torch's number p
            is k - 1 - p before, and k - 1 - p and its `output_padding` after, of a window of k.
        use_bias: whether to add b.
        kernel_init: initialiser of w (window..., in, out); He by default.
        bias_init: initialiser of b (out,); zeros by default.
        rngs: the random streams of the constructor.

    Raises:
        ShapeError: the input has another rank or other channels; `strides` or `padding` of another length
            than `kernel_size`.
        ValueError: a size below 1, or an unknown padding.
        DtypeError: the input is not floating, or a size is no whole number.

    Example:
        >>> import jax.numpy as jnp
        >>> ConvTranspose(3, 2, (2, 2), strides=2, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 3))).shape
        (1, 8, 8, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Sequence[int],
        *,
        strides: int | Sequence[int] = 1,
        padding: Padding = "SAME",
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        window = _window.sizes("ConvTranspose", "kernel_size", kernel_size)
        for name, features in (("in_features", in_features), ("out_features", out_features)):
            _checks.positive_integer("ConvTranspose", name, features)
        shape = (*window, in_features, out_features)
        self.strides = _window.sizes("ConvTranspose", "strides", strides, len(window))
        self.padding = _window.pads("ConvTranspose", padding, len(window), ("SAME", "VALID"))
        self.kernel = nnx.Param((kernel_init or he())(rngs.params(), shape))
        self.bias = nnx.Param((bias_init or zeros())(rngs.params(), (out_features,))) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., in) to (batch, larger space..., out)."""
        kernel = self.kernel[...]
        x = _input("ConvTranspose", x, len(self.strides), kernel.shape[-2])
        space = "DHW"[-len(self.strides) :]
        numbers = (f"N{space}C", f"{space}IO", f"N{space}C")
        y = conv_transpose(x, kernel, self.strides, self.padding, dimension_numbers=numbers)
        return y if self.bias is None else y + self.bias[...].reshape((1,) * (y.ndim - 1) + (-1,))


def _input(op: str, x: Any, axes: int, features: int) -> jax.Array:
    """Return `x`, or raise `ShapeError` unless it is a batch with so many spatial axes and channels."""
    x = _window.batch(op, x, axes)
    if x.shape[-1] != features:
        first = x.shape[1] == features
        fix = "move the channels to the end" if first else f"{op}({x.shape[-1]}, ...)"
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}", expected=f"{features} channels, last", fix=fix)
        )
    return x
