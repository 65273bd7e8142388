"""A feature network of random weights: style transfer without a download."""

import dataclasses
from collections.abc import Callable
from functools import partial

import jax
from flax import nnx

from jaxdl import _checks, initializers
from jaxdl.errors import ShapeError, explain
from jaxdl.layers import Activation, AvgPool, Conv

KERNELS: dict[str, Callable[[], initializers.Initializer]] = {
    "orthogonal": partial(initializers.orthogonal, gain=2.0**0.5),
    "he": initializers.he,
}


@dataclasses.dataclass(frozen=True)
class StyleFeaturesConfig:
    """What makes a `StyleFeatures`.

    Attributes:
        blocks: channels of the convolutions, a tuple for each block: ``((16, 16), (32, 32), (64, 64))``.
        in_channels: channels of the picture.
        kernel_init: ``"orthogonal"`` (times sqrt(2), for ReLU) or ``"he"``.

    Raises:
        ValueError: no block, an empty one, a size below 1, or an unknown initialiser.
        DtypeError: sizes that are not whole numbers.
    """

    blocks: tuple[tuple[int, ...], ...] = ((16, 16), (32, 32), (64, 64))
    in_channels: int = 3
    kernel_init: str = "orthogonal"

    def __post_init__(self) -> None:
        _checks.one_of("StyleFeaturesConfig", "kernel_init", self.kernel_init, tuple(KERNELS))
        _checks.positive_integer("StyleFeaturesConfig", "in_channels", self.in_channels)
        blocks = tuple(
            tuple(_checks.positive_integer("StyleFeaturesConfig", "blocks", width) for width in block)
            for block in self.blocks
        )
        if not blocks or not all(blocks):
            raise ValueError(
                explain("StyleFeaturesConfig", "blocks", got=blocks,
                        expected="at least one block of at least one width", fix="blocks=((16, 16), (32,))")
            )  # fmt: skip
        object.__setattr__(self, "blocks", blocks)


class StyleFeatures(nnx.Module):
    """Blocks of 3x3 convolutions and ReLUs, average pooling between them; VGG's form, with no classifier.

    Random weights already keep much of what a texture is; average pooling gives smoother pictures than the
    maximum. `Net.trace` names the layers ``blocks/<block>/layers/<n>``: every even n is a convolution, and
    the odd one after it its ReLU.

    Args:
        config: widths and initialiser.
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> config = StyleFeaturesConfig(blocks=((4,), (8, 8)))
        >>> nnx.eval_shape(lambda: StyleFeatures(config, rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8, 3)))).shape
        (1, 4, 4, 8)

    Reference:
        He, Wang and Hopcroft, A powerful generative model using random weights for the deep image
        representation (2016), arXiv:1606.04801.
    """

    def __init__(self, config: StyleFeaturesConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        kernel_init, inputs, blocks = KERNELS[config.kernel_init](), config.in_channels, []
        for block in config.blocks:
            parts: list[nnx.Module] = []
            for width in block:
                parts += [Conv(inputs, width, (3, 3), kernel_init=kernel_init, rngs=rngs), Activation("relu")]
                inputs = width
            blocks.append(nnx.Sequential(*parts))
        self.blocks = nnx.List(blocks)
        self.pools = nnx.List(AvgPool((2, 2)) for _ in config.blocks[1:])

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map pictures (batch, height, width, in_channels) to the features of the last block."""
        x = _pictures(x, self.config)
        for index, block in enumerate(self.blocks):
            x = self.pools[index - 1](x) if index else x
            x = block(x)
        return x


def _pictures(x: jax.Array, config: StyleFeaturesConfig) -> jax.Array:
    x = _checks.floating("StyleFeatures", "x", x)
    least = 2 ** (len(config.blocks) - 1)
    if x.ndim != 4 or x.shape[3] != config.in_channels or min(x.shape[1:3]) < least:
        raise ShapeError(
            explain("StyleFeatures", "x", got=f"of shape {x.shape}",
                    expected=f"(batch, height, width, {config.in_channels}) of {least} x {least} or more",
                    fix="image[None] adds the batch; fewer blocks take smaller pictures")
        )  # fmt: skip
    return x
