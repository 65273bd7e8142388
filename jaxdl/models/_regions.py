"""What detectors of regions share: the head that names regions, and detections made of what it says."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, boxes
from jaxdl.boxes import Detections
from jaxdl.initializers import normal
from jaxdl.kernels import roi
from jaxdl.layers import Activation, Linear
from jaxdl.losses import OFFSET_SCALES, RegionOutputs

POOLINGS = ("align", "max")


class RegionHead(nnx.Module):
    """Pool each region to one size; dense layers with ReLU; logits and offsets side by side.

    Args:
        channels: of the features.
        num_classes: without the background.
        pool_size: rows and columns that a region is brought to.
        hidden: units of the dense layers.
        pooling: ``"align"`` (bilinear samples) or ``"max"`` (of whole cells).
        sampling_ratio: samples along each side of a cell, of ``"align"``.
        class_agnostic: four offsets a region for all classes, instead of four a class.
        rngs: the random streams of the constructor.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        *,
        pool_size: int = 7,
        hidden: tuple[int, ...] = (128,),
        pooling: str = "align",
        sampling_ratio: int = 2,
        class_agnostic: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        _checks.one_of("RegionHead", "pooling", pooling, POOLINGS)
        self.pool_size, self.pooling, self.sampling_ratio = pool_size, pooling, sampling_ratio
        sizes = (channels * pool_size**2, *hidden)
        self.dense = nnx.List([Linear(a, b, rngs=rngs) for a, b in zip(sizes, hidden)])
        self.relus = nnx.List([Activation("relu") for _ in hidden])
        self.classes = Linear(sizes[-1], 1 + num_classes, kernel_init=normal(stddev=0.01), rngs=rngs)
        self.offsets = Linear(sizes[-1], 4 * (1 if class_agnostic else num_classes),
                              kernel_init=normal(stddev=0.001), rngs=rngs)  # fmt: skip

    def __call__(
        self, features: jax.Array, regions: jax.Array, *, spatial_scale: float
    ) -> tuple[jax.Array, jax.Array]:
        """Map features (batch, height, width, channels) and regions (batch, regions, 4) to two outputs."""
        align = partial(roi.roi_align, sampling_ratio=self.sampling_ratio)
        pool = partial(align if self.pooling == "align" else roi.roi_pool,
                       output_size=(self.pool_size,) * 2, spatial_scale=spatial_scale)  # fmt: skip
        x = jax.vmap(pool)(features, regions)
        x = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
        for layer, relu in zip(self.dense, self.relus):
            x = relu(layer(x))
        return self.classes(x), self.offsets(x)


def detections(
    outputs: RegionOutputs, *, score_threshold: Any, iou_threshold: Any, max_outputs: int
) -> Detections:
    """Return what stands out: a box a class, decoded and clipped; `boxes.detections` of each image."""
    arrays = (outputs.logits, outputs.offsets, outputs.regions, outputs.mask, outputs.sizes)
    select = partial(boxes.detections, score_threshold=score_threshold, iou_threshold=iou_threshold,
                     max_outputs=max_outputs)  # fmt: skip
    return jax.vmap(lambda *one: select(*_boxes_and_scores(*one)))(*map(jnp.asarray, arrays))


def _boxes_and_scores(
    logits: jax.Array, offsets: jax.Array, regions: jax.Array, mask: jax.Array, size: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return boxes (regions, classes, 4) and scores (regions, classes) of one image."""
    scales = jnp.asarray(OFFSET_SCALES).reshape(1, 1, 4)
    by_class = offsets.reshape(len(regions), offsets.shape[-1] // 4, 4) * scales
    found = boxes.clip(boxes.decode(by_class, regions[:, None]), size[0], size[1])
    # A score of -inf is below every threshold: of no region, and of a box that is outside of the image.
    there = (mask[:, None] != 0) & (boxes.area(found) > 0)
    scores = jnp.where(there, jax.nn.softmax(logits)[:, 1:], -jnp.inf)
    return jnp.broadcast_to(found, (*scores.shape, 4)), scores
