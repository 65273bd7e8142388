"""Pictures of trees, of their regions and of many runs."""

from pathlib import Path

import numpy as np
import pytest

from jaxdl import data, plot
from jaxdl.errors import ShapeError
from jaxdl.models import decision_tree


def test_a_tree_is_drawn_box_by_box(tmp_path: Path) -> None:
    iris = data.load_iris()
    tree = decision_tree.fit(iris.inputs, iris.targets, max_depth=3)
    figure = plot.tree(tree, names=("a", "b", "petal length", "petal width"), classes=iris.classes,
                       path=tmp_path / "tree.png")  # fmt: skip
    boxes = [text.get_text() for text in figure.axes[0].texts if "\n" in text.get_text()]
    assert len(boxes) == tree.nodes
    assert boxes[:3] == ["petal length <= 2.45\ngain 0.918\n50, 50, 50", "setosa\n50, 0, 0",
                         "petal width <= 1.75\ngain 0.690\n0, 50, 50"]  # fmt: skip
    assert len(figure.axes[0].lines) == tree.nodes - 1
    assert (tmp_path / "tree.png").read_bytes()[:4] == b"\x89PNG"
    short = plot.tree(tree, max_depth=1)
    assert [text.get_text().splitlines()[:2] for text in short.axes[0].texts][2] == ["class 1", "..."]
    with pytest.raises(ShapeError, match="'names' is of 1 names"):
        plot.tree(tree, names=("a",))


def test_regions_colour_what_is_answered() -> None:
    figure = plot.regions(
        lambda x: x[:, 1] > 0.5, [[0, 0], [1, 1], [2, 0]], [0, 1, 0], classes=("low", "high")
    )
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["low", "high"]
    assert [len(dots.get_offsets()) for dots in axes.collections[-2:]] == [2, 1]
    for inputs, targets in (([[1, 2, 3]], [0]), ([[1, 2]], [0, 1]), ([1, 2], [0, 1])):
        with pytest.raises(ShapeError, match="choose two columns"):
            plot.regions(lambda x: x[:, 0], inputs, targets)


def test_bars_stand_side_by_side() -> None:
    groups = {"a": {"x": 1.0, "y": 2.0}, "b": {"x": 3.0, "y": 4.0}}
    errors = {"a": {"x": 0.1, "y": 0.2}, "b": {"x": 0.3, "y": 0.4}}
    figure = plot.bars(groups, errors=errors, levels={"guessing": 0.5}, xlabel="share")
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [1, 3, 2, 4]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.yaxis_inverted()
    for bad in ({}, {"a": {}}, {"a": {"x": 1.0}, "b": {"y": 1.0}}):
        with pytest.raises(ShapeError, match="in every group"):
            plot.bars(bad)
    with pytest.raises(ShapeError, match="the same names"):
        plot.bars(groups, errors={"a": errors["a"]})
    with pytest.raises(ValueError, match="'errors' is below 0"):
        plot.bars({"a": {"x": 1.0}}, errors={"a": {"x": -1.0}})
    with pytest.raises(TypeError, match="'groups' is a float; expected a Mapping"):
        plot.bars({"x": 1.0})  # type: ignore[dict-item]


def test_spread_draws_mean_and_deviation() -> None:
    runs = np.array([[0.0, 1.0], [2.0, 5.0]])
    figure = plot.spread([10, 20], {"return": runs}, xlabel="steps", ylabel="return", levels={"solved": 4.0})
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[10, 1], [20, 3]])
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0.0, 5.0)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["return (mean of 2)", "solved"]
    for curves in ({}, {"a": [1, 2]}, {"a": [[1, 2, 3]]}):
        with pytest.raises(ShapeError, match="one row a run"):
            plot.spread([1, 2], curves)
