"""Pictures of layers and of runs side by side: what is drawn, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from jaxdl import plot


def test_gradients_by_depth_draws_in_order_and_leaves_out_what_has_no_logarithm(tmp_path: Path) -> None:
    norms = {"a": {"z/kernel": 1e-9, "b/kernel": 0.5}, "b": [1.0, 0.0, np.inf, 4.0]}
    (axes,) = plot.gradients_by_depth(norms, path=tmp_path / "g.png").axes
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 1e-9], [2, 0.5]])
    np.testing.assert_array_equal(axes.lines[1].get_xydata(), [[1, 1], [4, 4]])
    assert (tmp_path / "g.png").read_bytes()[:4] == b"\x89PNG"


def test_activation_histograms_draw_a_grid(tmp_path: Path) -> None:
    shares = {
        row: {f"layer {i}": np.full(10, 0.1) * (np.arange(10) > i) for i in range(3)} for row in ("He", "N")
    }
    notes = {row: [f"{row} {i}" for i in range(3)] for row in shares}
    figure = plot.activation_histograms(
        shares, low=-1, high=1, notes=notes, title="t", path=tmp_path / "h.png"
    )
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:3]] == ["layer 0", "layer 1", "layer 2"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["He", "", "", "N", "", ""]
    assert figure.axes[5].texts[0].get_text() == "N 2"
    bars = figure.axes[0].patches
    assert len(bars) == 10
    np.testing.assert_allclose([bars[0].get_x(), bars[0].get_height(), bars[1].get_height()], [-1, 0, 0.1])


def test_comparison_gives_every_panel_one_scale() -> None:
    figure = plot.comparison({"a": {"x": [1.0, 2.0]}, "b": {"y": [30.0, np.nan, 10.0]}})
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_xydata(), [[1, 30], [3, 10]])
    assert plot.comparison({"a": {"x": [1.0, 0.0]}}, log=True).axes[0].get_yscale() == "log"


def test_refuses_what_it_cannot_draw() -> None:
    for norms in ({}, {"a": []}, {"a": [[1.0]]}):
        with pytest.raises(ValueError, match=r"gradients_by_depth: argument 'norms'"):
            plot.gradients_by_depth(norms)
    for shares in ({}, {"a": {}}, {"a": {"1": [1.0]}, "b": {"1": [1.0], "2": [1.0]}}):
        with pytest.raises(ValueError, match=r"activation_histograms: argument 'shares'"):
            plot.activation_histograms(shares)
    with pytest.raises(ValueError, match="low < high"):
        plot.activation_histograms({"a": {"1": [1.0]}}, low=1.0, high=1.0)
    for panels in ({}, {"a": {}}, {"a": {"x": []}}):
        with pytest.raises(ValueError, match=r"comparison: argument 'panels'"):
            plot.comparison(panels)
