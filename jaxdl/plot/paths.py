"""Costs of two weights: contours, the paths that rules take over them, and the field of gradients."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Interval = tuple[float, float]
Cost = Callable[[jax.Array], jax.Array]
GRID = 161


def paths(
    cost: Cost,
    walks: Mapping[str, Any],
    *,
    xlim: Interval,
    ylim: Interval,
    minimum: tuple[float, float] | None = None,
    levels: int = 18,
    columns: int = 2,
    path: str | Path | None = None,
) -> "Figure":
    """Draw the paths that rules take over the contours of a cost of two weights, one panel each.

    Args:
        cost: ``cost(w) -> scalar`` for w (2,), traceable.
        walks: paths (steps, 2) by name, such as `optim.trajectory` returns.
        xlim: what is drawn of the first weight.
        ylim: what is drawn of the second weight.
        minimum: marked by a cross, or None.
        levels: number of contours; they lie closer together where the cost is low.
        columns: panels in a row.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: a walk that is not (steps, 2), or a cost that is no scalar.
        ValueError: no walk, or an empty interval.

    Example:
        >>> from jaxdl import optim
        >>> bowl = lambda w: w[0] ** 2 / 20 + w[1] ** 2
        >>> walk = optim.trajectory(bowl, jnp.array([-7.0, 2.0]), optim.adam(0.3), steps=30)
        >>> figure = paths(bowl, {"Adam": walk}, xlim=(-10, 10), ylim=(-5, 5))
        >>> figure.axes[0].get_title()
        'Adam'
    """
    walks = {name: np.asarray(walk) for name, walk in walks.items()}
    if not walks:
        raise ValueError(explain("plot.paths", "walks", got="empty", expected="at least one path",
                                 fix="{'SGD': optim.trajectory(...)}"))  # fmt: skip
    for name, walk in walks.items():
        if walk.ndim != 2 or walk.shape[1] != 2:
            raise ShapeError(explain("plot.paths", f"walks['{name}']", got=f"of shape {walk.shape}",
                                     expected="(steps, 2)", fix="a cost of two weights"))  # fmt: skip
    grid = _grid("plot.paths", cost, xlim, ylim, GRID)
    columns = min(_checks.positive_integer("plot.paths", "columns", columns), len(walks))
    _checks.positive_integer("plot.paths", "levels", levels, least=2)
    figure = _figure.figure(columns, rows=-(-len(walks) // columns))
    for axes, (name, walk) in zip(figure.axes, walks.items()):
        _contours(axes, *grid, levels)
        axes.plot(walk[:, 0], walk[:, 1], "o-", color="C3", markersize=3, linewidth=1, clip_on=True)
        axes.plot(*walk[0], "s", color="C3", markersize=6, label="start")
        x, y = np.round(walk[-1].astype(float), 2) + 0.0  # so that no -0.00 is written
        axes.plot(*walk[-1], "D", color="k", markersize=5, label=f"end ({x:.2f}, {y:.2f})")
        if minimum is not None:
            axes.plot(*minimum, "+", color="C0", markersize=11, markeredgewidth=2, label="minimum")
        axes.set(title=name, xlim=xlim, ylim=ylim, xlabel="$w_0$", ylabel="$w_1$")
        axes.legend(fontsize=8, loc="lower right")
    for axes in figure.axes[len(walks) :]:
        axes.set_axis_off()
    _figure.save(figure, path)
    return figure


def gradient_field(
    cost: Cost,
    *,
    xlim: Interval,
    ylim: Interval,
    arrows: int = 17,
    levels: int = 18,
    path: str | Path | None = None,
) -> "Figure":
    """Draw the field of ``-grad cost`` over the contours of a cost of two weights.

    An arrow stands at right angles to the contour through it: in a valley it points across, not along it.
    All are drawn of one length, and coloured by the norm of the gradient.

    Args:
        cost: ``cost(w) -> scalar`` for w (2,), traceable.
        xlim: what is drawn of the first weight.
        ylim: what is drawn of the second weight.
        arrows: arrows in a row, and in a column.
        levels: number of contours.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: a cost that is no scalar.
        ValueError: an empty interval, or fewer than two arrows.

    Example:
        >>> figure = gradient_field(lambda w: w[0] ** 2 / 20 + w[1] ** 2, xlim=(-10, 10), ylim=(-5, 5))
        >>> figure.axes[0].get_title()
        'against the gradient'
    """
    _checks.positive_integer("plot.gradient_field", "arrows", arrows, least=2)
    _checks.positive_integer("plot.gradient_field", "levels", levels, least=2)
    grid = _grid("plot.gradient_field", cost, xlim, ylim, GRID)
    x, y, _ = _grid("plot.gradient_field", cost, xlim, ylim, arrows)
    downhill = -np.asarray(jax.vmap(jax.grad(cost))(jnp.stack([x.ravel(), y.ravel()], 1).astype(jnp.float32)))
    height = min(8.0, 1.0 + 6.0 * (ylim[1] - ylim[0]) / (xlim[1] - xlim[0]))
    figure = _figure.figure(1, panel_size=(7.6, height))
    axes = figure.axes[0]
    _contours(axes, *grid, levels)
    norms = np.linalg.norm(downhill, axis=1)
    units = downhill / np.maximum(norms, np.finfo(np.float32).tiny)[:, None]
    field = axes.quiver(x.ravel(), y.ravel(), *units.T, norms, cmap="plasma_r", width=0.003,
                        scale=1.9 * arrows)  # fmt: skip
    figure.colorbar(field, ax=axes, label="norm of the gradient")
    axes.set(xlim=xlim, ylim=ylim, xlabel="$w_0$", ylabel="$w_1$", title="against the gradient")
    axes.set_aspect("equal")  # else no arrow would stand at right angles to its contour
    _figure.save(figure, path)
    return figure


def _grid(op: str, cost: Cost, xlim: Interval, ylim: Interval, points: int) -> tuple[Any, Any, Any]:
    for name, (low, high) in (("xlim", xlim), ("ylim", ylim)):
        if not low < high:
            raise ValueError(
                explain(op, name, got=(low, high), expected="low < high", fix=f"{name}=(-10, 10)")
            )
    found = jax.eval_shape(cost, jax.ShapeDtypeStruct((2,), jnp.float32))
    if found.shape != ():
        raise ShapeError(
            explain(op, "cost", got=f"a function that returns shape {found.shape}",
                    expected="a scalar for w (2,)", fix="lambda w: w[0] ** 2 + w[1] ** 2")
        )  # fmt: skip
    x, y = np.meshgrid(np.linspace(*xlim, points), np.linspace(*ylim, points))
    z = jax.vmap(cost)(jnp.asarray(np.stack([x.ravel(), y.ravel()], 1), jnp.float32))
    return x, y, np.asarray(z).reshape(x.shape)


def _contours(axes: Any, x: Any, y: Any, z: Any, levels: int) -> None:
    heights = z.min() + (z.max() - z.min()) * np.linspace(0, 1, levels + 1)[1:] ** 2
    axes.contour(x, y, z, levels=heights, colors="0.55", linewidths=0.7, linestyles="solid")
