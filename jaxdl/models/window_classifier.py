"""A small classifier of windows, such as slides over larger images as one convolution."""

import dataclasses

import jax
from flax import nnx

from jaxdl.errors import explain
from jaxdl.layers import Activation, Conv, Flatten, Linear, MaxPool
from jaxdl.models import _configs
from jaxdl.models._images import check_images


@dataclasses.dataclass(frozen=True)
class WindowClassifierConfig:
    """What makes a `WindowClassifier`.

    Attributes:
        window: side of the window in pixels.
        width: channels of the convolution.
        kernel_size: side of its window.
        units: units of each dense layer.
        num_classes: classes, the background among them.
        in_channels: channels of the images.

    Raises:
        ValueError: a number below 1, or a window that the convolution and the pooling leave nothing of.
        DtypeError: numbers that are not whole.
    """

    window: int = 14
    width: int = 16
    kernel_size: int = 5
    units: tuple[int, ...] = (400, 400)
    num_classes: int = 4
    in_channels: int = 1

    def __post_init__(self) -> None:
        _configs.widths(self, "units")
        _configs.whole(self, "window", "width", "kernel_size", "num_classes", "in_channels")
        if self.side < 1:
            raise ValueError(
                explain("WindowClassifierConfig", "window", got=self.window,
                        expected=f"at least {self.kernel_size + 1}: of less nothing is left to be pooled",
                        fix="a smaller kernel_size, or a larger window")
            )  # fmt: skip

    @property
    def side(self) -> int:
        """Side of the map that the first dense layer sees."""
        return (self.window - self.kernel_size + 1) // 2


class WindowClassifier(nnx.Module):
    """Convolution without padding, ReLU, max pooling by two, and dense layers: 14 pixels, 10, 5, 400, 400, 4.

    `jaxdl.net.as_convolution` makes of a trained one the same network over images of any size.

    Args:
        config: sizes.
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> windows, config = jnp.ones((3, 14, 14, 1)), WindowClassifierConfig(units=(8, 8))
        >>> nnx.eval_shape(lambda: WindowClassifier(config, rngs=nnx.Rngs(0))(windows)).shape
        (3, 4)

    Reference:
        Sermanet et al., OverFeat: Integrated Recognition, Localization and Detection using Convolutional
        Networks (2014), figure 5.
    """

    def __init__(self, config: WindowClassifierConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        window = (config.kernel_size, config.kernel_size)
        first = Conv(config.in_channels, config.width, window, padding="VALID", rngs=rngs)
        sizes = (config.side**2 * config.width, *config.units)
        units = [
            (Linear(fan_in, width, rngs=rngs), Activation("relu"))
            for fan_in, width in zip(sizes, config.units)
        ]
        last = Linear(sizes[-1], config.num_classes, rngs=rngs)
        dense = [layer for pair in units for layer in pair]
        self.layers = nnx.List([first, Activation("relu"), MaxPool((2, 2)), Flatten(), *dense, last])

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map windows (batch, window, window, channels) to logits (batch, classes)."""
        config = self.config
        x = check_images("WindowClassifier", x, channels=config.in_channels, least=1, exactly=config.window)
        for layer in self.layers:
            x = layer(x)
        return x
