"""Residual networks for photographs: ResNet 18, 34, 50, 101 and 152."""

import dataclasses
from functools import partial
from typing import Any, Self

import jax
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import explain
from jaxdl.layers import Activation, GlobalAvgPool, Linear, MaxPool
from jaxdl.models import _configs
from jaxdl.models._images import ONE_POSITION, check_images
from jaxdl.models._residual import BLOCKS, STRIDES_ON, check_options, norm_of, square
from jaxdl.models._stages import stage

STEMS = ("imagenet", "small")


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
    """What makes a ResNet.

    Attributes:
        depths: blocks by stage: ``(3, 4, 6, 3)``. Every stage but the first halves the image.
        block: ``"basic"`` (two 3x3 convolutions) or ``"bottleneck"`` (1x1, 3x3, 1x1).
        widths: channels by stage; a bottleneck puts out four times as many.
        num_classes: outputs.
        in_channels: channels of the images.
        stem: ``"imagenet"`` (7x7 of stride 2, then a maximum over 3x3 of stride 2) or ``"small"`` (3x3 of
            stride 1), for images of 32 x 32 or so.
        stride_on: convolution of a bottleneck that halves the image: ``"3x3"``, as torchvision, or
            ``"1x1"``, as the paper.
        shortcut: where the shape changes, ``"projection"`` (1x1 convolution and batch norm) or ``"pad"``
            (subsampling and channels of zeros, without parameters).
        zero_init_residual: every block starts as its shortcut: gamma of its last batch norm is 0.
        norm_momentum: how much of the running statistics a step keeps.
        norm_epsilon: added to the variance.
        norm_variance: ``"unbiased"`` (torch's) or ``"biased"`` running variance; see `layers.BatchNorm`.
        scan_blocks: let the identical blocks of a stage be one scan over stacked parameters, in the layout of
            `stack_blocks`: a deep network is then traced and lowered in half the time; compiling it on a CPU
            takes as long, or longer.

    Raises:
        ValueError: an entry that is none of these, or depths and widths of different lengths.
        DtypeError: a count that is no whole number, or a number where there is a tuple.
    """

    depths: tuple[int, ...] = (2, 2, 2, 2)
    block: str = "basic"
    widths: tuple[int, ...] = (64, 128, 256, 512)
    num_classes: int = 1000
    in_channels: int = 3
    stem: str = "imagenet"
    stride_on: str = "3x3"
    shortcut: str = "projection"
    zero_init_residual: bool = False
    norm_momentum: float = 0.9
    norm_epsilon: float = 1e-5
    norm_variance: str = "unbiased"
    scan_blocks: bool = False

    def __post_init__(self) -> None:
        for name in ("depths", "widths"):
            _configs.widths(self, name, fix=f"{name}={getattr(type(self), name)}")
        _configs.whole(self, "num_classes", "in_channels")
        if not self.depths or len(self.depths) != len(self.widths):
            raise ValueError(
                explain("ResNetConfig", "depths", got=self.depths,
                        expected=f"one a width, of which there are {len(self.widths)}",
                        fix="depths=(2, 2, 2, 2), widths=(64, 128, 256, 512)")
            )  # fmt: skip
        check_options("ResNetConfig", self)
        _checks.one_of("ResNetConfig", "block", self.block, tuple(BLOCKS))
        _checks.one_of("ResNetConfig", "stem", self.stem, STEMS)
        _checks.one_of("ResNetConfig", "stride_on", self.stride_on, STRIDES_ON)

    @property
    def smallest(self) -> int:
        """Height and width below which the last stride would meet a single position."""
        halvings = len(self.depths) - 1 + (2 if self.stem == "imagenet" else 0)
        return 2**halvings // 2 + 1


class ResNet(nnx.Module):
    """Residual network: a stem, stages of blocks, the mean over positions, and a dense layer.

    The parts have torchvision's names; its ``layer1`` is ``layers[0]`` here.

    Args:
        config: blocks, widths and options.
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> config = ResNetConfig(depths=(1, 1), widths=(4, 8), num_classes=5, stem="small")
        >>> nnx.eval_shape(lambda: ResNet(config, rngs=nnx.Rngs(0))(jnp.ones((2, 8, 8, 3)))).shape
        (2, 5)

    Reference:
        He et al. (2016), "Deep residual learning for image recognition". Given the same parameters, equals
        ``torchvision.models.resnet50`` and its kin.
    """

    def __init__(self, config: ResNetConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        norm = norm_of(config.norm_momentum, config.norm_epsilon, config.norm_variance)
        large, inputs = config.stem == "imagenet", config.widths[0]
        self.conv1 = square(config.in_channels, inputs, 7 if large else 3, 2 if large else 1, rngs=rngs)
        self.bn1 = norm(inputs, rngs=rngs)
        self.relu = Activation("relu")
        pads = ((1, 1), (1, 1))
        self.maxpool = nnx.List([MaxPool((3, 3), strides=(2, 2), padding=pads)] if large else [])
        kind = BLOCKS[config.block]
        block = partial(kind, stride_on=config.stride_on, shortcut=config.shortcut, norm=norm,
                        zero_init_residual=config.zero_init_residual)  # fmt: skip
        self.layers = nnx.List()
        for index, (depth, width) in enumerate(zip(config.depths, config.widths, strict=True)):
            first = partial(block, inputs, width, stride=1 if index == 0 else 2)
            inputs = kind.expansion * width
            other = partial(block, inputs, width)
            self.layers.append(stage(first, other, depth, scan=config.scan_blocks, rngs=rngs))
        self.avgpool = GlobalAvgPool()
        self.fc = Linear(inputs, config.num_classes, rngs=rngs)

    @classmethod
    def resnet18(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """Basic blocks (2, 2, 2, 2): 11,689,512 parameters; `options` are fields of `ResNetConfig`."""
        return cls(ResNetConfig((2, 2, 2, 2), "basic", **options), rngs=rngs)

    @classmethod
    def resnet34(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """Basic blocks (3, 4, 6, 3): 21,797,672 parameters; `options` are fields of `ResNetConfig`."""
        return cls(ResNetConfig((3, 4, 6, 3), "basic", **options), rngs=rngs)

    @classmethod
    def resnet50(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """Bottlenecks (3, 4, 6, 3): 25,557,032 parameters; `options` are fields of `ResNetConfig`."""
        return cls(ResNetConfig((3, 4, 6, 3), "bottleneck", **options), rngs=rngs)

    @classmethod
    def resnet101(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """Bottlenecks (3, 4, 23, 3): 44,549,160 parameters; `options` are fields of `ResNetConfig`."""
        return cls(ResNetConfig((3, 4, 23, 3), "bottleneck", **options), rngs=rngs)

    @classmethod
    def resnet152(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """Bottlenecks (3, 8, 36, 3): 60,192,808 parameters; `options` are fields of `ResNetConfig`."""
        return cls(ResNetConfig((3, 8, 36, 3), "bottleneck", **options), rngs=rngs)

    @property
    def _fix(self) -> str:
        return "jax.image.resize" + (", or stem='small'" if self.config.stem == "imagenet" else "")

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images (batch, height, width, in_channels) of any size from `smallest` on to logits."""
        x = check_images("ResNet", x, channels=self.config.in_channels, least=self.config.smallest,
                         reason=ONE_POSITION, fix=self._fix)  # fmt: skip
        x = self.relu(self.bn1(self.conv1(x)))
        for part in (*self.maxpool, *(block for blocks in self.layers for block in blocks)):
            x = part(x)
        return self.fc(self.avgpool(x))
