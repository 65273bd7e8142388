"""Costs of two parameters, and where they curve down."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cost_surfaces(
    costs: Mapping[str, Callable[[jax.Array], jax.Array]],
    *,
    first: tuple[float, float] = (-6.0, 6.0),
    second: tuple[float, float] = (-6.0, 6.0),
    labels: tuple[str, str] = ("w", "b"),
    path: str | Path | None = None,
) -> "Figure":
    """Draw costs of two parameters: contours above, hatched where they curve down, and a cut below.

    A cost is convex where the least eigenvalue of its Hessian, from ``jax.hessian``, is not negative;
    elsewhere it is hatched. The cut runs through the lowest point of the grid, along the first parameter.

    Args:
        costs: by name, ``cost(parameters (2,)) -> scalar``.
        first: first and last value of the first parameter.
        second: first and last value of the second.
        labels: names of the two.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: no cost.

    Example:
        >>> saddle = {"saddle": lambda p: p[0] ** 2 - p[1] ** 2}
        >>> [axes.get_title() for axes in cost_surfaces(saddle).axes][:1]
        ['saddle: 100 % curves down']
    """
    if not costs:
        raise ValueError(explain("plot.cost_surfaces", "costs", got="empty", expected="costs by name",
                                 fix="cost_surfaces({'bowl': lambda p: (p ** 2).sum()})"))  # fmt: skip
    drawn = _figure.figure(len(costs), rows=2, panel_size=(5.0, 3.6))
    u, v = np.linspace(*first, 81), np.linspace(*second, 81)
    grid = jnp.asarray(np.stack(np.meshgrid(u, v), -1).reshape(-1, 2), jnp.float32)
    for column, (name, cost) in enumerate(costs.items()):
        heights, lowest = (np.asarray(a).reshape(81, 81) for a in _curvature(cost, grid))
        _contours(drawn.axes[column], name, u, v, heights, lowest)
        drawn.axes[column].set(xlabel=labels[0], ylabel=labels[1])
        row = np.unravel_index(np.argmin(heights), heights.shape)[0]
        below = drawn.axes[len(costs) + column]
        below.plot(u, heights[row], "C0", label=f"cost at {labels[1]} = {v[row]:.2g}")
        down = np.where(lowest[row] < -_least(lowest), heights[row], np.nan)
        if not np.isnan(down).all():
            below.plot(u, down, "C3", linewidth=4, alpha=0.5, label="curves down in some direction")
        below.set(xlabel=labels[0], ylabel="cost")
        below.grid(alpha=0.3)
        below.legend(fontsize="small")
    _figure.save(drawn, path)
    return drawn


def _curvature(cost: Callable[[jax.Array], jax.Array], grid: jax.Array) -> tuple[Any, Any]:
    def one(point: jax.Array) -> tuple[jax.Array, jax.Array]:
        return cost(point), jnp.linalg.eigvalsh(jax.hessian(cost)(point))[0]

    return jax.jit(lambda grid: jax.lax.map(one, grid, batch_size=256))(grid)


def _least(lowest: np.ndarray) -> float:
    # Rounding of float32: an eigenvalue of exactly 0 comes out as a little below.
    return 1e-5 * max(1e-6, float(np.max(np.abs(lowest))))


def _contours(
    axes: "Axes", name: str, u: np.ndarray, v: np.ndarray, heights: np.ndarray, lowest: np.ndarray
) -> None:
    down = lowest < -_least(lowest)
    share = 100 * down.mean()
    filled = axes.contourf(u, v, heights, levels=24, cmap="viridis")
    axes.figure.colorbar(filled, ax=axes)
    if down.any():
        hatched = axes.contourf(u, v, down.astype(float), levels=[0.5, 1.5], colors="none", hatches=["//"])
        hatched.set(edgecolor="white", linewidth=0)
    axes.set_title(f"{name}: {share:.0f} % curves down" if down.any() else f"{name}: convex here")
