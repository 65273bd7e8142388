"""Pictures of a sweep: a map over two hyperparameters, and the curves of all members."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl import _checks
from jaxdl.errors import explain
from jaxdl.plot import _figure
from jaxdl.train import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDED = 100  # cells up to which each has its value written in it
WIDE = 10  # a ratio of values from which their scale is logarithmic


def heat_map(
    sweep: Sweep,
    x: str,
    y: str,
    *,
    value: str = "valid_loss",
    mode: str | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw the final value of a curve over two hyperparameters, averaged over the seeds; the best is framed.

    A cell is hatched where a member diverged, and has no colour where all of its members did.

    Args:
        sweep: the `Sweep`, a grid over both.
        x: hyperparameter of the columns, or ``"seed"``.
        y: hyperparameter of the rows, or ``"seed"``.
        value: name of a curve.
        mode: ``"min"`` or ``"max"``: what is best; None means ``"min"`` for losses, and must be said for all
            else.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: `sweep` is something else.
        ValueError: no such hyperparameter, no grid over both, another one that varies, or no `mode`.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxdl import losses, net, optim, train
        >>> line = net.from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> data = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
        >>> found = train.sweep(line, (data, 3 * data), loss=losses.squared_error, epochs=2, batch_size=8,
        ...                     optimizer=lambda hyper: optim.momentum(hyper["rate"], beta=hyper["beta"]),
        ...                     hyper=train.points.grid(rate=[0.1, 0.2, 0.5], beta=[0.0, 0.5]),
        ...                     progress="off")
        >>> figure = heat_map(found, "rate", "beta", value="loss")
        >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
        ['0.1', '0.2', '0.5']
    """
    _figure.require("plot.heat_map", "sweep", sweep, Sweep, "train.sweep(...)")
    best = sweep.index(value, mode=mode)
    columns, rows = _column(sweep, "x", x), _column(sweep, "y", y)
    _check_grid(sweep, x, y, columns, rows)
    across, i = np.unique(columns, return_inverse=True)
    down, j = np.unique(rows, return_inverse=True)
    total, count, diverged = np.zeros((3, len(down), len(across)))
    final = sweep.final(value)
    good = np.isfinite(final)
    np.add.at(total, (j[good], i[good]), final[good])
    np.add.at(count, (j[good], i[good]), 1)
    np.add.at(diverged, (j[~good], i[~good]), 1)
    cells = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    size = (min(max(5.2, 1.8 + 0.5 * len(across)), 11), min(max(3.6, 1.4 + 0.36 * len(down)), 8))
    figure = _figure.figure(1, panel_size=size)
    _cells(figure, cells, diverged, value, "max" if final[best] > np.nanmin(final) else "min")
    axes = figure.axes[0]
    for ticks, name, values, axis in ((axes.set_xticks, x, across, "x"), (axes.set_yticks, y, down, "y")):
        kept = np.arange(0, len(values), -(-len(values) // 20))
        ticks(kept, [f"{values[k]:.3g}" for k in kept])
        axes.set(**{f"{axis}label": name.replace("_", " ")})
    if len(across) > 8:
        axes.tick_params(axis="x", rotation=60)
    _figure.save(figure, path)
    return figure


def parallel_curves(
    sweep: Sweep, *, colour: str, value: str = "valid_loss", path: str | Path | None = None
) -> "Figure":
    """Draw a curve for each member by epoch, coloured by a hyperparameter.

    A cross marks the last finite value of a member that diverged, a dot the end of one that stopped early
    or was interrupted.

    Args:
        sweep: the `Sweep`.
        colour: hyperparameter of the colour, or ``"seed"``.
        value: name of a curve.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: `sweep` is something else.
        ValueError: no such hyperparameter, not one value an epoch, or no finite value of any member that did
            not diverge.
        KeyError: `value` was not recorded.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxdl import losses, net, optim, train
        >>> line = net.from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> data = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
        >>> found = train.sweep(line, (data, 3 * data), loss=losses.squared_error, epochs=2, batch_size=8,
        ...                     optimizer=lambda hyper: optim.sgd(hyper["rate"]),
        ...                     hyper=train.points.grid(rate=[0.1, 0.2, 0.5]), progress="off")
        >>> len(parallel_curves(found, colour="rate", value="loss").axes[0].lines)
        3
    """
    from matplotlib.cm import ScalarMappable

    _figure.require("plot.parallel_curves", "sweep", sweep, Sweep, "train.sweep(...)")
    values = _column(sweep, "colour", colour)
    sweep.final(value)
    curves = sweep.history[value]
    sane = curves[[status != "diverged" for status in sweep.status]]
    if not np.isfinite(sane).any():
        raise ValueError(
            f"plot.parallel_curves: '{value}' has no finite value of a member that did not diverge"
        )
    figure = _figure.figure(1, panel_size=(6.8, 4.0))
    axes = figure.axes[0]
    scale = ScalarMappable(_norm(values), "viridis")
    epochs = np.arange(1, curves.shape[1] + 1)
    for number, curve in enumerate(curves):
        tint = scale.to_rgba(values[number])
        seen = np.isfinite(curve)
        axes.plot(epochs, curve, color=tint, linewidth=0.9, alpha=0.75)
        if seen.any() and sweep.status[number] != "finished":
            last = np.flatnonzero(seen)[-1]
            mark = "x" if sweep.status[number] == "diverged" else "."
            axes.scatter(
                epochs[last], curve[last], color="C3" if mark == "x" else tint, marker=mark, zorder=3
            )
    _range(axes, sane[np.isfinite(sane)])
    diverged = len(sweep.errors)
    title = f"{len(sweep)} members" + (f", {diverged} diverged" if diverged else "")
    axes.set(xlabel="epoch", ylabel=value.replace("_", " "), title=title)
    axes.grid(alpha=0.3)
    figure.colorbar(scale, ax=axes, label=colour.replace("_", " "))
    _figure.save(figure, path)
    return figure


def _column(sweep: Sweep, argument: str, name: str) -> np.ndarray:
    known = {**sweep.hyper, "seed": sweep.seeds}
    _checks.one_of("plot", argument, name, list(known))
    return known[name]


def _check_grid(sweep: Sweep, x: str, y: str, columns: np.ndarray, rows: np.ndarray) -> None:
    others = [name for name, value in sweep.hyper.items() if name not in (x, y) and len(np.unique(value)) > 1]
    if others:
        raise ValueError(
            explain("plot.heat_map", "sweep", got=f"over '{others[0]}' too",
                    expected=f"over {x} and {y} alone",
                    fix="a mean over it would hide what it does; sweep over two at a time")
        )  # fmt: skip
    cells = len(np.unique(columns)) * len(np.unique(rows))
    if cells != len(np.unique(np.stack([columns, rows]), axis=1).T):
        raise ValueError(
            explain("plot.heat_map", "sweep", got=f"no grid over {x} and {y}",
                    expected=f"{cells} cells, all filled",
                    fix="train.points.grid(...), or plot.parallel_curves for points drawn at random")
        )  # fmt: skip


def _cells(figure: "Figure", cells: np.ndarray, diverged: np.ndarray, value: str, mode: str) -> None:
    from matplotlib.patches import Rectangle

    axes = figure.axes[0]
    norm = _norm(cells[np.isfinite(cells)])
    axes.set_facecolor("0.92")
    image = axes.imshow(cells, cmap="viridis_r" if mode == "min" else "viridis", norm=norm, origin="lower",
                        aspect="auto")  # fmt: skip
    for row, column in np.argwhere(diverged > 0):
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", edgecolor="C3",
                                 linewidth=0))  # fmt: skip
    row, column = np.unravel_index((np.nanargmin if mode == "min" else np.nanargmax)(cells), cells.shape)
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="C1", linewidth=2.5))
    if cells.size <= WORDED:
        for (row, column), cell in np.ndenumerate(cells):
            dark = np.isfinite(cell) and (norm(cell) > 0.5) == (mode == "min")
            words = f"{cell:.3g}" if np.isfinite(cell) else "diverged"
            axes.text(column, row, words, ha="center", va="center", color="w" if dark else "k", fontsize=8)
    figure.colorbar(image, ax=axes, label=value.replace("_", " "))


def _norm(values: np.ndarray) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    low, high = float(values.min()), float(values.max())
    return LogNorm(low, high) if low > 0 and high >= WIDE * low else Normalize(low, high)


def _range(axes: "Axes", sane: np.ndarray) -> None:
    """Show these values, of the members that did not diverge; on a log scale where they differ widely."""
    low, high = sane.min(), sane.max()
    if low > 0 and high >= WIDE * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.2, high * 1.2)
    else:
        margin = 0.05 * (high - low) or 0.1
        axes.set_ylim(low - margin, high + margin)
