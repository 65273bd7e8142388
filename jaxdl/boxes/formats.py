"""Formats of boxes, named in the function's name."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


def xyxy_to_cxcywh(boxes: Any) -> jax.Array:
    """Return centre and size of boxes given by two corners."""
    boxes = checked("xyxy_to_cxcywh", "boxes", boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([(low + high) / 2, high - low], -1)


def cxcywh_to_xyxy(boxes: Any) -> jax.Array:
    """Return two corners of boxes given by centre and size."""
    boxes = checked("cxcywh_to_xyxy", "boxes", boxes)
    centre, size = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([centre - size / 2, centre + size / 2], -1)


def xyxy_to_xywh(boxes: Any) -> jax.Array:
    """Return first corner and size of boxes given by two corners."""
    boxes = checked("xyxy_to_xywh", "boxes", boxes)
    return jnp.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], -1)


def xywh_to_xyxy(boxes: Any) -> jax.Array:
    """Return two corners of boxes given by first corner and size."""
    boxes = checked("xywh_to_xyxy", "boxes", boxes)
    return jnp.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)


def checked(op: str, argument: str, value: Any) -> jax.Array:
    """Return boxes (..., 4) as a floating array, or raise."""
    boxes = _checks.floating(op, argument, value)
    if boxes.ndim < 1 or boxes.shape[-1] != 4:
        raise ShapeError(
            explain(op, argument, got=f"of shape {boxes.shape}", expected="(..., 4), four numbers a box",
                    fix=f"{argument}.reshape(-1, 4)")
        )  # fmt: skip
    return boxes
