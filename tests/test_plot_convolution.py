"""Pictures of kernels, signals and volumes: what is drawn, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from jaxdl import plot
from jaxdl.errors import ShapeError


def test_kernels_share_one_scale_around_zero(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(5, 5, 1, 6))
    figure = plot.kernels(weights, columns=4, title="C1", path=tmp_path / "k.png")
    drawn = [axes.images[0] for axes in figure.axes[:6]]
    assert len(figure.axes) == 8
    for number, image in enumerate(drawn):
        np.testing.assert_array_equal(image.get_array(), weights[:, :, 0, number])
        assert image.get_clim() == (-np.abs(weights).max(), np.abs(weights).max())
    assert (tmp_path / "k.png").read_bytes()[:4] == b"\x89PNG"


def test_kernels_of_several_inputs_have_a_row_an_output() -> None:
    weights = np.arange(2 * 2 * 3 * 2, dtype=float).reshape(2, 2, 3, 2)
    figure = plot.kernels(weights)
    assert [axes.get_title() for axes in figure.axes] == [f"{i} to {o}" for o in range(2) for i in range(3)]
    np.testing.assert_array_equal(figure.axes[4].images[0].get_array(), weights[:, :, 1, 1])


def test_signals_are_drawn_on_one_scale() -> None:
    curves = np.stack([np.linspace(-1, 1, 9), np.linspace(0, 4, 9), np.zeros(9)])
    figure = plot.signals(curves[..., None], ("a", "b", "c"), colors=("C0", "C3", "C0"), columns=2)
    assert len(figure.axes) == 4
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), curves[1])
    assert figure.axes[1].lines[0].get_color() == "C3"
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim() == (-4.2, 4.2)


def test_volumes_are_seen_from_three_sides() -> None:
    solids = np.random.default_rng(1).random((2, 3, 4, 5))
    figure = plot.volumes(solids[..., None], ("one", "two"))
    pictures = [axes.images[0].get_array() for axes in figure.axes]
    for number, solid in enumerate(solids):
        np.testing.assert_allclose(pictures[number], solid.mean(0))
        np.testing.assert_allclose(pictures[2 + number], solid.mean(1))
        np.testing.assert_allclose(pictures[4 + number], solid.mean(2).T)
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == [
        "from the front",
        "from above",
        "from the side",
    ]


def test_refuses_what_it_cannot_draw() -> None:
    for kernels in (np.ones((5, 5)), np.ones((3, 3, 3, 1, 1)), np.ones((0, 5, 1, 1))):
        with pytest.raises(ShapeError, match=r"plot.kernels: argument 'kernels'"):
            plot.kernels(kernels)
    for signals, titles in ((np.ones(5), ("a",)), (np.ones((2, 5)), ("a",)), (np.ones((0, 5)), ())):
        with pytest.raises(ShapeError, match=r"plot.signals: argument 'signals'"):
            plot.signals(signals, titles)
    for volumes, titles in ((np.ones((2, 3, 3)), ("a", "b")), (np.ones((2, 3, 3, 3)), ("a",))):
        with pytest.raises(ShapeError, match=r"plot.volumes: argument 'volumes'"):
            plot.volumes(volumes, titles)
