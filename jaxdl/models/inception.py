"""The Inception block: four branches over the same input, put side by side by channels."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import initializers
from jaxdl.errors import DtypeError, explain
from jaxdl.initializers import Initializer
from jaxdl.layers import (
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    Linear,
    MaxPool,
)
from jaxdl.models import _configs
from jaxdl.models._images import Window

INITS: dict[str, Callable[[], Initializer]] = {
    "he": initializers.he,
    "glorot": initializers.glorot,
    "torchvision": lambda: initializers.normal(stddev=0.01),
}
AUXILIARY_POOLS = ("adaptive", "window")
AUXILIARY_WINDOW, AUXILIARY_SIDE = Window(5, 3), 4


@dataclasses.dataclass(frozen=True)
class InceptionWidths:
    """Channels of the branches of one Inception block, a row of Szegedy's table.

    Attributes:
        name: ``"3a"``, its key among the parameters.
        single: of the 1 x 1 convolution.
        middle: of the 1 x 1 convolution that narrows the input, and of the 3 x 3 one behind it.
        wide: the same of the branch with the 5 x 5 convolution.
        pooled: of the 1 x 1 convolution behind the max pooling.

    Raises:
        ValueError: a width below 1, or no pair where there are two.
        DtypeError: a width that is no whole number, or a name that is no string.
    """

    name: str
    single: int
    middle: tuple[int, int]
    wide: tuple[int, int]
    pooled: int

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise DtypeError(explain("InceptionWidths", "name", got=repr(self.name), expected="a string",
                                     fix="name='3a'"))  # fmt: skip
        if not self.name or hasattr(nnx.Dict, self.name):
            raise ValueError(
                explain("InceptionWidths", "name", got=repr(self.name),
                        expected="a key that is no attribute of flax.nnx.Dict", fix="name='3a'")
            )  # fmt: skip
        for field in ("middle", "wide"):
            fix = f"{field}=(96, 128)"
            _configs.widths(self, field, fix=fix)
            if len(getattr(self, field)) != 2:
                raise ValueError(explain("InceptionWidths", field, got=getattr(self, field),
                                         expected="two widths", fix=fix))  # fmt: skip
        _configs.whole(self, "single", "pooled")

    @property
    def outputs(self) -> int:
        """Channels that the block returns."""
        return self.single + self.middle[1] + self.wide[1] + self.pooled


class ConvUnit(nnx.Module):
    """Convolution that keeps the size, batch norm where asked for, ReLU.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        window: side of the kernel, odd.
        strides: step of the window.
        batch_norm: normalise, with epsilon 1e-3, instead of adding a bias.
        init: ``"he"``, ``"glorot"`` or ``"torchvision"``.
        rngs: the random streams of the constructor.

    Example:
        >>> images = jnp.ones((2, 16, 16, 3))
        >>> nnx.eval_shape(lambda: ConvUnit(3, 8, 7, strides=2, rngs=nnx.Rngs(0))(images)).shape
        (2, 8, 8, 8)
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        window: int,
        *,
        strides: int = 1,
        batch_norm: bool = True,
        init: str = "he",
        rngs: nnx.Rngs,
    ) -> None:
        self.conv = Conv(inputs, outputs, (window,) * 2, strides=strides, padding=((window // 2,) * 2,) * 2,
                         use_bias=not batch_norm, kernel_init=INITS[init](), rngs=rngs)  # fmt: skip
        norm = (
            BatchNorm(outputs, epsilon=1e-3, running_variance="unbiased", rngs=rngs) if batch_norm else None
        )
        self.bn = norm
        self.relu = Activation("relu")

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, height, width, inputs) to (batch, height, width, outputs), over the strides."""
        x = self.conv(x)
        return self.relu(x if self.bn is None else self.bn(x))


class Inception(nnx.Module):
    """Inception block ``[conv 1x1, conv 3x3 of conv 1x1, conv 5x5 of conv 1x1, conv 1x1 of max 3x3]``.

    The 1 x 1 convolutions are bottlenecks. On 28 x 28 x 192 a 5 x 5 convolution to 32 channels takes 120.4
    million multiplications, and through 16 channels 12.4 million, as the example counts.

    Args:
        inputs: channels of the input.
        widths: channels of the branches.
        wide_window: side of the kernel of the branch `wide`: 5, or 3 as in torchvision.
        options: what else `ConvUnit` takes: `batch_norm`, `init`.
        rngs: the random streams of the constructor.

    Example:
        >>> positions = 28 * 28
        >>> positions * 32 * 5 * 5 * 192, positions * (16 * 192 + 32 * 5 * 5 * 16)
        (120422400, 12443648)
        >>> row = InceptionWidths("3a", 4, (2, 4), (2, 4), 4)
        >>> nnx.eval_shape(lambda: Inception(6, row, rngs=nnx.Rngs(0))(jnp.ones((2, 8, 8, 6)))).shape
        (2, 8, 8, 16)

    Reference:
        Szegedy et al. (2015).
    """

    def __init__(
        self, inputs: int, widths: InceptionWidths, *, wide_window: int = 5, rngs: nnx.Rngs, **options: Any
    ) -> None:
        def unit(inputs: int, outputs: int, window: int) -> ConvUnit:
            return ConvUnit(inputs, outputs, window, rngs=rngs, **options)

        self.branch1 = unit(inputs, widths.single, 1)
        self.branch2 = nnx.List([unit(inputs, widths.middle[0], 1), unit(*widths.middle, 3)])
        self.branch3 = nnx.List([unit(inputs, widths.wide[0], 1), unit(*widths.wide, wide_window)])
        pool = MaxPool((3, 3), strides=(1, 1), padding=((1, 1), (1, 1)))
        self.branch4 = nnx.List([pool, unit(inputs, widths.pooled, 1)])

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, height, width, inputs) to (batch, height, width, ``widths.outputs``)."""
        branches = [self.branch1(x)]
        for first, second in (self.branch2, self.branch3, self.branch4):
            branches.append(second(first(x)))
        return jnp.concatenate(branches, axis=-1)


class AuxiliaryHead(nnx.Module):
    """A classifier on a middle layer: mean pooling to 4 x 4, 1 x 1 convolution, two dense layers.

    Args:
        inputs: channels of the input.
        widths: channels of the convolution and units of the hidden dense layer.
        classes: outputs.
        pool: ``"adaptive"`` for any size of the input, as torchvision, or ``"window"`` for 5 x 5 windows with
            stride 3, as the paper, which leave 4 x 4 of 14 x 14.
        dropout: rate before the last layer.
        options: what else `ConvUnit` takes: `batch_norm`, `init`.
        rngs: the random streams of the constructor.

    Example:
        >>> images = jnp.ones((2, 14, 14, 6))
        >>> nnx.eval_shape(lambda: AuxiliaryHead(6, (8, 16), 3, rngs=nnx.Rngs(0))(images)).shape
        (2, 3)

    Reference:
        Szegedy et al. (2015).
    """

    def __init__(
        self,
        inputs: int,
        widths: tuple[int, int],
        classes: int,
        *,
        pool: str = "adaptive",
        dropout: float | str = 0.7,
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        channels, hidden = widths
        window = AUXILIARY_WINDOW
        self.pool = (
            AdaptiveAvgPool((AUXILIARY_SIDE,) * 2)
            if pool == "adaptive"
            else AvgPool((window.size,) * 2, strides=(window.stride,) * 2)
        )
        self.conv = ConvUnit(inputs, channels, 1, rngs=rngs, **options)
        self.flatten = Flatten()
        initializer = INITS[options.get("init", "he")]()
        flat = channels * AUXILIARY_SIDE**2
        self.fc1 = Linear(flat, hidden, kernel_init=initializer, rngs=rngs)
        self.relu = Activation("relu")
        self.dropout = Dropout(dropout, rngs=rngs)
        self.fc2 = Linear(hidden, classes, kernel_init=initializer, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, height, width, inputs) to logits (batch, classes)."""
        x = self.flatten(self.conv(self.pool(x)))
        return self.fc2(self.dropout(self.relu(self.fc1(x))))
