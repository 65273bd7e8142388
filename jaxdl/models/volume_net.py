"""A small convolutional network of volumes: three spatial axes."""

import dataclasses

import jax
from flax import nnx

from jaxdl.models import _stack


@dataclasses.dataclass(frozen=True)
class VolumeNetConfig:
    """What makes a `VolumeNet`.

    Attributes:
        widths: channels of each block.
        kernel_size: side of the cubic window, in voxels.
        num_classes: number of logits.
        in_channels: channels of the volume.

    Raises:
        ValueError: no block, or a number below 1.
        DtypeError: numbers that are not whole.
    """

    widths: tuple[int, ...] = (8, 16, 32)
    kernel_size: int = 3
    num_classes: int = 10
    in_channels: int = 1

    def __post_init__(self) -> None:
        _stack.check("VolumeNetConfig", self)


class VolumeNet(nnx.Module):
    """Blocks of 3D convolution, batch norm, ReLU and pooling by two; the mean over space; a linear head.

    Args:
        config: widths and window.
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> config, volumes = VolumeNetConfig(widths=(2, 4)), jnp.ones((2, 8, 8, 8, 1))
        >>> nnx.eval_shape(lambda: VolumeNet(config, rngs=nnx.Rngs(0))(volumes)).shape
        (2, 10)
    """

    def __init__(self, config: VolumeNetConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        self.layers = nnx.List(_stack.layers(config, 3, rngs))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map volumes (batch, depth, height, width, channels) to logits (batch, classes)."""
        x = _stack.check_input("VolumeNet", x, self.config, ("depth", "height", "width"))
        for layer in self.layers:
            x = layer(x)
        return x
