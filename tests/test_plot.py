"""Pictures: what is drawn, and what is said without matplotlib."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl import plot
from jaxdl.errors import MissingExtraError

CURVES = {
    "loss": np.array([2.0, 1.0]),
    "valid_loss": np.array([2.5, 1.5]),
    "valid_accuracy": np.array([0.5, 0.9]),
}


def test_history_draws_one_panel_a_quantity(tmp_path: Path) -> None:
    figure = plot.history(CURVES, path=tmp_path / "h.png")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_xydata(), [[1, 2.5], [2, 1.5]])
    assert (tmp_path / "h.png").read_bytes()[:4] == b"\x89PNG"


def test_history_marks_the_best_epoch() -> None:
    figure = plot.history(CURVES, best=1)
    marks = [line for axes in figure.axes for line in axes.lines if line.get_label() == "best epoch: 2"]
    assert [line.get_xdata()[0] for line in marks] == [2, 2]
    assert [len(axes.lines) for axes in plot.history(CURVES, best=-1).axes] == [2, 1]


def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="nothing was recorded"):
        plot.history({})
    for best, error in ((3, ValueError), (-2, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="'best'"):
            plot.history(CURVES, best=best)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"plot.history\(fitted.history\)"):
        plot.history([1.0, 2.0])  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e '.\[examples\]'"):
        plot.history(CURVES)


def bowl(w: Any) -> Any:
    return w[0] ** 2 / 20 + w[1] ** 2


def test_paths_draws_one_panel_a_walk(tmp_path: Path) -> None:
    walks = {name: np.array([[-7.0, 2.0], [1.0, -1e-9]]) for name in ("a", "b", "c")}
    figure = plot.paths(bowl, walks, xlim=(-10, 10), ylim=(-5, 5), minimum=(0, 0), path=tmp_path / "p.png")
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c", ""]
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_xydata(), walks["b"])
    assert figure.axes[0].get_legend().get_texts()[1].get_text() == "end (1.00, 0.00)"
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"


def test_arrows_point_downhill() -> None:
    field = plot.gradient_field(bowl, xlim=(-10, 10), ylim=(-5, 5), arrows=5).axes[0].collections[-1]
    x, y = field.XY.T
    wanted = np.stack([-x / 10, -2 * y])
    norms = np.linalg.norm(wanted, axis=0)
    np.testing.assert_allclose(np.stack([field.U, field.V]) * norms, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.paths(bowl, {}, xlim=(-1, 1), ylim=(-1, 1)), "at least one path"),
        (lambda: plot.paths(bowl, {"a": np.ones(3)}, xlim=(-1, 1), ylim=(-1, 1)), r"of shape \(3,\)"),
        (lambda: plot.paths(bowl, {"a": np.ones((3, 2))}, xlim=(1, 1), ylim=(-1, 1)), "low < high"),
        (lambda: plot.gradient_field(lambda w: w, xlim=(-1, 1), ylim=(-1, 1)), "expected a scalar"),
        (lambda: plot.gradient_field(bowl, xlim=(-1, 1), ylim=(-1, 1), arrows=1), "at least 2"),
    ],
)
def test_paths_refuse(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("draw", [plot.tree, plot.learning_curve, plot.validation_curve, plot.random_search])
def test_says_what_is_to_be_drawn(draw: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"is a dict; expected a \w+. Fix: \w+\."):
        draw({"loss": [1.0]})
