"""Rotation, scale, shear and shift, each alone or all of them by one resampling."""

import math
from functools import partial

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.data.augment import _entry, _resample
from jaxdl.data.augment._entry import MODES, Augment, Range

STILL = (0.0, 0.0)


def affine(
    *,
    degrees: Range = STILL,
    scale: Range = (1.0, 1.0),
    shear: Range = STILL,
    rows: Range = STILL,
    columns: Range = STILL,
    mode: str = "zero",
) -> Augment:
    """Return an augmentation that shears, scales, rotates and shifts, in this order, by one resampling.

    About the centre of the image, with x to the right and y downwards, a point moves to
    ``R(degrees) * scale * S(shear) * (x, y) + (columns, rows)``, where ``S(x, y) = (x + y * tan(shear), y)``
    and R turns counter-clockwise. Each pixel of the result is read where it comes from, bilinearly.

    Args:
        degrees: lowest and highest angle, counter-clockwise, in degrees.
        scale: lowest and highest factor; above 1 enlarges.
        shear: lowest and highest angle of the shear in degrees, within (-90, 90); positive moves what is
            below the centre to the right.
        rows: lowest and highest shift downwards, in pixels.
        columns: lowest and highest shift to the right, in pixels.
        mode: what is beyond the border: ``"zero"``, ``"reflect"`` (mirrored at the outermost pixels) or
            ``"edge"`` (the nearest pixel).

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a range that is not finite and in order, a scale of 0 or less, a shear of 90 degrees, an
            unknown mode.
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> quarter = affine(degrees=(90, 90))
        >>> quarter(jax.random.key(0), jnp.arange(4.0).reshape(1, 2, 2)).round(4).tolist()
        [[[1.0, 3.0], [0.0, 2.0]]]
    """
    op = "affine"
    return _moved(
        op,
        mode,
        degrees=_entry.interval(op, "degrees", degrees),
        factor=_factor(op, "scale", scale),
        slant=_slant(op, "shear", shear),
        rows=_entry.interval(op, "rows", rows),
        columns=_entry.interval(op, "columns", columns),
    )


def rotation(*, degrees: Range = (-15.0, 15.0), mode: str = "zero") -> Augment:
    """Return an augmentation that turns each image about its centre, counter-clockwise; see `affine`.

    Args:
        degrees: lowest and highest angle in degrees.
        mode: what is beyond the border: ``"zero"``, ``"reflect"`` or ``"edge"``.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a range that is not finite and in order, an unknown mode.
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> half = rotation(degrees=(180, 180))
        >>> half(jax.random.key(0), jnp.arange(4.0).reshape(1, 2, 2)).round(4).tolist()
        [[[3.0, 2.0], [1.0, 0.0]]]
    """
    op = "rotation"
    return _moved(op, mode, degrees=_entry.interval(op, "degrees", degrees))


def scale(*, factor: Range = (0.8, 1.2), mode: str = "zero") -> Augment:
    """Return an augmentation that enlarges or shrinks each image about its centre; see `affine`.

    Args:
        factor: lowest and highest factor, above 0; above 1 enlarges.
        mode: what is beyond the border: ``"zero"``, ``"reflect"`` or ``"edge"``.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a range that is not finite, positive and in order, an unknown mode.
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> smaller = scale(factor=(0.5, 0.5))
        >>> smaller(jax.random.key(0), jnp.ones((1, 4, 4)))[0].tolist()
        [[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    op = "scale"
    return _moved(op, mode, factor=_factor(op, "factor", factor))


def shear(*, degrees: Range = (-15.0, 15.0), mode: str = "zero") -> Augment:
    """Return an augmentation that slants each image: ``(x, y)`` moves to ``(x + y * tan(degrees), y)``.

    Args:
        degrees: lowest and highest angle in degrees, within (-90, 90); positive moves what is below the
            centre to the right.
        mode: what is beyond the border: ``"zero"``, ``"reflect"`` or ``"edge"``.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a range that is not finite and in order, an angle of 90 degrees, an unknown mode.
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> slanted = shear(degrees=(45, 45))
        >>> slanted(jax.random.key(0), jnp.ones((1, 3, 3))).round(4)[0].tolist()
        [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
    """
    op = "shear"
    return _moved(op, mode, slant=_slant(op, "degrees", degrees))


def subpixel_shift(*, rows: Range = (-2.0, 2.0), columns: Range = (-2.0, 2.0), mode: str = "zero") -> Augment:
    """Return an augmentation that moves each image by any fraction of a pixel, bilinearly; see `affine`.

    `shift` moves by whole pixels at a fraction of the cost.

    Args:
        rows: lowest and highest shift downwards, in pixels.
        columns: lowest and highest shift to the right, in pixels.
        mode: what moves in: ``"zero"``, ``"reflect"`` or ``"edge"``.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a range that is not finite and in order, an unknown mode.
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> right = subpixel_shift(rows=(0, 0), columns=(0.25, 0.25))
        >>> right(jax.random.key(0), jnp.array([[[4.0, 8.0]]])).tolist()
        [[[3.0, 7.0]]]
    """
    op = "subpixel_shift"
    return _moved(
        op,
        mode,
        rows=_entry.interval(op, "rows", rows),
        columns=_entry.interval(op, "columns", columns),
    )


def _factor(op: str, name: str, value: Range) -> Range:
    return _entry.interval(op, name, value, low=0, above=True)


def _slant(op: str, name: str, value: Range) -> Range:
    return _entry.interval(op, name, value, low=-90, high=90, above=True, below=True)


def _moved(
    op: str,
    mode: str,
    *,
    degrees: Range = STILL,
    factor: Range = (1.0, 1.0),
    slant: Range = STILL,
    rows: Range = STILL,
    columns: Range = STILL,
) -> Augment:
    _checks.one_of(op, "mode", mode, MODES)
    return _entry.made(op, _resampled, (degrees, factor, slant, rows, columns), mode=mode)


@partial(jax.jit, static_argnames="mode")
def _resampled(key: jax.Array, images: jax.Array, spans: tuple[Range, ...], *, mode: str) -> jax.Array:
    keys = jax.random.split(key, len(spans))
    drawn = [_entry.per_image(_entry.uniform(part, span, images), rank=3) for part, span in zip(keys, spans)]
    return _resample.bilinear(images, *_sources(images, *drawn), mode=mode)


def _sources(
    images: jax.Array,
    degrees: jax.Array,
    scale: jax.Array,
    shear: jax.Array,
    rows: jax.Array,
    columns: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return row and column where each pixel comes from: the inverse map. Exact where nothing moves."""
    radians = math.pi / 180
    cosine, sine, slope = jnp.cos(degrees * radians), jnp.sin(degrees * radians), jnp.tan(shear * radians)
    middle = [(side - 1) / 2 for side in images.shape[1:3]]
    row, column = _resample.grid(images)
    y, x = row - middle[0] - rows, column - middle[1] - columns
    y, x = (sine * x + cosine * y) / scale, (cosine * x - sine * y) / scale
    return y + middle[0], x - slope * y + middle[1]
