"""Non-maximum suppression: of boxes that overlap, the one of the highest score stays."""

from typing import Any

import jax
import jax.numpy as jnp


def nms(
    boxes: jax.Array,
    scores: jax.Array,
    *,
    iou_threshold: Any,
    max_outputs: int,
    labels: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Choose the box of the highest score, drop what overlaps it by more than the threshold, and again.

    Args:
        boxes: (boxes, 4) as x1, y1, x2, y2.
        scores: (boxes,); -inf and NaN are never chosen.
        iou_threshold: boxes of a larger intersection over union are dropped.
        max_outputs: how many places the result has.
        labels: (boxes,) int; only boxes of one label drop each other. None: all do.

    Returns:
        Indices (max_outputs,) int32 in falling order of score, ties to the lower index, and their mask:
        False, with index 0, where no box was left.
    """
    areas = jnp.maximum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), 0.0)
    absent = jnp.isnan(scores) | jnp.isneginf(scores) | jnp.isnan(boxes).any(1)
    left = jnp.where(absent, -jnp.inf, scores)

    def choose(left: jax.Array, _: None) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        best = jnp.argmax(left).astype(jnp.int32)
        found = left[best] > -jnp.inf
        low, high = jnp.maximum(boxes[:, :2], boxes[best][None, :2]), jnp.minimum(boxes[:, 2:], boxes[best][None, 2:])
        sides = jnp.maximum(high - low, 0)
        # The maximum keeps the compiler from fusing the product into the subtraction, which rounds otherwise.
        shared = jnp.maximum(sides[:, 0] * sides[:, 1], 0.0)
        dropped = shared / (areas[best] + areas - shared) > iou_threshold
        if labels is not None:
            dropped &= labels == labels[best]
        left = jnp.where(dropped & found, -jnp.inf, left).at[best].set(-jnp.inf)
        return left, (jnp.where(found, best, 0), found)

    return jax.lax.scan(choose, left, None, length=max_outputs)[1]
