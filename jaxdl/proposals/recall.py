"""How many objects the proposals find."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.proposals import _objects


def recall(boxes: Any, mask: Any, targets: Mapping[str, Any], *, iou_threshold: float = 0.5) -> np.ndarray:
    """Return the share of objects that one of the first k proposals overlaps enough, for every k.

    ``recall_k = (number of objects o with max over i <= k of iou(box_i, o) >= t) / (number of objects)``

    Args:
        boxes: proposals (images, places, 4) xyxy, the best first.
        mask: (images, places), which of them there are.
        targets: the objects, ``"boxes"`` (images, objects, 4) and ``"mask"`` (images, objects).
        iou_threshold: t, in (0, 1].

    Returns:
        (places,) float64 in [0, 1], never falling; NaN where there is no object at all.

    Raises:
        DtypeError: no dict of boxes and mask, or no numbers.
        ShapeError: arrays that do not fit each other.
        ValueError: the threshold is out of range.

    Example:
        >>> proposals = np.array([[[0, 0, 4, 4], [8, 8, 12, 12]]], np.float32)
        >>> objects = {"boxes": proposals[:, 1:], "mask": np.array([[True]])}
        >>> recall(proposals, np.array([[True, True]]), objects).tolist()
        [0.0, 1.0]
    """
    _checks.in_range("recall", "iou_threshold", iou_threshold, 1e-9, np.nextafter(1, 2), "a number in (0, 1]")
    (found, there), (objects, wanted) = _objects.both("recall", boxes, mask, targets, np.float64)
    hit = (_overlaps(found, objects) >= iou_threshold) & there[:, :, None] & wanted[:, None, :]
    with np.errstate(invalid="ignore"):
        return np.logical_or.accumulate(hit, axis=1).sum((0, 2)) / np.float64(wanted.sum())


def _overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the intersection over union (images, n, m) of boxes (images, n, 4) and (images, m, 4)."""
    a, b = first[:, :, None], second[:, None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.maximum(sides, 0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return shared / np.where(union > 0, union, 1)
