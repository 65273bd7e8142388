"""What detectors of two stages return: the same in training and in evaluation, images first."""

from typing import NamedTuple

import jax


class RegionOutputs(NamedTuple):
    """What a network says of regions of images; the first class of the logits is the background.

    Attributes:
        logits: (batch, regions, 1 + classes), of the background and of each class.
        offsets: (batch, regions, 4 classes), four numbers a class, or (batch, regions, 4) for all classes
            together: offsets of `boxes.encode` from the region, in units of `losses.OFFSET_SCALES`.
        regions: (batch, regions, 4) xyxy in pixels.
        mask: (batch, regions) bool, False where there is no region.
        seeds: (batch,) uint32, what the sampling of the loss is drawn by.
        sizes: (batch, 2), height and width of each image in pixels.

    Example:
        >>> import jax.numpy as jnp
        >>> shapes = ((1, 5, 3), (1, 5, 8), (1, 5, 4), (1, 5), (1,), (1, 2))
        >>> RegionOutputs(*map(jnp.zeros, shapes)).logits.shape
        (1, 5, 3)
    """

    logits: jax.Array
    offsets: jax.Array
    regions: jax.Array
    mask: jax.Array
    seeds: jax.Array
    sizes: jax.Array


class ProposalOutputs(NamedTuple):
    """What a region proposal network says of every anchor.

    Attributes:
        objectness: (batch, anchors), logits of there being an object, of whatever class.
        offsets: (batch, anchors, 4), as `boxes.encode` counts them from the anchor.
        anchors: (batch, anchors, 4) xyxy in pixels, the same for all images.
        seeds: (batch,) uint32, what the sampling of the loss is drawn by.

    Example:
        >>> import jax.numpy as jnp
        >>> ProposalOutputs(*map(jnp.zeros, ((1, 9), (1, 9, 4), (1, 9, 4), (1,)))).objectness.shape
        (1, 9)
    """

    objectness: jax.Array
    offsets: jax.Array
    anchors: jax.Array
    seeds: jax.Array


class FasterRCNNOutputs(NamedTuple):
    """Both stages of a Faster R-CNN.

    Attributes:
        proposals: `ProposalOutputs`, of every anchor.
        regions: `RegionOutputs`, of what the first stage proposed.

    Example:
        >>> import jax.numpy as jnp
        >>> first = ProposalOutputs(*map(jnp.zeros, ((1, 9), (1, 9, 4), (1, 9, 4), (1,))))
        >>> shapes = ((1, 5, 3), (1, 5, 8), (1, 5, 4), (1, 5), (1,), (1, 2))
        >>> FasterRCNNOutputs(first, RegionOutputs(*map(jnp.zeros, shapes))).regions.mask.shape
        (1, 5)
    """

    proposals: ProposalOutputs
    regions: RegionOutputs
