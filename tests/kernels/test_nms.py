"""Non-maximum suppression: both formulations against a plain loop that rounds as they must."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.kernels import nms as kernel

COUNT = 300  # three blocks, the last not full


@functools.cache
def program(implementation: str | None, labelled: bool) -> Any:
    def run(boxes: Any, scores: Any, threshold: Any, labels: Any) -> Any:
        return kernel.nms(boxes, scores, iou_threshold=threshold, max_outputs=COUNT,
                          labels=labels if labelled else None, implementation=implementation)  # fmt: skip

    return jax.jit(run)


def chosen(boxes: Any, scores: Any, threshold: Any, labels: Any = None, implementation: Any = None) -> Any:
    given = np.zeros(len(scores), np.int32) if labels is None else labels
    indices, mask = program(implementation, labels is not None)(boxes, scores, np.float32(threshold), given)
    assert not np.asarray(indices)[~np.asarray(mask)].any()
    return np.asarray(indices)[np.asarray(mask)].tolist()


def by_loop(boxes: np.ndarray, scores: np.ndarray, threshold: float, labels: Any = None) -> list[int]:
    """In NumPy's float32, one box after the other: no fused arithmetic."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if np.isnan(boxes[index]).any() or not scores[index] > -np.inf:
            continue
        before = np.array([k for k in kept if labels is None or labels[k] == labels[index]], int)
        low = np.maximum(boxes[before, :2], boxes[index, :2])
        side = np.maximum(np.minimum(boxes[before, 2:], boxes[index, 2:]) - low, 0)
        shared = side[:, 0] * side[:, 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            over = shared / (area[before] + area[index] - shared)
        if not (over > np.float32(threshold)).any():
            kept.append(int(index))
    return kept


def crowded(seed: int, count: int = COUNT) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes about 15 places, scores with many ties, three labels; some boxes without area."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 100, (15, 2))[rng.integers(0, 15, count)] + rng.normal(0, 3, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 30, (count, 2))], 1).astype(np.float32)
    boxes[::29, 2] = boxes[::29, 0]
    boxes[::31] = boxes[::31][:, [2, 3, 0, 1]]
    boxes[1::30] = boxes[::30]
    scores = np.round(rng.random(count), 2).astype(np.float32)
    return boxes, scores, rng.integers(0, 3, count).astype(np.int32)


@pytest.mark.parametrize("implementation", kernel.IMPLEMENTATIONS)
@pytest.mark.parametrize("labelled", [False, True])
def test_equals_a_plain_loop(implementation: str, labelled: bool) -> None:
    for seed in range(6):
        boxes, scores, labels = crowded(seed)
        for threshold in (0.0, 0.3, 0.7, 1.0):
            kinds = labels if labelled else None
            found = chosen(boxes, scores, threshold, kinds, implementation)
            assert found == by_loop(boxes, scores, threshold, kinds)
            assert 10 < len(found) <= COUNT


def test_a_threshold_one_ulp_around_an_overlap_decides_as_unfused_arithmetic() -> None:
    rng = np.random.default_rng(0)
    # Pairs far from each other, so that each is decided by its own overlap.
    first = np.arange(150)[:, None] * 100 + rng.uniform(0, 30, (150, 2))
    first = np.concatenate([first, first + rng.uniform(10, 40, (150, 2))], 1)
    boxes = np.concatenate([first, first + rng.uniform(-3, 3, (150, 4))]).astype(np.float32)
    scores = np.linspace(1, 0.1, 300, dtype=np.float32)
    low, high = np.maximum(boxes[:150, :2], boxes[150:, :2]), np.minimum(boxes[:150, 2:], boxes[150:, 2:])
    area, shared = (boxes[:, 2:] - boxes[:, :2]).prod(1), (high - low).prod(1)
    overlaps = shared / (area[:150] + area[150:] - shared)
    for pair in range(0, 150, 5):
        below = np.nextafter(overlaps[pair], np.float32(0))
        for threshold in (below, overlaps[pair]):
            found = chosen(boxes, scores, threshold)
            assert found == by_loop(boxes, scores, float(threshold))
            assert (pair + 150 in found) == (threshold == overlaps[pair])


def test_a_python_threshold_is_compared_exactly() -> None:
    # The overlap is 0.3 rounded to float32, which is a little more than Python's 0.3.
    boxes = jnp.array([[0.0, 0, 10, 1], [0, 0, 3, 1]])
    assert float(np.float32(3) / np.float32(10)) > 0.3
    for threshold, count in ((0.3, 1), (np.float32(0.3), 2)):
        for name in kernel.IMPLEMENTATIONS:
            mask = kernel.nms(boxes, jnp.array([2.0, 1.0]), iou_threshold=threshold, max_outputs=2,
                              implementation=name)[1]  # fmt: skip
            assert mask.sum() == count


@pytest.mark.parametrize("implementation", kernel.IMPLEMENTATIONS)
def test_what_is_absent_changes_nothing(implementation: str) -> None:
    boxes, scores, labels = crowded(1, 200)
    expected = by_loop(boxes, scores, 0.4, labels)
    rest = np.random.default_rng(2).uniform(0, 100, (100, 4)).astype(np.float32)
    for fill, score in ((rest, -np.inf), (rest, np.nan), (np.full_like(rest, np.nan), 1.0)):
        joined = np.concatenate([boxes, fill]), np.concatenate([scores, np.full(100, score, np.float32)])
        found = chosen(*joined, 0.4, np.concatenate([labels, labels[:100]]), implementation)
        assert found == expected
    place = np.random.default_rng(3).permutation(300)[:200]
    place.sort()
    wide = np.full((300, 4), np.nan, np.float32), np.full(300, np.nan, np.float32), np.zeros(300, np.int32)
    for array, part in zip(wide, (boxes, scores, labels), strict=True):
        array[place] = part
    assert chosen(wide[0], wide[1], 0.4, wide[2], implementation) == place[expected].tolist()


def test_images_under_vmap_are_those_one_by_one() -> None:
    images = [crowded(seed) for seed in range(3)]
    images[1][1][:] = -np.inf  # one image without a box
    boxes, scores, labels = (np.stack(part) for part in zip(*images, strict=True))
    thresholds = np.array([0.2, 0.5, 0.8], np.float32)
    indices, mask = jax.jit(jax.vmap(program(None, True)))(boxes, scores, thresholds, labels)
    for image in range(3):
        expected = by_loop(boxes[image], scores[image], float(thresholds[image]), labels[image])
        assert np.asarray(indices[image])[np.asarray(mask[image])].tolist() == expected
    assert not mask[1].any()


@pytest.mark.parametrize(
    ("implementation", "outputs"), [("loop", 7), ("blocks", 1), ("blocks", 20), (None, 3)]
)
def test_few_places_hold_the_first(implementation: str | None, outputs: int) -> None:
    boxes, scores, _ = crowded(4)
    found, mask = kernel.nms(jnp.asarray(boxes), jnp.asarray(scores), iou_threshold=0.3, max_outputs=outputs,
                             implementation=implementation)  # fmt: skip
    assert found.tolist() == by_loop(boxes, scores, 0.3)[:outputs]
    assert bool(mask.all())


def test_more_places_than_boxes_and_no_box() -> None:
    boxes, scores = jnp.array([[0.0, 0, 1, 1]]), jnp.array([0.5])
    for count in (1, 0):
        found, mask = kernel.nms(boxes[:count], scores[:count], iou_threshold=0.5, max_outputs=30)
        assert (found.tolist(), mask.tolist()) == ([0] * 30, [True] * count + [False] * (30 - count))


@pytest.mark.parametrize("threshold", [-0.1, 1.1, np.nan])
def test_a_traced_threshold_out_of_range_chooses_nothing(threshold: float) -> None:
    boxes, scores, _ = crowded(5)
    assert chosen(boxes, scores, threshold) == []


def test_the_order_is_that_of_a_stable_sort() -> None:
    rng = np.random.default_rng(0)
    scores = np.round(rng.normal(size=2000), 1).astype(np.float32)
    scores[:6] = [np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45]
    expected = np.argsort(-scores, kind="stable")
    found = np.asarray(jax.jit(kernel._falling_order)(scores))
    np.testing.assert_array_equal(found, expected)
    half = scores.astype(np.float16)
    np.testing.assert_array_equal(kernel._falling_order(jnp.asarray(half)), np.argsort(-half, kind="stable"))


def test_no_gradient_flows_and_none_fails() -> None:
    boxes, scores, _ = crowded(6, 20)

    def total(boxes: Any) -> Any:
        indices, mask = kernel.nms(boxes, jnp.asarray(scores), iou_threshold=0.5, max_outputs=20)
        return jnp.where(mask[:, None], boxes[indices], 0).sum()

    slope = np.asarray(jax.grad(total)(jnp.asarray(boxes)))
    kept = by_loop(boxes, scores, 0.5)
    assert set(np.flatnonzero(slope.any(1)).tolist()) == set(kept)
