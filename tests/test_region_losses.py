"""The losses of detectors of two stages: against a slow loop, against torchvision, and what they ignore."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import anchors, losses

Array = np.ndarray
OBJECTS = np.array([[10, 12, 34, 40], [30, 8, 60, 44], [50, 50, 70, 90]], np.float32)
LABELS = np.array([2, 0, 1], np.int32)
PLACES, CLASSES, ALL = 30, 3, 10_000


def case() -> tuple[losses.FasterRCNNOutputs, dict[str, Array]]:
    """Two images, of which the second has one object less; half of the places lie near objects."""
    rng = np.random.default_rng(7)
    near = np.repeat(OBJECTS, 5, 0) + rng.uniform(-7, 7, (15, 4)).astype(np.float32)
    low = rng.uniform(0, 60, (15, 2)).astype(np.float32)
    far = np.concatenate([low, low + rng.uniform(8, 30, (15, 2)).astype(np.float32)], 1)
    places = np.stack([np.concatenate([near, far])] * 2)
    shapes = ((PLACES,), (PLACES, 4), (PLACES, 4), (PLACES, 4 * CLASSES))
    drawn = (np.stack([rng.normal(size=shape).astype(np.float32)] * 2) for shape in shapes)
    objectness, offsets, logits, by_class = map(jnp.asarray, drawn)
    seeds = jnp.array([3, 8], jnp.uint32)
    mask = jnp.ones((2, PLACES), bool).at[1, 4].set(False)
    first = losses.ProposalOutputs(objectness, offsets, jnp.asarray(places), seeds)
    second = losses.RegionOutputs(logits, by_class, jnp.asarray(places), mask, seeds, jnp.full((2, 2), 96.0))
    targets = {"boxes": np.stack([OBJECTS] * 2), "labels": np.stack([LABELS] * 2),
               "mask": np.array([[1, 1, 1], [1, 1, 0]], np.uint8)}  # fmt: skip
    return losses.FasterRCNNOutputs(first, second), targets


OUTPUTS, TARGETS = case()


def iou(a: Array, b: Array) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


def offsets(box: Array, place: Array) -> Array:
    size, other = box[2:] - box[:2], place[2:] - place[:2]
    shift = ((box[:2] + box[2:]) / 2 - (place[:2] + place[2:]) / 2) / other
    return np.concatenate([shift, np.log(size / other)])


def smooth(residual: Array) -> float:
    r = np.abs(residual)
    return float(np.where(r < 1 / 9, r**2 * 4.5, r - 1 / 18).sum())


def entropy(z: Array, label: int) -> float:
    return float(np.log(np.exp(z).sum()) - z[label])


def kinds_of(places: Array, objects: Array, positive: float, negative: float, best: bool) -> Any:
    """Return the kind and the object of every place."""
    overlap = np.array([[iou(p, o) for o in objects] or [0.0] for p in places])
    kinds = [1 if row.max() >= positive else 0 if row.max() < negative else -1 for row in overlap]
    matches = [int(row.argmax()) for row in overlap]
    for number in range(len(objects)) if best else ():
        winner = int(overlap[:, number].argmax())
        kinds[winner], matches[winner] = 1, number
    return np.array(kinds), matches


def sampled(seed: Any, kinds: Array, count: int, fraction: float) -> Array:
    drawn = anchors.sample(jax.random.key(seed), jnp.asarray(kinds), count=count, positive_fraction=fraction)
    return np.flatnonzero(drawn)


def slow_heads(image: int, *, count: int, fraction: float = 0.25) -> float:
    one = jax.tree.map(lambda leaf: np.asarray(leaf[image], np.float64), OUTPUTS.regions)
    there = TARGETS["mask"][image] != 0
    objects = np.asarray(TARGETS["boxes"][image], np.float64)[there]
    kinds, matches = kinds_of(one.regions, objects, 0.5, 0.5, best=False)
    kinds[one.mask == 0] = -1
    total, chosen = 0.0, sampled(OUTPUTS.regions.seeds[image], kinds, count, fraction)
    for at in chosen:
        label = int(TARGETS["labels"][image][matches[at]]) + 1 if kinds[at] == 1 else 0
        total += entropy(one.logits[at], label)
        if label:
            wanted = offsets(objects[matches[at]], one.regions[at]) / (0.1, 0.1, 0.2, 0.2)
            total += smooth(one.offsets[at].reshape(CLASSES, 4)[label - 1] - wanted)
    return total / len(chosen)


def slow_proposals(image: int, *, count: int) -> float:
    one = jax.tree.map(lambda leaf: np.asarray(leaf[image], np.float64), OUTPUTS.proposals)
    objects = np.asarray(TARGETS["boxes"][image], np.float64)[TARGETS["mask"][image] != 0]
    kinds, matches = kinds_of(one.anchors, objects, 0.7, 0.3, best=True)
    total, chosen = 0.0, sampled(OUTPUTS.proposals.seeds[image], kinds, count, 0.5)
    for at in chosen:
        total += float(np.log1p(np.exp(-one.objectness[at] if kinds[at] == 1 else one.objectness[at])))
        if kinds[at] == 1:
            total += smooth(one.offsets[at] - offsets(objects[matches[at]], one.anchors[at]))
    return total / len(chosen)


@jax.jit
def both(outputs: Any, targets: Any) -> Any:
    """Return the loss and its gradient; one program for most tests."""

    def run(outputs: Any) -> Any:
        values = losses.faster_rcnn(outputs, targets, anchor_count=8, region_count=8)
        return values.sum(), values

    return jax.value_and_grad(run, has_aux=True, allow_int=True)(outputs)


def loss(outputs: Any, targets: Any) -> tuple[Array, list[Array]]:
    (_, values), gradient = both(outputs, targets)
    floating = [gradient.proposals.objectness, gradient.proposals.offsets,
                gradient.regions.logits, gradient.regions.offsets]  # fmt: skip
    return np.asarray(values), [np.asarray(leaf) for leaf in floating]


@functools.cache
def whole() -> Array:
    """Return the losses where nothing is left out, mapped over the images and over them in reverse."""
    pair = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf[::-1]]), (OUTPUTS, TARGETS))
    loss = functools.partial(losses.faster_rcnn, anchor_count=ALL, region_count=ALL)
    return np.asarray(jax.jit(jax.vmap(loss))(*pair))


def test_equals_a_slow_loop() -> None:
    slow = [slow_proposals(image, count=8) + slow_heads(image, count=8) for image in range(2)]
    np.testing.assert_allclose(loss(OUTPUTS, TARGETS)[0], slow, rtol=1e-5)
    slow = [slow_proposals(image, count=ALL) + slow_heads(image, count=ALL) for image in range(2)]
    np.testing.assert_allclose(whole(), [slow, slow[::-1]], rtol=1e-5)


def test_equals_torchvision_where_nothing_is_left_out() -> None:
    # torchvision 0.28, of the first image: RegionProposalNetwork's assignment and loss with a batch of
    # 10,000 an image, RoIHeads' assignment without the true boxes, and fastrcnn_loss.
    assert float(whole()[0, 0]) == pytest.approx(1.391152262687683 + 3.486267328262329, rel=1e-5)


def test_the_gradient_is_that_of_the_loss() -> None:
    _, found = loss(OUTPUTS, TARGETS)
    direction = np.random.default_rng(0).normal(size=OUTPUTS.regions.offsets.shape).astype(np.float32)
    shifted = [
        loss(OUTPUTS._replace(regions=OUTPUTS.regions._replace(offsets=OUTPUTS.regions.offsets + e)), TARGETS)
        for e in (1e-2 * direction, -1e-2 * direction)
    ]
    slope = (shifted[0][0].sum() - shifted[1][0].sum()) / 2e-2
    np.testing.assert_allclose((found[3] * direction).sum(), slope, rtol=2e-2)


def test_an_image_without_objects_teaches_the_background() -> None:
    nothing = {**TARGETS, "mask": np.zeros((2, 3), np.uint8)}
    values, gradient = loss(OUTPUTS, nothing)
    assert np.isfinite(values).all()
    assert all(np.isfinite(leaf).all() for leaf in gradient)
    assert not gradient[1].any()
    assert not gradient[3].any()
    assert (gradient[0] >= 0).all()
    assert (gradient[2][..., 0] <= 0).all()


@pytest.mark.parametrize("waste", [np.nan, np.inf, -1e30, 50.0])
def test_what_stands_in_padded_places_changes_no_bit(waste: float) -> None:
    wanted, gradient = loss(OUTPUTS, TARGETS)
    targets = jax.tree.map(np.copy, TARGETS)
    targets["boxes"][1, 2], targets["labels"][1, 2] = waste, -7
    values, other = loss(OUTPUTS, targets)
    np.testing.assert_array_equal(values, wanted)
    for a, b in zip(gradient, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_padded_regions_have_no_weight() -> None:
    wanted, gradient = loss(OUTPUTS, TARGETS)
    moved = OUTPUTS.regions.regions.at[1, 4].set(jnp.asarray(OBJECTS[0]))
    other = OUTPUTS.regions._replace(regions=moved, logits=OUTPUTS.regions.logits.at[1, 4].set(40.0))
    np.testing.assert_array_equal(loss(OUTPUTS._replace(regions=other), TARGETS)[0], wanted)
    assert not gradient[2][1, 4].any()
    nothing = OUTPUTS.regions._replace(mask=jnp.zeros((2, PLACES), bool), regions=jnp.zeros((2, PLACES, 4)))
    values, gradient = loss(OUTPUTS._replace(regions=nothing), TARGETS)
    assert np.isfinite(values).all()
    assert not gradient[2].any()


@pytest.mark.parametrize(
    ("part", "place", "value"),
    [("labels", (1, 0), 3), ("labels", (1, 0), -1), ("boxes", (1, 0, 2), 5.0), ("boxes", (1, 0, 1), np.nan)],
)
def test_unsound_truth_poisons_its_own_image(part: str, place: Any, value: float) -> None:
    wanted, gradient = loss(OUTPUTS, TARGETS)
    targets = jax.tree.map(np.copy, TARGETS)
    targets[part][place] = value
    values, other = loss(OUTPUTS, targets)
    assert values[0] == wanted[0]
    assert np.isnan(values[1])
    for a, b in zip(gradient, other, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        assert np.isnan(b[1]).any()


def test_the_sample_is_balanced_and_follows_the_seed() -> None:
    _, gradient = loss(OUTPUTS, TARGETS)
    chosen = (gradient[2] != 0).any(-1)
    assert chosen.sum(1).tolist() == [8, 8]
    others = OUTPUTS.regions._replace(seeds=jnp.array([3, 9], jnp.uint32))
    again = (loss(OUTPUTS._replace(regions=others), TARGETS)[1][2] != 0).any(-1)
    np.testing.assert_array_equal(again[0], chosen[0])
    assert (again[1] != chosen[1]).any()


def test_offsets_for_all_classes_together() -> None:
    alone = OUTPUTS.regions._replace(offsets=OUTPUTS.regions.offsets[..., :4])
    alike = OUTPUTS.regions._replace(offsets=jnp.tile(OUTPUTS.regions.offsets[..., :4], (1, 1, CLASSES)))
    # The loop over classes picks the same four numbers.
    run = jax.jit(lambda *both: [losses.region_heads(one, TARGETS) for one in both])
    np.testing.assert_allclose(*run(alone, alike), rtol=1e-6)
