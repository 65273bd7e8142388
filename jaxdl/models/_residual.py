"""Residual blocks: ``relu(f(x) + shortcut(x))``, added before the last activation."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, initializers
from jaxdl.layers import Activation, BatchNorm, Conv
from jaxdl.layers.norm import VARIANCES
from jaxdl.models import _configs

STRIDES_ON = ("3x3", "1x1")
SHORTCUTS = ("projection", "pad")
Norm = Callable[..., BatchNorm]


class PadShortcut(nnx.Module):
    """Shortcut without parameters: every stride-th position, and channels of zeros on both sides.

    Args:
        inputs: channels of the input.
        outputs: channels of the output, at least `inputs`; an odd one of those added stands last.
        stride: step along both axes.

    Raises:
        ValueError: fewer outputs than inputs.

    Example:
        >>> PadShortcut(1, 3, stride=2)(jnp.arange(1.0, 5).reshape(1, 2, 2, 1)).ravel().tolist()
        [0.0, 1.0, 0.0]

    Reference:
        He et al. (2016), option A.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        self.extra = _checks.positive_integer("PadShortcut", "outputs", outputs, least=inputs) - inputs
        self.stride = stride

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, height, width, inputs) to fewer positions and more channels."""
        before = self.extra // 2
        kept = x[:, :: self.stride, :: self.stride]
        return jnp.pad(kept, ((0, 0), (0, 0), (0, 0), (before, self.extra - before)))


class BasicBlock(nnx.Module):
    """Two 3x3 convolutions and a shortcut: ``relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))``.

    Args:
        inputs: channels of the input.
        width: channels of the convolutions, and of the output.
        stride: of the first convolution.
        stride_on: for the signature of `Bottleneck`; both convolutions are 3x3 here.
        shortcut: what stands in for the identity where the shape changes: ``"projection"`` (1x1 convolution
            and batch norm) or ``"pad"`` (`PadShortcut`).
        zero_init_residual: let gamma of the last batch norm start at 0: the block is then the identity of
            non-negative input where the shape stays.
        norm: makes a batch norm, ``norm(features, rngs=...)``.
        rngs: the random streams of the constructor.

    Example:
        >>> images = jnp.ones((2, 6, 6, 4))
        >>> nnx.eval_shape(lambda: BasicBlock(4, 8, stride=2, rngs=nnx.Rngs(0))(images)).shape
        (2, 3, 3, 8)

    Reference:
        He et al. (2016). The parts have the names of ``torchvision.models.resnet.BasicBlock``.
    """

    expansion: ClassVar[int] = 1

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        stride: int = 1,
        stride_on: str = "3x3",
        shortcut: str = "projection",
        zero_init_residual: bool = False,
        norm: Norm = BatchNorm,
        rngs: nnx.Rngs,
    ) -> None:
        self.conv1 = square(inputs, width, 3, stride, rngs=rngs)
        self.bn1 = norm(width, rngs=rngs)
        self.relu1 = Activation("relu")
        self.conv2 = square(width, width, 3, rngs=rngs)
        self.bn2 = norm(width, scale_init=_gamma(zero_init_residual), rngs=rngs)
        self.downsample = nnx.List(_shortcut(shortcut, inputs, width, stride, norm, rngs))
        self.relu2 = Activation("relu")

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, height, width, inputs) to (batch, height / stride, width / stride, width)."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        for part in self.downsample:
            x = part(x)
        return self.relu2(y + x)


class Bottleneck(nnx.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut; the 3x3 one works on a quarter of the channels.

    Args:
        inputs: channels of the input.
        width: channels of the first two convolutions; the output has four times as many.
        stride: of the convolution that `stride_on` names.
        stride_on: ``"3x3"``, as torchvision ("v1.5"), or ``"1x1"``, the first, as the paper.
        shortcut: as in `BasicBlock`.
        zero_init_residual: as in `BasicBlock`.
        norm: makes a batch norm, ``norm(features, rngs=...)``.
        rngs: the random streams of the constructor.

    Example:
        >>> images = jnp.ones((2, 6, 6, 16))
        >>> nnx.eval_shape(lambda: Bottleneck(16, 8, stride=2, rngs=nnx.Rngs(0))(images)).shape
        (2, 3, 3, 32)

    Reference:
        He et al. (2016). The parts have the names of ``torchvision.models.resnet.Bottleneck``.
    """

    expansion: ClassVar[int] = 4

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        stride: int = 1,
        stride_on: str = "3x3",
        shortcut: str = "projection",
        zero_init_residual: bool = False,
        norm: Norm = BatchNorm,
        rngs: nnx.Rngs,
    ) -> None:
        outputs = self.expansion * width
        first, second = (1, stride) if stride_on == "3x3" else (stride, 1)
        self.conv1 = square(inputs, width, 1, first, rngs=rngs)
        self.bn1 = norm(width, rngs=rngs)
        self.relu1 = Activation("relu")
        self.conv2 = square(width, width, 3, second, rngs=rngs)
        self.bn2 = norm(width, rngs=rngs)
        self.relu2 = Activation("relu")
        self.conv3 = square(width, outputs, 1, rngs=rngs)
        self.bn3 = norm(outputs, scale_init=_gamma(zero_init_residual), rngs=rngs)
        self.downsample = nnx.List(_shortcut(shortcut, inputs, outputs, stride, norm, rngs))
        self.relu3 = Activation("relu")

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, height, width, inputs) to (batch, height / stride, width / stride, 4 width)."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        for part in self.downsample:
            x = part(x)
        return self.relu3(y + x)


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


def square(inputs: int, outputs: int, size: int, stride: int = 1, *, rngs: nnx.Rngs) -> Conv:
    """Return a convolution without bias, padded by half its window on both sides, as torch counts it."""
    pads = ((size // 2, size // 2),) * 2
    return Conv(inputs, outputs, (size, size), strides=stride, padding=pads, use_bias=False, rngs=rngs)


def _gamma(zero: bool) -> initializers.Initializer:
    return initializers.zeros() if zero else nnx.initializers.ones


def _shortcut(
    kind: str, inputs: int, outputs: int, stride: int, norm: Norm, rngs: nnx.Rngs
) -> tuple[nnx.Module, ...]:
    if inputs == outputs and stride == 1:
        return ()
    if kind == "pad":
        return (PadShortcut(inputs, outputs, stride=stride),)
    return square(inputs, outputs, 1, stride, rngs=rngs), norm(outputs, rngs=rngs)


def norm_of(momentum: float, epsilon: float, variance: str) -> Norm:
    """Return what makes the batch norms of a network."""
    return partial(BatchNorm, momentum=momentum, epsilon=epsilon, running_variance=variance)


def check_options(op: str, config: Any) -> None:
    """Check what the configs of all residual networks share."""
    for name, choices in (("shortcut", SHORTCUTS), ("norm_variance", VARIANCES)):
        _checks.one_of(op, name, getattr(config, name), choices)
    _configs.flags(config, "zero_init_residual", "scan_blocks")
    for name, high, text in (("norm_momentum", 1, "[0, 1)"), ("norm_epsilon", math.inf, "[0, inf)")):
        _configs.number(config, name, 0, high, text)
