"""Soft suppression: boxes that overlap a chosen one lose score, not their place."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.boxes._checked import candidates_of, in_unit_interval
from jaxdl.boxes.overlap import iou

DECAYS = ("gaussian", "linear")


class SoftChoice(NamedTuple):
    """What `soft_nms` chose; places where the mask is False hold zeros.

    Attributes:
        indices: (places,) int32.
        scores: (places,) after decay, falling.
        mask: (places,) bool.
    """

    indices: jax.Array
    scores: jax.Array
    mask: jax.Array


def soft_nms(
    boxes: Any,
    scores: Any,
    *,
    max_outputs: int,
    decay: str = "gaussian",
    sigma: float | jax.Array = 0.5,
    iou_threshold: float | jax.Array = 0.3,
    score_threshold: float | jax.Array = 0.001,
    labels: Any = None,
) -> SoftChoice:
    """Choose the box of the highest score, lower the scores of what overlaps it, and again.

    ``s_i = s_i exp(-iou(m, i)^2 / sigma)`` for the chosen box m with ``decay="gaussian"``, and
    ``s_i = s_i (1 - iou(m, i))`` where the IoU is at least the threshold with ``decay="linear"``. One image;
    `jax.vmap` takes a batch.

    Args:
        boxes: floating array (boxes, 4), xyxy; one with NaN is never chosen.
        scores: floating array (boxes,), not negative; NaN is never chosen.
        max_outputs: how many places the result has.
        decay: ``"gaussian"`` or ``"linear"``.
        sigma: width of the Gaussian, above 0.
        iou_threshold: in [0, 1], of the linear decay; the Gaussian has none.
        score_threshold: in [0, 1]; boxes whose score has fallen to it or below are never chosen.
        labels: int array (boxes,): only boxes of one label lower each other's scores. None: all do.

    Returns:
        A `SoftChoice`; of equal scores the lower index comes first. A traced threshold outside [0, 1], a
        traced sigma that is not above 0, or NaN for one of them chooses nothing.

    Raises:
        DtypeError: boxes or scores are not floating, labels not integer.
        ShapeError: boxes are not (boxes, 4), or scores or labels not (boxes,).
        ValueError: a threshold outside [0, 1], `sigma` not above 0, `max_outputs` below 1, an unknown decay.

    Example:
        >>> boxes = jnp.array([[0.0, 0, 4, 4], [0, 0, 4, 2], [5, 5, 9, 9]])
        >>> found = soft_nms(boxes, jnp.array([0.9, 0.8, 0.7]), max_outputs=3, decay="linear")
        >>> found.indices.tolist(), [round(float(score), 1) for score in found.scores]
        ([0, 2, 1], [0.9, 0.7, 0.4])

    Reference:
        Bodla, Singh, Chellappa and Davis (2017), "Soft-NMS".
    """
    boxes, scores = candidates_of("soft_nms", boxes, scores)
    if labels is not None:
        labels = _checks.integer("soft_nms", "labels", labels)
        _checks.same_shape("soft_nms", "scores", scores, "labels", labels)
    _checks.one_of("soft_nms", "decay", decay, DECAYS)
    in_unit_interval("soft_nms", "iou_threshold", iou_threshold)
    in_unit_interval("soft_nms", "score_threshold", score_threshold)
    _checks.in_range("soft_nms", "sigma", sigma, math.ulp(0), math.inf, "a finite number above 0")
    places = _checks.positive_integer("soft_nms", "max_outputs", max_outputs)
    if not len(boxes):
        return SoftChoice(
            jnp.zeros(places, jnp.int32), jnp.zeros(places, scores.dtype), jnp.zeros(places, bool)
        )

    def kept(overlap: jax.Array) -> jax.Array:
        if decay == "gaussian":
            return jnp.exp(-jnp.square(overlap) / sigma)
        return jnp.where(overlap >= iou_threshold, 1 - overlap, 1)

    meant = jnp.asarray(sigma) > 0
    for threshold in (iou_threshold, score_threshold):
        meant &= (jnp.asarray(threshold) >= 0) & (jnp.asarray(threshold) <= 1)
    usable = ~jnp.isnan(boxes).any(1) & ~jnp.isnan(scores) & meant

    def choose(left: jax.Array, _: None) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        best = jnp.argmax(left).astype(jnp.int32)
        found = left[best] > score_threshold
        overlap = iou(boxes[best][None], boxes)[0]
        share = kept(jnp.where(jnp.isnan(overlap), 0, overlap))
        share = share if labels is None else jnp.where(labels == labels[best], share, 1)
        lower = jnp.where(jnp.isneginf(left), left, left * share.astype(left.dtype)).at[best].set(-jnp.inf)
        return lower, (jnp.where(found, best, 0), jnp.where(found, left[best], 0), found)

    start = jnp.where(usable, scores, -jnp.inf)
    return SoftChoice(*jax.lax.scan(choose, start, None, length=places)[1])
