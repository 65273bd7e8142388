"""Non-maximum suppression, and what it is for: from scores of all boxes to the objects in an image."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.boxes._checked import candidates_of, checked, in_unit_interval
from jaxdl.boxes.detections import Detections
from jaxdl.errors import ShapeError, explain
from jaxdl.kernels import nms as kernel


def nms(
    boxes: Any, scores: Any, *, iou_threshold: float | jax.Array, max_outputs: int, labels: Any = None
) -> tuple[jax.Array, jax.Array]:
    """Choose the box of the highest score, drop what overlaps it by more than the threshold, and again.

    One image; `jax.vmap` takes a batch. The result does not depend on boxes that cannot be chosen: pad with
    scores of -inf.

    Args:
        boxes: floating array (boxes, 4), xyxy. A box with NaN is never chosen; one without area is chosen
            by its score and overlaps nothing.
        scores: floating array (boxes,); -inf and NaN are never chosen.
        iou_threshold: in [0, 1]; a box is dropped where its intersection over union with a chosen one is
            larger.
        max_outputs: how many places the result has.
        labels: int array (boxes,): only boxes of one label drop each other. None: all do.

    Returns:
        Indices (max_outputs,) int32 in falling order of score, ties to the lower index, and their mask:
        False, with index 0, where no box was left, and everywhere for a traced threshold outside [0, 1].

    Raises:
        DtypeError: boxes or scores are not floating, labels not integer.
        ShapeError: boxes are not (boxes, 4), or scores or labels not (boxes,).
        ValueError: a threshold outside [0, 1], or `max_outputs` below 1.

    Example:
        >>> boxes = jnp.array([[0.0, 0, 4, 4], [0, 0, 4, 3], [5, 5, 9, 9]])
        >>> indices, mask = nms(boxes, jnp.array([0.8, 0.9, 0.7]), iou_threshold=0.5, max_outputs=3)
        >>> indices.tolist(), mask.tolist()
        ([1, 2, 0], [True, True, False])

    Reference:
        Equals ``torchvision.ops.nms`` on finite boxes and scores.
    """
    boxes, scores = candidates_of("nms", boxes, scores)
    if labels is not None:
        labels = _checks.integer("nms", "labels", labels)
        _checks.same_shape("nms", "scores", scores, "labels", labels)
    in_unit_interval("nms", "iou_threshold", iou_threshold)
    places = _checks.positive_integer("nms", "max_outputs", max_outputs)
    return kernel.nms(boxes, scores, iou_threshold=iou_threshold, max_outputs=places, labels=labels)


def nms_by_class(
    boxes: Any, scores: Any, labels: Any, *, iou_threshold: float | jax.Array, max_outputs: int
) -> tuple[jax.Array, jax.Array]:
    """Suppress among boxes of one label only: `nms` for each class, in one pass.

    Args:
        boxes: floating array (boxes, 4), xyxy.
        scores: floating array (boxes,); -inf and NaN are never chosen.
        labels: int array (boxes,).
        iou_threshold: in [0, 1]; boxes of one label that overlap a chosen one by more are dropped.
        max_outputs: how many places the result has, all classes together.

    Returns:
        Indices (max_outputs,) int32 in falling order of score and their mask, as `nms` gives them.

    Raises:
        DtypeError: boxes or scores are not floating, labels not integer.
        ShapeError: boxes are not (boxes, 4), or scores or labels not (boxes,).
        ValueError: a threshold outside [0, 1], or `max_outputs` below 1.

    Example:
        >>> boxes = jnp.array([[0.0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 4, 4]])
        >>> scores, labels = jnp.array([0.8, 0.9, 0.7]), jnp.array([1, 2, 1])
        >>> indices, mask = nms_by_class(boxes, scores, labels, iou_threshold=0.5, max_outputs=3)
        >>> indices[mask].tolist()
        [1, 0]
    """
    labels = _checks.integer("nms_by_class", "labels", labels)
    return nms(boxes, scores, iou_threshold=iou_threshold, max_outputs=max_outputs, labels=labels)


def detections(
    boxes: Any,
    scores: Any,
    *,
    score_threshold: float | jax.Array = 0.05,
    iou_threshold: float | jax.Array = 0.5,
    max_outputs: int = 100,
    candidates: int = 1000,
) -> Detections:
    """Turn boxes and their scores by class into detections: threshold, the best candidates, `nms` by class.

    One image; `jax.vmap` takes a batch. A box may be found as several classes.

    Args:
        boxes: floating array (boxes, 4), xyxy, or (boxes, classes, 4) where every class has its own box.
        scores: floating array (boxes, classes), without a column for the background.
        score_threshold: in [0, 1]; scores up to it, and NaN, find nothing.
        iou_threshold: in [0, 1]; of boxes of one class that overlap by more, the best stays.
        max_outputs: places of the result.
        candidates: pairs of a box and a class that enter the suppression, those of the highest scores.

    Returns:
        `Detections` with `max_outputs` places, scores falling, zeros where the mask is False. For a traced
        threshold outside [0, 1], or NaN, the mask is False everywhere.

    Raises:
        DtypeError: boxes or scores are not floating.
        ShapeError: the shapes are others than those above, or do not fit.
        ValueError: a threshold outside [0, 1], `max_outputs` or `candidates` below 1.

    Example:
        >>> boxes = jnp.array([[0.0, 0, 4, 4], [0, 0, 4, 3], [5, 5, 9, 9]])
        >>> detect = jax.jit(detections, static_argnames="max_outputs")
        >>> found = detect(boxes, jnp.array([[0.8, 0.0], [0.9, 0.2], [0.0, 0.7]]), max_outputs=4)
        >>> [round(float(score), 1) for score in found.scores], found.labels.tolist()
        ([0.9, 0.7, 0.2, 0.0], [0, 1, 1, 0])
    """
    boxes, scores = _by_class(boxes, scores)
    in_unit_interval("detections", "score_threshold", score_threshold)
    places = _checks.positive_integer("detections", "max_outputs", max_outputs)
    entering = min(_checks.positive_integer("detections", "candidates", candidates), scores.size)
    meant = (score_threshold >= 0) & (score_threshold <= 1)
    if not entering:
        return Detections(jnp.zeros((places, 4), boxes.dtype), jnp.zeros(places, scores.dtype),
                          jnp.zeros(places, jnp.int32), jnp.zeros(places, bool))  # fmt: skip
    # Greater than the threshold, so that NaN is out.
    alive = jnp.where((scores > score_threshold) & meant, scores, -jnp.inf).ravel()
    best, chosen = jax.lax.top_k(alive, entering)
    rows, labels = (part.astype(jnp.int32) for part in jnp.divmod(chosen, scores.shape[1]))
    corners = boxes[rows] if boxes.ndim == 2 else boxes[rows, labels]
    indices, mask = nms(corners, best, iou_threshold=iou_threshold, max_outputs=places, labels=labels)
    return Detections(
        jnp.where(mask[:, None], corners[indices], 0),
        jnp.where(mask, best[indices], 0),
        jnp.where(mask, labels[indices], 0),
        mask,
    )


def _by_class(boxes: Any, scores: Any) -> tuple[jax.Array, jax.Array]:
    boxes, scores = checked("detections", "boxes", boxes), _checks.floating("detections", "scores", scores)
    if scores.ndim != 2 or not scores.shape[1]:
        raise ShapeError(
            explain("detections", "scores", got=f"of shape {scores.shape}", expected="(boxes, classes)",
                    fix="jax.vmap(detections) takes a batch; scores[:, None] for one class")
        )  # fmt: skip
    if boxes.shape[:-1] not in (scores.shape[:1], scores.shape):
        raise ShapeError(
            explain("detections", "boxes", got=f"of shape {boxes.shape}",
                    expected=f"{(*scores.shape[:1], 4)} or {(*scores.shape, 4)} for these scores",
                    fix="one box a row of the scores, or one a row and class")
        )  # fmt: skip
    return boxes, scores
