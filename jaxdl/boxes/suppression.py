"""Non-maximum suppression."""

from typing import Any

import jax

from jaxdl import _checks
from jaxdl.boxes.formats import checked
from jaxdl.kernels import nms as kernel


def nms(
    boxes: Any, scores: Any, *, iou_threshold: Any, max_outputs: int, labels: Any = None
) -> tuple[jax.Array, jax.Array]:
    """Choose the box of the highest score, drop what overlaps it by more than the threshold, and again."""
    boxes, scores = checked("nms", "boxes", boxes), _checks.floating("nms", "scores", scores)
    return kernel.nms(boxes, scores, iou_threshold=iou_threshold, max_outputs=max_outputs, labels=labels)
