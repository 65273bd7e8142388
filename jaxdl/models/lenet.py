"""LeNet-5, as it was published and as it is built today."""

import dataclasses
from typing import Self

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, initializers
from jaxdl.errors import ShapeError, explain
from jaxdl.initializers import Initializer
from jaxdl.layers import (
    Activation,
    AvgPool,
    ConnectedConv,
    Conv,
    Flatten,
    Linear,
    MaxPool,
    RadialBasis,
    Subsample,
)
from jaxdl.layers.activation import ACTIVATIONS
from jaxdl.models._digit_codes import digit_codes
from jaxdl.models._images import check_images

# For each of the 16 maps of C3 the maps of S2 that it sees: threes, fours that are neighbours, fours that are
# not, and one that sees all.
TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip
SIDES = (28, 32)
POOLS = ("max", "average", "subsample")
INITIALIZERS = ("he", "published")


@dataclasses.dataclass(frozen=True)
class LeNet5Config:
    """What makes a LeNet-5: C1 6@5x5, S2, C3 16@5x5, S4, C5 120, F6 84, and the outputs.

    Attributes:
        num_classes: classes; ten where the output is ``"codes"``.
        in_channels: channels of the images.
        activation: name of the activation, such as ``"relu"`` or ``"scaled_tanh"``.
        connections: of C3: ``"all"`` maps of S2 with each of its own, or by the published ``"table"``.
        pool: S2 and S4: ``"max"``, ``"average"``, or ``"subsample"``, with a trained coefficient and bias for
            each map, and the activation behind them.
        output: ``"linear"`` gives logits; ``"codes"`` minus the squared distances of F6 to the bitmaps of the
            ten digits, so that the nearest digit is the highest.
        kernel_init: ``"he"``, or ``"published"``: ``U(-2.4 / n, 2.4 / n)``, n the inputs of a unit.
        background: value of the two pixels that are put around images of 28 by 28.

    Raises:
        ValueError: an entry that is none of these, or a number of classes that has no codes.
        DtypeError: counts that are not whole numbers.
    """

    num_classes: int = 10
    in_channels: int = 1
    activation: str = "relu"
    connections: str = "all"
    pool: str = "max"
    output: str = "linear"
    kernel_init: str = "he"
    background: float = 0.0

    def __post_init__(self) -> None:
        for name in ("num_classes", "in_channels"):
            value = _checks.positive_integer("LeNet5Config", name, getattr(self, name))
            object.__setattr__(self, name, value)
        for name, choices in (
            ("activation", tuple(ACTIVATIONS)), ("connections", ("all", "table")), ("pool", POOLS),
            ("output", ("linear", "codes")), ("kernel_init", INITIALIZERS),
        ):  # fmt: skip
            _checks.one_of("LeNet5Config", name, getattr(self, name), choices)
        _checks.in_range("LeNet5Config", "background", self.background, -1e6, 1e6, "[-1e6, 1e6)")
        object.__setattr__(self, "background", float(self.background))
        if self.output == "codes" and self.num_classes != 10:
            raise ValueError(
                explain("LeNet5Config", "num_classes", got=f"{self.num_classes} with output='codes'",
                        expected="10, as there are codes for the ten digits", fix="output='linear'")
            )  # fmt: skip

    def initializer(self, inputs: int) -> Initializer:
        """The initialiser of the kernels of units with so many inputs."""
        return initializers.he() if self.kernel_init == "he" else initializers.uniform(limit=2.4 / inputs)


class LeNet5(nnx.Module):
    """LeNet-5: two convolutions of 5x5, each with a pooling behind it, and dense layers of 120 and 84.

    Args:
        config: which of its forms.
        rngs: the random streams of the constructor.

    Example:
        >>> nnx.eval_shape(lambda: LeNet5.modern(rngs=nnx.Rngs(0))(jnp.ones((3, 28, 28, 1)))).shape
        (3, 10)

    Reference:
        LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition (1998).
    """

    def __init__(self, config: LeNet5Config, *, rngs: nnx.Rngs) -> None:
        self.config = config
        self.layers = nnx.List(_layers(config, rngs))

    @classmethod
    def modern(cls, *, num_classes: int = 10, in_channels: int = 1, rngs: nnx.Rngs) -> Self:
        """ReLU, max pooling, C3 connected with all of S2, logits: 61,706 parameters."""
        return cls(LeNet5Config(num_classes, in_channels), rngs=rngs)

    @classmethod
    def original(cls, *, rngs: nnx.Rngs) -> Self:
        """The published network: 60,000 trained parameters, and codes of the ten digits.

        Its pixels are meant to be -0.1 for the background and 1.175 for ink, which is
        ``Scaling(offset=20, factor=1.275 / 255)`` of bytes; `losses.maximum_a_posteriori` is its loss.
        """
        config = LeNet5Config(
            activation="scaled_tanh", connections="table", pool="subsample", output="codes",
            kernel_init="published", background=-0.1,
        )  # fmt: skip
        return cls(config, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images (batch, 28 or 32, 28 or 32, channels) to scores (batch, classes)."""
        x = _padded(_images(x, self.config.in_channels), self.config.background)
        for layer in self.layers:
            x = layer(x)
        return -x if self.config.output == "codes" else x


def _layers(config: LeNet5Config, rngs: nnx.Rngs) -> list[nnx.Module]:
    def activation() -> Activation:
        return Activation(config.activation)

    def linear(inputs: int, outputs: int) -> Linear:
        return Linear(inputs, outputs, kernel_init=config.initializer(inputs), rngs=rngs)

    first = Conv(config.in_channels, 6, (5, 5), padding="VALID",
                 kernel_init=config.initializer(25 * config.in_channels), rngs=rngs)  # fmt: skip
    second = (
        ConnectedConv(6, TABLE, (5, 5), rngs=rngs)
        if config.connections == "table"
        else Conv(6, 16, (5, 5), padding="VALID", kernel_init=config.initializer(150), rngs=rngs)
    )
    pools = (_pool(config, width, rngs) for width in (6, 16))
    maps = [part for conv in (first, second) for part in (conv, activation(), *next(pools))]
    # C5 sees all of S4, so that its convolution is a dense layer.
    units = [part for sizes in ((400, 120), (120, 84)) for part in (linear(*sizes), activation())]
    last = RadialBasis(digit_codes()) if config.output == "codes" else linear(84, config.num_classes)
    return [*maps, Flatten(), *units, last]


def _pool(config: LeNet5Config, width: int, rngs: nnx.Rngs) -> list[nnx.Module]:
    if config.pool == "subsample":
        return [Subsample(width, rngs=rngs), Activation(config.activation)]
    return [MaxPool((2, 2)) if config.pool == "max" else AvgPool((2, 2))]


def _images(x: jax.Array, channels: int) -> jax.Array:
    x = check_images("LeNet5", x, channels=channels, least=1)
    if x.shape[1] != x.shape[2] or x.shape[1] not in SIDES:
        raise ShapeError(
            explain("LeNet5", "x", got=f"of shape {x.shape}",
                    expected=f"(batch, 32, 32, {channels}), or 28 by 28, channels last",
                    fix=f"jax.image.resize(x, ({x.shape[0]}, 32, 32, {channels}), 'linear')")
        )  # fmt: skip
    return x


def _padded(x: jax.Array, background: float) -> jax.Array:
    margin = (SIDES[1] - x.shape[1]) // 2
    space = (margin, margin)
    return jnp.pad(x, ((0, 0), space, space, (0, 0)), constant_values=background) if margin else x
