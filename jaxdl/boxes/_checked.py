"""Checks of boxes at the door."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import FormatError, ShapeError, explain


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
        known = np.asarray(boxes)
        turned = np.argwhere((known[..., 2:] < known[..., :2]).any(-1))
        if len(turned):
            place = tuple(int(i) for i in turned[0])
            raise FormatError(
                explain(op, argument, got=f"{known[place].tolist()} at {place}, one of {len(turned)} such",
                        expected="x1 <= x2 and y1 <= y2",
                        fix="say which format they have: boxes.xywh_to_xyxy, boxes.cxcywh_to_xyxy")
            )  # fmt: skip
    fits = (boxes[..., 2:] >= boxes[..., :2]).all(-1, keepdims=True)
    return jnp.where(fits, boxes, jnp.nan)


def image_sides(op: str, boxes: jax.Array, height: Any, width: Any) -> jax.Array:
    """Return (width, height, width, height), of the rank of the boxes; NaN for traced ones not above 0."""
    for name, value in (("height", height), ("width", width)):
        _checks.in_range(op, name, value, float(np.finfo(np.float32).tiny), float("inf"), "a number above 0")
    sides = jnp.stack([jnp.asarray(side, boxes.dtype) for side in (width, height, width, height)])
    return jnp.where(sides > 0, sides, jnp.nan).reshape(*(1,) * (boxes.ndim - 1), 4)


def candidates_of(op: str, boxes: Any, scores: Any) -> tuple[jax.Array, jax.Array]:
    """Return boxes (boxes, 4) and scores (boxes,) that fit, or raise."""
    boxes, scores = checked(op, "boxes", boxes), _checks.floating(op, "scores", scores)
    if boxes.ndim != 2:
        raise ShapeError(
            explain(op, "boxes", got=f"of shape {boxes.shape}", expected="(boxes, 4), one image",
                    fix=f"jax.vmap({op}) takes a batch of images")
        )  # fmt: skip
    if scores.shape != boxes.shape[:1]:
        raise ShapeError(
            explain(op, "scores", got=f"of shape {scores.shape}",
                    expected=f"{boxes.shape[:1]}, one score a box", fix="scores.ravel(), or `detections`")
        )  # fmt: skip
    return boxes, scores


def in_unit_interval(op: str, argument: str, value: Any) -> None:
    """Raise `ValueError` where a number is known to be outside [0, 1]; the kernel sees to traced ones."""
    _checks.in_range(op, argument, value, 0, math.nextafter(1, 2), "[0, 1]")


def objects(op: str, argument: str, targets: Mapping[str, Any], num_classes: int | None) -> None:
    """Raise `FormatError` that names the first unsound object of targets on the host.

    Targets of other names or shapes are left to the loss, which words what it wants; without `num_classes`
    a label may be as large as it likes.
    """
    if not {"boxes", "labels", "mask"} <= set(targets):
        return
    boxes, labels, mask = (np.asarray(targets[name]) for name in ("boxes", "labels", "mask"))
    if boxes.ndim != 3 or boxes.shape[-1] != 4 or not boxes.shape[:-1] == labels.shape == mask.shape:
        return
    highest = np.inf if num_classes is None else num_classes
    expected = "at least 0" if num_classes is None else f"in [0, {num_classes})"
    area = np.isfinite(boxes).all(-1) & (boxes[..., 2:] > boxes[..., :2]).all(-1)
    for name, fits, wanted, fix in (
        ("boxes", area, "finite x1 < x2 and y1 < y2", "boxes.xywh_to_xyxy, if they are corner and size"),
        ("labels", (labels >= 0) & (labels < highest), expected, "number the classes of the data from 0"),
    ):
        bad = np.argwhere((mask != 0) & ~fits)
        if len(bad):
            image, place = (int(i) for i in bad[0])
            got = f"{targets[name][image][place].tolist()} in object {place} of image {image}"
            rest = f", one of {len(bad)} such" * (len(bad) > 1)
            raise FormatError(explain(op, f"{argument}['{name}']", got=got + rest, expected=wanted, fix=fix))
