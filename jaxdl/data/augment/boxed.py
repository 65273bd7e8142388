"""Augmentations that change images and the boxes of their objects together."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks, boxes
from jaxdl.data.augment import _entry
from jaxdl.errors import DtypeError, ShapeError, explain

Targets = dict[str, jax.Array]
_PARTS = ("boxes", "labels", "mask")


def flip_with_boxes(
    key: jax.Array, x: Any, targets: Mapping[str, Any], *, probability: float = 0.5
) -> tuple[jax.Array, Targets]:
    """Swap left and right of an image and of its boxes: ``(x1, y1, x2, y2)`` to ``(w - x2, y1, w - x1, y2)``.

    The targets change as the images do, which the `augment` of the trainer cannot do: call it in a step of
    your own, or on the batches of a `Stream`. Digits and letters are other ones when flipped.

    Args:
        key: typed key; which images are flipped is drawn from it.
        x: (batch, height, width, channels) or (batch, height, width), floating.
        targets: ``"boxes"`` (batch, places, 4) xyxy in pixels, ``"labels"`` and ``"mask"`` (batch, places),
            and other arrays (batch, places, ...), which are kept as they are.
        probability: chance of each image to be flipped, in [0, 1].

    Returns:
        Images in the shape of `x`, and targets.

    Raises:
        ValueError: the probability lies outside [0, 1].
        ShapeError: x is no batch of images, or targets do not fit it.
        DtypeError: x or boxes not floating, no typed key, targets without one of the three.

    Example:
        >>> targets = {"boxes": jnp.array([[[0.0, 1, 2, 3]]]), "labels": jnp.ones((1, 1), int),
        ...            "mask": jnp.ones((1, 1), bool)}
        >>> flipped = flip_with_boxes(jax.random.key(0), jnp.ones((1, 8, 8)), targets, probability=1.0)
        >>> flipped[1]["boxes"].tolist()
        [[[6.0, 1.0, 8.0, 3.0]]]
    """
    op, chance = "flip_with_boxes", _entry.chance("flip_with_boxes", probability)
    key, images = _entry.images(op, key, x)
    parts = _targets(op, targets, len(images))
    chosen = jax.random.bernoulli(key, chance, (len(images),))
    flipped = jnp.where(_entry.per_image(chosen), jnp.flip(images, 2), images)
    x1, y1, x2, y2 = jnp.moveaxis(parts["boxes"], -1, 0)
    width = images.shape[2]
    turned = jnp.stack([width - x2, y1, width - x1, y2], -1)
    change = chosen[:, None] & (parts["mask"] != 0)
    parts["boxes"] = jnp.where(change[..., None], turned, parts["boxes"])
    return flipped.reshape(jnp.shape(x)), parts


def zoom_with_boxes(
    key: jax.Array,
    x: Any,
    targets: Mapping[str, Any],
    *,
    scale: tuple[float, float] = (0.7, 1.4),
    visible: float = 0.3,
) -> tuple[jax.Array, Targets]:
    """Scale an image and its boxes, anywhere in a frame of its old size: crop the larger, pad the smaller.

    ``y[p] = x[(p - o) / s]``, bilinear, with s uniform in the logarithm and o uniform between 0 and
    ``(1 - s) * side``; outside of the image there is 0. Boxes ``s * box + o`` are cut at the frame; an
    object of which less than a share `visible` of its area is left is dropped, as if it were not there. A box
    that is not finite, or has x2 < x1 or y2 < y1, is none to be dropped: it becomes NaN, as losses tell.
    The targets change as the images do: call it in a step of your own, or on the batches of a `Stream`.

    Args:
        key: typed key; scales and offsets are drawn from it.
        x: (batch, height, width, channels) or (batch, height, width), floating.
        targets: ``"boxes"`` (batch, places, 4) xyxy in pixels, ``"labels"`` and ``"mask"`` (batch, places),
            and other arrays (batch, places, ...), which move with their objects.
        scale: (lowest, highest), above 0.
        visible: share of the area of a box below which its object is dropped, in (0, 1].

    Returns:
        Images in the shape of `x`, and targets, objects first and zeros behind.

    Raises:
        ValueError: a scale that is not above 0, or a share outside (0, 1].
        ShapeError: x is no batch of images, or targets do not fit it.
        DtypeError: x or boxes not floating, no typed key, targets without one of the three.

    Example:
        >>> targets = {"boxes": jnp.array([[[0.0, 0, 8, 8]]]), "labels": jnp.ones((1, 1), int),
        ...            "mask": jnp.ones((1, 1), bool)}
        >>> small, truth = zoom_with_boxes(jax.random.key(0), jnp.ones((1, 8, 8)), targets, scale=(0.5, 0.5))
        >>> small.shape, float(boxes.area(truth["boxes"])[0, 0])
        ((1, 8, 8), 16.0)
    """
    op, span = "zoom_with_boxes", _entry.interval("zoom_with_boxes", "scale", scale, low=0, above=True)
    _checks.in_range(op, "visible", visible, 1e-6, 1 + 1e-9, "(0, 1]")
    key, images = _entry.images(op, key, x)
    parts = _targets(op, targets, len(images))
    exponents, places = jax.random.split(key)
    kind, count = _entry.precise(images), len(images)
    scales = jnp.exp(jax.random.uniform(exponents, (count,), kind, *jnp.log(jnp.asarray(span))))
    height, width = images.shape[1:3]
    room = (1 - scales[:, None]) * jnp.asarray([[width, height]], kind)
    offsets = jax.random.uniform(places, (count, 2), kind) * room
    zoomed = jax.vmap(_zoomed)(images, scales, offsets).astype(images.dtype)
    moved = parts["boxes"] * scales[:, None, None] + jnp.tile(offsets, 2)[:, None]
    cut = boxes.clip(moved, height, width)
    # What is no box stays, for the loss to tell.
    cut = jnp.where(boxes.valid(parts["boxes"])[..., None], cut, jnp.nan)
    kept = (parts["mask"] != 0) & ~(boxes.area(cut) < visible * boxes.area(moved))
    return zoomed.reshape(jnp.shape(x)), _packed({**parts, "boxes": cut}, kept)


def _zoomed(image: jax.Array, scale: jax.Array, offset: jax.Array) -> jax.Array:
    """Resample (height, width, channels) by two matrix products."""
    rows, columns = (
        _weights(side, scale, start) for side, start in zip(image.shape[:2], (offset[1], offset[0]))
    )
    return jnp.einsum("yr,rcd,xc->yxd", rows, image, columns, precision="highest")


def _weights(side: int, scale: jax.Array, start: jax.Array) -> jax.Array:
    """Return how much of each old pixel is in each new one; a new pixel that shrinks is a mean."""
    source = (jnp.arange(side) + 0.5 - start) / scale - 0.5
    reach = jnp.maximum(1, 1 / scale)
    return jnp.maximum(0, 1 - jnp.abs(source[:, None] - jnp.arange(side)[None]) / reach) / reach


def _packed(parts: Targets, kept: jax.Array) -> Targets:
    """Return the places that are kept first, in their order, and zeros behind."""
    order = jnp.argsort(~kept, axis=1, stable=True)
    packed = {}
    for name, part in {**parts, "mask": kept.astype(parts["mask"].dtype)}.items():
        there = kept.reshape(*kept.shape, *(1,) * (part.ndim - 2))
        indices = order.reshape(there.shape)
        packed[name] = jnp.take_along_axis(jnp.where(there, part, jnp.zeros((), part.dtype)), indices, 1)
    return packed


def _targets(op: str, targets: Mapping[str, Any], count: int) -> Targets:
    """Return the targets as arrays, checked to have a row for each image."""
    missing = [name for name in _PARTS if not isinstance(targets, Mapping) or name not in targets]
    if missing:
        raise DtypeError(
            explain(op, "targets", got=f"without {missing[0]!r}", expected="a dict of boxes, labels and mask",
                    fix="targets={'boxes': boxes, 'labels': labels, 'mask': mask}")
        )  # fmt: skip
    parts = {name: _checks.array(op, f"targets[{name!r}]", value) for name, value in targets.items()}
    parts["boxes"] = _checks.floating(op, "targets['boxes']", parts["boxes"])
    shape = (count, *parts["mask"].shape[1:2])
    for name, part in parts.items():
        due = (*shape, 4) if name == "boxes" else shape
        if part.shape[: len(due)] != due or len(due) < 2 or (name in _PARTS and part.ndim != len(due)):
            raise ShapeError(
                explain(op, f"targets[{name!r}]", got=f"of shape {part.shape}",
                        expected=f"{due}, one row for each image", fix="give as many rows as images")
            )  # fmt: skip
    return parts
