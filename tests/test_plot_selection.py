"""Pictures of model selection and of error analysis: what is drawn is what was measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl import metrics, plot
from jaxdl.errors import FormatError, ShapeError
from jaxdl.select import Curve, Search

RNG = np.random.default_rng(0)
TRAIN = RNG.random((3, 2, 4))
SIZES, LAMBDAS = np.array([10, 20]), np.array([0.01, 0.1, 1.0, 10.0])
CURVE = Curve(SIZES, {"l2": LAMBDAS}, TRAIN, TRAIN + 1, batch_size=24, memory=0)


def test_validation_curve_has_a_panel_a_size_and_marks_the_best(tmp_path: Path) -> None:
    figure = plot.validation_curve(CURVE, baseline=0.5, path=tmp_path / "v.png")
    assert [axes.get_title() for axes in figure.axes] == ["10 training examples", "20 training examples"]
    train, valid, best, level = figure.axes[1].lines
    np.testing.assert_allclose(train.get_ydata(), TRAIN.mean(0)[1])
    np.testing.assert_allclose(valid.get_xydata(), np.stack([LAMBDAS, TRAIN.mean(0)[1] + 1], 1))
    assert best.get_xdata()[0] == CURVE.best["l2"]
    assert set(level.get_ydata()) == {0.5}
    assert (tmp_path / "v.png").read_bytes()[:4] == b"\x89PNG"


def test_validation_curve_over_degrees_that_masks_stand_for() -> None:
    curve = Curve(None, {"mask": np.eye(4)}, TRAIN[:, :1], TRAIN[:, :1], batch_size=4, memory=0)
    figure = plot.validation_curve(curve, at=[1, 2, 3, 4], label="degree")
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_xscale()) == ("degree", "linear")
    with pytest.raises(ValueError, match=r"'mask', of shape \(4, 4\)"):
        plot.validation_curve(curve)
    with pytest.raises(ValueError, match="'alpha'"):
        plot.validation_curve(curve, over="alpha")


def test_learning_curve_has_a_panel_a_value() -> None:
    figure = plot.learning_curve(CURVE)
    assert [axes.get_title() for axes in figure.axes] == [f"l2 = {v:.3g}" for v in LAMBDAS]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), SIZES)
    with pytest.raises(ValueError, match="without sizes"):
        plot.learning_curve(Curve(None, {}, TRAIN, TRAIN, batch_size=1, memory=0))


def test_random_search_leaves_out_what_is_not_finite() -> None:
    search = Search(
        {"rate": np.array([0.1, 1.0, 0.5])}, np.array([2.0, np.nan, 1.0]), np.array([0, 0, 1]),
        {"rate": np.array([[0.01, 1.0], [0.3, 0.7]])}, batch_size=2, memory=0,
    )  # fmt: skip
    lines = plot.random_search(search).axes[0].lines
    assert [line.get_xdata().tolist() for line in lines] == [[0.1], [0.5], [0.5]]


def test_confusion_matrix_refuses_poison_and_other_shapes() -> None:
    with pytest.raises(FormatError, match="labels out of range"):
        plot.confusion_matrix(np.full((2, 2), np.nan))
    with pytest.raises(ShapeError, match=r"expected \(3, 3\)"):
        plot.confusion_matrix(np.ones((2, 2)), classes=("a", "b", "c"))


def test_curves_of_a_classifier() -> None:
    scores, labels = RNG.random(20).astype(np.float32), (np.arange(20) % 2).astype(np.int32)
    curve = metrics.roc_curve(scores, labels)
    line = plot.roc({"model": curve}).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), curve.false_positive_rate)
    sweep = metrics.threshold_sweep(scores, labels)
    left, right = plot.precision_recall(sweep, share=0.5).axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), sweep.precision)
    assert [line.get_label().split(":")[0] for line in right.lines] == [
        "precision",
        "recall",
        "F1",
        "best F1",
    ]
    assert right.lines[3].get_ydata()[0] == np.max(sweep.f1)


@pytest.mark.parametrize("colour", [(), (3,)])
def test_worst_mistakes_come_first(colour: Any) -> None:
    images = RNG.random((7, 4, 4, *colour))
    losses = np.array([0.1, 3.0, np.nan, 2.0, 0.2, 0.3, 0.0])
    guesses = np.array([0, 1, 1, 1, 0, 0, 0])
    figure = plot.worst_mistakes(images, np.zeros(7, int), guesses, losses, count=6, classes=("cat", "dog"))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:4] == [
        "cat, taken for dog\nloss nan", "cat, taken for dog\nloss 3.00", "cat, taken for dog\nloss 2.00",
        "cat, right\nloss 0.30",
    ]  # fmt: skip
    assert titles[6:] == [""] * 4
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), images[1])
    with pytest.raises(ShapeError, match=r"images.reshape\(-1, 8, 8\)"):
        plot.worst_mistakes(images.reshape(7, -1), guesses, guesses, losses)
