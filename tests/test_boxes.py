"""Boxes against torchvision, closed forms and loops; what is unsound; suppression to the last bit."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import make_detection as golden

from jaxdl import boxes
from jaxdl.errors import FormatError

GOLDEN = Path(__file__).parent / "golden" / "detection.npz"
NAN = float("nan")


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as found:
        return dict(found)


@jax.jit
@jax.vmap
def kept_of(corners: jax.Array, scores: jax.Array, thresholds: jax.Array) -> tuple[jax.Array, jax.Array]:
    def one(threshold: jax.Array) -> tuple[jax.Array, jax.Array]:
        return boxes.nms(corners, scores, iou_threshold=threshold, max_outputs=golden.BOXES)

    return jax.vmap(one)(thresholds)


def padded(seed: int) -> tuple[np.ndarray, ...]:
    """Return a case with 24 more places, in front and behind, that hold what must not be chosen."""
    corners, scores, thresholds = golden.nms_case(seed)
    corners = np.pad(corners, ((12, 12), (0, 0)), constant_values=NAN)
    corners[[0, 1, -1]] = [0, 0, 200, 200]
    scores = np.pad(scores, (12, 12), constant_values=2.0)
    scores[[0, 1, -1]] = [-np.inf, NAN, -np.inf]
    return corners, scores, thresholds


def test_suppression_keeps_what_torchvision_keeps_whatever_the_padding(stored: dict[str, np.ndarray]) -> None:
    cases = [np.stack(part) for part in zip(*map(padded, range(golden.SEEDS)))]
    indices, mask = map(np.asarray, kept_of(*cases))
    assert (mask[..., 1:] <= mask[..., :-1]).all()
    found = [[golden.digest(i[m] - 12) for i, m in zip(*pair)] for pair in zip(indices, mask)]
    np.testing.assert_array_equal(np.array(found), stored["nms"])
    # The thresholds are one float apart, and still tell boxes apart.
    assert (stored["nms"][:, 0] != stored["nms"][:, 1]).mean() > 0.5


def test_golden_file_is_what_torchvision_gives(stored: dict[str, np.ndarray]) -> None:
    ops = pytest.importorskip(
        "torchvision.ops", reason="torchvision is not installed; the file stands in for it"
    )
    torch = pytest.importorskip("torch", reason="torchvision brings it")
    for name, value in golden.everything(torch, ops).items():
        np.testing.assert_allclose(value, stored[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["iou", "giou"])
def test_overlap_equals_torchvision_to_the_last_bit(name: str, stored: dict[str, np.ndarray]) -> None:
    first, second = golden.overlap_case()
    np.testing.assert_array_equal(jax.jit(getattr(boxes, name))(first, second), stored[name])


def test_classes_do_not_drop_each_other() -> None:
    corners, scores = golden.drawn(np.random.default_rng(7), 60, 40.0), np.arange(60.0, dtype=np.float32)
    labels = np.arange(60) % 3
    choose = jax.jit(lambda s, k: boxes.nms_by_class(corners, s, k, iou_threshold=0.1, max_outputs=60))
    together, mask = choose(scores, labels)
    alone = []
    for label in range(3):
        found, there = choose(np.where(labels == label, scores, -np.inf), np.zeros(60, int))
        alone += found[there].tolist()
    assert sorted(together[mask].tolist()) == sorted(alone)
    assert len(alone) < 60


def detected(corners: np.ndarray, scores: np.ndarray, most: float, places: int) -> list[Any]:
    """Suppress class by class in Python, and sort what is left."""
    found = []
    for label in range(scores.shape[1]):
        own = corners if corners.ndim == 2 else corners[:, label]
        kept: list[int] = []
        for i in np.argsort(-scores[:, label], kind="stable"):
            near = golden.overlaps(own[[*kept, i]])[-1, :-1] if kept else np.zeros(0)
            if scores[i, label] > 0 and (near <= most).all():
                kept.append(i)
                found.append((-scores[i, label], i * scores.shape[1] + label, own[i].tolist()))
    return sorted(found)[:places]


@pytest.mark.parametrize("by_class", [False, True])
def test_detections_are_those_of_a_loop(by_class: bool) -> None:
    rng = np.random.default_rng(5)
    corners = golden.drawn(rng, 120, 60.0)
    corners = corners.reshape(40, 3, 4) if by_class else corners[:40]
    scores = np.round(rng.random((40, 3)), 2).astype(np.float32)
    scores[3] = NAN
    options = {"score_threshold": 0.3, "iou_threshold": 0.1, "max_outputs": 30, "candidates": 50}
    found = jax.jit(lambda c, s: boxes.detections(c, s, **options))(corners, scores)
    usable = np.where(scores > np.float32(0.3), scores, 0).ravel()
    usable[np.argsort(-usable, kind="stable")[50:]] = 0
    wanted = detected(corners, usable.reshape(40, 3), 0.1, 30)
    count = int(found.mask.sum())
    assert 5 < count == len(wanted)
    np.testing.assert_array_equal(found.scores[:count], [-score for score, _, _ in wanted])
    np.testing.assert_array_equal(found.labels[:count], [place % 3 for _, place, _ in wanted])
    np.testing.assert_array_equal(found.boxes[:count], [box for _, _, box in wanted])
    for part in found:
        assert not np.asarray(part[count:]).any()


def soft_loop(
    corners: np.ndarray, scores: np.ndarray, labels: np.ndarray, decay: str
) -> list[tuple[int, float]]:
    overlap, left, found = golden.overlaps(corners.astype(np.float64)), scores.astype(np.float64), []
    for _ in scores:
        best = int(left.argmax())
        if left[best] <= 0.05:
            break
        found.append((best, left[best]))
        share = np.exp(-(overlap[best] ** 2) / 0.3)
        if decay == "linear":
            share = np.where(overlap[best] >= 0.2, 1 - overlap[best], 1)
        left = np.where(labels == labels[best], left * share, left)
        left[best] = -np.inf
    return found


@pytest.mark.parametrize("decay", boxes.soft.DECAYS)
def test_soft_suppression_is_that_of_a_loop(decay: str) -> None:
    rng = np.random.default_rng(6)
    corners, scores, labels = golden.drawn(rng, 40, 30.0), rng.random(40, np.float32), np.arange(40) % 2
    options = {"decay": decay, "sigma": 0.3, "iou_threshold": 0.2, "score_threshold": 0.05, "max_outputs": 42}
    found = jax.jit(lambda c, s, k: boxes.soft_nms(c, s, labels=k, **options))(corners, scores, labels)
    wanted = soft_loop(corners, scores, labels, decay)
    assert found.indices[found.mask].tolist() == [i for i, _ in wanted]
    np.testing.assert_allclose(found.scores[found.mask], [score for _, score in wanted], rtol=1e-5)
    assert len(wanted) < 42
    assert not found.scores[~found.mask].any()


def test_soft_suppression_without_a_meaning_chooses_nothing() -> None:
    corners, scores = jnp.array([[0.0, 0, 1, 1], [0, 0, NAN, 1]]), jnp.array([0.5, 0.9])
    choose = jax.jit(lambda s: boxes.soft_nms(corners, scores, sigma=s, max_outputs=2))
    assert choose(0.5).indices.tolist() == [0, 0]
    assert choose(0.5).mask.tolist() == [True, False]
    assert not choose(0.0).mask.any()
    assert not boxes.soft_nms(corners[:0], scores[:0], max_outputs=2).mask.any()


def test_offsets_and_boxes_are_inverse() -> None:
    first, second = (part[:20] for part in golden.overlap_case())
    weights = (10.0, 10.0, 5.0, 5.0)
    there = jax.jit(lambda a, b: boxes.encode(a, b, weights=weights))
    back = jax.jit(lambda a, b: boxes.decode(a, b, weights=weights))
    np.testing.assert_allclose(back(there(first, second), second), first, atol=2e-4)
    np.testing.assert_allclose(
        there(first, second)[:, :2] / 10, boxes.encode(first, second)[:, :2], rtol=1e-5
    )
    unit = np.tile(np.float32([0, 0, 1, 1]), (20, 1))
    wide = np.asarray(back(np.full((20, 4), 1e4, np.float32), unit))
    np.testing.assert_allclose(wide[:, 2] - wide[:, 0], 62.5, atol=1e-2)
    assert jax.eval_shape(boxes.decode, np.zeros((5, 3, 4)), np.zeros((5, 1, 4))).shape == (5, 3, 4)
    # What has no meaning when it is traced: corners out of order, sides of zero.
    for box, anchor in ((unit[:, [2, 1, 0, 3]], unit), (unit, -unit), (0 * unit, unit), (unit, 0 * unit)):
        assert np.isnan(there(box, anchor)).all()
    assert np.isnan(back(unit, -unit)).all()


def test_empty_and_unknown_boxes_overlap_as_defined() -> None:
    these = np.array([[0, 0, 2, 2], [2, 2, 0, 0], [1, 1, 1, 1], [0, 0, NAN, 2]], np.float32)
    measure = jax.jit(lambda x: (boxes.iou(x, x), boxes.giou(x, x), boxes.area(x)))
    overlap, generalized, area = map(np.asarray, measure(these))
    np.testing.assert_array_equal(overlap[:3, :3], np.diag([1.0, 0, 0]))
    np.testing.assert_array_equal(area, [4, 0, 0, NAN])
    for found in (overlap, generalized):
        assert np.isnan(found[3]).all()
        assert np.isnan(found[:, 3]).all()
        assert np.isfinite(found[:3, :3]).all()


def test_truth_takes_out_what_is_unsound_and_says_so() -> None:
    corners = np.tile(np.array([[0.0, 0, 2, 2], [1, 1, 3, 3]], np.float32), (7, 1, 1))
    labels, mask = np.tile([1, 2], (7, 1)), np.ones((7, 2), np.uint8)
    corners[1, 0] = [2, 0, 0, 2]
    corners[2, 1] = NAN
    labels[3, 0], labels[4, 1] = -1, 3
    mask[5] = 0
    corners[6, 1], labels[6, 1], mask[6, 1] = NAN, 99, 0
    read = jax.jit(lambda targets: boxes.truth("loss", targets, 3))
    found = read({"boxes": corners, "labels": labels, "mask": mask})
    assert found.good.tolist() == [True, False, False, False, False, True, True]
    assert found.mask.tolist() == [[1, 1], [0, 1], [1, 0], [0, 1], [1, 0], [0, 0], [1, 0]]
    assert np.isfinite(found.boxes).all()
    assert not np.asarray(found.boxes)[~np.asarray(found.mask)].any()
    assert not np.asarray(found.labels)[~np.asarray(found.mask)].any()


def test_more_objects_than_places_are_counted_and_said() -> None:
    lists = [[[0, 0, 1, 1]] * 3, [], [[0, 0, 2, 1]] * 4], [[1, 2, 3], [], [4, 5, 6, 7]]
    with pytest.raises(FormatError, match="too few for 2 of 3 images by 3 objects in all, first for image 0"):
        boxes.pad_targets(*lists, 2)
    with pytest.warns(UserWarning, match=r"by 3 objects in all.* They are left out"):
        found = boxes.pad_targets(*lists, 2, excess="drop")
    assert found["labels"].tolist() == [[1, 2], [0, 0], [4, 5]]
    whole = boxes.pad_targets(*lists, ignore=[[True, False, False], [], [False] * 4])
    assert whole["mask"].sum(1).tolist() == [3, 0, 4]
    assert whole["ignore"].tolist() == [[True, False, False, False]] + [[False] * 4] * 2
    assert boxes.pad_targets([], [])["boxes"].shape == (0, 1, 4)
