"""Formats of boxes, named in the function's name, and coordinates relative to the size of the image."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl.boxes._checked import checked as checked
from jaxdl.boxes._checked import image_sides


def xyxy_to_cxcywh(boxes: Any) -> jax.Array:
    """Return ``((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)``: centre, width and height.

    Args:
        boxes: floating array (..., 4), xyxy.

    Returns:
        An array of the same shape and dtype.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.

    Example:
        >>> xyxy_to_cxcywh(jnp.array([1.0, 2.0, 5.0, 4.0])).tolist()
        [3.0, 3.0, 4.0, 2.0]

    Reference:
        Equals ``torchvision.ops.box_convert(boxes, "xyxy", "cxcywh")``.
    """
    boxes = checked("xyxy_to_cxcywh", "boxes", boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([(low + high) / 2, high - low], -1)


def cxcywh_to_xyxy(boxes: Any) -> jax.Array:
    """Return ``(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)``: two corners.

    Args:
        boxes: floating array (..., 4), centre, width and height.

    Returns:
        An array of the same shape and dtype.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.

    Example:
        >>> cxcywh_to_xyxy(jnp.array([3.0, 3.0, 4.0, 2.0])).tolist()
        [1.0, 2.0, 5.0, 4.0]
    """
    boxes = checked("cxcywh_to_xyxy", "boxes", boxes)
    centre, size = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([centre - size / 2, centre + size / 2], -1)


def xyxy_to_xywh(boxes: Any) -> jax.Array:
    """Return ``(x1, y1, x2 - x1, y2 - y1)``: first corner, width and height, as COCO writes boxes.

    Args:
        boxes: floating array (..., 4), xyxy.

    Returns:
        An array of the same shape and dtype.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.

    Example:
        >>> xyxy_to_xywh(jnp.array([1.0, 2.0, 5.0, 4.0])).tolist()
        [1.0, 2.0, 4.0, 2.0]
    """
    boxes = checked("xyxy_to_xywh", "boxes", boxes)
    return jnp.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], -1)


def xywh_to_xyxy(boxes: Any) -> jax.Array:
    """Return ``(x, y, x + w, y + h)``: two corners.

    Args:
        boxes: floating array (..., 4), first corner, width and height.

    Returns:
        An array of the same shape and dtype.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.

    Example:
        >>> xywh_to_xyxy(jnp.array([1.0, 2.0, 4.0, 2.0])).tolist()
        [1.0, 2.0, 5.0, 4.0]
    """
    boxes = checked("xywh_to_xyxy", "boxes", boxes)
    return jnp.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)


def xyxy_to_cycxhw(boxes: Any) -> jax.Array:
    """Return ``((y1 + y2) / 2, (x1 + x2) / 2, y2 - y1, x2 - x1)``: rows first, as textbooks' heads have it.

    Args:
        boxes: floating array (..., 4), xyxy.

    Returns:
        An array of the same shape and dtype: centre y, centre x, height, width.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.

    Example:
        >>> xyxy_to_cycxhw(jnp.array([1.0, 2.0, 5.0, 10.0])).tolist()
        [6.0, 3.0, 8.0, 4.0]
    """
    boxes = checked("xyxy_to_cycxhw", "boxes", boxes)
    return _swapped(xyxy_to_cxcywh(boxes))


def cycxhw_to_xyxy(boxes: Any) -> jax.Array:
    """Return ``(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)`` of boxes that give rows first.

    Args:
        boxes: floating array (..., 4): centre y, centre x, height, width.

    Returns:
        An array of the same shape and dtype, xyxy.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.

    Example:
        >>> cycxhw_to_xyxy(jnp.array([6.0, 3.0, 8.0, 4.0])).tolist()
        [1.0, 2.0, 5.0, 10.0]
    """
    boxes = checked("cycxhw_to_xyxy", "boxes", boxes)
    return cxcywh_to_xyxy(_swapped(boxes))


def to_relative(boxes: Any, height: float | jax.Array, width: float | jax.Array) -> jax.Array:
    """Return ``(x / width, y / height, x / width, y / height)``: fractions of the image instead of pixels.

    For xyxy, xywh and cxcywh alike, since in each x and widths stand in the first and third place.

    Args:
        boxes: floating array (..., 4) in pixels, x before y.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        An array of the same shape and dtype.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.
        ValueError: a height or width that is not above 0.

    Example:
        >>> to_relative(jnp.array([0.0, 25.0, 100.0, 50.0]), height=50, width=200).tolist()
        [0.0, 0.5, 0.5, 1.0]
    """
    boxes = checked("to_relative", "boxes", boxes)
    return boxes / image_sides("to_relative", boxes, height, width)


def to_absolute(boxes: Any, height: float | jax.Array, width: float | jax.Array) -> jax.Array:
    """Return ``(x width, y height, x width, y height)``: pixels instead of fractions of the image.

    Args:
        boxes: floating array (..., 4), fractions of the image, x before y.
        height: of the image, in pixels.
        width: of the image, in pixels.

    Returns:
        An array of the same shape and dtype.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.
        ValueError: a height or width that is not above 0.

    Example:
        >>> to_absolute(jnp.array([0.0, 0.5, 0.5, 1.0]), height=50, width=200).tolist()
        [0.0, 25.0, 100.0, 50.0]
    """
    boxes = checked("to_absolute", "boxes", boxes)
    return boxes * image_sides("to_absolute", boxes, height, width)


def valid(boxes: Any) -> jax.Array:
    """Return whether ``x1 <= x2`` and ``y1 <= y2`` and all four are finite, of each box.

    A box without area is valid; padding with zeros is. What is not counts as empty where boxes are compared
    (`area`, `iou`, `nms`), gives NaN where it is to be learned from (`encode`, `roi_align`), and makes
    `truth` call its image not good.

    Args:
        boxes: floating array (..., 4), xyxy.

    Returns:
        (...) bool.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.

    Example:
        >>> valid(jnp.array([[0.0, 0, 2, 1], [2, 0, 0, 1], [0, 0, jnp.nan, 1]])).tolist()
        [True, False, False]
    """
    boxes = checked("valid", "boxes", boxes)
    return (boxes[..., 2:] >= boxes[..., :2]).all(-1) & jnp.isfinite(boxes).all(-1)


def _swapped(boxes: jax.Array) -> jax.Array:
    return boxes[..., jnp.array([1, 0, 3, 2])]
