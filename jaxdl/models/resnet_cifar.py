"""Residual networks for small images: the ResNet 20, 32, 44, 56 and 110 of the CIFAR experiments."""

import dataclasses
from functools import partial
from typing import Any, Self

import jax
from flax import nnx

from jaxdl.errors import explain
from jaxdl.layers import Activation, GlobalAvgPool, Linear
from jaxdl.models import _configs
from jaxdl.models._images import ONE_POSITION, check_images
from jaxdl.models._residual import BasicBlock, check_options, norm_of, square
from jaxdl.models._stages import stage


@dataclasses.dataclass(frozen=True)
class CifarResNetConfig:
    """What makes a CifarResNet.

    Attributes:
        depth: weighted layers, 6n + 2 for n blocks a stage: 20, 32, 44, 56, 110.
        widths: channels by stage; the second and the third halve the image.
        num_classes: outputs.
        in_channels: channels of the images.
        shortcut: where the shape changes, ``"pad"`` (option A of the paper: subsampling and channels of
            zeros, without parameters) or ``"projection"`` (option B: 1x1 convolution and batch norm).
        zero_init_residual: every block starts as its shortcut: gamma of its last batch norm is 0.
        norm_momentum: how much of the running statistics a step keeps.
        norm_epsilon: added to the variance.
        norm_variance: ``"unbiased"`` (torch's) or ``"biased"`` running variance; see `layers.BatchNorm`.
        scan_blocks: let the identical blocks of a stage be one scan over stacked parameters, in the layout of
            `stack_blocks`: a deep network is then traced and lowered in half the time; compiling it on a CPU
            takes as long, or longer.

    Raises:
        ValueError: a depth that is not 6n + 2, or another entry that is none of these.
        DtypeError: a count that is no whole number, or a number where there is a tuple.
    """

    depth: int = 20
    widths: tuple[int, int, int] = (16, 32, 64)
    num_classes: int = 10
    in_channels: int = 3
    shortcut: str = "pad"
    zero_init_residual: bool = False
    norm_momentum: float = 0.9
    norm_epsilon: float = 1e-5
    norm_variance: str = "unbiased"
    scan_blocks: bool = False

    def __post_init__(self) -> None:
        _configs.whole(self, "depth", "num_classes", "in_channels")
        _configs.widths(self, "widths", fix="widths=(16, 32, 64)")
        if self.depth < 8 or self.depth % 6 != 2:
            nearest = max(8, 6 * round((self.depth - 2) / 6) + 2)
            raise ValueError(
                explain("CifarResNetConfig", "depth", got=self.depth, expected="6n + 2 with n of 1 or more",
                        fix=f"depth={nearest}, the nearest")
            )  # fmt: skip
        if len(self.widths) != 3 or list(self.widths) != sorted(self.widths):
            raise ValueError(
                explain("CifarResNetConfig", "widths", got=self.widths,
                        expected="three widths that do not fall", fix="widths=(16, 32, 64)")
            )  # fmt: skip
        check_options("CifarResNetConfig", self)


class CifarResNet(nnx.Module):
    """Residual network of 6n + 2 layers: a 3x3 convolution, three stages of n basic blocks, a dense layer.

    Args:
        config: depth, widths and options.
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> config = CifarResNetConfig(depth=8, widths=(2, 4, 8), in_channels=1)
        >>> nnx.eval_shape(lambda: CifarResNet(config, rngs=nnx.Rngs(0))(jnp.ones((2, 8, 8, 1)))).shape
        (2, 10)

    Reference:
        He et al. (2016), section 4.2.
    """

    SMALLEST = 3

    def __init__(self, config: CifarResNetConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        norm = norm_of(config.norm_momentum, config.norm_epsilon, config.norm_variance)
        inputs = config.widths[0]
        self.conv1 = square(config.in_channels, inputs, 3, rngs=rngs)
        self.bn1 = norm(inputs, rngs=rngs)
        self.relu = Activation("relu")
        block = partial(
            BasicBlock, shortcut=config.shortcut, norm=norm, zero_init_residual=config.zero_init_residual
        )
        self.layers, blocks = nnx.List(), (config.depth - 2) // 6
        for index, width in enumerate(config.widths):
            first = partial(block, inputs, width, stride=1 if index == 0 else 2)
            inputs = width
            other = partial(block, inputs, width)
            self.layers.append(stage(first, other, blocks, scan=config.scan_blocks, rngs=rngs))
        self.avgpool = GlobalAvgPool()
        self.fc = Linear(inputs, config.num_classes, rngs=rngs)

    @classmethod
    def resnet20(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """3 blocks a stage: 269,722 parameters; `options` are fields of `CifarResNetConfig`."""
        return cls(CifarResNetConfig(20, **options), rngs=rngs)

    @classmethod
    def resnet32(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """5 blocks a stage: 464,154 parameters; `options` are fields of `CifarResNetConfig`."""
        return cls(CifarResNetConfig(32, **options), rngs=rngs)

    @classmethod
    def resnet44(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """7 blocks a stage: 658,586 parameters; `options` are fields of `CifarResNetConfig`."""
        return cls(CifarResNetConfig(44, **options), rngs=rngs)

    @classmethod
    def resnet56(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """9 blocks a stage: 853,018 parameters; `options` are fields of `CifarResNetConfig`."""
        return cls(CifarResNetConfig(56, **options), rngs=rngs)

    @classmethod
    def resnet110(cls, *, rngs: nnx.Rngs, **options: Any) -> Self:
        """18 blocks a stage: 1,727,962 parameters; `options` are fields of `CifarResNetConfig`."""
        return cls(CifarResNetConfig(110, **options), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images (batch, height, width, in_channels) of 3 x 3 or more to logits (batch, classes)."""
        x = check_images("CifarResNet", x, channels=self.config.in_channels, least=self.SMALLEST,
                         reason=ONE_POSITION)  # fmt: skip
        x = self.relu(self.bn1(self.conv1(x)))
        for block in (block for blocks in self.layers for block in blocks):
            x = block(x)
        return self.fc(self.avgpool(x))
