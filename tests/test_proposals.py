"""Graph segmentation and selective search against definitions, scikit-image and closed forms."""

import itertools
from typing import Any

import numpy as np
import pytest

from jaxdl import proposals
from jaxdl.proposals import _grouping, _regions

RNG = np.random.default_rng(0)


def grid_edges(image: np.ndarray) -> list[tuple[float, int, int]]:
    """Return all pairs of neighbours by weight; the order of ties is that of nothing here."""
    height, width = image.shape[:2]
    places = list(np.ndindex(height, width))
    near = [(a, b) for a, b in itertools.combinations(places, 2) if max(abs(np.subtract(a, b))) == 1]
    distance = [255 * float(np.linalg.norm(np.subtract(image[a], image[b]))) for a, b in near]
    number = {place: i for i, place in enumerate(places)}
    return sorted((w, number[a], number[b]) for w, (a, b) in zip(distance, near))


def internal(region: set[int], edges: list[tuple[float, int, int]]) -> float:
    """Return the largest weight of the minimum spanning tree of a region."""
    parts = [{node} for node in region]
    largest = 0.0
    for weight, a, b in edges:
        if a in region and b in region:
            first, second = (next(part for part in parts if node in part) for node in (a, b))
            if first is not second:
                parts.remove(second)
                first |= second
                largest = weight
    return largest


def by_definition(image: np.ndarray, scale: float, min_size: int) -> np.ndarray:
    edges = grid_edges(image)
    regions = [{node} for node in range(image.shape[0] * image.shape[1])]

    def pair(a: int, b: int) -> list[set[int]]:
        return [next(region for region in regions if node in region) for node in (a, b)]

    for weight, a, b in edges:
        first, second = pair(a, b)
        limits = [internal(region, edges) + scale / len(region) for region in (first, second)]
        if first is not second and weight <= min(limits):
            regions.remove(second)
            first |= second
    for _, a, b in edges:
        first, second = pair(a, b)
        if first is not second and min(len(first), len(second)) < min_size:
            regions.remove(second)
            first |= second
    labels = np.zeros(image.shape[0] * image.shape[1], np.int32)
    for number, region in enumerate(sorted(regions, key=min)):
        labels[list(region)] = number
    return labels.reshape(image.shape[:2])


@pytest.mark.parametrize(("scale", "min_size"), [(60.0, 1), (200.0, 1), (100.0, 4)])
@pytest.mark.parametrize("shape", [(5, 6), (4, 5, 3)])
def test_segmentation_is_its_definition(shape: tuple[int, ...], scale: float, min_size: int) -> None:
    image = np.random.default_rng(scale > 100).random(shape)
    got = proposals.graph_segmentation(image, scale=scale, sigma=0.0, min_size=min_size)
    np.testing.assert_array_equal(got, by_definition(image, scale, min_size))
    assert 1 < got.max() + 1 < got.size


@pytest.mark.parametrize(("scale", "sigma", "min_size"), [(50.0, 0.8, 5), (200.0, 0.5, 20), (100.0, 0.0, 1)])
@pytest.mark.parametrize("shape", [(33, 40), (20, 31, 3)])
def test_segmentation_equals_scikit_image(
    shape: tuple[int, ...], scale: float, sigma: float, min_size: int
) -> None:
    skimage = pytest.importorskip("skimage.segmentation", reason="scikit-image is not installed")
    blocks = RNG.random((5, 5, *shape[2:])).repeat(8, 0).repeat(8, 1)[: shape[0], : shape[1]]
    image = 0.3 * RNG.random(shape) + 0.7 * blocks
    options = {"scale": scale, "sigma": sigma, "min_size": min_size}
    want = skimage.felzenszwalb(image, channel_axis=2 if len(shape) == 3 else None, **options)
    got = proposals.graph_segmentation(image, **options)
    pairs = set(zip(got.ravel().tolist(), want.ravel().tolist()))
    assert len(pairs) == got.max() + 1 == want.max() + 1
    assert got.max() > 1


