"""How much boxes overlap, of every pair or of paired boxes, and what lies inside an image."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.boxes._checked import checked, image_sides
from jaxdl.errors import ShapeError, explain


def area(boxes: Any) -> jax.Array:
    """Return ``max(x2 - x1, 0) max(y2 - y1, 0)`` of each box: 0 where the corners are not in order.

    Args:
        boxes: floating array (..., 4), xyxy.

    Returns:
        (...) of the same dtype; NaN for a box with NaN.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.

    Example:
        >>> area(jnp.array([[0.0, 0.0, 2.0, 3.0], [2.0, 0.0, 0.0, 3.0]])).tolist()
        [6.0, 0.0]
    """
    boxes = checked("area", "boxes", boxes)
    sides = jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    # The maximum keeps the compiler from fusing the product into a sum, which rounds otherwise.
    return jnp.maximum(sides[..., 0] * sides[..., 1], 0.0)


def iou(first: Any, second: Any) -> jax.Array:
    """Return intersection over union of every pair: ``area(a and b) / (area(a) + area(b) - area(a and b))``.

    Boxes without area, and with corners that are not in order, overlap nothing: 0.

    Args:
        first: floating array (..., n, 4), xyxy.
        second: floating array (..., m, 4), with the same axes in front.

    Returns:
        (..., n, m) in [0, 1]; NaN for a box with NaN.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the last axis does not hold four numbers, or the axes in front differ.

    Example:
        >>> iou(jnp.array([[0.0, 0, 2, 2]]), jnp.array([[0.0, 0, 2, 1], [1, 1, 3, 3], [5, 5, 6, 6]])).tolist()
        [[0.5, 0.1428571492433548, 0.0]]

    Reference:
        Equals ``torchvision.ops.box_iou`` to the last bit where corners are in order, but for two boxes
        without area.
    """
    pair = _crossed("iou", first, second)
    shared, union, _ = _measured(*pair)
    return _ratio(shared, union).astype(jnp.result_type(*pair))


def giou(first: Any, second: Any) -> jax.Array:
    """Return ``iou - (hull - union) / hull`` of every pair, with the smallest box around both as hull.

    Boxes that do not touch are told apart by their distance, where `iou` has no gradient.

    Args:
        first: floating array (..., n, 4), xyxy.
        second: floating array (..., m, 4), with the same axes in front.

    Returns:
        (..., n, m) in [-1, 1]; NaN for a box with NaN.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the last axis does not hold four numbers, or the axes in front differ.

    Example:
        >>> others = jnp.array([[0.0, 0, 2, 1], [2, 0, 4, 2], [6, 0, 8, 2]])
        >>> giou(jnp.array([[0.0, 0, 2, 2]]), others).tolist()
        [[0.5, 0.0, -0.5]]

    Reference:
        Rezatofighi et al. (2019), "Generalized intersection over union". Equals
        ``torchvision.ops.generalized_box_iou``.
    """
    return _generalized(*_crossed("giou", first, second))


def paired_iou(first: Any, second: Any) -> jax.Array:
    """Return intersection over union of each box and the one at the same place.

    Args:
        first: floating array (..., 4), xyxy.
        second: floating array of exactly the same shape.

    Returns:
        (...) in [0, 1]; NaN for a box with NaN.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the last axis does not hold four numbers, or the shapes differ.

    Example:
        >>> boxes = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]])
        >>> paired_iou(boxes, jnp.array([[0.0, 0, 2, 1], [3, 3, 4, 4]])).tolist()
        [0.5, 0.0]
    """
    pair = _paired("paired_iou", first, second)
    shared, union, _ = _measured(*pair)
    return _ratio(shared, union).astype(jnp.result_type(*pair))


def paired_giou(first: Any, second: Any) -> jax.Array:
    """Return ``iou - (hull - union) / hull`` of each box and the one at the same place.

    As a loss ``1 - paired_giou(predictions, boxes)`` counts what is counted, whatever the size of the boxes.

    Args:
        first: floating array (..., 4), xyxy.
        second: floating array of exactly the same shape.

    Returns:
        (...) in [-1, 1]; NaN for a box with NaN.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the last axis does not hold four numbers, or the shapes differ.

    Example:
        >>> boxes = jnp.array([[0.0, 0, 2, 2], [0, 0, 2, 2]])
        >>> paired_giou(boxes, jnp.array([[0.0, 0, 2, 1], [6, 0, 8, 2]])).tolist()
        [0.5, -0.5]

    Reference:
        One less it is ``torchvision.ops.generalized_box_iou_loss`` with ``eps=0``.
    """
    return _generalized(*_paired("paired_giou", first, second))


def giou_loss(predictions: Any, targets: Any) -> jax.Array:
    """Return ``1 - giou`` of each predicted box and its target, in [0, 2].

    Args:
        predictions: floating array (..., 4), xyxy.
        targets: floating array of exactly the same shape.

    Returns:
        (...), one value a box; NaN for a box with NaN.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the last axis does not hold four numbers, or the shapes differ.

    Example:
        >>> giou_loss(jnp.array([[0.0, 0, 2, 2]]), jnp.array([[6.0, 0, 8, 2]])).tolist()
        [1.5]

    Reference:
        Rezatofighi et al. (2019). Equals ``torchvision.ops.generalized_box_iou_loss`` with ``eps=0``.
    """
    return 1 - _generalized(*_paired("giou_loss", predictions, targets))


def clip(boxes: Any, height: float | jax.Array, width: float | jax.Array) -> jax.Array:
    """Move corners outside an image to its edge: ``(min(max(x, 0), width), min(max(y, 0), height), ...)``.

    Args:
        boxes: floating array (..., 4), xyxy.
        height: of the image, in the unit of the boxes.
        width: of the image, in the unit of the boxes.

    Returns:
        An array of the same shape and dtype. A box that lay outside has no area; NaN stays NaN.

    Raises:
        DtypeError: `boxes` is not floating.
        ShapeError: the last axis does not hold four numbers.
        ValueError: a height or width that is not above 0.

    Example:
        >>> clip(jnp.array([-3.0, 2.0, 9.0, 5.0]), height=4, width=8).tolist()
        [0.0, 2.0, 8.0, 4.0]
    """
    boxes = checked("clip", "boxes", boxes)
    return jnp.clip(boxes, 0, image_sides("clip", boxes, height, width))


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    """Return part / whole, 0 of nothing; a NaN stays one."""
    return jnp.where(whole == 0, 0, part / jnp.where(whole == 0, 1, whole))


def _generalized(first: jax.Array, second: jax.Array) -> jax.Array:
    shared, union, hull = _measured(first, second)
    found = _ratio(shared, union) - _ratio(hull - union, hull)
    return found.astype(jnp.result_type(first, second))


def _measured(first: jax.Array, second: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the areas of the intersection, of the union and of the smallest box around both.

    In float32 at least: in float16 the area of 256 x 256 pixels would be infinite.
    """
    first, second = _checks.single(first), _checks.single(second)
    lows, highs = (first[..., :2], second[..., :2]), (first[..., 2:], second[..., 2:])
    shared = area(jnp.concatenate([jnp.maximum(*lows), jnp.minimum(*highs)], -1))
    hull = area(jnp.concatenate([jnp.minimum(*lows), jnp.maximum(*highs)], -1))
    return shared, area(first) + area(second) - shared, hull


def _crossed(op: str, first: Any, second: Any) -> tuple[jax.Array, jax.Array]:
    """Return boxes (..., n, 1, 4) and (..., 1, m, 4), or raise."""
    first, second = checked(op, "first", first), checked(op, "second", second)
    for name, boxes in (("first", first), ("second", second)):
        _checks.rank_at_least(op, name, boxes, 2, "(..., boxes, 4)")
    if first.shape[:-2] != second.shape[:-2]:
        raise ShapeError(
            explain(op, "second", got=f"of shape {second.shape}",
                    expected=f"{(*first.shape[:-2], 'boxes', 4)} beside {first.shape}",
                    fix=f"jax.vmap({op}, (0, None)) holds one of them fast")
        )  # fmt: skip
    return first[..., :, None, :], second[..., None, :, :]


def _paired(op: str, first: Any, second: Any) -> tuple[jax.Array, jax.Array]:
    names = ("predictions", "targets") if op == "giou_loss" else ("first", "second")
    first, second = checked(op, names[0], first), checked(op, names[1], second)
    _checks.same_shape(op, names[0], first, names[1], second)
    return first, second
