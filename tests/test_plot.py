"""Pictures: what is drawn, and what is said without matplotlib."""

import sys
from pathlib import Path

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


def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="nothing was recorded"):
        plot.history({})
    with pytest.raises(TypeError, match=r"plot.history\(fitted.history\)"):
        plot.history([1.0, 2.0])  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e '.\[examples\]'"):
        plot.history(CURVES)
