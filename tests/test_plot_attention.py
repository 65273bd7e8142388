"""Pictures of attention, and of accuracy by length."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl import plot
from jaxdl.errors import ShapeError


def test_attention_map_shows_the_tokens_and_leaves_padding_out(tmp_path: Path) -> None:
    weights = np.arange(24.0).reshape(4, 6) / 24
    figure = plot.attention_map(weights, "a b", ["x", "y"], title="two", path=tmp_path / "map.png")
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), weights[:2, :3])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "\N{OPEN BOX}", "b"]
    assert (tmp_path / "map.png").stat().st_size > 1000


def test_accuracy_by_length_is_the_mean_of_each_group() -> None:
    lengths = np.array([3, 3, 3, 5, 5, 8, 9, 20])
    right = np.array([1, 1, 0, 1, 0, 1, 1, 0])
    figure = plot.accuracy_by_length(lengths, {"a": right, "b": 1 - right}, bins=3)
    for line, row in zip(figure.axes[0].lines, (right, 1 - right), strict=True):
        x, y = line.get_data()
        np.testing.assert_allclose(x, [3, 5, 37 / 3])
        np.testing.assert_allclose(y, [100 * row[:3].mean(), 100 * row[3:5].mean(), 100 * row[5:].mean()])
    bars = [bar.get_height() for bar in figure.axes[1].patches]
    assert bars == [3, 2, 3]
    assert len(plot.accuracy_by_length([4, 4], {"a": [1, 0]}).axes[0].lines[0].get_xdata()) == 1


@pytest.mark.parametrize("weights", [np.ones(3), np.ones((1, 3)), np.ones((2, 2)), np.ones((1, 2, 3))])
def test_maps_of_other_shapes_are_refused(weights: Any) -> None:
    with pytest.raises(ShapeError, match="at least 2 rows and 3 columns"):
        plot.attention_map(weights, "abc", "xy")
    with pytest.raises(ShapeError, match="and a token"):
        plot.attention_map(np.ones((2, 2)), "", "xy")


def test_rows_of_other_lengths_are_refused() -> None:
    for lengths, right in (([3, 4], {"a": [1]}), ([3, 4], {}), ([], {"a": []}), ([[3]], {"a": [[1]]})):
        with pytest.raises(ShapeError, match="arrays of the shape of 'lengths'"):
            plot.accuracy_by_length(lengths, right)
    with pytest.raises(ValueError, match="'bins' is 0"):
        plot.accuracy_by_length([3], {"a": [1]}, bins=0)
