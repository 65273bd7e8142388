"""AlexNet: five convolutions and three dense layers, as the paper has it and as torchvision ships it."""

import dataclasses
import math
from typing import Any, Self

import jax
from flax import nnx

from jaxdl import _checks, initializers
from jaxdl.errors import ShapeError, explain
from jaxdl.layers import (
    Activation,
    AdaptiveAvgPool,
    Conv,
    Dropout,
    Flatten,
    Linear,
    LocalResponseNorm,
    MaxPool,
)
from jaxdl.layers.dropout import SCALES
from jaxdl.models import _configs
from jaxdl.models._images import Window, check_images, extent_after, smallest

POOL = Window(3, 2)
INITS = ("he", "paper")
PLACES = ("before", "after")


@dataclasses.dataclass(frozen=True)
class AlexNetStage:
    """A convolution with ReLU, and what follows it.

    Attributes:
        features: channels of its output.
        window: side of its kernel.
        stride: step of the window.
        padding: pixels of zeros around the input.
        groups: the channels are split into so many parts that do not see each other.
        first_bias: value of the biases before training with ``init="paper"``.
        response_norm: whether a local response norm follows, ``n=5, k=2, alpha=1e-4, beta=0.75``.
        pool: whether a max pooling follows, of overlapping windows: 3 x 3 with stride 2.

    Raises:
        ValueError: an entry that is none of these.
        DtypeError: a size that is no whole number.
    """

    features: int
    window: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    first_bias: float = 0.0
    response_norm: bool = False
    pool: bool = False

    def __post_init__(self) -> None:
        _configs.whole(self, "features", "window", "stride", "groups")
        _configs.whole(self, "padding", least=0)
        _configs.number(self, "first_bias", -math.inf, math.inf, "(-inf, inf)")
        _configs.flags(self, "response_norm", "pool")

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that slide over an image here."""
        return (Window(self.window, self.stride, self.padding), *([POOL] if self.pool else []))


PAPER = (
    AlexNetStage(96, 11, stride=4, response_norm=True, pool=True),
    AlexNetStage(256, 5, padding=2, groups=2, first_bias=1.0, response_norm=True, pool=True),
    AlexNetStage(384, 3, padding=1),
    AlexNetStage(384, 3, padding=1, groups=2, first_bias=1.0),
    AlexNetStage(256, 3, padding=1, groups=2, first_bias=1.0, pool=True),
)
TORCHVISION = (
    AlexNetStage(64, 11, stride=4, padding=2, pool=True),
    AlexNetStage(192, 5, padding=2, pool=True),
    AlexNetStage(384, 3, padding=1),
    AlexNetStage(256, 3, padding=1),
    AlexNetStage(256, 3, padding=1, pool=True),
)


@dataclasses.dataclass(frozen=True)
class AlexNetConfig:
    """What makes an AlexNet.

    Attributes:
        stages: the convolutions.
        image_size: side of the only images that are taken; None takes any that are large enough, and pools
            what the convolutions leave to 6 x 6.
        pool_to: side of the map that adaptive average pooling gives, where `image_size` is None.
        hidden: units of the dense layers before the last.
        num_classes: outputs.
        in_channels: channels of the images.
        dropout: rate at the hidden dense layers, or the name of a hyperparameter that holds it.
        dropout_place: ``"after"`` the activation of each hidden dense layer, or ``"before"`` the layer.
        dropout_scale: ``"training"`` or ``"evaluation"``; see `jaxdl.layers.Dropout`.
        init: ``"he"``, or ``"paper"`` for kernels of N(0, 0.01^2), biases of one in the hidden dense layers
            and where the stages say so, else of zero.

    Raises:
        ValueError: an entry that is none of these, or images of which the stages leave nothing.
        DtypeError: a size that is no whole number, or a number where there is a tuple.
        ShapeError: channels that the groups of their stage do not divide.
    """

    stages: tuple[AlexNetStage, ...] = TORCHVISION
    image_size: int | None = None
    pool_to: int = 6
    hidden: tuple[int, ...] = (4096, 4096)
    num_classes: int = 1000
    in_channels: int = 3
    dropout: float | str = 0.5
    dropout_place: str = "before"
    dropout_scale: str = "training"
    init: str = "he"

    def __post_init__(self) -> None:
        rows = _configs.entries(self, "stages", fix="stages=(AlexNetStage(64, 11),)")
        # A model file brings its rows as dicts.
        stages = tuple(AlexNetStage(**row) if isinstance(row, dict) else row for row in rows)
        object.__setattr__(self, "stages", stages)
        _configs.widths(self, "hidden")
        _configs.whole(self, "num_classes", "in_channels", "pool_to")
        for name, choices in (("dropout_place", PLACES), ("dropout_scale", SCALES), ("init", INITS)):
            _checks.one_of("AlexNetConfig", name, getattr(self, name), choices)
        _configs.rates(self, "dropout")
        self._check_stages()

    def _check_stages(self) -> None:
        if not self.stages or not all(isinstance(stage, AlexNetStage) for stage in self.stages):
            raise ValueError(
                explain("AlexNetConfig", "stages", got=self.stages, expected="an AlexNetStage or more",
                        fix="stages=(AlexNetStage(64, 11),)")
            )  # fmt: skip
        inputs = self.in_channels
        for stage in self.stages:
            if inputs % stage.groups or stage.features % stage.groups:
                raise ShapeError(
                    explain("AlexNetStage", "groups", got=stage.groups,
                            expected=f"a divisor of {inputs} channels in and {stage.features} out",
                            fix="groups=1")
                )  # fmt: skip
            inputs = stage.features
        if self.image_size is not None:
            _configs.whole(self, "image_size", least=smallest(self.windows))

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that slide over an image, in turn."""
        return tuple(window for stage in self.stages for window in stage.windows)

    @property
    def flat(self) -> int:
        """Inputs of the first dense layer."""
        side = self.pool_to if self.image_size is None else extent_after(self.image_size, self.windows)
        return side**2 * self.stages[-1].features


