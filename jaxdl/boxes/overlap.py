"""How much boxes overlap."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl.boxes.formats import checked


def area(boxes: Any) -> jax.Array:
    """Return the area of each box (..., 4), 0 where a side is negative."""
    boxes = checked("area", "boxes", boxes)
    sides = jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    # The maximum keeps the compiler from fusing the product into a sum, which rounds otherwise.
    return jnp.maximum(sides[..., 0] * sides[..., 1], 0.0)


def iou(first: Any, second: Any) -> jax.Array:
    """Return intersection over union of every pair: (..., n, 4) and (..., m, 4) give (..., n, m)."""
    first, second = checked("iou", "first", first), checked("iou", "second", second)
    shared, union = _shared_and_union(first, second)
    return jnp.where(union > 0, shared / jnp.where(union > 0, union, 1), 0)


def giou(first: Any, second: Any) -> jax.Array:
    """Return ``iou - (hull - union) / hull`` of every pair, with the smallest box around both as hull."""
    first, second = checked("giou", "first", first), checked("giou", "second", second)
    shared, union = _shared_and_union(first, second)
    low = jnp.minimum(first[..., :, None, :2], second[..., None, :, :2])
    high = jnp.maximum(first[..., :, None, 2:], second[..., None, :, 2:])
    hull = area(jnp.concatenate([low, high], -1))
    return jnp.where(union > 0, shared / jnp.where(union > 0, union, 1), 0) - jnp.where(
        hull > 0, (hull - union) / jnp.where(hull > 0, hull, 1), 0
    )


def clip(boxes: Any, height: float, width: float) -> jax.Array:
    """Move corners outside an image to its edge."""
    boxes = checked("clip", "boxes", boxes)
    bounds = jnp.asarray([width, height, width, height], boxes.dtype)
    return jnp.clip(boxes, 0, jnp.broadcast_to(bounds, boxes.shape))


def _shared_and_union(first: jax.Array, second: jax.Array) -> tuple[jax.Array, jax.Array]:
    low = jnp.maximum(first[..., :, None, :2], second[..., None, :, :2])
    high = jnp.minimum(first[..., :, None, 2:], second[..., None, :, 2:])
    shared = area(jnp.concatenate([low, high], -1))
    return shared, area(first)[..., :, None] + area(second)[..., None, :] - shared
