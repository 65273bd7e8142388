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
    one = lambda threshold: boxes.nms(corners, scores, iou_threshold=threshold, max_outputs=len(scores))  # noqa: E731
    return jax.vmap(one)(thresholds)


def ours() -> np.ndarray:
    cases = [np.stack(part) for part in zip(*map(golden.nms_case, range(golden.SEEDS)))]
    indices, mask = map(np.asarray, kept_of(*cases))
    assert (mask[..., 1:] <= mask[..., :-1]).all()
    return np.array([[golden.digest(i[m]) for i, m in zip(*pair)] for pair in zip(indices, mask)])


def test_suppression_keeps_what_torchvision_keeps(stored: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(ours(), stored["nms"])
    # The thresholds are so close that half of the cases could be mistaken for each other.
    assert (stored["nms"][:, 0] != stored["nms"][:, 1]).any()


def test_golden_file_is_what_torchvision_gives(stored: dict[str, np.ndarray]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the golden file stands in for it")
    ops = pytest.importorskip("torchvision.ops", reason="torchvision is not installed; so too")
    for name, value in golden.everything(torch, ops).items():
        np.testing.assert_allclose(value, stored[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["iou", "giou"])
def test_overlap_equals_torchvision_to_the_last_bit(name: str, stored: dict[str, np.ndarray]) -> None:
    first, second = golden.overlap_case()
    np.testing.assert_array_equal(jax.jit(getattr(boxes, name))(first, second), stored[name])


def test_padding_changes_no_choice() -> None:
    corners, scores, thresholds = golden.nms_case(0)
    padded = np.concatenate([corners[:50], np.full((6, 4), [0, 0, 200, 200]), np.full((2, 4), NAN)])
    absent = np.concatenate([scores[:50], [-np.inf] * 6, [2, 2]])
    plain = boxes.nms(corners[:50], scores[:50], iou_threshold=0.3, max_outputs=60)
    more = boxes.nms(padded.astype(np.float32), absent.astype(np.float32), iou_threshold=0.3, max_outputs=60)
    for got, wanted in zip(more, plain):
        np.testing.assert_array_equal(got, wanted)
    assert 1 < int(plain[1].sum()) < 50


def test_classes_do_not_drop_each_other() -> None:
    corners, scores, _ = golden.nms_case(1)
    corners, scores, labels = corners[:60], scores[:60], np.arange(60) % 3
    together, mask = boxes.nms_by_class(corners, scores, labels, iou_threshold=0.2, max_outputs=60)
    alone = []
    for label in range(3):
        found, there = boxes.nms(
            corners, np.where(labels == label, scores, -np.inf), iou_threshold=0.2, max_outputs=60
        )
        alone += found[there].tolist()
    assert sorted(together[mask].tolist()) == sorted(alone)
    assert len(alone) < 60


def detected(corners: np.ndarray, scores: np.ndarray, least: float, most: float, places: int) -> list[Any]:
    """Suppress class by class in Python, and sort what is left."""
    found = []
    for label in range(scores.shape[1]):
        own = corners if corners.ndim == 2 else corners[:, label]
        kept: list[int] = []
        for i in np.argsort(-scores[:, label], kind="stable"):
            near = golden.overlaps(own[[*kept, i]])[-1, :-1] if kept else np.zeros(0)
            if scores[i, label] > least and (near <= most).all():
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
    options = {"score_threshold": 0.3, "iou_threshold": 0.1, "max_outputs": 30}
    found = jax.jit(lambda c, s: boxes.detections(c, s, **options))(corners, scores)
    wanted = detected(corners, np.nan_to_num(scores), 0.3, 0.1, 30)
    count = int(found.mask.sum())
    assert 5 < count == len(wanted)
    np.testing.assert_array_equal(found.scores[:count], [-score for score, _, _ in wanted])
    np.testing.assert_array_equal(found.labels[:count], [place % 3 for _, place, _ in wanted])
    np.testing.assert_array_equal(found.boxes[:count], [box for _, _, box in wanted])
    for part in found:
        assert not np.asarray(part[count:]).any()


def test_candidates_bound_what_enters() -> None:
    corners = jnp.array([[0.0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]])
    found = boxes.detections(corners, jnp.array([[0.5], [0.9], [0.7]]), max_outputs=3, candidates=2)
    assert found.mask.tolist() == [True, True, False]


def soft_loop(corners: np.ndarray, scores: np.ndarray, labels: np.ndarray, decay: str) -> list[tuple[int, float]]:
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
    assert choose(0.5).indices[0] == 0
    assert choose(0.5).mask.tolist() == [True, False]
    assert not choose(0.0).mask.any()
    assert not boxes.soft_nms(corners[:0], scores[:0], max_outputs=2).mask.any()


def test_offsets_and_boxes_are_inverse() -> None:
    first, second = (part[:20] for part in golden.overlap_case())
    for weights in ((1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)):
        offsets = boxes.encode(first, second, weights=weights)
        np.testing.assert_allclose(boxes.decode(offsets, second, weights=weights), first, atol=2e-4)
    wide = jnp.full((1, 3, 4), 1e4)
    corners = boxes.decode(wide, jnp.array([[[0.0, 0, 1, 1]]]))
    np.testing.assert_allclose(corners[..., 2] - corners[..., 0], 62.5, atol=1e-2)


def test_traced_corners_out_of_order_have_no_offsets() -> None:
    turned, box = jnp.array([[2.0, 0, 0, 2]]), jnp.array([[0.0, 0, 2, 2]])
    with pytest.raises(FormatError, match="'boxes' is"):
        boxes.encode(turned, box)
    assert jnp.isnan(jax.jit(boxes.encode)(turned, box)).all()
    assert jnp.isnan(jax.jit(boxes.decode)(jnp.zeros((1, 4)), turned)).all()
    assert jnp.isnan(boxes.encode(jnp.zeros((1, 4)), box)).all()
    assert jnp.isnan(boxes.encode(box, jnp.zeros((1, 4)))).all()


def test_empty_and_unknown_boxes_overlap_as_defined() -> None:
    these = jnp.array([[0.0, 0, 2, 2], [2, 2, 0, 0], [1, 1, 1, 1], [0, 0, NAN, 2]])
    found = np.asarray(boxes.iou(these, these))
    np.testing.assert_array_equal(found[:3, :3], np.diag([1.0, 0, 0]))
    assert np.isnan(found[3]).all()
    assert np.isnan(found[:, 3]).all()
    assert np.isnan(boxes.area(these)[3])
    assert np.isnan(boxes.giou(these, these)[3]).all()


def test_truth_takes_out_what_is_unsound_and_says_so() -> None:
    corners = np.tile(np.array([[0.0, 0, 2, 2], [1, 1, 3, 3]], np.float32), (7, 1, 1))
    labels, mask = np.tile([1, 2], (7, 1)), np.ones((7, 2), np.uint8)
    corners[1, 0] = [2, 0, 0, 2]
    corners[2, 1] = NAN
    labels[3, 0], labels[4, 1] = -1, 3
    mask[5] = 0
    corners[6, 1], labels[6, 1], mask[6, 1] = NAN, 99, 0
    found = boxes.truth("loss", {"boxes": corners, "labels": labels, "mask": mask}, 3)
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
    assert boxes.truth("loss", whole, 8).good.all()