class AlexNet(nnx.Module):
    """Convolutions with ReLU and overlapping max pooling, then dense layers with dropout.

    `features`, `avgpool` and `classifier` hold their layers in the order of torchvision's.

    Args:
        config: stages, head and initialiser.
        rngs: the random streams of the constructor.

    Raises:
        ShapeError: when called, images of another rank, number of channels or size.
        DtypeError: when called, images that are not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> config = AlexNetConfig(stages=(AlexNetStage(4, 3, pool=True),), hidden=(8,), num_classes=3)
        >>> nnx.eval_shape(lambda: AlexNet(config, rngs=nnx.Rngs(0))(jnp.ones((2, 16, 16, 3)))).shape
        (2, 3)

    Reference:
        Krizhevsky, Sutskever and Hinton (2012); Krizhevsky (2014) for the form that torchvision ships.
    """

    def __init__(self, config: AlexNetConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        widths = [config.in_channels, *(stage.features for stage in config.stages)]
        self.features = nnx.List(
            layer
            for inputs, stage in zip(widths, config.stages)
            for layer in _stage(inputs, stage, config, rngs)
        )
        # Even where it changes nothing, so that the head has its place.
        self.avgpool = AdaptiveAvgPool((config.pool_to,) * 2) if config.image_size is None else None
        self.flatten = Flatten()
        self.classifier = nnx.List(_classifier(config, rngs))
        self.smallest = smallest(config.windows)

    @classmethod
    def paper(cls, *, rngs: nnx.Rngs, num_classes: int = 1000, in_channels: int = 3, **options: Any) -> Self:
        """The network of 2012, for images of 227 x 227: 60,965,224 parameters.

        Two groups in the second, fourth and fifth convolution, response norms, and dropout that multiplies
        by 0.5 in evaluation instead of dividing in training. `options` are fields of `AlexNetConfig`.
        """
        given: dict[str, Any] = {
            "stages": PAPER, "image_size": 227, "dropout_place": "after", "dropout_scale": "evaluation"
        }  # fmt: skip
        config = AlexNetConfig(num_classes=num_classes, in_channels=in_channels, **given | options)
        return cls(config, rngs=rngs)

    @classmethod
    def torchvision(
        cls, *, rngs: nnx.Rngs, num_classes: int = 1000, in_channels: int = 3, **options: Any
    ) -> Self:
        """The network that torchvision ships, for images of 224 x 224 and others: 61,100,840 parameters.

        `options` are fields of `AlexNetConfig`.
        """
        return cls(AlexNetConfig(num_classes=num_classes, in_channels=in_channels, **options), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images (batch, height, width, channels) to logits (batch, classes)."""
        x = check_images("AlexNet", x, channels=self.config.in_channels, least=self.smallest,
                         exactly=self.config.image_size)  # fmt: skip
        for layer in self.features:
            x = layer(x)
        x = x if self.avgpool is None else self.avgpool(x)
        x = self.flatten(x)
        for layer in self.classifier:
            x = layer(x)
        return x


def _initializers(config: AlexNetConfig, first_bias: float) -> dict[str, Any]:
    if config.init == "he":
        return {"kernel_init": initializers.he(), "bias_init": initializers.zeros()}
    return {
        "kernel_init": initializers.normal(stddev=0.01),
        "bias_init": jax.nn.initializers.constant(first_bias),
    }


def _stage(inputs: int, stage: AlexNetStage, config: AlexNetConfig, rngs: nnx.Rngs) -> list[nnx.Module]:
    conv = Conv(
        inputs, stage.features, (stage.window,) * 2, strides=stage.stride,
        padding=((stage.padding,) * 2,) * 2, feature_group_count=stage.groups, rngs=rngs,
        **_initializers(config, stage.first_bias),
    )  # fmt: skip
    layers = [conv, Activation("relu")]
    if stage.response_norm:
        layers.append(LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0))
    if stage.pool:
        layers.append(MaxPool((POOL.size,) * 2, strides=(POOL.stride,) * 2))
    return layers


def _classifier(config: AlexNetConfig, rngs: nnx.Rngs) -> list[nnx.Module]:
    widths, layers = [config.flat, *config.hidden], []
    for inputs, outputs in zip(widths, config.hidden):
        drop = Dropout(config.dropout, scale=config.dropout_scale, rngs=rngs)
        dense = [Linear(inputs, outputs, rngs=rngs, **_initializers(config, 1.0)), Activation("relu")]
        layers += [drop, *dense] if config.dropout_place == "before" else [*dense, drop]
    return [*layers, Linear(widths[-1], config.num_classes, rngs=rngs, **_initializers(config, 0.0))]
