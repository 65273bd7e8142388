"""VGG: stages of 3 x 3 convolutions, each ended by a max pooling, and a dense head."""

import dataclasses
from collections.abc import Callable
from typing import Any, Self

import jax
from flax import nnx

from jaxdl import _checks, initializers
from jaxdl.errors import DtypeError, explain
from jaxdl.initializers import Initializer
from jaxdl.layers import Activation, AdaptiveAvgPool, BatchNorm, Conv, Dropout, Flatten, Linear, MaxPool
from jaxdl.models import _configs
from jaxdl.models._images import Window, check_images, smallest

STAGES = {
    11: ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    13: ((64, 64), (128, 128), (256, 256), (512, 512), (512, 512)),
    16: ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
    19: ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512, 512, 512, 512)),
}
INITS: dict[str, Callable[[], Initializer]] = {
    "he": initializers.he,
    "glorot": initializers.glorot,
    "paper": lambda: initializers.normal(stddev=0.1),
}


@dataclasses.dataclass(frozen=True)
class VGGConfig:
    """What makes a VGG.

    Attributes:
        stages: channels of the convolutions, stage by stage; each stage halves the image.
        batch_norm: normalise after each convolution.
        conv_bias: whether convolutions before a batch norm have a bias. True, as in torchvision, whose
            weights bring it, though beta does its work: Adam walks it on rounding noise, so False is for
            training from nothing. Without batch norm there always is one.
        norm_momentum: how much of the running statistics a step keeps.
        hidden: units of the dense layers before the last.
        pool_to: side of the map that adaptive average pooling gives the head: 7 is what images of 224 x 224
            leave.
        num_classes: outputs.
        in_channels: channels of the images.
        dropout: rate after each hidden dense layer, or the name of a hyperparameter that holds it.
        init: ``"he"``; ``"glorot"``, which the paper recommends afterwards; or ``"paper"`` for kernels of
            N(0, 0.1^2), with which it trained the network of 11 layers only. Biases start at zero.

    Raises:
        ValueError: an entry that is none of these.
        DtypeError: a size that is no whole number, or a number where there is a tuple.
    """

    stages: tuple[tuple[int, ...], ...] = STAGES[16]
    batch_norm: bool = False
    conv_bias: bool = True
    norm_momentum: float = 0.9
    hidden: tuple[int, ...] = (4096, 4096)
    pool_to: int = 7
    num_classes: int = 1000
    in_channels: int = 3
    dropout: float | str = 0.5
    init: str = "he"

    def __post_init__(self) -> None:
        _configs.whole(self, "num_classes", "in_channels", "pool_to")
        _configs.widths(self, "hidden")
        rows = _configs.entries(self, "stages", fix="stages=((64, 64), (128, 128))")
        object.__setattr__(self, "stages", tuple(map(_stage, rows)))
        if not self.stages or not all(self.stages):
            raise ValueError(
                explain("VGGConfig", "stages", got=self.stages, expected="a convolution or more a stage",
                        fix="stages=((64, 64), (128, 128))")
            )  # fmt: skip
        _configs.flags(self, "batch_norm", "conv_bias")
        _checks.one_of("VGGConfig", "init", self.init, INITS)
        _configs.number(self, "norm_momentum", 0, 1, "[0, 1)")
        _configs.rates(self, "dropout")

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that slide over an image, in turn."""
        return tuple(w for stage in self.stages for w in (*(Window(3, 1, 1) for _ in stage), Window(2, 2)))


class VGG(nnx.Module):
    """Stages of 3 x 3 convolutions with ReLU, max pooling between them, then dense layers with dropout.

    `features`, `avgpool` and `classifier` hold their layers in the order of torchvision's.

    Args:
        config: stages, head and initialiser.
        rngs: the random streams of the constructor.

    Raises:
        ShapeError: when called, images of another rank or number of channels, or too small ones.
        DtypeError: when called, images that are not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> config = VGGConfig(stages=((4,), (8,)), hidden=(16,), pool_to=2, num_classes=3)
        >>> nnx.eval_shape(lambda: VGG(config, rngs=nnx.Rngs(0))(jnp.ones((2, 8, 8, 3)))).shape
        (2, 3)

    Reference:
        Simonyan and Zisserman (2015), configurations A, B, D and E.
    """

    def __init__(self, config: VGGConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        self.features = nnx.List(_features(config, rngs))
        self.avgpool = AdaptiveAvgPool((config.pool_to,) * 2)
        self.flatten = Flatten()
        self.classifier = nnx.List(_classifier(config, rngs))
        self.smallest = smallest(config.windows)

    @classmethod
    def vgg11(cls, *, rngs: nnx.Rngs, batch_norm: bool = False, **options: Any) -> Self:
        """Configuration A: 132,863,336 parameters; `options` are fields of `VGGConfig`."""
        return cls(VGGConfig(stages=STAGES[11], batch_norm=batch_norm, **options), rngs=rngs)

    @classmethod
    def vgg13(cls, *, rngs: nnx.Rngs, batch_norm: bool = False, **options: Any) -> Self:
        """Configuration B: 133,047,848 parameters; `options` are fields of `VGGConfig`."""
        return cls(VGGConfig(stages=STAGES[13], batch_norm=batch_norm, **options), rngs=rngs)

    @classmethod
    def vgg16(cls, *, rngs: nnx.Rngs, batch_norm: bool = False, **options: Any) -> Self:
        """Configuration D: 138,357,544 parameters, with batch norm 138,365,992; `options` as in `vgg11`."""
        return cls(VGGConfig(stages=STAGES[16], batch_norm=batch_norm, **options), rngs=rngs)

    @classmethod
    def vgg19(cls, *, rngs: nnx.Rngs, batch_norm: bool = False, **options: Any) -> Self:
        """Configuration E: 143,667,240 parameters; `options` are fields of `VGGConfig`."""
        return cls(VGGConfig(stages=STAGES[19], batch_norm=batch_norm, **options), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images (batch, height, width, channels) to logits (batch, classes)."""
        x = check_images("VGG", x, channels=self.config.in_channels, least=self.smallest)
        for layer in (*self.features, self.avgpool, self.flatten, *self.classifier):
            x = layer(x)
        return x


