"""Precision against recall of a detector, and its average precision by class."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _boxes, _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxdl.metrics.detection import MeanAveragePrecision


def average_precision(
    result: "MeanAveragePrecision",
    *,
    names: Sequence[str] | None = None,
    threshold: float | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw precision against recall, a line a class, and the average precision of each.

    Args:
        result: from `metrics.mean_average_precision`.
        names: the name of each class; None numbers them.
        threshold: which of the IoU thresholds of `result`; None: its first.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure, of two panels.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: not as many names as classes.
        ValueError: a threshold that `result` does not have.

    Example:
        >>> from jaxdl import metrics
        >>> from jaxdl.boxes import Detections
        >>> one = np.array([[[1.0, 1.0, 5.0, 6.0]]])
        >>> found = Detections(one, np.array([[0.8]]), np.array([[0]]), np.array([[True]]))
        >>> targets = {"boxes": one, "labels": np.array([[0]]), "mask": np.array([[True]])}
        >>> result = metrics.mean_average_precision(found, targets, num_classes=1)
        >>> average_precision(result).axes[0].get_title()
        'mAP 1.000 at IoU 0.5'
    """
    labelled = _names("plot.average_precision", names, result.table.shape[1])
    row = _row(result, threshold)
    figure = _figure.figure(2, panel_size=(4.8, max(3.6, 0.24 * len(labelled) + 1)))
    left, right = figure.axes
    for label, curve in enumerate(result.curves[row]):
        recall, envelope = np.asarray(curve.recall), np.asarray(curve.envelope)
        if len(recall) and np.isfinite(recall).all():
            left.plot(
                [0, *recall],
                [envelope[0], *envelope],
                drawstyle="steps-pre",
                color=_boxes.colour(int(label)),
                linewidth=1.4,
            )
    mean = result.per_threshold[row]
    left.set(xlabel="recall", ylabel="precision (interpolated)",
             xlim=(0, 1.02), ylim=(0, 1.03),
             title=f"mAP {mean:.3f} at IoU {result.thresholds[row]:g}")  # fmt: skip
    left.grid(alpha=0.3)
    values = np.asarray(result.table[row])
    places = np.arange(len(values))
    right.barh(places, np.nan_to_num(values), color=[_boxes.colour(int(label)) for label in places])
    for place, value in enumerate(values):
        text = f"{value:.3f}" if np.isfinite(value) else "no object"
        inner = np.isfinite(value) and value > 0.2
        right.text(value - 0.015 if inner else np.nan_to_num(value) + 0.015, place, text, va="center",
                   ha="right" if inner else "left", fontsize=8)  # fmt: skip
    counts = [f"{name} ({count})" for name, count in zip(labelled, result.objects)]
    right.set_yticks(places, counts, fontsize=8)
    right.invert_yaxis()
    right.set(xlim=(0, 1.02), xlabel="average precision", title="by class (objects)")
    _figure.save(figure, path)
    return figure


def _row(result: "MeanAveragePrecision", threshold: float | None) -> int:
    near = [i for i, one in enumerate(result.thresholds) if threshold is None or abs(one - threshold) < 1e-9]
    if not near:
        raise ValueError(
            explain("plot.average_precision", "threshold", got=threshold,
                    expected=f"one of {result.thresholds}", fix="threshold=None for the first")
        )  # fmt: skip
    return near[0]


def _names(op: str, names: Sequence[str] | None, count: int) -> list[str]:
    if names is not None and len(names) != count:
        raise ShapeError(
            explain(op, "names", got=f"{len(names)} names", expected=f"one for each of {count} classes",
                    fix="name every class once")
        )  # fmt: skip
    return [str(k) for k in range(count)] if names is None else list(names)
