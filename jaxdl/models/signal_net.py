"""A small convolutional network of signals: one spatial axis."""

import dataclasses

import jax
from flax import nnx

from jaxdl.models import _stack


@dataclasses.dataclass(frozen=True)
class SignalNetConfig:
    """What makes a `SignalNet`.

    Attributes:
        widths: channels of each block.
        kernel_size: samples that a window covers.
        num_classes: number of logits.
        in_channels: channels of the signal.

    Raises:
        ValueError: no block, or a number below 1.
        DtypeError: numbers that are not whole.
    """

    widths: tuple[int, ...] = (16, 32, 64)
    kernel_size: int = 7
    num_classes: int = 4
    in_channels: int = 1

    def __post_init__(self) -> None:
        _stack.check("SignalNetConfig", self)


class SignalNet(nnx.Module):
    """Blocks of 1D convolution, batch norm, ReLU and pooling by two; the mean over time; a linear head.

    The mean over time makes it indifferent to the length of the signal, and nearly so to a shift.

    Args:
        config: widths and window.
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> config, signals = SignalNetConfig(widths=(4, 8)), jnp.ones((2, 50, 1))
        >>> nnx.eval_shape(lambda: SignalNet(config, rngs=nnx.Rngs(0))(signals)).shape
        (2, 4)
    """

    def __init__(self, config: SignalNetConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        self.layers = nnx.List(_stack.layers(config, 1, rngs))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map signals (batch, length, channels) to logits (batch, classes)."""
        x = _stack.check_input("SignalNet", x, self.config, ("length",))
        for layer in self.layers:
            x = layer(x)
        return x
