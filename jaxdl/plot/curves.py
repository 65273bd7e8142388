"""Curves of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def history(
    values: Mapping[str, Any], *, best: int | None = None, path: str | Path | None = None
) -> "Figure":
    """Draw the learning curves of a run: one panel a quantity, training and validation together.

    Args:
        values: a `History`, or arrays (epochs,) by name; ``valid_x`` is drawn beside ``x``.
        best: an epoch to mark, counted from 0, such as the one that early stopping went back to,
            ``int(fitted.stopping.epoch)``; None or -1 marks none.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: `values` is no mapping, or `best` no whole number.
        ValueError: nothing was recorded, or `best` is no epoch of it.

    Example:
        >>> figure = history({"loss": [2.0, 1.0], "valid_loss": [2.5, 1.5], "valid_accuracy": [0.5, 0.9]})
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['loss', 'accuracy']
    """
    if not isinstance(values, Mapping):
        raise DtypeError(
            explain("plot.history", "values", got=f"a {type(values).__name__}",
                    expected="a History, or a dict of curves", fix="plot.history(fitted.history)")
        )  # fmt: skip
    values = {name: np.asarray(curve) for name, curve in values.items() if np.ndim(curve) == 1}
    quantities = list(dict.fromkeys(name.removeprefix("valid_") for name in values))
    if not quantities:
        raise ValueError("plot.history: nothing was recorded. Fix: pass a History with values")
    epochs = max(len(curve) for curve in values.values())
    if best is not None and _checks.positive_integer("plot.history", "best", best, least=-1) >= epochs:
        raise ValueError(
            explain("plot.history", "best", got=best, expected=f"an epoch in [0, {epochs})",
                    fix="best=int(fitted.stopping.epoch)")
        )  # fmt: skip
    figure = _figure.figure(len(quantities))
    for axes, quantity in zip(figure.axes, quantities, strict=True):
        for name, label, style in (
            (quantity, "training, while it learns", "C0-"),
            (f"valid_{quantity}", "validation, after the epoch", "C1-"),
        ):
            if name in values:
                curve = values[name]
                axes.plot(np.arange(1, len(curve) + 1), curve, style, label=label)
        if quantity == "loss" and all(np.all(v > 0) for k, v in values.items() if "loss" in k):
            axes.set_yscale("log")
        if best is not None and best >= 0:
            axes.axvline(best + 1, color="C2", linestyle="--", label=f"best epoch: {best + 1}")
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.grid(alpha=0.3)
        axes.legend()
    _figure.save(figure, path)
    return figure
