"""Anchors against loops in float64: grids, who answers for which object, balanced subsets, shapes."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import anchors

SHAPES = ((4.0, 6.0), (9.0, 5.0))
GRID = anchors.grid(4, 5, stride=4, shapes=SHAPES)
PLACES = 6


@jax.jit
def assigned(boxes: jax.Array, mask: jax.Array, positive: jax.Array, negative: jax.Array) -> Any:
    """Assign with and without the best anchor of each object; every test runs the one program."""
    return tuple(
        anchors.assign(GRID, boxes, mask, positive=positive, negative=negative, best=best)
        for best in (True, False)
    )


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def by_loops(boxes: np.ndarray, count: int, positive: float, negative: float, best: bool) -> list[np.ndarray]:
    """Return kinds, matches and overlaps of the anchors, from the first `count` boxes."""
    table = np.array([[overlap(a, b) for b in boxes[:count]] for a in np.asarray(GRID, np.float64)])
    kinds, matches, found = [], [], []
    favourites = table.argmax(0)
    for number, row in enumerate(table):
        match = int(row.argmax())
        claims = [j for j in range(count) if favourites[j] == number and row[j] > 0]
        if best and claims:
            match = max(claims, key=lambda j: (row[j], -j))
        kind = 1 if row[match] >= positive else 0 if row[match] < negative else -1
        kinds.append(1 if best and claims else kind)
        matches.append(match)
        found.append(row[match])
    return [np.array(values) for values in (kinds, matches, found)]


def objects(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 14, (PLACES, 2))
    return np.concatenate([low, low + rng.integers(2, 9, (PLACES, 2))], 1).astype(np.float32)


def test_grid_against_a_loop() -> None:
    wanted = [
        (c * 4 + 2 - w / 2, r * 4 + 2 - h / 2, c * 4 + 2 + w / 2, r * 4 + 2 + h / 2)
        for r in range(4) for c in range(5) for w, h in SHAPES
    ]  # fmt: skip
    np.testing.assert_array_equal(GRID, np.array(wanted, np.float32))


def test_shapes_keep_the_area() -> None:
    found = np.array(anchors.shapes((8, 16), (0.5, 1, 2)))
    np.testing.assert_allclose(found.prod(1), np.repeat([64.0, 256.0], 3))
    np.testing.assert_allclose(found[:, 1] / found[:, 0], [0.5, 1, 2, 0.5, 1, 2])


@pytest.mark.parametrize("seed", range(20))
def test_assignment_against_a_loop(seed: int) -> None:
    boxes, count = objects(seed), 1 + seed % PLACES
    thresholds = ((0.5, 0.3), (0.9, 0.9), (0.0, 0.0), (1.0, 0.0))[seed % 4]
    mask = np.arange(PLACES) < count
    padded = np.where(mask[:, None], boxes, (np.nan, 7.0)[seed % 2]).astype(np.float32)
    for best, found in zip((True, False), assigned(padded, mask, *map(jnp.float32, thresholds))):
        kinds, matches, iou = by_loops(boxes.astype(np.float64), count, *thresholds, best)
        np.testing.assert_array_equal(found.kinds, kinds)
        np.testing.assert_array_equal(found.matches, matches)
        np.testing.assert_allclose(found.iou, iou, rtol=1e-6)


def test_ties_go_to_the_lower_index() -> None:
    # Box 0 overlaps the wide anchors of two cells alike, 1 and 3; boxes 1 and 2 are the same.
    boxes = np.zeros((PLACES, 4), np.float32)
    boxes[:3] = [[2, -1, 6, 5], [12, 8, 16, 14], [12, 8, 16, 14]]
    found = assigned(boxes, np.arange(PLACES) < 3, jnp.float32(1), jnp.float32(1))[0]
    assert np.flatnonzero(found.kinds == 1).tolist() == [1, 26]
    assert found.matches[26] == 1


def test_without_objects_all_is_background() -> None:
    for found in assigned(np.full((PLACES, 4), np.nan, np.float32), np.zeros(PLACES, bool),
                          jnp.float32(0.5), jnp.float32(0.4)):  # fmt: skip
        assert not np.any(found.kinds)
        assert not np.any(found.iou)


@pytest.mark.parametrize("box", [(0, 0, np.nan, 2), (4, 4, 2, 8), (3, 3, 3, 8), (0, 0, np.inf, 2)])
def test_an_unsound_object_is_told(box: tuple[float, ...]) -> None:
    boxes = objects(0)
    boxes[1] = box
    for found in assigned(boxes, np.ones(PLACES, bool), jnp.float32(0.5), jnp.float32(0.4)):
        assert np.isnan(found.iou).all()
        assert (np.asarray(found.kinds) == -1).all()


@pytest.mark.parametrize("pair", [(0.3, 0.5), (1.1, 0.5), (0.5, -0.1), (np.nan, 0.4), (0.5, np.nan)])
def test_traced_thresholds_without_a_meaning_are_told(pair: tuple[float, float]) -> None:
    for found in assigned(objects(0), np.ones(PLACES, bool), *map(jnp.float32, pair)):
        assert np.isnan(found.iou).all()
        assert (np.asarray(found.kinds) == -1).all()


def test_a_threshold_of_0_finds_no_object_where_there_is_none() -> None:
    for found in assigned(objects(0), np.zeros(PLACES, bool), jnp.float32(0), jnp.float32(0)):
        assert not (np.asarray(found.kinds) == 1).any()


def test_an_object_far_from_all_anchors_has_none() -> None:
    boxes = np.full((PLACES, 4), (90.0, 90, 95, 95), np.float32)
    found = assigned(boxes, np.arange(PLACES) < 1, jnp.float32(0.5), jnp.float32(0.4))[0]
    assert not np.any(found.kinds)


draw = jax.jit(partial(anchors.sample, count=8), static_argnames=())


@pytest.mark.parametrize(
    ("objects", "background", "share", "wanted"),
    [(20, 20, 0.25, (2, 6)), (1, 38, 0.5, (1, 7)), (20, 3, 0.5, (4, 3)), (0, 40, 0.5, (0, 8)),
     (40, 0, 1.0, (8, 0)), (2, 3, 0.5, (2, 3)), (20, 20, 0.0, (0, 8)), (0, 0, 0.5, (0, 0))],
)  # fmt: skip
def test_samples_are_exact(objects: int, background: int, share: float, wanted: tuple[int, int]) -> None:
    kinds = np.full(40, -1, np.int32)
    kinds[:objects], kinds[objects : objects + background] = 1, 0
    kinds = np.random.default_rng(0).permutation(kinds)
    drawn = np.asarray(draw(jax.random.key(1), kinds, positive_fraction=jnp.float32(share)))
    assert set(np.unique(drawn)) <= {0.0, 1.0}
    assert tuple(drawn[kinds == kind].sum() for kind in (1, 0, -1)) == (*wanted, 0)


def test_samples_are_fair_and_follow_the_key() -> None:
    kinds = jnp.array([1] * 10 + [0] * 20 + [-1] * 10)
    keys = jax.random.split(jax.random.key(0), 2000)
    share = jnp.float32(0.5)
    drawn = jax.jit(jax.vmap(lambda key: anchors.sample(key, kinds, count=8, positive_fraction=share)))(keys)
    # Standard deviations of the frequencies: .011 and .009.
    np.testing.assert_allclose(drawn.mean(0)[:10], 0.4, atol=0.05)
    np.testing.assert_allclose(drawn.mean(0)[10:30], 0.2, atol=0.05)
    assert (np.asarray(drawn.sum(1)) == 8).all()


def test_a_traced_share_out_of_range_is_told() -> None:
    assert np.isnan(draw(jax.random.key(0), jnp.ones(40, int), positive_fraction=jnp.float32(1.5))).all()


def mean_overlap(sizes: np.ndarray, shapes: np.ndarray) -> float:
    def one(size: np.ndarray, shape: np.ndarray) -> float:
        shared = min(size[0], shape[0]) * min(size[1], shape[1])
        return shared / (size.prod() + shape.prod() - shared)

    return float(np.mean([max(one(size, shape) for shape in shapes) for size in sizes]))


def test_kmeans_finds_separate_groups() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([[4.0, 10.0], [12.0, 12.0], [40.0, 20.0]])
    sizes = np.concatenate([centre * rng.uniform(0.95, 1.05, (20, 2)) for centre in truth])
    found = anchors.kmeans(sizes.astype(np.float32), 3, key=jax.random.key(0), restarts=4)
    np.testing.assert_allclose(found.shapes, truth, rtol=0.03)
    np.testing.assert_allclose(found.mean_iou, mean_overlap(sizes, np.asarray(found.shapes)), rtol=1e-5)


def test_kmeans_with_more_shapes_than_kinds_of_boxes() -> None:
    """Empty clusters keep the size they were drawn at."""
    sizes = np.repeat(np.array([[3.0, 4.0], [8.0, 2.0]], np.float32), 3, 0)
    found = anchors.kmeans(sizes, 4, key=jax.random.key(0), restarts=4)
    assert float(found.mean_iou) == 1.0
    assert {tuple(row) for row in np.asarray(found.shapes).tolist()} == {(3.0, 4.0), (8.0, 2.0)}
