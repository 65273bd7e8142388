"""What detectors learn from and what they give, with a fixed number of places an image and a mask."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


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
        boxes: (..., places, 4) xyxy in pixels.
        labels: (..., places) int32, 0 where there is none.
        mask: (..., places) bool.
        good: (...,) bool: False where a box or a label of the image is unsound.
    """

    boxes: jax.Array
    labels: jax.Array
    mask: jax.Array
    good: jax.Array


def truth(op: str, targets: Mapping[str, Any], num_classes: int) -> Truth:
    """Read targets ``{"boxes": (n, places, 4), "labels": (n, places), "mask": (n, places)}``."""
    boxes, labels = jnp.asarray(targets["boxes"], jnp.float32), jnp.asarray(targets["labels"], jnp.int32)
    mask = jnp.asarray(targets["mask"]) != 0
    sound = (labels >= 0) & (labels < num_classes) & (boxes[..., 2:] > boxes[..., :2]).all(-1)
    sound &= jnp.isfinite(boxes).all(-1)
    usable = mask & sound
    return Truth(
        jnp.where(usable[..., None], boxes, 0),
        jnp.where(usable, labels, 0),
        usable,
        (sound | ~mask).all(-1),
    )
