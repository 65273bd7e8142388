"""The picture of a boundary: regions, examples, names, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl import plot
from jaxdl.errors import FormatError, ShapeError

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def test_two_and_three_classes_are_drawn(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "boundary.png"
    figure = plot.boundary(
        lambda x: x[:, 0] - 0.5, X, np.array([0, 0, 1, 1]), title="halves", classes=("no", "yes"), path=path
    )
    (axes,) = figure.axes
    assert path.read_bytes().startswith(b"\x89PNG")
    assert axes.get_title() == "halves"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["no", "yes"]
    edge = axes.collections[1].get_paths()[0].vertices
    np.testing.assert_allclose(edge[:, 0], 0.5, atol=0.01)
    three = plot.boundary(lambda x: np.stack([x[:, 0], x[:, 1], 1 - x.sum(1)], 1), X, np.array([2, 1, 0, 0]))
    assert len(three.axes[0].get_legend().get_texts()) == 3


@pytest.mark.parametrize(
    ("model", "inputs", "targets", "error", "words"),
    [
        (lambda x: x[:, 0], X[:, :1], np.zeros(4, int), ShapeError, "choose two features"),
        (lambda x: x[:, 0], X, np.zeros((4, 1), int), ShapeError, "class numbers"),
        (lambda x: x[:, 0], X, np.zeros(4), ShapeError, "class numbers"),
        (lambda x: x[:, 0], X * np.nan, np.zeros(4, int), FormatError, "'inputs' is not finite"),
        (lambda x: x[:3, 0], X, np.zeros(4, int), ShapeError, "one answer an example"),
        (lambda x: x[:, 0] * np.nan, X, np.zeros(4, int), FormatError, "see the status of the fit"),
    ],
)
def test_it_refuses(model: Any, inputs: Any, targets: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        plot.boundary(model, inputs, targets)
