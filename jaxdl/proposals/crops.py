"""Crops of images at proposals, brought to one size: what a classifier of R-CNN sees and learns from."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks, anchors
from jaxdl import boxes as boxes_of
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.kernels import roi
from jaxdl.losses import OFFSET_SCALES
from jaxdl.losses.regions import UNIT_BOX
from jaxdl.proposals import _objects

# Bilinear samples along each side of a pixel of a crop: more than one, as most regions are shrunk.
SAMPLES = 2


def warp(images: Any, boxes: Any, *, size: int = 32, context: int = 2) -> jax.Array:
    """Cut regions out of images and warp each to a square of one size, by bilinear samples.

    The region itself fills ``size - 2 context`` pixels of a side; around it is what surrounds it in the
    image, and 0 outside the image.

    Args:
        images: (batch, height, width, channels), uint8 or floating.
        boxes: (batch, regions, 4) floating, xyxy in pixels.
        size: side of a crop in pixels.
        context: pixels of the surroundings along each edge of a crop, below half of its size.

    Returns:
        Crops (batch, regions, size, size, channels), floating, in the units of the images.

    Raises:
        ShapeError: images or boxes of another shape.
        DtypeError: boxes that are not floating, or sizes that are not whole.
        ValueError: a size out of range.

    Example:
        >>> image = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> warp(image, jnp.array([[[1.0, 1.0, 3.0, 3.0]]]), size=2, context=0)[0, 0, ..., 0].tolist()
        [[5.0, 6.0], [9.0, 10.0]]

    Reference:
        Girshick et al. (2014), who fill what is outside with the mean of the image.
    """
    images, boxes = _checks.array("warp", "images", images), boxes_of.formats.checked("warp", "boxes", boxes)
    size, context = _sizes("warp", size, context)
    _layout("warp", images, boxes)
    images = images if jnp.issubdtype(images.dtype, jnp.floating) else images.astype(jnp.float32)
    grown = _grown(boxes, size / (size - 2 * context))
    cut = partial(roi.roi_align, output_size=(size, size), spatial_scale=1.0, sampling_ratio=SAMPLES)
    return jax.vmap(cut)(images, grown)


def add_truth(boxes: Any, mask: Any, targets: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Add the boxes of the objects to the proposals to train on, so that every object has a region.

    Args:
        boxes: proposals (images, places, 4) xyxy.
        mask: (images, places).
        targets: ``"boxes"`` (images, objects, 4) and ``"mask"`` (images, objects).

    Returns:
        Boxes (images, objects + places, 4) float32, those of the objects first, and their mask; places where
        it is False hold zeros.

    Raises:
        DtypeError: no dict of boxes and mask, or no numbers.
        ShapeError: arrays that do not fit each other.

    Example:
        >>> found = np.ones((1, 3, 4)), np.array([[True, False, False]])
        >>> boxes, mask = add_truth(*found, {"boxes": np.zeros((1, 2, 4)), "mask": np.array([[1, 0]])})
        >>> boxes.shape, mask.tolist()
        ((1, 5, 4), [[True, False, True, False, False]])
    """
    pairs = _objects.both("add_truth", boxes, mask, targets, np.float32)[::-1]
    both = np.concatenate([array for array, _ in pairs], 1), np.concatenate([flags for _, flags in pairs], 1)
    return np.where(both[1][..., None], both[0], 0), both[1]


