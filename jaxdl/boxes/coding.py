"""Boxes as offsets from anchors, and back: what regressors learn."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl.boxes._checked import checked, ordered
from jaxdl.boxes.formats import cxcywh_to_xyxy, xyxy_to_cxcywh
from jaxdl.errors import ShapeError, explain

# A side grows at most by this factor in one step, as in torchvision.
MAX_RATIO = 62.5


def encode(boxes: Any, anchors: Any, *, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> jax.Array:
    """Return ``((cx - cxa) / wa, (cy - cya) / ha, log(w / wa), log(h / ha))``, each times its weight.

    Args:
        boxes: floating array (..., 4), xyxy, with sides above 0. A side of 0, as in padding, makes the
            offsets along its axis NaN: mask such boxes before, by
            ``jnp.where(mask[..., None], boxes, anchors)``.
        anchors: floating array (..., 4), xyxy, with sides above 0, of a shape that goes to that of `boxes`.
        weights: four numbers, by which the offsets are multiplied, such as (10, 10, 5, 5).

    Returns:
        Offsets of the shape to which both go; NaN where the corners of a box or an anchor are not in order.

    Raises:
        DtypeError: boxes or anchors are not floating.
        FormatError: concrete boxes or anchors with x2 < x1 or y2 < y1; traced ones give NaN.
        ShapeError: the last axes do not hold four numbers, or the shapes do not go together.
        ValueError: `weights` are not four numbers other than 0.

    Example:
        >>> encode(jnp.array([[2.0, 2.0, 6.0, 6.0]]), jnp.array([[0.0, 0.0, 4.0, 4.0]])).tolist()
        [[0.5, 0.5, 0.0, 0.0]]

    Reference:
        Girshick et al. (2014), appendix C. Equals the box coder of torchvision's detectors.
    """
    boxes, anchors = checked("encode", "boxes", boxes), checked("encode", "anchors", anchors)
    boxes, anchors = ordered("encode", "boxes", boxes), ordered("encode", "anchors", anchors)
    scales = _scales("encode", weights)
    box, anchor = _together("encode", "boxes", xyxy_to_cxcywh(boxes), xyxy_to_cxcywh(anchors))
    fits = (box[..., 2:] > 0) & (anchor[..., 2:] > 0)
    sides, own = jnp.where(fits, box[..., 2:], jnp.nan), jnp.where(fits, anchor[..., 2:], jnp.nan)
    shift = (box[..., :2] - anchor[..., :2]) / own
    return _times(jnp.concatenate([shift, jnp.log(sides / own)], -1), scales)


def decode(offsets: Any, anchors: Any, *, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> jax.Array:
    """Return the boxes xyxy of which `encode` gives these offsets.

    ``cx = cxa + dx wa, cy = cya + dy ha, w = wa exp(min(dw, log 62.5)), h = ha exp(min(dh, log 62.5))``

    Args:
        offsets: floating array (..., 4), as `encode` orders them.
        anchors: floating array (..., 4), xyxy, of a shape that goes to that of `offsets`, as (boxes, 1, 4)
            to (boxes, classes, 4).
        weights: those that the offsets were multiplied by.

    Returns:
        Boxes of the shape to which both go. A side grows by a factor of 62.5 at most, so that early outputs
        of a network do not overflow.

    Raises:
        DtypeError: offsets or anchors are not floating.
        FormatError: concrete anchors with x2 < x1 or y2 < y1; traced ones give NaN.
        ShapeError: the last axes do not hold four numbers, or the shapes do not go together.
        ValueError: `weights` are not four numbers other than 0.

    Example:
        >>> decode(jnp.array([[0.5, 0.5, 0.0, 0.0]]), jnp.array([[0.0, 0.0, 4.0, 4.0]])).tolist()
        [[2.0, 2.0, 6.0, 6.0]]
    """
    offsets, anchors = checked("decode", "offsets", offsets), checked("decode", "anchors", anchors)
    anchors = ordered("decode", "anchors", anchors)
    scales = _scales("decode", weights)
    offset, anchor = _together("decode", "offsets", offsets, xyxy_to_cxcywh(anchors))
    offset = _times(offset, tuple(1 / scale for scale in scales))
    centre = anchor[..., :2] + offset[..., :2] * anchor[..., 2:]
    size = anchor[..., 2:] * jnp.exp(jnp.minimum(offset[..., 2:], math.log(MAX_RATIO)))
    return cxcywh_to_xyxy(jnp.concatenate([centre, size], -1))


def _together(op: str, argument: str, boxes: jax.Array, anchors: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return both with one rank, or raise where no shape fits both."""
    rank = max(boxes.ndim, anchors.ndim)
    pair = [array.reshape(*(1,) * (rank - array.ndim), *array.shape) for array in (boxes, anchors)]
    if any(a != b and 1 not in (a, b) for a, b in zip(pair[0].shape, pair[1].shape)):
        raise ShapeError(
            explain(op, "anchors", got=f"of shape {anchors.shape}",
                    expected=f"a shape that goes to that of '{argument}', {boxes.shape}",
                    fix="one anchor a box; anchors[:, None] serves several boxes each")
        )  # fmt: skip
    return pair[0], pair[1]


def _scales(op: str, weights: Any) -> tuple[float, ...]:
    four = isinstance(weights, Sequence) and len(weights) == 4
    if four and all(isinstance(w, int | float) and math.isfinite(w) and w != 0 for w in weights):
        return tuple(float(w) for w in weights)
    raise ValueError(
        explain(op, "weights", got=repr(weights), expected="four finite numbers other than 0",
                fix="weights=(10.0, 10.0, 5.0, 5.0)")
    )  # fmt: skip


def _times(offsets: jax.Array, scales: tuple[float, ...]) -> jax.Array:
    return jnp.stack([offsets[..., i] * scale for i, scale in enumerate(scales)], -1)
