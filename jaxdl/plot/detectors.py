"""Detectors side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def detectors(
    precisions: Mapping[str, float],
    milliseconds: Mapping[str, Mapping[str, float]],
    *,
    path: str | Path | None = None,
) -> "Figure":
    """Draw how well each detector finds, and beside it what an image costs it, part by part.

    Args:
        precisions: by detector, its mean average precision, in [0, 1].
        milliseconds: by detector, by part, milliseconds an image.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure, the first detector at the top.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: no detector, or others in one mapping than in the other.

    Example:
        >>> times = {"R-CNN": {"proposals": 100.0, "network": 20.0}, "YOLO": {"network": 3.0}}
        >>> figure = detectors({"R-CNN": 0.6, "YOLO": 0.9}, times)
        >>> [text.get_text() for text in figure.axes[1].texts]
        ['120 ms', '3 ms']
    """
    names = list(precisions)
    if not names or names != list(milliseconds):
        raise ShapeError(
            explain("detectors", "milliseconds", got=f"of {list(milliseconds)}",
                    expected=f"the detectors of 'precisions', {names}, one at least",
                    fix="give both for every detector, in one order")
        )  # fmt: skip
    figure = _figure.figure(2, panel_size=(4.6, 0.9 + 0.5 * len(names)))
    left, right = figure.axes
    values = [precisions[name] for name in names]
    left.barh(names, values, color="C0")
    for row, value in enumerate(values):
        left.text(min(value, 1) + 0.02, row, f"{value:.3f}", va="center", fontsize=9)
    left.set(xlabel="mean average precision at IoU .5", xlim=(0, 1.18))
    left.set_xticks(np.linspace(0, 1, 6))
    _stack(right, names, milliseconds)
    for axes in figure.axes:
        axes.invert_yaxis()
        axes.grid(alpha=0.3, axis="x")
        axes.set_axisbelow(True)
    _figure.save(figure, path)
    return figure


def _stack(axes: Any, names: list[str], milliseconds: Mapping[str, Mapping[str, float]]) -> None:
    parts = list(dict.fromkeys(part for times in milliseconds.values() for part in times))
    ends = np.zeros(len(names))
    for number, part in enumerate(parts):
        widths = np.array([milliseconds[name].get(part, 0.0) for name in names])
        axes.barh(names, widths, left=ends, label=part, color=f"C{number + 1}")
        ends += widths
    for row, end in enumerate(ends):
        axes.text(end + 0.02 * ends.max(), row, f"{end:.3g} ms", va="center", fontsize=9)
    axes.set(xlabel="milliseconds an image", xlim=(0, 1.25 * ends.max()), yticklabels=[])
    axes.legend(fontsize=8, loc="lower right")
