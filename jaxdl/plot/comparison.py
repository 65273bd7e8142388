"""Runs side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison(
    panels: Mapping[str, Mapping[str, Any]],
    *,
    xlabel: str = "epoch",
    ylabel: str = "loss",
    log: bool = False,
    path: str | Path | None = None,
) -> "Figure":
    """Draw one quantity of several runs: a panel a group, a line a run, all panels on one scale.

    Args:
        panels: by title, by label, values (epochs,), the first at epoch 1.
        xlabel: what the values are over.
        ylabel: what they are.
        log: a logarithmic scale; what is not positive is then left out.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: nothing to draw.

    Example:
        >>> runs = {"ReLU": {"He": [2.0, 1.0, 0.5], "N(0, 0.01)": [2.3, 2.3, 2.3]}}
        >>> figure = comparison(runs)
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['He', 'N(0, 0.01)']
    """
    drawn = {title: {k: np.asarray(v, np.float64) for k, v in runs.items()} for title, runs in panels.items()}
    curves = [curve for runs in drawn.values() for curve in runs.values()]
    if not curves or not all(curve.ndim == 1 and len(curve) for curve in curves):
        raise ValueError(
            explain("comparison", "panels", got="without values (epochs,)", expected="values by run by panel",
                    fix="panels={'ReLU': {'He': history['loss']}}")
        )  # fmt: skip
    figure = _figure.figure(len(drawn), panel_size=(4.2, 3.6))
    for axes, (title, runs) in zip(figure.axes, drawn.items(), strict=True):
        for label, curve in runs.items():
            shown = np.isfinite(curve) & ((curve > 0) | (not log))
            axes.plot(np.arange(1, len(curve) + 1)[shown], curve[shown], label=label)
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    low = min(axes.get_ylim()[0] for axes in figure.axes)
    high = max(axes.get_ylim()[1] for axes in figure.axes)
    for axes in figure.axes:
        axes.set_ylim(low, high)
    _figure.save(figure, path)
    return figure
