"""Pictures of functions, their derivatives and costs of two parameters."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import plot


def test_functions_are_drawn_with_the_derivative_of_jax(tmp_path: Path) -> None:
    figure = plot.functions({"cube": lambda x: x**3}, bounds=(-1, 2), path=tmp_path / "f.png")
    curve, slope = (line.get_xydata() for line in figure.axes[0].lines)
    np.testing.assert_allclose(curve[:, 1], curve[:, 0] ** 3, atol=1e-5)
    np.testing.assert_allclose(slope[:, 1], 3 * slope[:, 0] ** 2, atol=1e-5)
    assert (curve[0, 0], curve[-1, 0]) == (-1, 2)
    assert (tmp_path / "f.png").read_bytes()[:4] == b"\x89PNG"


def test_every_activation_has_its_panel_and_jumps_are_gaps() -> None:
    figure = plot.activations()
    names = [axes.get_title() for axes in figure.axes]
    assert len(names) == 9
    assert [len(axes.lines) for axes in figure.axes] == [2] * 9
    step, slope = (line.get_ydata() for line in figure.axes[names.index("step")].lines)
    assert np.isnan(step).sum() == 1
    assert set(step[~np.isnan(step)]) == {0, 1}
    np.testing.assert_array_equal(slope, 0)
    relu_slope = figure.axes[names.index("relu")].lines[1].get_ydata()
    assert np.isnan(relu_slope).sum() == 1
    tanh = figure.axes[names.index("tanh")].lines[0].get_ydata()
    assert np.isfinite(tanh).all()


def test_step_and_sigmoid_share_a_panel() -> None:
    (axes,) = plot.step_and_sigmoid().axes
    soft, *_, step = (line.get_ydata() for line in axes.lines)
    middle = len(soft) // 2
    assert soft[middle] == pytest.approx(0.5, abs=1e-6)
    assert np.nanmax(np.abs(step - soft)[middle + 100 :]) < 0.2


def test_cost_surfaces_say_where_a_cost_curves_down(tmp_path: Path) -> None:
    costs = {
        "bowl": lambda p: jnp.sum(p**2),
        "half": lambda p: jnp.where(p[0] < 0, -(p[0] ** 2), p[0] ** 2) + p[1] ** 2,
    }
    figure = plot.cost_surfaces(costs, first=(-2, 2), second=(-2, 2), path=tmp_path / "c.png")
    titles = [axes.get_title() for axes in figure.axes[:2]]
    assert titles[0] == "bowl: convex here"
    assert 45 <= float(titles[1].split()[1]) <= 55
    cut = figure.axes[2].lines[0].get_xydata()
    np.testing.assert_allclose(cut[:, 1], cut[:, 0] ** 2, atol=1e-5)
    assert [len(axes.lines) for axes in figure.axes[2:4]] == [1, 2]
    assert (tmp_path / "c.png").stat().st_size > 10_000


def test_they_name_what_is_missing() -> None:
    with pytest.raises(ValueError, match="'curves' is empty"):
        plot.functions({})
    with pytest.raises(ValueError, match="'bounds' is"):
        plot.activations(bounds=(1, -1))
    with pytest.raises(ValueError, match="'costs' is empty"):
        plot.cost_surfaces({})
