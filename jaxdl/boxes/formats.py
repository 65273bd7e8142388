"""Formats of boxes, named in the function's name, and coordinates relative to the size of the image."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import FormatError, ShapeError, explain


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
    return boxes / _sides("to_relative", boxes, height, width)


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
    return boxes * _sides("to_absolute", boxes, height, width)


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


def checked(op: str, argument: str, value: Any) -> jax.Array:
    """Return boxes (..., 4) as a floating array, or raise."""
    boxes = _checks.floating(op, argument, value)
    if boxes.ndim < 1 or boxes.shape[-1] != 4:
        raise ShapeError(
            explain(op, argument, got=f"of shape {boxes.shape}", expected="(..., 4), four numbers a box",
                    fix=f"{argument}.reshape(-1, 4)")
        )  # fmt: skip
    return boxes


def ordered(op: str, argument: str, boxes: jax.Array) -> jax.Array:
    """Return boxes whose corners are in order: raise where they are known not to be, NaN where traced."""
    if not isinstance(boxes, jax.core.Tracer):
        turned = np.argwhere(np.asarray((boxes[..., 2:] < boxes[..., :2]).any(-1)))
        if len(turned):
            place = tuple(int(i) for i in turned[0])
            raise FormatError(
                explain(op, argument, got=f"{np.asarray(boxes[place]).tolist()} at {place}, and {len(turned)} "
                        "such boxes in all", expected="x1 <= x2 and y1 <= y2",
                        fix="say which format they have: boxes.xywh_to_xyxy, boxes.cxcywh_to_xyxy")
            )  # fmt: skip
    fits = (boxes[..., 2:] >= boxes[..., :2]).all(-1, keepdims=True)
    return jnp.where(fits, boxes, jnp.nan)


def _swapped(boxes: jax.Array) -> jax.Array:
    return boxes[..., jnp.array([1, 0, 3, 2])]


def _sides(op: str, boxes: jax.Array, height: Any, width: Any) -> jax.Array:
    """Return (width, height, width, height), of the rank of the boxes."""
    for name, value in (("height", height), ("width", width)):
        _checks.in_range(op, name, value, float(np.finfo(np.float32).tiny), float("inf"), "a number above 0")
    sides = jnp.stack([jnp.asarray(side, boxes.dtype) for side in (width, height, width, height)])
    return sides.reshape(*(1,) * (boxes.ndim - 1), 4)
