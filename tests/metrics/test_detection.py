"""Average precision: cases worked by hand, a plain loop, and the figures of COCO's own program."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import make_coco

from jaxdl import metrics
from jaxdl.boxes import Detections

GOLDEN = Path(__file__).parents[1] / "golden" / "coco.npz"


def objects(*boxes: Any, labels: Any = None, ignore: Any = None) -> dict[str, Any]:
    """One image with these objects."""
    count = len(boxes)
    found = {"boxes": np.asarray(boxes, np.float32).reshape(1, count, 4), "mask": np.ones((1, count), bool),
             "labels": np.asarray(labels or [0] * count, np.int32)[None]}  # fmt: skip
    return found if ignore is None else found | {"ignore": np.asarray(ignore)[None]}


def found(*boxes: Any, labels: Any = None, scores: Any = None) -> Detections:
    """One image with these detections, the surest first."""
    rows = objects(*boxes, labels=labels)
    scores = np.linspace(0.9, 0.1, len(boxes)) if scores is None else scores
    return Detections(rows["boxes"], np.asarray(scores)[None], rows["labels"], rows["mask"])


A, B, C = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)
FAR = (80, 80, 90, 90)


def average(detections: Detections, targets: dict[str, Any], **options: Any) -> float:
    return metrics.mean_average_precision(detections, targets, num_classes=1, **options).mean


@pytest.mark.parametrize(
    ("interpolation", "wanted"),
    # Hit, miss, hit of three objects: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3. The envelope is 1 up
    # to 1/3 and 2/3 up to 2/3: (1 + 2/3) / 3. Of 0, .1, ..., 1 four levels are at most 1/3, three more at
    # most 2/3; of 0, .01, ..., 1 they are 34 and 33.
    [("all", 5 / 9), ("11", (4 + 3 * 2 / 3) / 11), ("101", (34 + 33 * 2 / 3) / 101)],
)
def test_three_interpolations_by_hand(interpolation: str, wanted: float) -> None:
    result = metrics.mean_average_precision(
        found(A, FAR, B), objects(A, B, C), num_classes=1, interpolation=interpolation
    )
    assert result.mean == pytest.approx(wanted, abs=1e-15)
    curve = result.curves[0][0]
    np.testing.assert_allclose(curve.recall, [1 / 3, 1 / 3, 2 / 3])
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(curve.envelope, [1, 2 / 3, 2 / 3])
    assert (result.objects[0], result.hits[0, 0], result.false_positives[0, 0]) == (3, 2, 1)


def test_a_level_of_eleven_is_reached_where_the_recall_is_it_exactly() -> None:
    # Three of ten objects: 0.3 as a float is below 3 * 0.1, but the recall is the level: 4 of 11 levels.
    ten = [(20 * i, 0, 20 * i + 10, 10) for i in range(10)]
    assert average(found(*ten[:3]), objects(*ten), interpolation="11") == pytest.approx(4 / 11, abs=1e-15)


def test_duplicates_are_false_positives() -> None:
    # Hit, duplicate, hit: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1.
    assert average(found(A, A, B), objects(A, B)) == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)


def test_what_a_taken_object_does_to_the_next_detection() -> None:
    # Two objects whose IoU is 60 / 100; the second detection lies on the first object again (IoU 1), and
    # reaches the other one with .6: free, it takes that; by the best alone it is a duplicate.
    beside = (0, 0, 10, 6)
    both, targets = found(A, A), objects(A, beside)
    assert average(both, targets, matching="free") == 1
    assert average(both, targets, matching="best") == 0.5


def test_ignored_objects_are_neither_hit_nor_miss() -> None:
    # The middle detection lies within the crowd: of its own area all is shared, though the IoU is .01.
    crowd = (100, 0, 200, 100)
    inside = (100, 0, 110, 10)
    targets = objects(A, crowd, ignore=[False, True])
    # Found within a crowd, any number of times: left out. Else a false positive before the hit: 1/2.
    assert average(found(inside, inside, A), targets) == 1
    assert average(found(inside, A), objects(A)) == 0.5
    # As a difficult object it must be met by IoU: the first is a miss, the second and third left out.
    assert average(found(inside, A), targets, matching="best") == 0.5
    assert average(found(crowd, crowd, A), targets, matching="best") == 1
    assert metrics.mean_average_precision(found(A), targets, num_classes=1).ignored.tolist() == [1]


def test_the_threshold_itself_suffices_and_one_ulp_more_does_not() -> None:
    half = found((0, 0, 10, 5))
    above = float(np.nextafter(0.5, 1))
    result = metrics.mean_average_precision(half, objects(A), num_classes=1, thresholds=(0.5, above))
    assert result.per_threshold.tolist() == [1, 0]
    assert average(found(A), objects(A), thresholds=(1.0,)) == 1
    assert average(found(FAR), objects(A), thresholds=(0.0,)) == 1


def test_equal_scores_stay_in_the_order_given() -> None:
    tied = {"scores": [0.5, 0.5]}
    assert average(found(A, FAR, **tied), objects(A)) == 1
    assert average(found(FAR, A, **tied), objects(A)) == 0.5


def test_nothing_to_find_and_nothing_found() -> None:
    for result in (
        metrics.coco(found(), objects(), num_classes=2),
        metrics.coco(found(A), objects(), num_classes=2),
        metrics.coco(found(A), objects(A, ignore=[True]), num_classes=2),
    ):
        assert np.isnan([result.mean, *result.per_class, *result.per_threshold, *result.per_size]).all()
    for nothing in (found(), found(A)._replace(mask=np.zeros((1, 1), bool))):
        result = metrics.coco(nothing, objects(A), num_classes=2)
        assert result.mean == 0
        np.testing.assert_array_equal(result.per_class, [0, np.nan])


def test_classes_meet_their_own_objects_and_empty_ones_are_left_out_of_the_mean() -> None:
    result = metrics.mean_average_precision(
        found(A, B, A, labels=[1, 0, 2]), objects(A, B, labels=[0, 0]), num_classes=3
    )
    np.testing.assert_array_equal(result.per_class, [0.5, np.nan, np.nan])
    assert result.mean == 0.5
    assert result.false_positives[0].tolist() == [0, 1, 1]


def test_only_the_best_detections_of_a_class_and_image_count() -> None:
    many = found(FAR, A, A, labels=[0, 0, 1], scores=[0.9, 0.8, 0.1])
    result = metrics.mean_average_precision(
        many, objects(A, A, labels=[0, 1]), num_classes=2, max_detections=1
    )
    assert result.per_class.tolist() == [0, 1]
    assert result.detections.tolist() == [1, 1]


def test_sizes_leave_the_others_out() -> None:
    small, middle = (0, 0, 10, 10), (100, 0, 200, 20)
    result = metrics.mean_average_precision(
        found(middle, FAR, small), objects(small, middle), num_classes=1, sizes=(1000.0, 3000.0)
    )
    # For small objects the first detection is neither, the second a miss: 1/2. For middle ones the small
    # detections are neither: 1.
    np.testing.assert_array_equal(result.per_size, [0.5, 1, np.nan])
    # An object of the very area counts on both sides, as COCO has it.
    bound = metrics.mean_average_precision(found(small), objects(small), num_classes=1, sizes=(100.0,))
    assert bound.per_size.tolist() == [1, 1]


def test_what_stands_in_empty_places_changes_nothing() -> None:
    detections, targets = make_coco.scene(1)
    kept = metrics.coco(detections, targets, num_classes=4)
    for parts in (detections, targets):
        parts["boxes"] = np.where(parts["mask"][..., None], parts["boxes"], np.nan)
        parts["labels"] = np.where(parts["mask"], parts["labels"], 99)
    detections["scores"] = np.where(detections["mask"], detections["scores"], np.nan)
    again = metrics.coco(detections, targets, num_classes=4)
    np.testing.assert_array_equal(again.table, kept.table)


@pytest.mark.parametrize("seed", make_coco.SEEDS)
@pytest.mark.parametrize("most", list(enumerate(make_coco.MOST)))
def test_the_figures_of_cocos_own_program(seed: int, most: tuple[int, int]) -> None:
    with np.load(GOLDEN) as stored:
        wanted = stored[str(seed)][..., most[0]]
    detections, targets = make_coco.scene(seed)
    result = metrics.coco(detections, targets, num_classes=4, max_detections=most[1])
    np.testing.assert_allclose(result.table, wanted[..., 0], rtol=0, atol=1e-12)
    sizes = [np.nanmean(wanted[..., size]) for size in (1, 2, 3)]
    np.testing.assert_allclose(result.per_size, sizes, rtol=0, atol=1e-12)


def iou(a: Any, b: Any) -> float:
    wide, high = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    shared = max(wide, 0.0) * max(high, 0.0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def plain(detections: dict[str, Any], targets: dict[str, Any], label: int, threshold: float) -> float:
    """VOC's program, line by line: its matching, and the area under the envelope."""
    rows, total = [], 0
    for image, mask in enumerate(targets["mask"]):
        here = [i for i in np.flatnonzero(mask) if targets["labels"][image, i] == label]
        total += sum(not targets["ignore"][image, i] for i in here)
        for place in np.flatnonzero(detections["mask"][image]):
            if detections["labels"][image, place] == label:
                rows.append((detections["scores"][image, place], image, place, here))
    taken, outcomes = set(), []
    for _, image, place, here in sorted(rows, key=lambda row: -row[0]):
        box = [float(side) for side in detections["boxes"][image, place]]
        overlaps = [iou(box, [float(side) for side in targets["boxes"][image, i]]) for i in here]
        best = int(np.argmax(overlaps)) if overlaps else 0
        if not overlaps or overlaps[best] < threshold:
            outcomes.append(False)
        elif not targets["ignore"][image, here[best]]:
            outcomes.append((image, here[best]) not in taken)
            taken.add((image, here[best]))
    points = [
        (sum(outcomes[: i + 1]) / total, sum(outcomes[: i + 1]) / (i + 1)) for i in range(len(outcomes))
    ]
    area, before = 0.0, 0.0
    for i, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[i:])
        before = recall
    return area


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_a_plain_loop_over_detections(seed: int) -> None:
    detections, targets = make_coco.scene(seed, images=5)
    result = metrics.mean_average_precision(
        detections, targets, num_classes=4, thresholds=(0.3, 0.75), matching="best"
    )
    wanted = [[plain(detections, targets, label, level) for label in range(4)] for level in (0.3, 0.75)]
    np.testing.assert_allclose(result.table, wanted, rtol=0, atol=1e-12)
    assert result.mean == pytest.approx(np.mean(wanted))


def test_the_result_is_frozen_and_its_figures_can_be_stored() -> None:
    result = metrics.mean_average_precision(found(A), objects(A), num_classes=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.mean = 0.0  # type: ignore[misc]
    assert json.loads(json.dumps({"mean": result.mean, "classes": result.per_class.tolist()}))["mean"] == 1
