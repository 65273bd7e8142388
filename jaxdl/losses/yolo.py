"""The losses of YOLO, one value an image: as its first paper prints it, and with anchors."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets, _yolo, boxes
from jaxdl.anchors.grids import checked_shapes
from jaxdl.errors import ShapeError, explain

CLASS_LOSSES = ("softmax", "binary")


def yolo_v1(
    outputs: _yolo.YoloOutputs,
    targets: Mapping[str, Any],
    *,
    stride: float,
    lambda_coord: float | jax.Array = 5.0,
    lambda_noobj: float | jax.Array = 0.5,
) -> jax.Array:
    """Squared errors of boxes, confidence and classes, as the first paper of YOLO prints them.

    With 1_ij where box j of cell i answers for an object, the sum over cells i and boxes j of ``lambda_coord
    1_ij ((x - x*)^2 + (y - y*)^2 + (sqrt w - sqrt w*)^2 + (sqrt h - sqrt h*)^2) + 1_ij (C - IoU)^2 +
    lambda_noobj (1 - 1_ij) C^2``, and over cells with an object of ``sum_c (p(c) - p*(c))^2``. The network
    gives sqrt w and sqrt h, shares of the image, and x and y, shares of the cell. Of the boxes in the cell
    of an object's centre the one that overlaps it most answers for it (ties to the lower index); the IoU is
    a target, without gradient. The first of several objects in a cell has it; see `yolo_unplaced`.

    Args:
        outputs: `YoloOutputs` of ``models.Yolo`` of form ``"v1"``, (batch, rows, columns, ...).
        targets: ``{"boxes": (batch, places, 4) xyxy in pixels, "labels": (batch, places), "mask": (batch,
            places)}``; what stands where the mask is 0 is never read.
        stride: side of a cell in pixels.
        lambda_coord: weight of the boxes, at least 0; a number or a traced scalar, which below 0 gives NaN.
        lambda_noobj: weight of the confidence where no object is, alike.

    Returns:
        Array (batch,), sums over the cells of an image. NaN, for its own image alone, where a label is
        outside [0, classes), or a box is not finite or has no area.

    Raises:
        DtypeError: outputs that are no `YoloOutputs` of floating arrays, or targets of another kind.
        ShapeError: arrays that do not fit each other.
        ValueError: a stride that is not above 0, or a weight below 0.

    Example:
        >>> outputs = _yolo.YoloOutputs(jnp.zeros((1, 2, 2, 2, 4)), jnp.ones((1, 2, 2, 2)),
        ...                             jnp.zeros((1, 2, 2, 3)))
        >>> targets = {"boxes": jnp.zeros((1, 1, 4)), "labels": jnp.zeros((1, 1), int),
        ...            "mask": jnp.zeros((1, 1), bool)}
        >>> yolo_v1(outputs, targets, stride=8).tolist()
        [4.0]

    Reference:
        Redmon et al. (2016), "You Only Look Once", equation 3.
    """
    op = "yolo_v1"
    outputs, stride = _yolo.checked_outputs(op, outputs, "v1"), _yolo.check_stride(op, stride)
    coord, noobj = _weights(op, outputs, lambda_coord=lambda_coord, lambda_noobj=lambda_noobj)
    found = _yolo.truth(op, targets, outputs)
    rows, columns, predictors = outputs.confidence.shape[1:]
    cell, _, placed = _yolo.place(found, rows, columns, stride, None)
    at = _yolo.YoloOutputs(*(_gather(part, cell, 2) for part in outputs))
    overlap = jax.lax.stop_gradient(
        boxes.iou(_gather(_yolo.boxes_v1(outputs.boxes, stride), cell, 2), found.boxes[..., None, :])[..., 0]
    )
    answers = jax.nn.one_hot(jnp.argmax(overlap, -1), predictors) * placed[..., None]
    middle = boxes.xyxy_to_cxcywh(found.boxes)
    shift = _yolo.in_cell(middle[..., :2], cell, columns, stride)
    share = middle[..., 2:] / (stride * _yolo.pair_like(shift, columns, rows))
    wanted = jnp.concatenate([shift, jnp.sqrt(share)], -1)[..., None, :]
    labels = jax.nn.one_hot(found.labels, outputs.classes.shape[-1])
    taken = jnp.einsum("nmc,nmb->ncb", jax.nn.one_hot(cell, rows * columns), answers)
    empty = (1 - taken).reshape(outputs.confidence.shape) * outputs.confidence**2
    of_object = (
        coord * (answers * ((at.boxes - wanted) ** 2).sum(-1)).sum(-1)
        + (answers * (at.confidence - overlap) ** 2).sum(-1)
        + placed * ((at.classes - labels) ** 2).sum(-1)
    )
    value = of_object.sum(-1) + noobj * empty.sum((1, 2, 3))
    return value * _targets.poison(found.good, value.dtype)


def yolo_anchors(
    outputs: _yolo.YoloOutputs,
    targets: Mapping[str, Any],
    *,
    anchors: Any,
    stride: float,
    ignore_threshold: float | jax.Array = 0.5,
    class_loss: str = "softmax",
    lambda_coord: float | jax.Array = 5.0,
    lambda_noobj: float | jax.Array = 1.0,
) -> jax.Array:
    """Squared errors of boxes in terms of their anchors, and cross-entropies of objectness and class.

    Each object has one place: the cell of its centre, and of the anchors there the one whose shape overlaps
    its own most (ties to the lower index). There the loss is ``lambda_coord ((sigmoid(x) - x*)^2 +
    (sigmoid(y) - y*)^2 + (w - log(w* / w_a))^2 + (h - log(h* / h_a))^2) + softplus(-o) + L(classes)``, and
    in all other places ``lambda_noobj softplus(o)``, except where the box that is predicted overlaps an
    object by more than the ignore threshold. The first of several objects in a place has it; see
    `yolo_unplaced`.

    Args:
        outputs: `YoloOutputs` of ``models.Yolo`` of form ``"anchors"``, (batch, rows, columns, anchors, ...).
        targets: as for `yolo_v1`.
        anchors: (anchors, 2), width and height in pixels.
        stride: side of a cell in pixels.
        ignore_threshold: in [0, 1]; a number or a traced scalar, which outside gives NaN.
        class_loss: ``"softmax"`` cross-entropy of one class an object, or ``"binary"``, one for each class.
        lambda_coord: weight of the boxes, at least 0; a number or a traced scalar, which below 0 gives NaN.
        lambda_noobj: weight of the background, alike.

    Returns:
        Array (batch,), sums over the places of an image, in nats but for the boxes. NaN as in `yolo_v1`.

    Raises:
        DtypeError: outputs that are no `YoloOutputs` of floating arrays, or targets of another kind.
        ShapeError: arrays that do not fit each other, or another number of anchors than of boxes a cell.
        ValueError: a stride or a side that is not above 0, a threshold outside [0, 1], a weight below 0, or
            another class loss.

    Example:
        >>> outputs = _yolo.YoloOutputs(jnp.zeros((1, 2, 2, 1, 4)), jnp.zeros((1, 2, 2, 1)),
        ...                             jnp.zeros((1, 2, 2, 1, 3)))
        >>> targets = {"boxes": jnp.array([[[2.0, 2, 6, 6]]]), "labels": jnp.zeros((1, 1), int),
        ...            "mask": jnp.ones((1, 1), bool)}
        >>> round(yolo_anchors(outputs, targets, anchors=((4, 4),), stride=8).item(), 3)
        3.871

    Reference:
        Redmon and Farhadi (2017), "YOLO9000", and (2018), "YOLOv3", section 2.1.
    """
    op = "yolo_anchors"
    outputs, stride = _yolo.checked_outputs(op, outputs, "anchors"), _yolo.check_stride(op, stride)
    _checks.one_of(op, "class_loss", class_loss, CLASS_LOSSES)
    _checks.in_range(op, "ignore_threshold", ignore_threshold, 0, math.nextafter(1, 2), "[0, 1]")
    pairs = checked_shapes(op, "anchors", anchors, count=outputs.confidence.shape[-1])
    shapes = jnp.asarray(pairs, jnp.float32)
    coord, noobj = _weights(op, outputs, lambda_coord=lambda_coord, lambda_noobj=lambda_noobj)
    found = _yolo.truth(op, targets, outputs)
    rows, columns, kinds = outputs.confidence.shape[1:]
    cell, shape, placed = _yolo.place(found, rows, columns, stride, shapes)
    slot = cell * kinds + shape
    raw, logit, classes = (_gather(part, slot, 3) for part in outputs)
    middle = boxes.xyxy_to_cxcywh(found.boxes)
    shift = _yolo.in_cell(middle[..., :2], cell, columns, stride)
    growth = jnp.log(jnp.where(placed[..., None], middle[..., 2:], 1) / shapes[shape])
    box = (jax.nn.sigmoid(raw[..., :2]) - shift) ** 2 + (raw[..., 2:] - growth) ** 2
    named = _class_error(class_loss, classes, found.labels)
    of_object = placed * (coord * box.sum(-1) + jax.nn.softplus(-logit) + named)
    empty = _background(outputs, found, shapes, stride, ignore_threshold)
    empty *= ~(jax.nn.one_hot(slot, rows * columns * kinds, dtype=bool) & placed[..., None]).any(-2)
    background = (empty * jax.nn.softplus(outputs.confidence.reshape(empty.shape))).sum(-1)
    value = of_object.sum(-1) + noobj * background
    value *= _targets.within(jnp.asarray(ignore_threshold), 0, 1, value.dtype)
    return value * _targets.poison(found.good, value.dtype)


def yolo_unplaced(
    targets: Mapping[str, Any], *, grid: tuple[int, int], stride: float, num_classes: int, anchors: Any = None
) -> jax.Array:
    """Count the objects that have no place in the grid, from which the network learns nothing.

    These are all but the first of those whose centres are in one cell (in the anchor form: and which have
    the same best anchor), and those whose centre is outside of the image.

    Args:
        targets: as for `yolo_v1`.
        grid: (rows, columns) of cells.
        stride: side of a cell in pixels.
        num_classes: labels are in [0, num_classes).
        anchors: (anchors, 2), width and height in pixels; None counts for v1.

    Returns:
        Array (batch,) int32; -1 for an image with a label or a box that is unsound, whose loss is NaN.

    Raises:
        DtypeError: numbers that are not whole, or targets of another kind.
        ShapeError: targets or anchors of another shape.
        ValueError: no cell, a stride or a side that is not above 0, or no class.

    Example:
        >>> boxes = jnp.array([[[1.0, 1, 3, 3], [2, 2, 4, 4], [9, 9, 12, 12]]])
        >>> targets = {"boxes": boxes, "labels": jnp.zeros((1, 3), int), "mask": jnp.ones((1, 3), bool)}
        >>> yolo_unplaced(targets, grid=(2, 2), stride=8, num_classes=1).tolist()
        [1]
    """
    op = "yolo_unplaced"
    stride = _yolo.check_stride(op, stride)
    if not isinstance(grid, tuple | list) or len(grid) != 2:
        raise ShapeError(explain(op, "grid", got=repr(grid), expected="(rows, columns)", fix="grid=(7, 7)"))
    rows, columns = (_checks.positive_integer(op, "grid", size) for size in grid)
    shapes = None if anchors is None else jnp.asarray(checked_shapes(op, "anchors", anchors), jnp.float32)
    found = boxes.truth(op, targets, _checks.positive_integer(op, "num_classes", num_classes))
    placed = _yolo.place(found, rows, columns, stride, shapes).placed
    return jnp.where(found.good, (found.mask & ~placed).sum(-1), -1).astype(jnp.int32)


def _gather(values: jax.Array, index: jax.Array, axes: int) -> jax.Array:
    """Return the entries of (batch, `axes` axes of the grid, ...) at (batch, objects)."""
    flat = values.reshape(values.shape[0], -1, *values.shape[1 + axes :])
    return jnp.take_along_axis(flat, index.reshape(*index.shape, *(1,) * (flat.ndim - 2)), 1)


def _background(
    outputs: _yolo.YoloOutputs, found: boxes.Truth, shapes: jax.Array, stride: float, threshold: Any
) -> jax.Array:
    """Return 1 where a predicted box overlaps no object by more than the threshold (batch, slots)."""
    predicted = _yolo.boxes_anchors(jax.lax.stop_gradient(outputs.boxes), shapes, stride)
    overlap = boxes.iou(predicted.reshape(predicted.shape[0], -1, 4), found.boxes)
    return (~((overlap > threshold) & found.mask[:, None]).any(-1)).astype(outputs.boxes.dtype)


def _class_error(kind: str, logits: jax.Array, labels: jax.Array) -> jax.Array:
    own = jnp.take_along_axis(logits, labels[..., None], -1)[..., 0]
    if kind == "softmax":
        return jax.nn.logsumexp(logits, -1) - own
    return jax.nn.softplus(logits).sum(-1) - own


def _weights(op: str, outputs: _yolo.YoloOutputs, **weights: Any) -> list[jax.Array]:
    dtype = outputs.boxes.dtype
    for name, weight in weights.items():
        _checks.in_range(op, name, weight, 0, math.inf, "[0, inf)")
    found = [jnp.asarray(weight, dtype) for weight in weights.values()]
    return [weight * _targets.within(weight, 0, math.inf, dtype) for weight in found]
