"""A network that says whether there is an object, where, and of which class."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxdl import _checks, _localisation
from jaxdl.boxes import Detections, clip
from jaxdl.errors import explain
from jaxdl.layers import Activation, BatchNorm, Conv, Flatten, Linear, MaxPool
from jaxdl.models import _configs
from jaxdl.models._images import check_images


@dataclasses.dataclass(frozen=True)
class LocaliserConfig:
    """What makes a `Localiser`.

    Attributes:
        size: side of the images in pixels.
        widths: channels of each block, behind which the side is halved.
        kernel_size: side of the windows.
        units: units of the dense layer before the head.
        num_classes: classes of objects.
        in_channels: channels of the images.

    Raises:
        ValueError: no block, a number below 1, or images too small for so many blocks.
        DtypeError: numbers that are not whole.
    """

    size: int = 64
    widths: tuple[int, ...] = (16, 32, 64, 64)
    kernel_size: int = 3
    units: int = 128
    num_classes: int = 10
    in_channels: int = 1

    def __post_init__(self) -> None:
        _configs.widths(self, "widths")
        _configs.whole(self, "size", "kernel_size", "units", "num_classes", "in_channels")
        if not self.widths or self.side < 1:
            raise ValueError(
                explain("LocaliserConfig", "widths", got=repr(self.widths),
                        expected=f"1 to {self.size.bit_length() - 1} blocks: each halves {self.size}",
                        fix="widths=(16, 32, 64)")
            )  # fmt: skip

    @property
    def side(self) -> int:
        """Side of the map that the dense layer sees."""
        return self.size >> len(self.widths)


class Localiser(nnx.Module):
    """Blocks of convolution, batch norm, ReLU and pooling by two; a dense layer; the head of localisation.

    The head gives ``[p, bx, by, bh, bw, c1, ...]``: whether there is an object, its centre, **height before
    width** as shares of the image, and its class. p and c are logits where `losses.localisation` is trained
    in the form of cross-entropies, and numbers to be near 0 or 1 in that of squared errors. Any classifier
    of the library with ``num_classes=5 + classes`` gives the same vector and is trained by the same loss.

    Args:
        config: widths and sizes.
        rngs: the random streams of the constructor.

    Example:
        >>> config, images = LocaliserConfig(size=16, widths=(4, 8), num_classes=3), jnp.ones((2, 16, 16, 1))
        >>> nnx.eval_shape(lambda: Localiser(config, rngs=nnx.Rngs(0))(images)).shape
        (2, 8)
    """

    def __init__(self, config: LocaliserConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        window = (config.kernel_size, config.kernel_size)
        blocks = [
            (Conv(fan_in, width, window, use_bias=False, rngs=rngs), BatchNorm(width, rngs=rngs),
             Activation("relu"), MaxPool((2, 2)))
            for fan_in, width in zip((config.in_channels, *config.widths), config.widths)
        ]  # fmt: skip
        features = config.side**2 * config.widths[-1]
        head = (
            Flatten(), Linear(features, config.units, rngs=rngs), Activation("relu"),
            Linear(config.units, 5 + config.num_classes, rngs=rngs),
        )  # fmt: skip
        self.layers = nnx.List([*(layer for block in blocks for layer in block), *head])

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images (batch, size, size, channels) to (batch, 5 + classes)."""
        config = self.config
        x = check_images("Localiser", x, channels=config.in_channels, least=1, exactly=config.size)
        for layer in self.layers:
            x = layer(x)
        return x


def localise(
    outputs: Any, *, size: int | tuple[int, int], form: str = "cross_entropy", score_threshold: float = 0.5
) -> Detections:
    """Read ``[p, bx, by, bh, bw, c1, ...]`` as detections, one place an image, its score the chance p.

    It is pure, and may be compiled together with the network. Outputs that hold NaN, or a box that is not
    finite, detect nothing.

    Args:
        outputs: floating array (batch, 5 + classes).
        size: side of the images in pixels, or (height, width).
        form: that of the loss: ``"cross_entropy"``, p is a logit, or ``"squared_error"``, p is the chance.
        score_threshold: chance in [0, 1] from which there is an object.

    Returns:
        `Detections`: boxes (batch, 1, 4) xyxy in pixels, cut off at the edge of the image; scores, labels
        and mask (batch, 1).

    Raises:
        DtypeError: `outputs` is not floating.
        ShapeError: `outputs` are not (batch, 5 + classes).
        ValueError: an unknown `form`, or a threshold outside [0, 1].

    Example:
        >>> found = localise(jnp.array([[4, 0.5, 0.5, 1, 0.5, 0, 3], [-4, 0.5, 0.5, 1, 0.5, 0, 3]]), size=8)
        >>> found.boxes[0, 0].tolist(), found.labels[:, 0].tolist(), found.mask[:, 0].tolist()
        ([2.0, 0.0, 6.0, 8.0], [1, 0], [True, False])
    """
    op = "localise"
    _checks.one_of(op, "form", form, _localisation.FORMS)
    _checks.in_range(op, "score_threshold", score_threshold, 0, np.nextafter(1, 2), "[0, 1]")
    parts, (height, width) = _localisation.parts(op, outputs), _checks.height_width(op, "size", size)
    score = _localisation.present(parts.presence, form)
    known = ~jnp.isnan(jnp.concatenate([parts.presence[:, None], *parts[1:]], -1)).any(-1)
    known &= jnp.isfinite(parts.box).all(-1)
    mask = (known & (score >= score_threshold))[:, None]
    inside = clip(_localisation.pixels(parts.box, (height, width))[:, None], height, width)
    labels = jnp.argmax(parts.classes, -1)[:, None].astype(jnp.int32)
    return Detections(
        jnp.where(mask[..., None], inside, 0),
        jnp.where(mask, score[:, None], 0),
        jnp.where(mask, labels, 0),
        mask,
    )
