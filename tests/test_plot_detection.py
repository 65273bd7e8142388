"""Pictures of detection: what is drawn where, in which colour, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl import metrics, plot
from jaxdl.boxes import Detections
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.plot._boxes import COLOURS, PLAIN

IMAGE = np.zeros((10, 20, 1), np.uint8)
BOXES = np.array([[2, 3, 8, 9], [17, 0, 20, 4], [0, 0, 0, 0]], np.float32)
MASK = np.array([True, True, False])


def corners(line: Any) -> list[float]:
    x, y = line.get_data()
    assert (x[0], y[0]) == (x[-1], y[-1])
    return [min(x), min(y), max(x), max(y)]


def test_boxes_are_drawn_at_the_edges_of_pixels(tmp_path: Path) -> None:
    figure = plot.boxes(
        IMAGE, BOXES, np.array([1, 12, 0]), np.array([0.5, 0.25, 0]), MASK,
        truth=BOXES[:1] + 1, names=list("abcdefghijklm"), title="x", path=tmp_path / "b.png",
    )  # fmt: skip
    axes = figure.axes[0]
    assert axes.images[0].get_extent() == [0, 20, 10, 0]
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 20), (10, 0))
    assert [corners(line) for line in axes.lines] == [[3, 4, 9, 10], [2, 3, 8, 9], [17, 0, 20, 4]]
    assert [line.get_linestyle() for line in axes.lines] == ["--", "-", "-"]
    assert [line.get_color() for line in axes.lines] == ["white", COLOURS[1], COLOURS[2]]
    assert [text.get_text() for text in axes.texts] == ["b 0.50", "m 0.25"]
    # Above the box from its left; at the top of the image within it, and at the right edge to its right.
    assert [(text.get_ha(), text.get_va(), text.get_position()) for text in axes.texts] == [
        ("left", "bottom", (2, 3)), ("right", "top", (20, 0))
    ]  # fmt: skip
    assert (tmp_path / "b.png").read_bytes()[:4] == b"\x89PNG"


def test_boxes_without_labels_have_one_colour_and_no_words() -> None:
    axes = plot.boxes(np.zeros((10, 20, 3)), BOXES[:2]).axes[0]
    assert {line.get_color() for line in axes.lines} == {PLAIN}
    assert not axes.texts


def sheet() -> tuple[np.ndarray, Detections, dict[str, np.ndarray]]:
    images, labels = np.stack([IMAGE] * 3), np.tile([1, 2, 0], (3, 1))
    boxes, mask = np.stack([BOXES] * 3), np.stack([MASK] * 3)
    scores = np.array([[0.9, 0.4, 0], [0.9, 0.8, 0], [0.2, 0.1, 0]])
    return images, Detections(boxes, scores, labels, mask), {"boxes": boxes, "labels": labels, "mask": mask}


def test_sheets_draw_what_is_there_and_what_is_found() -> None:
    images, found, targets = sheet()
    targets = {**targets, "mask": targets["mask"].astype(np.uint8)}  # as a Dataset keeps it
    figure = plot.objects(images, targets, columns=2)
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2, 0]
    assert figure.axes[0].texts[0].get_text() == "1"
    figure = plot.detections(images, found, targets, score_threshold=0.5)
    assert [axes.get_title() for axes in figure.axes] == [
        "2 objects, 1 detection", "2 objects, 2 detections", "2 objects, 0 detections"
    ]  # fmt: skip
    assert [[line.get_linestyle() for line in axes.lines].count("-") for axes in figure.axes] == [1, 2, 0]
    alone = plot.detections(images, found, score_threshold=0.0)
    assert alone.axes[0].get_title() == "2 detections"


def test_average_precision_of_each_class() -> None:
    _, found, targets = sheet()
    result = metrics.mean_average_precision(found, targets, num_classes=4, thresholds=(0.5, 0.75))
    figure = plot.average_precision(result, names=("a", "b", "c", "d"), threshold=0.75)
    left, right = figure.axes
    assert left.get_title() == "mAP 1.000 at IoU 0.75"
    assert len(left.lines) == 2
    np.testing.assert_allclose(left.lines[0].get_xdata(), [0, 1 / 3, 2 / 3, 1])
    assert [text.get_text() for text in right.texts] == ["no object", "1.000", "1.000", "no object"]
    assert [text.get_text() for text in right.get_yticklabels()] == ["a (0)", "b (3)", "c (3)", "d (0)"]
    with pytest.raises(ValueError, match=r"'threshold' is 0.6; expected one of \(0.5, 0.75\)"):
        plot.average_precision(result, threshold=0.6)
    with pytest.raises(ShapeError, match="2 names; expected one for each of 4"):
        plot.average_precision(result, names=("a", "b"))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((np.zeros((2, 10, 20, 1)), BOXES), {}, ShapeError, "'image' is of shape"),
        ((IMAGE, BOXES[0]), {}, ShapeError, r"'boxes' is of shape \(4,\)"),
        ((IMAGE, BOXES, np.zeros(2)), {}, ShapeError, r"'labels' is of shape \(2,\); expected \(3,\)"),
        ((IMAGE, BOXES * np.nan), {}, FormatError, "not finite"),
        ((IMAGE, BOXES, np.array([0, -1, 0])), {}, FormatError, r"'labels' is -1; expected class numbers in"),
        ((IMAGE, BOXES, np.array([0, 2, 0])), {"names": "ab"}, FormatError, r"'labels' is 2; .* \[0, 2\)"),
        ((IMAGE, BOXES, np.array([0, 0.5, 0])), {}, FormatError, "'labels' is 0.5"),
        ((IMAGE[:, :0], BOXES), {}, ShapeError, "'image' is of shape"),
        ((IMAGE, BOXES), {"truth": np.zeros((3, 5))}, ShapeError, "'truth'"),
    ],
)
def test_boxes_refuse(arguments: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        plot.boxes(*arguments, **options)


def test_sheets_refuse() -> None:
    images, found, targets = sheet()
    with pytest.raises(ShapeError, match=r"'targets\['labels'\]' is missing"):
        plot.objects(images, {"boxes": targets["boxes"]})
    with pytest.raises(ShapeError, match=r"'found\['boxes'\]' is of shape \(3, 3, 4\); expected \(2, places"):
        plot.detections(images[:2], found)
    with pytest.raises(DtypeError, match="'found' is a dict; expected a Detections"):
        plot.detections(images, found._asdict())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'columns' is 0"):
        plot.detections(images, found, columns=0)
    with pytest.raises(ShapeError, match=r"'images' is of shape \(10, 20\)"):
        plot.objects(IMAGE[..., 0], targets)
