"""Which object each anchor answers for."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl import boxes as boxes_of
from jaxdl.errors import ShapeError, explain


class Assignment(NamedTuple):
    """What anchors answer for.

    Attributes:
        kinds: (anchors,) int32: 1 an object, 0 background, -1 neither, to be left out of a loss.
        matches: (anchors,) int32, the object of the largest overlap; of use where the kind is 1.
        iou: (anchors,) float, the overlap with that object; 0 where the image has none.
    """

    kinds: jax.Array
    matches: jax.Array
    iou: jax.Array


def assign(
    anchors: Any, boxes: Any, mask: Any, *, positive: Any, negative: Any, best: bool = True
) -> Assignment:
    """Assign each anchor an object by overlap: at least `positive`; background below `negative`.

    Anchors between the thresholds are ignored. With `best`, the anchor that overlaps an object most answers
    for it, however little that is above 0; ties go to the lower index, of anchors and of objects. Where one
    anchor is the best of several objects, it answers for the one it overlaps most.

    Args:
        anchors: (anchors, 4) xyxy.
        boxes: (objects, 4) xyxy of one image, at least one place; vmap over images.
        mask: (objects,), not 0 where there is an object; other places are never assigned.
        positive: an overlap in [0, 1], not below `negative`; a number or a traced scalar.
        negative: an overlap in [0, 1]; a number or a traced scalar.
        best: whether every object gets its best anchor.

    Returns:
        `Assignment`. An object whose box is not finite, or has x2 <= x1 or y2 <= y1, makes every overlap NaN
        and every kind -1, and so do traced thresholds that are NaN or not as above.

    Raises:
        DtypeError: boxes that are no floating arrays.
        ShapeError: boxes that are not (count, 4), no anchor or no place for an object, or a mask that does
            not fit.
        ValueError: a threshold outside [0, 1], or a positive one below the negative one.

    Example:
        >>> anchors = jnp.array([[0.0, 0, 4, 4], [2, 0, 6, 4], [8, 8, 9, 9]])
        >>> from functools import partial
        >>> program = jax.jit(partial(assign, positive=0.7, negative=0.3))
        >>> program(anchors, anchors[:1], jnp.array([True])).kinds.tolist()
        [1, -1, 0]

    Reference:
        Ren et al. (2015), section 3.1.2.
    """
    op = "assign"
    anchors, boxes = _rows(op, "anchors", anchors), _rows(op, "boxes", boxes)
    mask = _checks.array(op, "mask", mask)
    if mask.shape != boxes.shape[:1]:
        raise ShapeError(
            explain(op, "mask", got=f"of shape {mask.shape}", expected=f"{boxes.shape[:1]}, one a box",
                    fix="one entry for each of boxes")
        )  # fmt: skip
    _check_thresholds(op, positive, negative)
    meant = (negative >= 0) & (positive <= 1) & (positive >= negative)
    overlap = jnp.where(meant, _overlap(anchors, boxes, mask != 0), jnp.nan)
    matches, highest = jnp.argmax(overlap, 1), jnp.max(overlap, 1)
    # A padded place overlaps by -1 and is the match only where the image has no object at all.
    shows, highest = highest >= positive, jnp.maximum(highest, 0)
    kinds = jnp.where(shows, 1, jnp.where(highest < negative, 0, -1))
    if best:
        claimed = _claims(overlap)
        taken = (claimed >= 0).any(1)
        matches = jnp.where(taken, jnp.argmax(claimed, 1), matches)
        highest = jnp.where(taken, jnp.max(claimed, 1), highest)
        kinds = jnp.where(taken, 1, kinds)
    return Assignment(kinds.astype(jnp.int32), matches.astype(jnp.int32), highest)


def _overlap(anchors: jax.Array, boxes: jax.Array, mask: jax.Array) -> jax.Array:
    sound = jnp.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
    overlap = jnp.where(mask, boxes_of.iou(anchors, jnp.where(mask[:, None], boxes, 0)), -1)
    return jnp.where((mask & ~sound).any(), jnp.nan, overlap)


def _claims(overlap: jax.Array) -> jax.Array:
    """Return the overlap where an anchor is the best of an object, and -1 elsewhere."""
    # An anchor that is no box would win over all others.
    overlap = jnp.where(jnp.isnan(overlap), -1, overlap)
    chosen = jnp.argmax(overlap, 0)[None] == jnp.arange(overlap.shape[0])[:, None]
    return jnp.where(chosen & (overlap > 0), overlap, -1)


def _rows(op: str, argument: str, value: Any) -> jax.Array:
    rows = _checks.floating(op, argument, value)
    if rows.ndim != 2 or rows.shape[1] != 4 or not rows.shape[0]:
        raise ShapeError(
            explain(op, argument, got=f"of shape {rows.shape}", expected="(count, 4), at least one box",
                    fix="one image at a time: jax.vmap over images")
        )  # fmt: skip
    return rows


def _check_thresholds(op: str, positive: Any, negative: Any) -> None:
    for name, value in (("positive", positive), ("negative", negative)):
        _checks.in_range(op, name, value, 0, math.nextafter(1, 2), "[0, 1]")
    if not isinstance(positive, jax.core.Tracer) and not isinstance(negative, jax.core.Tracer):
        _checks.in_range(op, "positive", positive, float(negative), math.inf, f"at least negative={negative}")
