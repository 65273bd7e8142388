"""What detectors learn from and what they give, with a fixed number of places an image and a mask."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.boxes._checked import checked
from jaxdl.errors import DtypeError, ShapeError, explain


class Detections(NamedTuple):
    """What a detector found; places where the mask is False hold zeros.

    Attributes:
        boxes: (..., places, 4) xyxy in pixels.
        scores: (..., places), falling.
        labels: (..., places) int32.
        mask: (..., places) bool.
    """

    boxes: jax.Array
    scores: jax.Array
    labels: jax.Array
    mask: jax.Array


class Truth(NamedTuple):
    """The objects in images.

    Attributes:
        boxes: (..., places, 4) xyxy in pixels, 0 where there is none.
        labels: (..., places) int32, 0 where there is none.
        mask: (..., places) bool.
        good: (...,) bool: False where a box or a label of the image is unsound.
    """

    boxes: jax.Array
    labels: jax.Array
    mask: jax.Array
    good: jax.Array


def truth(op: str, targets: Mapping[str, Any], num_classes: int) -> Truth:
    """Read the objects of images inside a program, and say which images have unsound ones.

    Unsound are a box without area, with corners that are not in order or with a number that is not finite,
    and a label outside [0, num_classes). Such objects are taken out, and their image is not good: a loss
    multiplies its value by ``jnp.where(good, 1, jnp.nan)``. What stands in masked places is not looked at,
    and an image without objects is good.

    Args:
        op: name of the function that asks, for the errors.
        targets: ``{"boxes": (..., places, 4), "labels": (..., places), "mask": (..., places)}``, as
            `pad_targets` builds them; other names are let be.
        num_classes: labels lie in [0, num_classes).

    Returns:
        A `Truth`.

    Raises:
        DtypeError: `targets` is no mapping, boxes are not floating, or labels not integer.
        ShapeError: shapes that do not fit each other.
        ValueError: a name is missing, or `num_classes` is below 1.

    Example:
        >>> targets = {"boxes": jnp.array([[[0.0, 0, 2, 2], [0, 0, 0, 0]]] * 2),
        ...            "labels": jnp.array([[3, 0], [9, 0]]), "mask": jnp.array([[True, False]] * 2)}
        >>> truth("loss", targets, num_classes=5).good.tolist()
        [True, False]
    """
    boxes, labels, mask = _read(op, targets)
    classes = _checks.positive_integer(op, "num_classes", num_classes)
    sound = (labels >= 0) & (labels < classes) & (boxes[..., 2:] > boxes[..., :2]).all(-1)
    sound &= jnp.isfinite(boxes).all(-1)
    usable = mask & sound
    return Truth(
        jnp.where(usable[..., None], boxes, 0),
        jnp.where(usable, labels, 0).astype(jnp.int32),
        usable,
        (sound | ~mask).all(-1),
    )


def _read(op: str, targets: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    if not isinstance(targets, Mapping):
        raise DtypeError(
            explain(op, "targets", got=f"a {type(targets).__name__}", expected="a dict of arrays",
                    fix="boxes.pad_targets(boxes, labels)")
        )  # fmt: skip
    for name in ("boxes", "labels", "mask"):
        if name not in targets:
            raise ValueError(
                explain(op, "targets", got=f"without '{name}': {', '.join(map(str, targets)) or 'empty'}",
                        expected="the names boxes, labels and mask", fix="boxes.pad_targets(boxes, labels)")
            )  # fmt: skip
    boxes = checked(op, "targets['boxes']", targets["boxes"])
    _checks.rank_at_least(op, "targets['boxes']", boxes, 2, "(..., places, 4)")
    labels = _checks.widened(_checks.integer(op, "targets['labels']", targets["labels"]))
    mask = _checks.array(op, "targets['mask']", targets["mask"]) != 0
    for name, array in (("labels", labels), ("mask", mask)):
        if array.shape != boxes.shape[:-1]:
            raise ShapeError(
                explain(op, f"targets['{name}']", got=f"of shape {array.shape}",
                        expected=f"{boxes.shape[:-1]}, one for each of the boxes {boxes.shape}",
                        fix="boxes.pad_targets(boxes, labels)")
            )  # fmt: skip
    return boxes, labels, mask
