"""Blocks of convolution, batch norm, ReLU and pooling, in any number of spatial axes, and a linear head."""

from typing import Protocol

import jax
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.layers import Activation, BatchNorm, Conv, GlobalAvgPool, Linear, MaxPool
from jaxdl.models import _configs
from jaxdl.models._images import check_layout


class StackConfig(Protocol):
    """What the configs of such networks have in common."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each block."""

    @property
    def kernel_size(self) -> int:
        """Side of the window."""

    @property
    def num_classes(self) -> int:
        """Number of logits."""

    @property
    def in_channels(self) -> int:
        """Channels of the input."""


def check(op: str, config: StackConfig) -> None:
    """Bring the entries of a frozen config to whole numbers, or raise."""
    _configs.widths(config, "widths")
    if not config.widths:
        raise ValueError(
            explain(op, "widths", got="()", expected="the channels of at least one block",
                    fix="widths=(16, 32)")
        )  # fmt: skip
    _configs.whole(config, "kernel_size", "num_classes", "in_channels")


def layers(config: StackConfig, axes: int, rngs: nnx.Rngs) -> list[nnx.Module]:
    """Return the layers for inputs of so many spatial axes; the last block pools over all positions."""
    inputs = (config.in_channels, *config.widths)
    blocks = [
        (
            Conv(fan_in, width, (config.kernel_size,) * axes, use_bias=False, rngs=rngs),
            BatchNorm(width, rngs=rngs),
            Activation("relu"),
            GlobalAvgPool() if number == len(config.widths) - 1 else MaxPool((2,) * axes),
        )
        for number, (fan_in, width) in enumerate(zip(inputs, config.widths))
    ]
    head = Linear(config.widths[-1], config.num_classes, rngs=rngs)
    return [*(layer for block in blocks for layer in block), head]


def check_input(op: str, x: jax.Array, config: StackConfig, axes: tuple[str, ...]) -> jax.Array:
    """Return a floating input (batch, space..., channels) that is large enough to be pooled, or raise."""
    x = _checks.floating(op, "x", x)
    least = 2 ** (len(config.widths) - 1)
    check_layout(op, x, axes, config.in_channels)
    if min(x.shape[1:-1]) < least:
        names = ", ".join(axes)
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}",
                    expected=f"(batch, {names}, {config.in_channels}), at least {least} along {names}",
                    fix=f"fewer widths than {len(config.widths)} take smaller inputs")
        )  # fmt: skip
    return x
