"""Curves of many runs: their mean, and how far they lie apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def spread(
    x: Any,
    curves: Mapping[str, Any],
    *,
    xlabel: str = "",
    ylabel: str = "",
    levels: Mapping[str, float] | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw the mean of many runs in a band of one standard deviation, and their whole range paler.

    The band is cut where it leaves the range.

    Args:
        x: (points,) the common axis.
        curves: arrays (runs, points) by name.
        xlabel: what `x` is, with its unit.
        ylabel: what the curves are.
        levels: horizontal lines to compare with, by name.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: no curve, or one that is not (runs, points).

    Example:
        >>> figure = spread([1, 2, 3], {"reward": [[0, 1, 2], [0, 3, 4]]})
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [0.0, 2.0, 3.0]
    """
    x, arrays = np.asarray(x), {name: np.asarray(runs, float) for name, runs in curves.items()}
    wrong = {name: runs.shape for name, runs in arrays.items() if runs.ndim != 2 or runs.shape[1:] != x.shape}
    if wrong or not arrays:
        raise ShapeError(
            explain("plot.spread", "curves", got=f"of shapes {wrong}" if wrong else "empty",
                    expected=f"arrays (runs, {x.size}) by name", fix="one row a run, one column a point of x")
        )  # fmt: skip
    figure = _figure.figure(1, panel_size=(6.4, 4.0))
    (axes,) = figure.axes
    for i, (name, runs) in enumerate(arrays.items()):
        mean, deviation = runs.mean(0), runs.std(0)
        axes.plot(x, mean, f"C{i}-", label=f"{name} (mean of {len(runs)})")
        low, high = runs.min(0), runs.max(0)
        # Not beyond the runs themselves, as where nearly all reach the highest value there is.
        band = np.maximum(mean - deviation, low), np.minimum(mean + deviation, high)
        axes.fill_between(x, *band, color=f"C{i}", alpha=0.3, linewidth=0)
        axes.fill_between(x, low, high, color=f"C{i}", alpha=0.12, linewidth=0)
    for i, (name, level) in enumerate((levels or {}).items()):
        axes.axhline(level, color="0.3", linestyle=("--", ":", "-.")[i % 3], linewidth=1, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    axes.legend()
    _figure.save(figure, path)
    return figure
