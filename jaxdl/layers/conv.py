"""Convolutional layers."""

from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from jaxdl.initializers import Initializer, he, zeros
from jaxdl.kernels.conv import conv_general_dilated, conv_transpose


class Conv(nnx.Conv):
    """Convolution of 1, 2 or 3 spatial axes: flax's own, with the kernel of `jaxdl.kernels.conv`.

    ``y[p, o] = b[o] + sum over window positions q and inputs i of x[p * stride + q, i] w[q, i, o]``, channels
    last; the number of spatial axes is the length of `kernel_size`.

    Args:
        in_features: channels of the input.
        out_features: channels of the output.
        kernel_size: window along each spatial axis, such as ``(3, 3)``.
        strides: step of the window, one number or one an axis.
        padding: ``"SAME"``, ``"VALID"``, or ``((before, after), ...)``.
        kernel_init: initialiser of w (window..., in / groups, out); He by default.
        bias_init: initialiser of b (out,); zeros by default.
        options: what else `flax.nnx.Conv` takes: `use_bias`, `kernel_dilation`, `feature_group_count`, ...
        rngs: the random streams of the constructor.

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
        padding: str | Sequence[tuple[int, int]] = "SAME",
        kernel_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        options.setdefault("conv_general_dilated", conv_general_dilated)
        super().__init__(
            in_features, out_features, tuple(kernel_size), strides, padding=padding,
            kernel_init=kernel_init or he(), bias_init=bias_init or zeros(), rngs=rngs, **options,
        )  # fmt: skip


class ConvTranspose(nnx.Module):
    """Transposed convolution: each input entry adds its multiple of the kernel to a larger output.

    Args:
        in_features: channels of the input.
        out_features: channels of the output.
        kernel_size: window along each spatial axis.
        strides: how much larger the output is, one number or one an axis.
        padding: ``"SAME"``, ``"VALID"``, or ``((before, after), ...)`` of the dilated input.
        use_bias: whether to add b.
        kernel_init: initialiser of w (window..., in, out); He by default.
        bias_init: initialiser of b (out,); zeros by default.
        rngs: the random streams of the constructor.

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
        padding: str | Sequence[tuple[int, int]] = "SAME",
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        window = tuple(kernel_size)
        shape = (*window, in_features, out_features)
        self.strides = (strides,) * len(window) if isinstance(strides, int) else tuple(strides)
        self.padding = padding if isinstance(padding, str) else tuple(padding)
        self.kernel = nnx.Param((kernel_init or he())(rngs.params(), shape))
        self.bias = nnx.Param((bias_init or zeros())(rngs.params(), (out_features,))) if use_bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, space..., in) to (batch, larger space..., out)."""
        space = "DHW"[-len(self.strides) :]
        numbers = (f"N{space}C", f"{space}IO", f"N{space}C")
        y = conv_transpose(x, self.kernel[...], self.strides, self.padding, dimension_numbers=numbers)
        return y if self.bias is None else y + self.bias[...].reshape((1,) * (y.ndim - 1) + (-1,))