def _stage(widths: Any) -> tuple[int, ...]:
    if not isinstance(widths, tuple | list):
        raise DtypeError(
            explain("VGGConfig", "stages", got=f"a tuple that holds {widths!r}",
                    expected="a tuple of tuples, the convolutions stage by stage",
                    fix="stages=((64, 64), (128, 128))")
        )  # fmt: skip
    return tuple(_checks.positive_integer("VGGConfig", "stages", width) for width in widths)


def _features(config: VGGConfig, rngs: nnx.Rngs) -> list[nnx.Module]:
    layers: list[nnx.Module] = []
    inputs, initializer = config.in_channels, INITS[config.init]()
    for stage in config.stages:
        for outputs in stage:
            layers.append(Conv(inputs, outputs, (3, 3), padding=((1, 1), (1, 1)), kernel_init=initializer,
                               use_bias=config.conv_bias or not config.batch_norm, rngs=rngs))  # fmt: skip
            if config.batch_norm:
                layers.append(BatchNorm(outputs, momentum=config.norm_momentum,
                                        running_variance="unbiased", rngs=rngs))  # fmt: skip
            layers.append(Activation("relu"))
            inputs = outputs
        layers.append(MaxPool((2, 2)))
    return layers


def _classifier(config: VGGConfig, rngs: nnx.Rngs) -> list[nnx.Module]:
    layers: list[nnx.Module] = []
    inputs, initializer = config.stages[-1][-1] * config.pool_to**2, INITS[config.init]()
    for outputs in config.hidden:
        layers += [Linear(inputs, outputs, kernel_init=initializer, rngs=rngs), Activation("relu"),
                   Dropout(config.dropout, rngs=rngs)]  # fmt: skip
        inputs = outputs
    return [*layers, Linear(inputs, config.num_classes, kernel_init=initializer, rngs=rngs)]