def crops(
    key: jax.Array,
    images: Any,
    boxes: Any,
    mask: Any,
    targets: Mapping[str, Any],
    *,
    num_classes: int,
    size: int = 32,
    context: int = 2,
    count: int = 32,
    positive: float = 0.5,
    positive_fraction: float = 0.25,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Cut a balanced sample of regions out of every image, with what a classifier is to say of each.

    A region that overlaps an object by an IoU of `positive` or more shows it: its label is the object's class
    plus 1 and its offsets are ``boxes.encode(object, region) / OFFSET_SCALES``. Others are background:
    label and offsets 0. `losses.crop_heads` learns from it.

    Args:
        key: random key of the samples.
        images: (images, height, width, channels), uint8 or floating.
        boxes: proposals (images, places, 4) xyxy in pixels; see `add_truth`.
        mask: (images, places).
        targets: ``{"boxes": (images, objects, 4), "labels": (images, objects), "mask": (images, objects)}``.
        num_classes: labels lie in [0, num_classes).
        size: side of a crop in pixels.
        context: pixels of the surroundings along each edge of a crop.
        count: regions of an image, at most.
        positive: least IoU of a region that shows an object, in [0, 1].
        positive_fraction: share of `count` that show objects, at most.

    Returns:
        Crops (regions, size, size, channels), uint8 where the images are, else float32, those of the first
        image first; and ``{"labels": (regions,) int32, "offsets": (regions, 4) float32}``.

    Raises:
        ShapeError: arrays that do not fit each other.
        DtypeError: no typed key, or numbers of the wrong kind.
        FormatError: a box or a label of an object is unsound, a region is not finite or has x2 < x1 or
            y2 < y1, or no image has a region.
        ValueError: a number out of range.

    Example:
        >>> images, places = np.zeros((1, 16, 16, 1), np.uint8), np.array([[[0.0, 0, 8, 8], [8, 8, 16, 16]]])
        >>> truth = {"boxes": places[:, :1], "labels": np.array([[3]]), "mask": np.array([[1]])}
        >>> cut, wanted = crops(jax.random.key(0), images, places, np.ones((1, 2)), truth, num_classes=10,
        ...                     count=4)
        >>> cut.shape, wanted["labels"].tolist()
        ((2, 32, 32, 1), [4, 0])

    Reference:
        Girshick (2015), section 2.3, whose sampling replaces the two stages of Girshick et al. (2014).
    """
    op, key = "crops", _checks.key("crops", key)
    pictures, places = _checks.array(op, "images", images), _array(op, "boxes", boxes).astype(jnp.float32)
    _layout(op, pictures, boxes_of.formats.checked(op, "boxes", places))
    there, sizes = _array(op, "mask", mask) != 0, _sizes(op, size, context)
    count = _checks.positive_integer(op, "count", count)
    for name, share in (("positive", positive), ("positive_fraction", positive_fraction)):
        _checks.in_range(op, name, share, 0, np.nextafter(1, 2), "[0, 1]")
    truth = boxes_of.truth(op, targets, num_classes)
    good = np.asarray(truth.good)
    if places.shape[:2] != there.shape or good.shape != there.shape[:1]:
        raise ShapeError(
            explain(op, "mask", got=f"of shape {there.shape}, with objects of {len(good)} images",
                    expected=f"{places.shape[:2]}, as of the boxes", fix="pass what belongs together")
        )  # fmt: skip
    if not good.all():
        raise FormatError(
            explain(op, "targets", got=f"unsound in image {int(good.argmin())}",
                    expected=f"boxes with x2 > x1 and y2 > y1, labels in [0, {num_classes})",
                    fix="mend it, or set its mask to False")
        )  # fmt: skip
    if len(unsound := np.argwhere(there & ~boxes_of.valid(places))):
        image, place = unsound[0].tolist()
        raise FormatError(
            explain(op, "boxes", got=f"{places[image, place].tolist()} at image {image}, place {place}",
                    expected="finite x1 <= x2 and y1 <= y2", fix="mend it, or set its mask to False")
        )  # fmt: skip
    keys = jax.random.split(key, len(good))
    found = _cut_all(keys, pictures, places, there, truth, sizes, count, positive, positive_fraction)
    kept, cut, labels, offsets = (np.asarray(part) for part in found)
    if not kept.any():
        raise FormatError(explain(op, "boxes", got="no region in any image", expected="one at least",
                                  fix="other options of selective_search"))  # fmt: skip
    return cut[kept], {"labels": labels[kept], "offsets": offsets[kept]}


@partial(jax.jit, static_argnums=(5, 6, 7, 8))
def _cut_all(
    keys: jax.Array,
    images: jax.Array,
    places: jax.Array,
    mask: jax.Array,
    truth: boxes_of.Truth,
    sizes: tuple[int, int],
    count: int,
    positive: float,
    fraction: float,
) -> Any:
    one = partial(_cut, sizes=sizes, count=count, positive=positive, fraction=fraction)
    return jax.lax.map(lambda image: one(*image), (keys, images, places, mask, truth))


def _cut(
    key: jax.Array,
    image: jax.Array,
    places: jax.Array,
    mask: jax.Array,
    truth: boxes_of.Truth,
    *,
    sizes: tuple[int, int],
    count: int,
    positive: float,
    fraction: float,
) -> tuple[jax.Array, ...]:
    """Return which of `count` places were filled, and crops, labels and offsets of one image."""
    # NaN in padded places would reach the sample.
    places = jnp.where(mask[:, None], places, 0)
    found = anchors.assign(places, truth.boxes, truth.mask, positive=positive, negative=positive, best=False)
    kinds = jnp.where(mask, found.kinds, -1)
    weights = anchors.sample(key, kinds, count=count, positive_fraction=fraction)
    weights, at = jax.lax.top_k(weights, min(count, len(weights)))
    cut = warp(image[None], places[at][None], size=sizes[0], context=sizes[1])[0]
    cut = jnp.rint(cut).astype(jnp.uint8) if image.dtype == jnp.uint8 else cut
    shows, objects = kinds[at] == 1, found.matches[at]
    pair = (jnp.where(shows[:, None], part, UNIT_BOX) for part in (truth.boxes[objects], places[at]))
    offsets = boxes_of.encode(*pair) / jnp.asarray(OFFSET_SCALES)[None]
    return weights > 0, cut, jnp.where(shows, truth.labels[objects] + 1, 0), offsets


def _grown(boxes: jax.Array, factor: float) -> jax.Array:
    """Return boxes whose sides are `factor` times as long, around the same centres."""
    centre, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) * (factor / 2)
    return jnp.concatenate([centre - half, centre + half], -1)


def _array(op: str, argument: str, value: Any) -> jax.Array:
    return _checks.array(op, argument, np.asarray(value) if isinstance(value, list | tuple) else value)


def _sizes(op: str, size: Any, context: Any) -> tuple[int, int]:
    size = _checks.positive_integer(op, "size", size)
    context = _checks.positive_integer(op, "context", context, least=0)
    if 2 * context >= size:
        raise ValueError(
            explain(op, "context", got=context, expected=f"below half of size={size}",
                    fix=f"context={(size - 1) // 2} at most")
        )  # fmt: skip
    return size, context


def _layout(op: str, images: jax.Array, boxes: jax.Array) -> None:
    if images.ndim != 4:
        raise ShapeError(
            explain(op, "images", got=f"of shape {images.shape}",
                    expected="(batch, height, width, channels)", fix="images[None] for a single image")
        )  # fmt: skip
    if boxes.ndim != 3 or len(boxes) != len(images):
        raise ShapeError(
            explain(op, "boxes", got=f"of shape {boxes.shape}", expected=f"({len(images)}, regions, 4)",
                    fix="boxes[None] for a single image")
        )  # fmt: skip
