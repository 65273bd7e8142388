"""What YOLO's losses and its decoding share: its outputs, the boxes they mean, and the places of objects."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks, boxes
from jaxdl.boxes.coding import MAX_RATIO
from jaxdl.errors import DtypeError, ShapeError, explain

FORMS = ("anchors", "v1")


class YoloOutputs(NamedTuple):
    """What YOLO says of every cell of its grid, raw: the losses and `models.yolo.detect` read it.

    Attributes:
        boxes: (batch, rows, columns, boxes a cell, 4).
        confidence: (batch, rows, columns, boxes a cell), that there is an object; in the anchor form a logit.
        classes: (batch, rows, columns, classes) in v1, one guess a cell; in the anchor form logits (batch,
            rows, columns, boxes a cell, classes).
    """

    boxes: jax.Array
    confidence: jax.Array
    classes: jax.Array

    @property
    def num_classes(self) -> int:
        """Labels of targets lie in [0, num_classes)."""
        return self.classes.shape[-1]


class Places(NamedTuple):
    """Where objects stand in the grid: each array is (batch, objects), of use where `placed` is True."""

    cell: jax.Array
    shape: jax.Array
    placed: jax.Array


def checked_outputs(op: str, outputs: Any, form: str) -> YoloOutputs:
    """Return the outputs as floating arrays that fit each other, or raise."""
    if not isinstance(outputs, YoloOutputs):
        raise DtypeError(
            explain(op, "outputs", got=f"a {type(outputs).__name__}", expected="losses.YoloOutputs",
                    fix="pass what models.Yolo returns")
        )  # fmt: skip
    found = YoloOutputs(
        *(_checks.floating(op, f"outputs.{name}", part) for name, part in outputs._asdict().items())
    )
    grid = found.confidence.shape
    per_class = grid[:3] if form == "v1" else grid
    if len(grid) != 4 or 0 in grid[1:] or found.boxes.shape != (*grid, 4) \
            or found.classes.shape[:-1] != per_class or not found.classes.shape[-1]:  # fmt: skip
        axes = "(batch, rows, columns, classes)" if form == "v1" else "(..., boxes, classes)"
        raise ShapeError(
            explain(op, "outputs", got=f"of shapes {tuple(part.shape for part in found)}",
                    expected=f"boxes (batch, rows, columns, boxes, 4), confidence alike, classes {axes}",
                    fix=f"pass what models.Yolo of form={form!r} returns")
        )  # fmt: skip
    return found


def truth(op: str, targets: Any, outputs: YoloOutputs) -> boxes.Truth:
    """Return the objects of as many images as there are outputs."""
    found = boxes.truth(op, targets, outputs.classes.shape[-1])
    if found.labels.ndim != 2 or found.labels.shape[0] != outputs.boxes.shape[0]:
        raise ShapeError(
            explain(op, "targets", got=f"of labels {found.labels.shape}",
                    expected=f"({outputs.boxes.shape[0]}, places), an image each of outputs",
                    fix="targets of the same images")
        )  # fmt: skip
    return found


def check_stride(op: str, stride: Any) -> float:
    """Return the side of a cell in pixels, or raise."""
    if isinstance(stride, jax.core.Tracer):
        raise DtypeError(
            explain(
                op, "stride", got="traced", expected="a number", fix=f"functools.partial({op}, stride=...)"
            )
        )
    _checks.in_range(op, "stride", stride, math.ulp(0), math.inf, "(0, inf)")
    return float(stride)


def boxes_v1(raw: jax.Array, stride: float) -> jax.Array:
    """Return ``((column + x) s, (row + y) s)`` as centres, ``(W w^2, H h^2)`` as sizes; xyxy in pixels."""
    shift, root = raw[..., :2], raw[..., 2:]
    rows, columns = raw.shape[-4:-2]
    return _corners((_cells(shift) + shift) * stride, pair_like(root, columns, rows) * stride * root**2)


def boxes_anchors(raw: jax.Array, anchors: jax.Array, stride: float) -> jax.Array:
    """Return ``(column + sigmoid(x)) s`` and so on as centres, ``w_a exp(w)`` as sizes; xyxy in pixels."""
    shift = jax.nn.sigmoid(raw[..., :2])
    growth = jnp.exp(jnp.minimum(raw[..., 2:], math.log(MAX_RATIO)))
    return _corners((_cells(shift) + shift) * stride, jnp.broadcast_to(anchors, growth.shape) * growth)


def place(found: boxes.Truth, rows: int, columns: int, stride: float, anchors: Any) -> Places:
    """Give each object the cell of its centre, and of the anchors there the one most like it in shape.

    The first of several objects in one place has it; the others, and objects whose centre is outside of the
    image, have none. A centre on the right or lower edge is in the last cell.
    """
    middle = boxes.xyxy_to_cxcywh(found.boxes)
    at = middle[..., :2] / stride
    grid = pair_like(at, columns, rows)
    inside = ((at >= 0) & (at <= grid)).all(-1)
    column, row = jnp.moveaxis(jnp.clip(jnp.floor(at), 0, grid - 1).astype(jnp.int32), -1, 0)
    cell = row * columns + column
    shape, count = jnp.zeros_like(cell), 1
    if anchors is not None:
        shape, count = jnp.argmax(_likeness(middle[..., 2:], anchors), -1).astype(jnp.int32), len(anchors)
    slot, usable = cell * count + shape, found.mask & inside
    same = (slot[..., :, None] == slot[..., None, :]) & usable[..., None, :]
    # Of each pair the second loses its place to the first.
    earlier = jnp.tril(same, -1).any(-1)
    return Places(cell, shape, usable & ~earlier)


def in_cell(middle: jax.Array, cell: jax.Array, columns: int, stride: float) -> jax.Array:
    """Return where in their cells centres are, in [0, 1]."""
    corner = jnp.stack([cell % columns, cell // columns], -1)
    return middle / stride - corner


def _likeness(sizes: jax.Array, anchors: jax.Array) -> jax.Array:
    """Return the overlap of sizes (..., 2) with anchors (anchors, 2) of the same centre."""
    count = math.prod(sizes.shape[:-1])
    own, other = (jnp.concatenate([-s / 2, s / 2], -1) for s in (sizes.reshape(count, 2), anchors))
    return boxes.iou(own, other).reshape(*sizes.shape[:-1], len(anchors))


def pair_like(values: jax.Array, first: float, second: float) -> jax.Array:
    """Return two numbers, as (..., 2) of the shape of the values."""
    return jnp.broadcast_to(jnp.array([first, second], values.dtype), values.shape)


def _cells(shift: jax.Array) -> jax.Array:
    """Return column and row of each cell, as (..., rows, columns, boxes, 2)."""
    rows, columns = shift.shape[-4:-2]
    x, y = jnp.meshgrid(*(jnp.arange(count, dtype=shift.dtype) for count in (columns, rows)))
    return jnp.broadcast_to(jnp.stack([x, y], -1)[:, :, None], shift.shape)


def _corners(centre: jax.Array, size: jax.Array) -> jax.Array:
    return jnp.concatenate([centre - size / 2, centre + size / 2], -1)
