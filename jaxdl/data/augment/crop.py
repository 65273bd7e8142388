"""Crops and shifts by whole pixels, which are slices of a padded image, and crops of any size."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl import _checks
from jaxdl.data.augment import _entry
from jaxdl.data.augment._entry import MODES, Augment, Range
from jaxdl.errors import ShapeError, explain

Pixels = tuple[int, int]
_PAD = {"zero": "constant", "reflect": "reflect", "edge": "edge"}


def random_crop(*, padding: int = 4, size: tuple[int, int] | None = None, mode: str = "zero") -> Augment:
    """Return an augmentation that pads each image and cuts out of it at a random place.

    Every place is equally likely, rows and columns drawn by themselves.

    Args:
        padding: pixels added on each side, 4 for CIFAR.
        size: (height, width) of what is cut out, in pixels; None for that of x, which the trainer needs.
        mode: what is added: ``"zero"``, ``"reflect"`` (mirrored at the outermost pixels) or ``"edge"``.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a negative padding, an unknown mode.
        ShapeError: (of what is returned) `size` is larger than the padded image, the padding too wide to
            mirror, or x no batch of images.
        DtypeError: a count that is no whole number, a key that is no typed key, x not floating.

    Example:
        >>> crop = random_crop(padding=1, mode="edge")
        >>> crop(jax.random.key(0), jnp.arange(4.0).reshape(1, 2, 2)).shape
        (1, 2, 2)

    Reference:
        He et al., Deep residual learning for image recognition, 2015, section 4.2.
    """
    op = "random_crop"
    pixels = _checks.positive_integer(op, "padding", padding, least=0)
    _checks.one_of(op, "mode", mode, MODES)
    wanted = None if size is None else _pair(op, "size", size)
    return _entry.made(op, _cropped, pixels=pixels, size=wanted, mode=mode)


@partial(jax.jit, static_argnames=("pixels", "size", "mode"))
def _cropped(
    key: jax.Array, images: jax.Array, *, pixels: int, size: tuple[int, int] | None, mode: str
) -> jax.Array:
    op = "random_crop"
    sides = images.shape[1] + 2 * pixels, images.shape[2] + 2 * pixels
    out = images.shape[1:3] if size is None else size
    if out[0] > sides[0] or out[1] > sides[1]:
        raise ShapeError(
            explain(op, "size", got=out, expected=f"at most the padded image, {sides}",
                    fix="a smaller size, or more padding")
        )  # fmt: skip
    padded = _padded(op, images, (pixels, pixels), mode)
    return _cut(key, padded, [(0, side - length) for side, length in zip(sides, out)], out)


def shift(*, rows: Pixels = (-4, 4), columns: Pixels = (-4, 4), mode: str = "zero") -> Augment:
    """Return an augmentation that moves each image by whole pixels: ``y[i, j] = x[i - rows, j - columns]``.

    Every shift of a range is equally likely, both ends included. `subpixel_shift` moves by fractions.

    Args:
        rows: lowest and highest shift downwards, in pixels.
        columns: lowest and highest shift to the right, in pixels.
        mode: what moves in: ``"zero"``, ``"reflect"`` or ``"edge"``.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a range that is not finite, in order and of whole pixels; an unknown mode.
        ShapeError: (of what is returned) a shift too far to mirror, or x no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> right = shift(rows=(0, 0), columns=(1, 1))
        >>> right(jax.random.key(0), jnp.arange(4.0).reshape(1, 2, 2)).tolist()
        [[[0.0, 0.0], [0.0, 2.0]]]
    """
    op = "shift"
    spans = _entry.whole(op, "rows", rows), _entry.whole(op, "columns", columns)
    _checks.one_of(op, "mode", mode, MODES)
    return _entry.made(op, _shifted, spans=spans, mode=mode)


@partial(jax.jit, static_argnames=("spans", "mode"))
def _shifted(key: jax.Array, images: jax.Array, *, spans: tuple[Pixels, Pixels], mode: str) -> jax.Array:
    rows, columns = (max(abs(first), abs(last)) for first, last in spans)
    padded = _padded("shift", images, (rows, columns), mode)
    # To move an image down is to cut above it.
    starts = [(width - last, width - first) for width, (first, last) in zip((rows, columns), spans)]
    return _cut(key, padded, starts, images.shape[1:3])


def random_resized_crop(
    *, area: Range = (0.08, 1.0), aspect: Range = (3 / 4, 4 / 3), size: tuple[int, int] | None = None
) -> Augment:
    """Return an augmentation that cuts a random rectangle out of each image and scales it to one size.

    The rectangle has a share of the area drawn uniformly, and a ratio of width to height drawn with a
    uniform logarithm; a side longer than the image is cut to it. It lies between pixels, anywhere inside.
    The scaling is bilinear, with a kernel as wide as the step where it shrinks (no aliasing).

    Args:
        area: lowest and highest share of the area of the image, within (0, 1].
        aspect: lowest and highest ratio of width to height.
        size: (height, width) to scale to, in pixels; None for that of x, which the trainer needs.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a range that is not finite, positive and in order, an area above 1.
        ShapeError: `size` is no pair; (of what is returned) x is no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> crop = random_resized_crop(area=(0.5, 1.0))
        >>> crop(jax.random.key(0), jnp.ones((2, 6, 6, 3))).shape
        (2, 6, 6, 3)

    Reference:
        Szegedy et al., Going deeper with convolutions, 2014, section 6.
    """
    op = "random_resized_crop"
    area = _entry.interval(op, "area", area, low=0, high=1, above=True)
    first, last = _entry.interval(op, "aspect", aspect, low=0, above=True)
    wanted = None if size is None else _pair(op, "size", size)
    return _entry.made(op, _resized, area, (math.log(first), math.log(last)), size=wanted)


@partial(jax.jit, static_argnames="size")
def _resized(
    key: jax.Array, images: jax.Array, area: Range, aspect: Range, *, size: tuple[int, int] | None
) -> jax.Array:
    height, width = images.shape[1:3]
    out = (height, width) if size is None else size
    keys = jax.random.split(key, 4)
    covered = _entry.uniform(keys[0], area, images) * (height * width)
    ratio = jnp.exp(_entry.uniform(keys[1], aspect, images))
    sides = jnp.minimum(jnp.sqrt(covered / ratio), height), jnp.minimum(jnp.sqrt(covered * ratio), width)
    shares = [_entry.uniform(part, (0, 1), images) for part in keys[2:]]
    places = [share * (side - part) for share, side, part in zip(shares, (height, width), sides)]
    boxes = jnp.stack(places, -1), jnp.stack(sides, -1)
    return jax.vmap(lambda image, place, side: _scaled(image, place, side, out))(images, *boxes)


def _pair(op: str, name: str, value: tuple[int, int]) -> tuple[int, int]:
    """Return (height, width) of at least one pixel each."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ShapeError(
            explain(op, name, got=repr(value), expected="(height, width)", fix=f"{name}=(32, 32)")
        )
    height, width = (_checks.positive_integer(op, name, side) for side in value)
    return height, width


