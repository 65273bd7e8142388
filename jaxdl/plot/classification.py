"""Pictures of error analysis: which classes are confused, what a threshold costs, the worst mistakes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxdl.metrics import RocCurve, ThresholdSweep


def confusion_matrix(
    counts: Any, *, classes: Sequence[str] | None = None, path: str | Path | None = None
) -> "Figure":
    """Draw a confusion matrix: the colour is the share of the row, the number the count.

    Args:
        counts: (classes, classes) from `metrics.confusion_matrix`: rows are labels, columns predictions.
        classes: the name of each class; None numbers them.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: the matrix is not square, or the names do not fit.
        FormatError: the matrix is not finite, as it is after a bad label.

    Example:
        >>> figure = confusion_matrix(np.array([[8, 2], [1, 9]]), classes=("cat", "dog"))
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['8', '2', '1', '9']
    """
    counts = np.asarray(counts)
    names = [str(k) for k in range(len(counts))] if classes is None else list(classes)
    if counts.shape != (len(names), len(names)):
        raise ShapeError(
            explain("plot.confusion_matrix", "counts", got=f"of shape {counts.shape}",
                    expected=f"({len(names)}, {len(names)})", fix="name every class once")
        )  # fmt: skip
    if not np.isfinite(counts).all():
        raise FormatError(
            explain("plot.confusion_matrix", "counts", got="not finite", expected="counts",
                    fix="look for labels out of range")
        )  # fmt: skip
    side = max(4.2, 0.55 * len(names) + 1.4)
    figure = _figure.figure(1, panel_size=(side, side))
    axes = figure.axes[0]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-30)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*counts.shape):
        text = f"{counts[i, j]:.4g}" if counts[i, j] else "·"
        axes.text(j, i, text, ha="center", va="center", color="white" if shares[i, j] > 0.5 else "black")
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=0 if max(map(len, names)) < 4 else 45)
    axes.set_yticks(ticks, names)
    axes.set(xlabel="prediction", ylabel="label")
    _figure.save(figure, path)
    return figure


def roc(
    curves: "dict[str, RocCurve]", *, areas: dict[str, float] | None = None, path: str | Path | None = None
) -> "Figure":
    """Draw ROC curves: the true positive rate against the false positive rate.

    Args:
        curves: results of `metrics.roc_curve` by the name of the model.
        areas: areas from `metrics.roc_area` by the same names, for the legend.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> from jaxdl import metrics
        >>> curve = metrics.roc_curve(np.array([0.1, 0.9], np.float32), np.array([0, 1]))
        >>> roc({"a model": curve}, areas={"a model": 1.0}).axes[0].lines[0].get_label()
        'a model: area 1.000'
    """
    figure = _figure.figure(1, panel_size=(4.8, 4.4))
    axes = figure.axes[0]
    for name, curve in curves.items():
        label = name if areas is None else f"{name}: area {areas[name]:.3f}"
        axes.plot(np.asarray(curve.false_positive_rate), np.asarray(curve.true_positive_rate), label=label)
    axes.plot([0, 1], [0, 1], ":", color="0.5", label="chance")
    axes.set(xlabel="false positive rate", ylabel="true positive rate (recall)", aspect="equal")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    _figure.save(figure, path)
    return figure


def precision_recall(
    sweep: "ThresholdSweep", *, share: float | None = None, path: str | Path | None = None
) -> "Figure":
    """Draw precision against recall, and precision, recall and F1 against the threshold.

    Args:
        sweep: the result of `metrics.threshold_sweep`.
        share: share of positive examples, drawn as the precision of chance.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure, of two panels.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> from jaxdl import metrics
        >>> sweep = metrics.threshold_sweep(np.array([0.1, 0.9], np.float32), np.array([0, 1]))
        >>> [axes.get_xlabel() for axes in precision_recall(sweep).axes]
        ['recall', 'threshold']
    """
    figure = _figure.figure(2)
    left, right = figure.axes
    thresholds, precision, recall, f1 = map(np.asarray, sweep)
    left.plot(recall, precision, label="precision")
    if share is not None:
        left.axhline(share, color="0.5", linestyle=":", label="chance")
    left.set(xlabel="recall", ylabel="precision", ylim=(-0.03, 1.03))
    for name, values in (("precision", precision), ("recall", recall), ("F1", f1)):
        right.plot(thresholds, values, label=name)
    best = int(np.argmax(f1))
    right.plot(thresholds[best], f1[best], "ko", label=f"best F1: {f1[best]:.2f} at {thresholds[best]:.2g}")
    right.set(xlabel="threshold", ylim=(-0.03, 1.03))
    for axes in figure.axes:
        axes.grid(alpha=0.3)
        axes.legend()
    _figure.save(figure, path)
    return figure


def worst_mistakes(
    images: Any,
    labels: Any,
    predictions: Any,
    losses: Any,
    *,
    count: int = 20,
    classes: Sequence[str] | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw the images of highest loss, each with its label, the prediction and the loss.

    Args:
        images: (examples, height, width), or (..., 3) in colour.
        labels: integers (examples,), the true class numbers.
        predictions: integers (examples,), class numbers.
        losses: (examples,), such as cross-entropies; NaN counts as the highest of all.
        count: images at most.
        classes: the name of each class; None numbers them.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: the lengths differ, or the images are no images.

    Example:
        >>> figure = worst_mistakes(np.zeros((2, 8, 8)), [3, 4], [5, 4], [2.5, 0.1], count=1)
        >>> figure.axes[0].get_title()
        '3, taken for 5\\nloss 2.50'
    """
    images, labels, predictions, losses = map(np.asarray, (images, labels, predictions, losses))
    if images.ndim not in (3, 4) or not len(images) == len(labels) == len(predictions) == len(losses) > 0:
        shapes = [part.shape for part in (images, labels, predictions, losses)]
        raise ShapeError(
            explain("plot.worst_mistakes", "images", got=f"of shape {shapes[0]}, the others {shapes[1:]}",
                    expected="(examples, height, width) and as many labels, predictions and losses",
                    fix="images.reshape(-1, 8, 8) for rows of 64 pixels")
        )  # fmt: skip
    order = np.argsort(-np.where(np.isnan(losses), np.inf, losses), kind="stable")[:count]
    columns = min(len(order), 5)
    rows = -(-len(order) // columns)
    figure = _figure.figure(columns, rows=rows, panel_size=(1.7, 2.1))

    def name(k: int) -> str:
        return str(k) if classes is None else classes[k]

    for axes in figure.axes:
        axes.axis("off")
    for axes, i in zip(figure.axes, order):
        axes.imshow(images[i], cmap="gray_r" if images.ndim == 3 else None)
        wrong = predictions[i] != labels[i]
        said = (
            f"{name(labels[i])}, taken for {name(predictions[i])}" if wrong else f"{name(labels[i])}, right"
        )
        axes.set_title(f"{said}\nloss {losses[i]:.2f}", fontsize=9, color="C3" if wrong else "black")
    _figure.save(figure, path)
    return figure
