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
            places)}``; what stands where the mask is 0 is never read. An entry "ignore" is for metrics:
            here such objects count as any other.
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
        >>> from functools import partial
        >>> outputs = _yolo.YoloOutputs(jnp.zeros((1, 2, 2, 2, 4)), jnp.ones((1, 2, 2, 2)),
        ...                             jnp.zeros((1, 2, 2, 3)))
        >>> targets = {"boxes": jnp.zeros((1, 1, 4)), "labels": jnp.zeros((1, 1), int),
        ...            "mask": jnp.zeros((1, 1), bool)}
        >>> jax.jit(partial(yolo_v1, stride=8))(outputs, targets).tolist()
        [4.0]

    Reference:
        Redmon et al. (2016), "You Only Look Once", equation 3.
    """
    op = "yolo_v1"
    outputs, stride = _yolo.checked_outputs(op, outputs, "v1"), _yolo.check_stride(op, stride)
    coord, noobj = _weights(op, outputs, lambda_coord=lambda_coord, lambda_noobj=lambda_noobj)
    found = _yolo.truth(op, targets, outputs)
    rows, columns = outputs.confidence.shape[1:3]
    cell, _, placed = _yolo.place(found, rows, columns, stride, None)
    at = _yolo.YoloOutputs(*(_gather(part, cell, 2) for part in outputs))
    overlap, answers = _answering(outputs, found, cell, placed, stride)
    box = ((at.boxes - _wanted_v1(found, cell, (rows, columns), stride)[..., None, :]) ** 2).sum(-1)
    of_box = coord * box + (at.confidence - overlap) ** 2
    named = ((at.classes - jax.nn.one_hot(found.labels, outputs.classes.shape[-1])) ** 2).sum(-1)
    taken = jnp.einsum("nmc,nmb->ncb", jax.nn.one_hot(cell, rows * columns), answers)
    empty = (1 - taken).reshape(outputs.confidence.shape) * outputs.confidence**2
    value = ((answers * of_box).sum(-1) + placed * named).sum(-1) + noobj * empty.sum((1, 2, 3))
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
        >>> from functools import partial
        >>> outputs = _yolo.YoloOutputs(jnp.zeros((1, 2, 2, 1, 4)), jnp.zeros((1, 2, 2, 1)),
        ...                             jnp.zeros((1, 2, 2, 1, 3)))
        >>> targets = {"boxes": jnp.array([[[2.0, 2, 6, 6]]]), "labels": jnp.zeros((1, 1), int),
        ...            "mask": jnp.ones((1, 1), bool)}
        >>> loss = jax.jit(partial(yolo_anchors, anchors=((4, 4),), stride=8))
        >>> round(loss(outputs, targets).item(), 3)
        3.871

    Reference:
        Redmon and Farhadi (2017), "YOLO9000", and (2018), "YOLOv3", section 2.1.
    """
    op = "yolo_anchors"
    outputs, stride = _yolo.checked_outputs(op, outputs, "anchors"), _yolo.check_stride(op, stride)
    _checks.one_of(op, "class_loss", class_loss, CLASS_LOSSES)
    _checks.in_range(op, "ignore_threshold", ignore_threshold, 0, math.nextafter(1, 2), "[0, 1]")
    pairs = checked_shapes(op, "anchors", anchors, count=outputs.confidence.shape[-1])
    coord, noobj = _weights(op, outputs, lambda_coord=lambda_coord, lambda_noobj=lambda_noobj)
    found, shapes = _yolo.truth(op, targets, outputs), jnp.asarray(pairs, jnp.float32)
    rows, columns, kinds = outputs.confidence.shape[1:]
    cell, shape, placed = _yolo.place(found, rows, columns, stride, shapes)
    slot = cell * kinds + shape
    raw, logit, classes = (_gather(part, slot, 3) for part in outputs)
    shift, growth = _wanted_anchors(found, cell, columns, stride, shapes[shape])
    box = (jax.nn.sigmoid(raw[..., :2]) - shift) ** 2 + (raw[..., 2:] - growth) ** 2
    named = _class_error(class_loss, classes, found.labels)
    of_object = placed * (coord * box.sum(-1) + jax.nn.softplus(-logit) + named)
    empty = _far_from_objects(outputs, found, shapes, stride, ignore_threshold)
    empty &= ~(jax.nn.one_hot(slot, empty.shape[1], dtype=bool) & placed[..., None]).any(-2)
    background = empty * jax.nn.softplus(outputs.confidence.reshape(empty.shape))
    value = of_object.sum(-1) + noobj * background.sum(-1)
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
        >>> from functools import partial
        >>> boxes = jnp.array([[[1.0, 1, 3, 3], [2, 2, 4, 4], [9, 9, 12, 12]]])
        >>> targets = {"boxes": boxes, "labels": jnp.zeros((1, 3), int), "mask": jnp.ones((1, 3), bool)}
        >>> jax.jit(partial(yolo_unplaced, grid=(2, 2), stride=8, num_classes=1))(targets).tolist()
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
    places = math.prod(values.shape[1 : 1 + axes])
    flat = values.reshape(values.shape[0], places, *values.shape[1 + axes :])
    return jnp.take_along_axis(flat, index.reshape(*index.shape, *(1,) * (flat.ndim - 2)), 1)


def _answering(
    outputs: _yolo.YoloOutputs, found: boxes.Truth, cell: jax.Array, placed: jax.Array, stride: float
) -> tuple[jax.Array, jax.Array]:
    """Return how much the boxes of its cell overlap each object, and 1 for the one that answers for it."""
    guesses = _gather(_yolo.boxes_v1(jax.lax.stop_gradient(outputs.boxes), stride), cell, 2)
    overlap = boxes.iou(guesses, found.boxes[..., None, :])[..., 0]
    return overlap, jax.nn.one_hot(jnp.argmax(overlap, -1), overlap.shape[-1]) * placed[..., None]


def _wanted_v1(found: boxes.Truth, cell: jax.Array, grid: tuple[int, int], stride: float) -> jax.Array:
    """Return x, y in the cell and the roots of width and height, shares of the image (batch, objects, 4)."""
    middle = boxes.xyxy_to_cxcywh(found.boxes)
    shift = _yolo.in_cell(middle[..., :2], cell, grid[1], stride)
    image = stride * _yolo.pair_like(shift, grid[1], grid[0])
    return jnp.concatenate([shift, jnp.sqrt(middle[..., 2:] / image)], -1)


def _wanted_anchors(
    found: boxes.Truth, cell: jax.Array, columns: int, stride: float, shapes: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return x, y in the cell, and the logarithms of width and height in units of the anchors."""
    middle = boxes.xyxy_to_cxcywh(found.boxes)
    sizes = jnp.where(found.mask[..., None], middle[..., 2:], 1)
    return _yolo.in_cell(middle[..., :2], cell, columns, stride), jnp.log(sizes / shapes)


def _far_from_objects(
    outputs: _yolo.YoloOutputs, found: boxes.Truth, shapes: jax.Array, stride: float, threshold: Any
) -> jax.Array:
    """Return whether a predicted box overlaps no object by more than the threshold (batch, slots)."""
    guesses = _yolo.boxes_anchors(jax.lax.stop_gradient(outputs.boxes), shapes, stride)
    overlap = boxes.iou(guesses.reshape(guesses.shape[0], -1, 4), found.boxes)
    return ~((overlap > threshold) & found.mask[:, None]).any(-1)


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
