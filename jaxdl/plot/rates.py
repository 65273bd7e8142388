"""Learning rates: what a range test found."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rate_range(found: Any, *, path: str | Path | None = None) -> "Figure":
    """Draw the loss over the learning rate, and the rate that is suggested.

    Args:
        found: a `train.RateRange`: rates, losses, smoothed (steps,), counted and suggested.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: a `RateRange` of a sweep, or nothing was counted.

    Example:
        >>> from jaxdl.train import RateRange
        >>> rates = np.geomspace(1e-3, 1, 20)
        >>> figure = rate_range(RateRange(rates, 1 - rates, 1 - rates, 20, 0.1))
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['loss of the step', 'smoothed', 'steepest descent: 0.1']
    """
    if np.ndim(found.counted) != 0 or int(found.counted) < 1:
        raise ValueError(
            "plot.rate_range: argument 'found' is a sweep, or counts no step; expected one range test. "
            "Fix: draw jax.tree.map(lambda leaf: leaf[0], found), or lower `low`"
        )
    figure = _figure.figure(1, panel_size=(6.4, 4.0))
    axes = figure.axes[0]
    rates, losses, smoothed = (np.asarray(part) for part in found[:3])
    kept = slice(int(found.counted))
    axes.plot(rates[kept], losses[kept], "C0.", alpha=0.4, label="loss of the step")
    axes.plot(rates[kept], smoothed[kept], "C0-", label="smoothed")
    if np.isfinite(found.suggested):
        label = f"steepest descent: {float(found.suggested):.2g}"
        axes.axvline(float(found.suggested), color="C1", label=label)
    if int(found.counted) < len(rates):
        axes.axvspan(rates[kept][-1], rates[-1], color="C3", alpha=0.12, label="diverged")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", xlim=(rates[0], rates[-1]))
    axes.set_ylim(top=1.15 * np.max(smoothed[kept]), bottom=min(0.0, float(np.min(losses[kept]))))
    axes.grid(alpha=0.3)
    axes.legend()
    _figure.save(figure, path)
    return figure