def _padded(op: str, images: jax.Array, widths: tuple[int, int], mode: str) -> jax.Array:
    if mode == "reflect" and any(width >= side for width, side in zip(widths, images.shape[1:3])):
        raise ShapeError(
            explain(op, "x", got=f"of shape {images.shape}",
                    expected=f"images wider and higher than what is mirrored, {widths} pixels",
                    fix="mode='edge' or 'zero', or a smaller range")
        )  # fmt: skip
    around = ((0, 0), *((width, width) for width in widths), (0, 0))
    return jnp.pad(images, around, mode=_PAD[mode])


def _cut(key: jax.Array, padded: jax.Array, spans: list[tuple[int, int]], size: tuple[int, ...]) -> jax.Array:
    """Slice each image at rows and columns drawn from `spans`, both ends included."""
    keys = jax.random.split(key, 2)
    starts = [
        jax.random.randint(part, (len(padded),), first, last + 1) for part, (first, last) in zip(keys, spans)
    ]
    shape = (*size, padded.shape[-1])
    return jax.vmap(lambda image, row, column: lax.dynamic_slice(image, (row, column, 0), shape))(
        padded, *starts
    )


def _scaled(image: jax.Array, place: jax.Array, sides: jax.Array, size: tuple[int, int]) -> jax.Array:
    factor = jnp.array(size, sides.dtype) / sides
    # Two products with interpolation matrices. Scale and translation must be of the dtype of the image.
    wide = image.astype(factor.dtype)
    return jax.image.scale_and_translate(
        wide, (*size, image.shape[-1]), (0, 1), factor, -place * factor, "linear", antialias=True
    ).astype(image.dtype)
