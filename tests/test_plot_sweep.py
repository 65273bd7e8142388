"""Pictures of a sweep: what is drawn is what was recorded; what diverged is marked."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl import net, plot
from jaxdl.errors import DivergenceError, DtypeError
from jaxdl.train import Sweep, Timing, points
from jaxdl.train.sweeps.members import members

NET = net.from_pair(lambda key: {}, lambda params, x: x)


def sweep(hyper: Any, losses: np.ndarray, seeds: Any = 0) -> Sweep:
    """Return a sweep with these losses (members, epochs); NaN from where a member diverged."""
    found = members(hyper, seeds)
    lost = np.isnan(losses).any(axis=1)
    errors = {
        int(i): DivergenceError("", step=0, epoch=int(np.isnan(losses[i]).argmax()), cause="loss")
        for i in np.flatnonzero(lost)
    }
    status = tuple("diverged" if bad else "finished" for bad in lost)
    epochs = np.array([errors[i].epoch if i in errors else losses.shape[1] for i in range(len(losses))])
    history = {"valid_loss": losses, "accuracy": 1 - losses}
    timing = Timing(0, 1, 1)
    return Sweep(NET, {}, {}, (), history, found, status, epochs, errors, timing, "vmap", len(losses))


GRID = points.grid(rate=[0.01, 0.1, 1.0], l2=[0.0, 1.0])
LOSSES = np.stack([np.full(12, 2.0), np.arange(12.0) + 1], axis=1)
LOSSES[5, 1] = np.nan  # one seed of rate 0.1, l2 0
LOSSES[10:, 0:] = np.nan  # both of rate 1, l2 1


def test_heat_map_averages_seeds_and_marks_what_diverged(tmp_path: Path) -> None:
    found = sweep(GRID, LOSSES, seeds=[0, 1])
    figure = plot.heat_map(found, "rate", "l2", path=tmp_path / "map.png")
    axes = figure.axes[0]
    expected = [[1.5, 5.0, 9.5], [3.5, 7.5, np.nan]]
    np.testing.assert_allclose(np.ma.filled(axes.images[0].get_array(), np.nan), expected)
    hatched = [patch.get_xy() for patch in axes.patches if patch.get_hatch()]
    assert hatched == [(0.5, -0.5), (1.5, 0.5)]
    assert axes.patches[-1].get_xy() == (-0.5, -0.5)
    assert [text.get_text() for text in axes.texts] == ["1.5", "5", "9.5", "3.5", "7.5", "diverged"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("rate", "l2")
    assert (tmp_path / "map.png").read_bytes()[:4] == b"\x89PNG"
    best = plot.heat_map(found, "rate", "l2", value="accuracy", mode="max").axes[0].patches[-1]
    assert best.get_xy() == (-0.5, -0.5)
    worst = plot.heat_map(found, "rate", "l2", mode="max").axes[0].patches[-1]
    assert worst.get_xy() == (1.5, -0.5)


def test_heat_map_refuses_what_is_no_grid() -> None:
    losses = np.ones((3, 1))
    drawn = sweep(points.zip(rate=[0.1, 0.2, 0.3], l2=[1, 2, 3]), losses)
    with pytest.raises(ValueError, match="no grid over rate and l2; expected 9 cells"):
        plot.heat_map(drawn, "rate", "l2")
    with pytest.raises(ValueError, match="over 'l2' too"):
        plot.heat_map(drawn, "rate", "seed")
    with pytest.raises(ValueError, match="'rate', 'l2', 'seed'"):
        plot.heat_map(drawn, "rate", "beta")
    with pytest.raises(ValueError, match="mode='max' for an accuracy"):
        plot.heat_map(drawn, "rate", "l2", value="accuracy")
    with pytest.raises(DtypeError, match="expected a Sweep"):
        plot.heat_map({}, "rate", "l2")  # type: ignore[arg-type]


def test_curves_are_those_of_the_members_and_end_with_a_cross() -> None:
    found = sweep(GRID, LOSSES, seeds=[0, 1])
    figure = plot.parallel_curves(found, colour="rate")
    axes = figure.axes[0]
    for line, curve in zip(axes.lines, LOSSES, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), curve)
    assert len({line.get_color() for line in axes.lines}) == 3
    assert [tuple(mark.get_offsets()[0]) for mark in axes.collections] == [(1, 2.0)]
    assert axes.get_title() == "12 members, 3 diverged"
    assert figure.axes[1].get_ylabel() == "rate"
    with pytest.raises(KeyError, match="'f1' was not recorded"):
        plot.parallel_curves(found, colour="rate", value="f1")
    nothing = np.full((12, 2), np.nan)
    nothing[10, 0] = 1.0  # of a member that diverged
    found = dataclasses.replace(found, history={"valid_loss": nothing})
    with pytest.raises(ValueError, match="'valid_loss' has no finite value of a member that did not diverge"):
        plot.parallel_curves(found, colour="rate")