def test_segmentation_in_closed_form() -> None:
    halves = np.zeros((6, 8), np.uint8)
    halves[:, 4:] = 100
    cut = proposals.graph_segmentation(halves, scale=10, sigma=0, min_size=1)
    np.testing.assert_array_equal(cut, halves // 100)
    # Each half is held together by weights of 0, so that 100 <= k / 24 joins them.
    assert proposals.graph_segmentation(halves, scale=2399, sigma=0, min_size=1).max() == 1
    assert proposals.graph_segmentation(halves, scale=2400, sigma=0, min_size=1).max() == 0
    assert proposals.graph_segmentation(halves, scale=10, sigma=0, min_size=25).max() == 0
    np.testing.assert_array_equal(
        proposals.graph_segmentation(halves / 255.0, scale=10, sigma=0, min_size=1), cut
    )
    assert proposals.graph_segmentation(np.full((3, 4), 7, np.uint8)).tolist() == [[0] * 4] * 3
    assert proposals.graph_segmentation(np.zeros((1, 1, 3), np.uint8)).tolist() == [[0]]


def scene(places: list[tuple[int, int, int, int]], levels: list[Any], channels: int = 1) -> np.ndarray:
    image = np.full((48, 64, channels), 30, np.uint8)
    for (x1, y1, x2, y2), level in zip(places, levels):
        image[y1:y2, x1:x2] = level
    return image


PLACES = [(4, 6, 20, 30), (36, 4, 60, 16), (40, 24, 56, 44)]


def test_rectangles_are_found() -> None:
    boxes, mask = proposals.selective_search(scene(PLACES, [200, 120, 250]), sigma=0.0, max_proposals=20)
    found = {tuple(box) for box in boxes[mask].astype(int).tolist()}
    assert set(PLACES) | {(0, 0, 64, 48)} <= found
    assert len(found) == mask.sum() < 20
    assert not boxes[~mask].any()
    assert (np.diff(mask.astype(int)) <= 0).all()
    assert boxes.dtype == np.float32


def test_colours_of_one_brightness_part() -> None:
    image = scene([(8, 8, 28, 40), (28, 8, 48, 40)], [(200, 40, 30), (40, 200, 30)], channels=3)
    boxes, mask = proposals.selective_search(image, sigma=0.0)
    found = {tuple(box) for box in boxes[mask].astype(int).tolist()}
    assert {(8, 8, 28, 40), (28, 8, 48, 40), (8, 8, 48, 40)} <= found


def noisy() -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 60, (48, 64, 1))
    return (scene(PLACES, [200, 120, 180]) // 2 + noise).astype(np.uint8)


def test_search_hangs_on_its_seed_alone() -> None:
    image, options = noisy(), {"max_proposals": 400, "min_size": 10}
    first, again, other = (proposals.selective_search(image, seed=seed, **options)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(*(np.unique(boxes, axis=0) for boxes in (first, other)))
    np.testing.assert_array_equal(first, proposals.selective_search(image[..., 0], **options)[0])
    np.testing.assert_array_equal(first, proposals.selective_search(image / 255.0, **options)[0])


def test_proposals_are_sound() -> None:
    boxes, mask = proposals.selective_search(noisy(), min_size=5, min_side=6, max_proposals=30)
    assert mask.all()
    assert len(np.unique(boxes, axis=0)) == 30
    sides = boxes[:, 2:] - boxes[:, :2]
    assert sides.min() >= 6
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [64, 48]).all()
    boxes, mask = proposals.selective_search(noisy(), min_side=1000)
    assert not mask.any()
    assert not boxes.any()


def test_a_hierarchy_joins_what_is_most_alike() -> None:
    """Four bars of levels 0, 0, 160, 255: by colour the first two, whatever is next, and the whole."""
    labels = np.repeat(np.arange(4), 4)[None].repeat(6, 0)
    levels = np.array([0.0, 0.0, 160.0, 255.0])[labels][..., None]
    colours, textures = _regions.bins(levels)
    regions, pairs = _regions.describe(labels, colours, textures), _regions.neighbours(labels)
    assert pairs.tolist() == [[0, 1], [1, 2], [2, 3]]
    boxes = _grouping.group(regions, pairs, 96.0, "C")
    assert boxes.shape == (7, 4)
    assert boxes[0].tolist() == [0, 0, 16, 6]
    assert boxes[2].tolist() == [0, 0, 8, 6]
    assert boxes[3:].tolist() == regions.boxes[::-1].tolist()


def test_histograms_of_a_union_are_those_of_its_pixels() -> None:
    image = RNG.integers(0, 256, (6, 8, 3)).astype(np.float64)
    labels = np.repeat([[0, 0, 0, 1, 1, 1, 1, 1]], 6, 0)
    bins = _regions.bins(image)
    parts, whole = (_regions.describe(found, *bins) for found in (labels, 0 * labels))
    for both, one in ((parts.colours, whole.colours), (parts.textures, whole.textures)):
        np.testing.assert_allclose(one.sum(), 1)
        np.testing.assert_allclose(parts.sizes @ both / parts.sizes.sum(), one[0], atol=1e-12)


def test_similarity_by_hand() -> None:
    regions = _regions.Regions(
        np.array([[0.0, 0, 2, 3], [2, 1, 5, 4]]), np.array([6.0, 9.0]),
        np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([[1.0, 0.0], [0.0, 1.0]]),
    )  # fmt: skip
    ends = np.array([0]), np.array([1])
    want = {"C": 0.7, "T": 0.0, "S": 1 - 15 / 100, "F": 1 - (20 - 15) / 100}
    for letter, value in want.items():
        np.testing.assert_allclose(_regions.similarity(regions, *ends, 100.0, letter), value)
    np.testing.assert_allclose(_regions.similarity(regions, *ends, 100.0, "CTSF"), sum(want.values()))


def test_a_batch_is_its_images() -> None:
    images = np.stack([noisy(), scene(PLACES, [200, 120, 250])])
    boxes, mask = proposals.propose(images, progress="off", max_proposals=40, seed=2)
    first = proposals.selective_search(images[0], max_proposals=40, seed=2 * 1_000_003)
    np.testing.assert_array_equal(boxes[0], first[0])
    np.testing.assert_array_equal(mask[0], first[1])
    assert boxes.shape == (2, 40, 4)


@pytest.mark.slow
def test_processes_change_nothing() -> None:
    images = np.stack([noisy()] * 3)
    one, two = (proposals.propose(images, processes=n, progress="off") for n in (1, 2))
    np.testing.assert_array_equal(one[0], two[0])


def test_recall_by_hand() -> None:
    boxes = np.array(
        [[[0, 0, 10, 10], [20, 0, 30, 9], [0, 0, 0, 0]], [[0, 0, 9, 10], [0, 0, 0, 0], [0, 0, 0, 0]]]
    )
    mask = np.array([[1, 1, 0], [1, 0, 0]])
    objects = np.array([[[20, 0, 30, 10], [0, 0, 10, 12]], [[0, 0, 10, 10], [0, 0, 0, 0]]])
    targets = {"boxes": objects, "mask": np.array([[1, 1], [1, 0]])}
    np.testing.assert_allclose(proposals.recall(boxes, mask, targets), [2 / 3, 1, 1])
    np.testing.assert_allclose(
        proposals.recall(boxes, mask, targets, iou_threshold=0.9), [1 / 3, 2 / 3, 2 / 3]
    )
    none = proposals.recall(boxes, mask, targets | {"mask": np.zeros((2, 2))})
    assert np.isnan(none).all()
