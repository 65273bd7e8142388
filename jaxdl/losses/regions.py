"""The losses of detectors of two stages: of proposals, and of what is said of them; one value an image."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _targets, anchors, boxes
from jaxdl.errors import ShapeError, explain
from jaxdl.losses._detectors import (
    FasterRCNNOutputs,
    ProposalOutputs,
    RegionOutputs,
    both_checked,
    proposals_checked,
    regions_checked,
)
from jaxdl.losses.binary import binary_cross_entropy
from jaxdl.losses.classification import softmax_cross_entropy
from jaxdl.losses.regression import smooth_l1

# Offsets of regions are learned in these units, as all implementations do: 1 / (10, 10, 5, 5).
OFFSET_SCALES = (0.1, 0.1, 0.2, 0.2)
BETA = 1 / 9
ANY_CLASS = 2**31 - 1
UNIT_BOX = np.array([0, 0, 1, 1], np.float32)


def region_heads(
    outputs: RegionOutputs,
    targets: Mapping[str, Any],
    *,
    positive: float | jax.Array = 0.5,
    count: int = 64,
    positive_fraction: float | jax.Array = 0.25,
    beta: float = BETA,
) -> jax.Array:
    """Two-term loss of regions: ``(sum_S cross_entropy(z, c) + sum_(S, c > 0) smooth_l1(t_c, t)) / |S|``.

    A region that overlaps an object by an IoU of `positive` or more has its class c and the offsets t to its
    box; all others are background, c = 0, and have no offsets. S is a balanced sample of an image's regions,
    drawn by `outputs.seeds`. No gradient goes to where the regions are.

    Args:
        outputs: a `RegionOutputs`.
        targets: ``{"boxes": (batch, objects, 4), "labels": (batch, objects), "mask": (batch, objects)}``; the
            labels do not count the background. What stands where the mask is 0 has no say. An entry
            "ignore" is for metrics: here such objects count as any other.
        positive: least IoU of a region that shows an object, in [0, 1]; a number or a traced scalar, which
            outside gives NaN.
        count: regions of S, at most.
        positive_fraction: share of S that show objects, at most, alike.
        beta: where the smooth L1 goes over from a square into a line.

    Returns:
        Array (batch,). An image with an unsound box or a label outside [0, classes) gives NaN; one without
        objects teaches the background. A traced number out of range gives NaN.

    Raises:
        DtypeError: `outputs` is no `RegionOutputs`.
        ShapeError: arrays that do not fit each other.
        ValueError: a number out of range.

    Example:
        >>> place = jnp.array([[[0.0, 0.0, 8.0, 8.0]]])
        >>> outputs = RegionOutputs(jnp.zeros((1, 1, 3)), jnp.zeros((1, 1, 8)), place, jnp.ones((1, 1), bool),
        ...                         jnp.zeros(1, jnp.uint32), jnp.full((1, 2), 8.0))
        >>> targets = {"boxes": place, "labels": jnp.array([[1]]), "mask": jnp.array([[1]])}
        >>> round(float(jax.jit(region_heads)(outputs, targets)[0]), 3)
        1.099

    Reference:
        Girshick (2015). Equals ``torchvision.models.detection.roi_heads.fastrcnn_loss`` of each image by
        itself, when S is what it sampled.
    """
    outputs = regions_checked("region_heads", outputs)
    truth = _truth("region_heads", targets, outputs.logits.shape[-1] - 1, len(outputs.logits))
    one = partial(_region_loss, positive=positive, count=count, fraction=positive_fraction, beta=beta)
    seeds, regions = outputs.seeds, jax.lax.stop_gradient(outputs.regions)
    values = jax.vmap(one)(outputs.logits, outputs.offsets, regions, outputs.mask, seeds, truth)
    values = values * _targets.poison(_shares(positive, positive_fraction), values.dtype)
    return values * _targets.poison(truth.good, values.dtype)


def region_proposals(
    outputs: ProposalOutputs,
    targets: Mapping[str, Any],
    *,
    positive: float | jax.Array = 0.7,
    negative: float | jax.Array = 0.3,
    count: int = 256,
    positive_fraction: float | jax.Array = 0.5,
    beta: float = BETA,
) -> jax.Array:
    """Loss of proposals: ``(sum_S cross_entropy(z, p) + sum_(S, p = 1) smooth_l1(t_p, t)) / |S|``.

    p is 1 for anchors that overlap an object by an IoU of `positive` or more, and for the best anchor of
    each object; 0 for those that overlap none by `negative`; the others are left out. S is a balanced sample
    of an image's anchors, drawn by `outputs.seeds`. Anchors that reach over the edge are not left out.

    Args:
        outputs: a `ProposalOutputs`.
        targets: as for `region_heads`.
        positive: least IoU of an anchor that shows an object, in [0, 1]; a number or a traced scalar, which
            outside gives NaN.
        negative: IoU below which an anchor shows the background, at most `positive`, alike.
        count: anchors of S, at most.
        positive_fraction: share of S that show objects, at most, alike.
        beta: where the smooth L1 goes over from a square into a line.

    Returns:
        Array (batch,). An image with an unsound box or a label below 0 gives NaN, as does a traced number out
        of range.

    Raises:
        DtypeError: `outputs` is no `ProposalOutputs`.
        ShapeError: arrays that do not fit each other.
        ValueError: a number out of range.

    Example:
        >>> place = jnp.array([[[0.0, 0.0, 8.0, 8.0]]])
        >>> zeros = jnp.zeros((1, 1))
        >>> outputs = ProposalOutputs(zeros, jnp.zeros((1, 1, 4)), place, jnp.zeros(1, jnp.uint32))
        >>> targets = {"boxes": place, "labels": jnp.array([[1]]), "mask": jnp.array([[1]])}
        >>> round(float(jax.jit(region_proposals)(outputs, targets)[0]), 3)
        0.693

    Reference:
        Ren et al. (2015); normalised by ``|S|`` in both terms, as in torchvision, where the paper divides the
        second by the number of places and weighs it by 10, which is nearly the same.
    """
    outputs = proposals_checked("region_proposals", outputs)
    truth = _truth("region_proposals", targets, ANY_CLASS, len(outputs.objectness))
    one = partial(_proposal_loss, positive=positive, negative=negative, count=count,
                  fraction=positive_fraction, beta=beta)  # fmt: skip
    values = jax.vmap(one)(outputs.objectness, outputs.offsets, outputs.anchors, outputs.seeds, truth)
    sound = _shares(positive, negative, positive_fraction) & (jnp.asarray(negative) <= positive)
    values = values * _targets.poison(sound, values.dtype)
    return values * _targets.poison(truth.good, values.dtype)


def faster_rcnn(
    outputs: FasterRCNNOutputs,
    targets: Mapping[str, Any],
    *,
    anchor_count: int = 256,
    region_count: int = 64,
) -> jax.Array:
    """Loss of a Faster R-CNN trained end to end: ``region_proposals + region_heads``, weighed alike.

    Other thresholds are those of the two functions, whose sum a loss of one's own may be.

    Args:
        outputs: a `FasterRCNNOutputs`.
        targets: as for `region_heads`.
        anchor_count: anchors sampled of an image.
        region_count: regions sampled of an image.

    Returns:
        Array (batch,). An image with an unsound box or a label outside [0, classes) gives NaN.

    Raises:
        DtypeError: `outputs` is no `FasterRCNNOutputs`.
        ShapeError: arrays that do not fit each other.
        ValueError: a number out of range.

    Example:
        >>> place = jnp.array([[[0.0, 0.0, 8.0, 8.0]]])
        >>> seeds = jnp.zeros(1, jnp.uint32)
        >>> first = ProposalOutputs(jnp.zeros((1, 1)), jnp.zeros((1, 1, 4)), place, seeds)
        >>> second = RegionOutputs(jnp.zeros((1, 1, 3)), jnp.zeros((1, 1, 8)), place, jnp.ones((1, 1), bool),
        ...                        seeds, jnp.full((1, 2), 8.0))
        >>> targets = {"boxes": place, "labels": jnp.array([[1]]), "mask": jnp.array([[1]])}
        >>> jax.eval_shape(faster_rcnn, FasterRCNNOutputs(first, second), targets).shape
        (1,)

    Reference:
        Ren et al. (2015), approximate joint training.
    """
    outputs = both_checked("faster_rcnn", outputs)
    first = region_proposals(outputs.proposals, targets, count=anchor_count)
    values = first + region_heads(outputs.regions, targets, count=region_count)
    # The first stage alone knows no number of classes.
    good = boxes.truth("faster_rcnn", targets, outputs.regions.logits.shape[-1] - 1).good
    return values * _targets.poison(good, values.dtype)


def _shares(*values: Any) -> jax.Array:
    """Return whether all are in [0, 1], which is not known before they are traced."""
    return jnp.stack([(jnp.asarray(value) >= 0) & (jnp.asarray(value) <= 1) for value in values]).all()


def _truth(op: str, targets: Mapping[str, Any], num_classes: int, batch: int) -> boxes.Truth:
    truth = boxes.truth(op, targets, num_classes)
    if len(truth.boxes) != batch:
        got, expected = f"of {len(truth.boxes)} images", f"the {batch} of the outputs"
        raise ShapeError(explain(op, "targets", got=got, expected=expected, fix="give one entry an image"))
    return truth


def _region_loss(
    logits: jax.Array,
    offsets: jax.Array,
    regions: jax.Array,
    mask: jax.Array,
    seed: jax.Array,
    truth: boxes.Truth,
    *,
    positive: Any,
    count: int,
    fraction: Any,
    beta: float,
) -> jax.Array:
    found = anchors.assign(regions, truth.boxes, truth.mask, positive=positive, negative=positive, best=False)
    kinds = jnp.where(mask, found.kinds, -1)
    sampled = anchors.sample(jax.random.key(seed), kinds, count=count, positive_fraction=fraction) > 0
    shows = kinds == 1
    labels = jnp.where(shows, truth.labels[found.matches] + 1, 0)
    wanted = _wanted(shows, truth.boxes[found.matches], regions) / jnp.asarray(OFFSET_SCALES)[None]
    distance = smooth_l1(_of_class(offsets, labels), wanted, beta=beta, outputs="sum")
    return _balanced(sampled, shows, softmax_cross_entropy(logits, labels), distance)


def _proposal_loss(
    objectness: jax.Array,
    offsets: jax.Array,
    places: jax.Array,
    seed: jax.Array,
    truth: boxes.Truth,
    *,
    positive: Any,
    negative: Any,
    count: int,
    fraction: Any,
    beta: float,
) -> jax.Array:
    found = anchors.assign(places, truth.boxes, truth.mask, positive=positive, negative=negative)
    sampled = anchors.sample(jax.random.key(seed), found.kinds, count=count, positive_fraction=fraction) > 0
    shows = found.kinds == 1
    wanted = _wanted(shows, truth.boxes[found.matches], places)
    distance = smooth_l1(offsets, wanted, beta=beta, outputs="sum")
    return _balanced(sampled, shows, binary_cross_entropy(objectness, shows), distance)


def _wanted(shows: jax.Array, objects: jax.Array, places: jax.Array) -> jax.Array:
    """Return the offsets (places, 4) to the objects that are shown, elsewhere 0."""
    # A place without area has no finite offsets.
    pair = (jnp.where(shows[:, None], found, UNIT_BOX) for found in (objects, places))
    return boxes.encode(*pair)


def _of_class(offsets: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the offsets (regions, 4) of each region's class, of any class for the background."""
    if offsets.shape[-1] == 4:
        return offsets
    by_class = offsets.reshape(len(labels), -1, 4)
    return jnp.take_along_axis(by_class, jnp.maximum(labels - 1, 0)[:, None, None], axis=1)[:, 0]


def _balanced(sampled: jax.Array, shows: jax.Array, entropy: jax.Array, distance: jax.Array) -> jax.Array:
    values = jnp.where(sampled, entropy + jnp.where(shows, distance, 0), 0)
    return jnp.sum(values) / jnp.maximum(jnp.sum(sampled), 1)
