"""A convolutional encoder: an image in, a point out, near the points of its kind."""

import dataclasses

import jax
from flax import nnx

from jaxdl.errors import explain
from jaxdl.layers import Activation, BatchNorm, Conv, Flatten, Linear, MaxPool
from jaxdl.models import _configs
from jaxdl.models._images import check_images
from jaxdl.similarity import normalise


@dataclasses.dataclass(frozen=True)
class EmbedderConfig:
    """What makes an `Embedder`.

    Attributes:
        size: side of the images in pixels.
        widths: channels of each block, behind which the side is halved, rounded down.
        further: channels of more blocks behind these, which keep the side.
        kernel_size: side of the windows.
        features: numbers of an embedding, out of a linear layer; None leaves the layer out, so that the
            embedding is the last map itself and says where in the image a thing is.
        in_channels: channels of the images.
        normalise: whether embeddings are brought to length 1.

    Raises:
        ValueError: no block, a number below 1, or images too small for so many blocks.
        DtypeError: numbers that are not whole.
    """

    size: int = 28
    widths: tuple[int, ...] = (32, 64, 64)
    further: tuple[int, ...] = ()
    kernel_size: int = 3
    features: int | None = 64
    in_channels: int = 1
    normalise: bool = False

    def __post_init__(self) -> None:
        _configs.widths(self, "widths")
        _configs.widths(self, "further")
        _configs.whole(
            self, "size", "kernel_size", "in_channels", *["features"] * (self.features is not None)
        )
        _configs.flags(self, "normalise")
        if not self.widths or self.side < 1:
            raise ValueError(
                explain("EmbedderConfig", "widths", got=repr(self.widths),
                        expected=f"1 to {self.size.bit_length() - 1} blocks: each halves {self.size}",
                        fix="widths=(32, 64), or larger images")
            )  # fmt: skip

    @property
    def side(self) -> int:
        """Side of the last map."""
        return self.size >> len(self.widths)


class Embedder(nnx.Module):
    """Blocks of convolution, batch norm, ReLU and pooling by two, and a linear layer to the embedding.

    Without the linear layer a new kind of thing is compared by what was seen where.

    Args:
        config: widths and sizes.
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> config, images = EmbedderConfig(size=16, widths=(4, 8), features=5), jnp.ones((2, 16, 16, 1))
        >>> nnx.eval_shape(lambda: Embedder(config, rngs=nnx.Rngs(0))(images)).shape
        (2, 5)

    Reference:
        The blocks of Vinyals et al., Matching Networks for One Shot Learning (2016).
    """

    def __init__(self, config: EmbedderConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        window = (config.kernel_size, config.kernel_size)
        layers: list[nnx.Module] = []
        fan_in = config.in_channels
        for number, width in enumerate((*config.widths, *config.further)):
            layers += [Conv(fan_in, width, window, use_bias=False, rngs=rngs), BatchNorm(width, rngs=rngs),
                       Activation("relu")]  # fmt: skip
            layers += [MaxPool((2, 2))] if number < len(config.widths) else []
            fan_in = width
        layers.append(Flatten())
        if config.features is not None:
            layers.append(Linear(config.side**2 * fan_in, config.features, rngs=rngs))
        self.layers = nnx.List(layers)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images (batch, size, size, channels) to embeddings (batch, features)."""
        config = self.config
        x = check_images("Embedder", x, channels=config.in_channels, least=1, exactly=config.size)
        for layer in self.layers:
            x = layer(x)
        return normalise(x) if config.normalise else x
