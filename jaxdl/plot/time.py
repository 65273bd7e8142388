"""Pictures of what happens along a sequence."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gradients_by_distance(
    norms: Mapping[str, Any],
    *,
    ylabel: str = "gradient norm",
    title: str = "",
    path: str | Path | None = None,
) -> "Figure":
    """Draw a gradient norm by distance in time on a logarithmic axis, one line a network.

    Args:
        norms: by label, an array (distances,) of norms, distance 0 first, or (batch, distances) as
            `jaxdl.vanishing` gives it: the median is drawn, and the middle four fifths shaded. What is 0 or
            not finite is left out.
        ylabel: what the norms are of.
        title: of the picture.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: nothing to draw.

    Example:
        >>> figure = gradients_by_distance({"RNN": [1.0, 0.5, 0.25], "LSTM": [1.0, 0.9, 0.8]})
        >>> [line.get_label() for line in figure.axes[0].lines], figure.axes[0].get_yscale()
        (['RNN', 'LSTM'], 'log')
    """
    curves = {label: np.asarray(curve, np.float64) for label, curve in norms.items()}
    if not curves or not all(curve.ndim in (1, 2) and curve.size for curve in curves.values()):
        raise ValueError(
            explain("gradients_by_distance", "norms", got="without norms",
                    expected="norms (distances,) or (batch, distances) by label",
                    fix="norms={'RNN': vanishing.state_gradient_norms(cell, x, carry)}")
        )  # fmt: skip
    figure = _figure.figure(1, panel_size=(7.2, 4.6))
    (axes,) = figure.axes
    for label, curve in curves.items():
        low, middle, high = np.quantile(np.atleast_2d(curve), (0.1, 0.5, 0.9), axis=0)
        shown = np.isfinite(middle) & (middle > 0)
        distance = np.arange(len(middle))[shown]
        (line,) = axes.plot(distance, middle[shown], label=label)
        if curve.ndim == 2:
            axes.fill_between(distance, low[shown], high[shown], color=line.get_color(), alpha=0.15, lw=0)
    axes.set_yscale("log")
    axes.locator_params(axis="x", integer=True)
    axes.set(xlabel="distance in time, steps", ylabel=ylabel, title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    _figure.save(figure, path)
    return figure
