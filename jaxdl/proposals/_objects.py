"""Proposals and the objects that they are held against, as arrays of NumPy that fit each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxdl.errors import DtypeError, ShapeError, explain

Boxes = tuple[np.ndarray, np.ndarray]


def both(op: str, boxes: Any, mask: Any, targets: Any, dtype: Any) -> tuple[Boxes, Boxes]:
    """Return boxes (images, places, 4) and mask (images, places) of proposals and of objects, or raise."""
    if not isinstance(targets, Mapping) or not {"boxes", "mask"} <= set(targets):
        got = (
            f"a dict of {list(targets)[:4]}"
            if isinstance(targets, Mapping)
            else f"a {type(targets).__name__}"
        )
        raise DtypeError(
            explain(op, "targets", got=got, expected="a dict of boxes and mask",
                    fix="boxes.pad_targets(boxes, labels)")
        )  # fmt: skip
    found = _pair(op, "boxes", boxes, mask, dtype)
    objects = _pair(op, "targets", targets["boxes"], targets["mask"], dtype)
    if len(found[0]) != len(objects[0]):
        raise ShapeError(
            explain(op, "targets", got=f"of {len(objects[0])} images",
                    expected=f"{len(found[0])}, as of the boxes", fix="pass those of the same images")
        )  # fmt: skip
    return found, objects


def _pair(op: str, argument: str, boxes: Any, mask: Any, dtype: Any) -> Boxes:
    try:
        array, flags = np.asarray(boxes, dtype), np.asarray(mask, np.float64) != 0
    except (TypeError, ValueError) as error:
        raise DtypeError(
            explain(op, argument, got="not all numbers", expected="arrays of numbers",
                    fix="boxes.pad_targets pads to one length an image")
        ) from error  # fmt: skip
    if array.ndim != 3 or array.shape[-1] != 4 or array.shape[:2] != flags.shape:
        raise ShapeError(
            explain(op, argument, got=f"of shape {array.shape} with a mask {flags.shape}",
                    expected="(images, places, 4) with a mask (images, places)", fix="pass a batch of images")
        )  # fmt: skip
    return array, flags
