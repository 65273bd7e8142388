"""Pictures of models of text, and of what a network draws."""

import numpy as np
import pytest

from jaxdl import plot
from jaxdl.errors import ShapeError


def test_losses_and_shares_stand_side_by_side() -> None:
    figure = plot.language_model(
        {"validation": [2.5, 2.1, 2.0], "training": [2.4, 2.0, 1.9]}, levels={"trigram": 2.26},
        temperatures=(0.5, 1.0), shares={"new": [0.25, 0.75]},
    )  # fmt: skip
    losses, shares = figure.axes
    np.testing.assert_array_equal(losses.lines[0].get_xydata(), [[1, 2.5], [2, 2.1], [3, 2.0]])
    assert losses.lines[2].get_ydata() == [2.26, 2.26]
    assert [text.get_text() for text in losses.get_legend().get_texts()][2] == "trigram: 2.260"
    np.testing.assert_array_equal(shares.lines[0].get_xydata(), [[0.5, 25], [1.0, 75]])
    assert len(plot.language_model({"validation": [2.5]}).axes) == 1


def test_wrong_samples_are_red() -> None:
    images = np.zeros((2, 3, 4, 5))
    images[1, 2, 0, 0] = images[0, 1, 3, 4] = 1
    wrong = np.array([[False] * 3, [False, False, True]])
    figure = plot.samples({"drawn": images, "real": images[:, :2]}, ("a", "b"), wrong={"drawn": wrong})
    sheet = np.asarray(figure.axes[0].images[0].get_array())
    assert sheet.shape == (10, 18, 3)
    np.testing.assert_array_equal(sheet[3, 6 + 4], [0, 0, 0])
    red, green, blue = sheet[5, 12]
    assert red > 0.7
    assert green == blue < 0.2
    assert (sheet.reshape(-1, 3).sum(1) < 3).sum() == 2
    assert figure.axes[1].images[0].get_array().shape == (10, 12, 3)


def test_refuses_what_it_cannot_draw() -> None:
    for curves in ({}, {"a": [[1.0]]}, {"a": []}):
        with pytest.raises(ShapeError, match=r"plot.language_model: argument 'curves'"):
            plot.language_model(curves)
    with pytest.raises(ShapeError, match=r"'shares' .* expected \(1,\)"):
        plot.language_model({"a": [1.0]}, temperatures=(1.0,), shares={"new": [1.0, 0.5]})
    for panels, wrong in (
        ({}, None),
        ({"a": np.zeros((3, 2, 4, 4))}, None),
        ({"a": np.zeros((2, 4, 4))}, None),
        ({"a": np.zeros((2, 2, 4, 4))}, {"a": np.zeros((2, 3), bool)}),
    ):
        with pytest.raises(ShapeError, match=r"plot.samples: argument 'panels"):
            plot.samples(panels, ("a", "b"), wrong=wrong)
