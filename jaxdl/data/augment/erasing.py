"""A rectangle of each image is erased."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.data.augment import _entry
from jaxdl.data.augment._entry import Augment, Range


def cutout(*, size: int, fill: float = 0.0) -> Augment:
    """Return an augmentation that fills a square about a random pixel of each image.

    Every pixel is equally likely; what of the square is outside the image is lost, as in the paper.

    Args:
        size: side of the square, in pixels: 16 for CIFAR-10, 8 for CIFAR-100; 0 erases nothing.
        fill: the value that is put there, in the scale of x.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a negative size, a fill that is not finite.
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: a size that is no whole number, a key that is no typed key, x not floating.

    Example:
        >>> erased = cutout(size=3)(jax.random.key(0), jnp.ones((1, 9, 9)))
        >>> 4 <= int((erased == 0).sum()) <= 9
        True

    Reference:
        DeVries and Taylor, Improved regularization of convolutional neural networks with cutout, 2017.
    """
    op = "cutout"
    size = _checks.positive_integer(op, "size", size, least=0)
    fill = _entry.number(op, "fill", fill)
    return _entry.made(op, _cut_out, size, fill)


@jax.jit
def _cut_out(key: jax.Array, images: jax.Array, size: jax.Array, fill: jax.Array) -> jax.Array:
    spans = []
    for part, side in zip(jax.random.split(key), images.shape[1:3]):
        start = jax.random.randint(part, (len(images),), 0, side) - size // 2
        spans.append((start, start + size))
    return jnp.where(_entry.rectangle(images, *spans), jnp.asarray(fill, images.dtype), images)


def random_erasing(
    *,
    probability: float = 0.5,
    area: Range = (0.02, 0.33),
    aspect: Range = (0.3, 3.3),
    fill: float | None = 0.0,
) -> Augment:
    """Return an augmentation that erases a rectangle of random area and aspect inside each image.

    The area is drawn uniformly, the aspect with a uniform logarithm, the place uniformly among those where
    all of it is inside. Sides are rounded to pixels, and a side longer than the image is cut to it (the
    paper draws again).

    Args:
        probability: chance of each image, in [0, 1].
        area: lowest and highest share of the area of the image, within [0, 1].
        aspect: lowest and highest ratio of height to width.
        fill: the value that is put there, in the scale of x; None for noise from N(0, 1).

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a probability or an area outside [0, 1], a range that is not in order, an aspect of 0, a
            fill that is not finite.
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> erase = random_erasing(probability=1.0, area=(0.25, 0.25), aspect=(1, 1))
        >>> int((erase(jax.random.key(0), jnp.ones((1, 8, 8))) == 0).sum())
        16

    Reference:
        Zhong, Zheng, Kang, Li and Yang, Random erasing data augmentation, 2017.
    """
    op = "random_erasing"
    probability = _entry.chance(op, probability)
    area = _entry.interval(op, "area", area, low=0, high=1)
    first, last = _entry.interval(op, "aspect", aspect, low=0, above=True)
    value = None if fill is None else _entry.number(op, "fill", fill)
    logarithms = (math.log(first), math.log(last))
    return _entry.made(op, _erased, probability, area, logarithms, value)


@jax.jit
def _erased(
    key: jax.Array, images: jax.Array, probability: jax.Array, area: Range, aspect: Range, fill: Any
) -> jax.Array:
    keys = jax.random.split(key, 6)
    height, width = images.shape[1:3]
    covered = _entry.uniform(keys[0], area, images) * (height * width)
    ratio = jnp.exp(_entry.uniform(keys[1], aspect, images))
    rows = _span(keys[2], jnp.sqrt(covered * ratio), height)
    columns = _span(keys[3], jnp.sqrt(covered / ratio), width)
    chosen = jax.random.bernoulli(keys[4], probability, (len(images),))
    mask = _entry.rectangle(images, rows, columns) & _entry.per_image(chosen)
    if fill is None:
        return jnp.where(mask, jax.random.normal(keys[5], images.shape, images.dtype), images)
    return jnp.where(mask, jnp.asarray(fill, images.dtype), images)


def _span(key: jax.Array, length: jax.Array, side: int) -> tuple[jax.Array, jax.Array]:
    """Return first and last+1 of a run of pixels of a length at a random place within a side."""
    length = jnp.minimum(jnp.round(length), side).astype(jnp.int32)
    start = jax.random.randint(key, length.shape, 0, side - length + 1)
    return start, start + length
