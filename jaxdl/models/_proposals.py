"""The region proposal network: where there may be an object, of whatever class."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import boxes
from jaxdl.initializers import normal
from jaxdl.layers import Activation, Conv


class ProposalNetwork(nnx.Module):
    """A 3x3 convolution with ReLU; from it an objectness and four offsets for every anchor of a cell.

    Args:
        channels: of the features.
        width: channels of the convolution.
        shapes: anchors a cell.
        rngs: the random streams of the constructor.
    """

    def __init__(self, channels: int, width: int, shapes: int, *, rngs: nnx.Rngs) -> None:
        self.conv = Conv(channels, width, (3, 3), rngs=rngs)
        self.relu = Activation("relu")
        self.objectness = Conv(width, shapes, (1, 1), kernel_init=normal(stddev=0.01), rngs=rngs)
        self.offsets = Conv(width, 4 * shapes, (1, 1), kernel_init=normal(stddev=0.01), rngs=rngs)

    def __call__(self, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Map features (batch, ..., channels) to objectness (batch, anchors) and offsets (..., 4)."""
        x = self.relu(self.conv(features))
        objectness, offsets = self.objectness(x), self.offsets(x)
        batch, places = x.shape[0], math.prod(objectness.shape[1:])
        return objectness.reshape(batch, places), offsets.reshape(batch, places, 4)


def propose(
    objectness: jax.Array,
    offsets: jax.Array,
    anchors: jax.Array,
    size: tuple[int, int],
    *,
    count: int,
    candidates: int,
    iou_threshold: float,
    min_size: float,
) -> tuple[jax.Array, jax.Array]:
    """Return the best proposals (batch, count, 4) and their mask; no gradient goes through them.

    The best candidates are decoded and clipped to the image; of those with sides of at least `min_size`,
    those that overlap a better one by more than the threshold are dropped.
    """
    choose = partial(_best, anchors=anchors, size=size, count=count, candidates=candidates,
                     iou_threshold=iou_threshold, min_size=min_size)  # fmt: skip
    return jax.vmap(choose)(jax.lax.stop_gradient(objectness), jax.lax.stop_gradient(offsets))


def _best(
    objectness: jax.Array,
    offsets: jax.Array,
    *,
    anchors: jax.Array,
    size: tuple[int, int],
    count: int,
    candidates: int,
    iou_threshold: float,
    min_size: float,
) -> tuple[jax.Array, jax.Array]:
    scores, best = jax.lax.top_k(objectness, min(candidates, len(objectness)))
    found = boxes.clip(boxes.decode(offsets[best], anchors[best]), *size)
    large = (found[:, 2:] - found[:, :2] >= min_size).all(1)
    at, mask = boxes.nms(found, jnp.where(large, scores, -jnp.inf), iou_threshold=iou_threshold,
                         max_outputs=count)  # fmt: skip
    return jnp.where(mask[:, None], found[at], 0), mask
