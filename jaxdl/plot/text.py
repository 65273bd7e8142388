"""Pictures of models of text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def language_model(
    curves: Mapping[str, Any],
    *,
    levels: Mapping[str, float] | None = None,
    temperatures: Sequence[float] = (),
    shares: Mapping[str, Any] | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw how a model of text learns, beside simpler models, and what becomes of its texts by temperature.

    Args:
        curves: losses in nats a token by name, (epochs,) each.
        levels: losses of models that do not learn by epochs, such as a trigram's, drawn as lines.
        temperatures: at which texts were generated; none leaves the second panel out.
        shares: what share of the texts is so, in [0, 1], by name, one for each temperature.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: no curve, or not one share for each temperature.

    Example:
        >>> figure = language_model({"validation": [2.5, 2.1]}, levels={"trigram": 2.3},
        ...                         temperatures=(0.5, 1.0), shares={"new": [0.4, 0.9]})
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['epoch', 'temperature']
    """
    losses = {name: np.asarray(curve, np.float64) for name, curve in curves.items()}
    parts = {name: np.asarray(share, np.float64) for name, share in (shares or {}).items()}
    if not losses or any(curve.ndim != 1 or curve.size == 0 for curve in losses.values()):
        raise ShapeError(
            explain("plot.language_model", "curves", got=f"{ {n: c.shape for n, c in losses.items()} }",
                    expected="at least one curve, (epochs,) each",
                    fix="{'validation': history['valid_loss']}")
        )  # fmt: skip
    if any(share.shape != (len(temperatures),) for share in parts.values()):
        raise ShapeError(
            explain("plot.language_model", "shares", got=f"{ {n: s.shape for n, s in parts.items()} }",
                    expected=f"{(len(temperatures),)}, one for each temperature",
                    fix="measure at each temperature")
        )  # fmt: skip
    figure = _figure.figure(2 if len(temperatures) else 1)
    axes = figure.axes[0]
    for number, (name, curve) in enumerate(losses.items()):
        axes.plot(np.arange(1, len(curve) + 1), curve, f"C{number}-", label=name)
    for number, (name, level) in enumerate((levels or {}).items(), len(losses)):
        axes.axhline(level, color=f"C{number}", linestyle="--", label=f"{name}: {level:.3f}")
    axes.set(xlabel="epoch", ylabel="nats a token")
    if len(temperatures):
        for number, (name, share) in enumerate(parts.items()):
            figure.axes[1].plot(temperatures, 100 * share, f"C{number}o-", label=name)
        figure.axes[1].set(xlabel="temperature", ylabel="% of the texts", ylim=(-3, 103))
    for axes in figure.axes:
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    _figure.save(figure, path)
    return figure
