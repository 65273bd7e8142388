"""Pictures of model selection: losses against size, against values, and the trials of a search."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import explain
from jaxdl.plot import _figure
from jaxdl.select import Curve, Search

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARTS = (("train_losses", "training", "C0"), ("cv_losses", "cross-validation", "C1"))


def learning_curve(
    curve: Curve, *, baseline: float | None = None, path: str | Path | None = None
) -> "Figure":
    """Draw training and cross-validation loss against the number of training examples.

    With several values there is one panel a value; with several folds a band over the middle half of them.

    Args:
        curve: a `Curve` with sizes, from `select.learning_curve` or `select.validation_curve`.
        baseline: a loss to be drawn as a level, such as that of the noise.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: something else is given.
        ValueError: the curve has no sizes.

    Example:
        >>> from jaxdl.select import Curve
        >>> losses = np.array([[[1.0], [2.0]]])
        >>> curve = Curve(np.array([10, 20]), {}, losses, losses + 1, batch_size=2, memory=0)
        >>> learning_curve(curve).axes[0].get_xlabel()
        'training examples'
    """
    _figure.require("plot.learning_curve", "curve", curve, Curve, "select.learning_curve(...)")
    if curve.sizes is None:
        raise ValueError(
            explain("plot.learning_curve", "curve", got="without sizes", expected="a curve over sizes",
                    fix="plot.validation_curve draws losses against values")
        )  # fmt: skip
    count = curve.cv_losses.shape[2]
    figure = _figure.figure(count)
    for index, axes in enumerate(figure.axes):
        for name, label, colour in PARTS:
            _band(axes, curve.sizes, getattr(curve, name)[:, :, index], label, colour)
        _finish(axes, "training examples", baseline)
        _limit(axes, curve.cv_losses.mean(axis=0)[:, index], curve.train_losses.mean(axis=0)[:, index])
        axes.set_title(
            ", ".join(f"{name} = {v[index]:.3g}" for name, v in curve.values.items() if v.ndim == 1)
        )
    _figure.save(figure, path)
    return figure


def validation_curve(
    curve: Curve,
    *,
    over: str | None = None,
    at: Any = None,
    label: str | None = None,
    baseline: float | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw training and cross-validation loss against the values of a hyperparameter, the best one marked.

    With several sizes there is one panel a size; with several folds a band over the middle half of them.

    Args:
        curve: a `Curve` with values, from `select.validation_curve`.
        over: the keyword whose values are the horizontal axis; None takes the only one.
        at: numbers (values,) for the horizontal axis instead, such as the degrees that masks stand for.
        label: name of the horizontal axis; None takes the keyword.
        baseline: a loss to be drawn as a level, such as that of the noise.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: something else is given.
        ValueError: there is no such keyword, or its values are no numbers (values,).

    Example:
        >>> from jaxdl.select import Curve
        >>> losses = np.array([[[1.0, 2.0]]])
        >>> curve = Curve(None, {"l2": np.array([0.1, 10.0])}, losses, losses + 1, batch_size=2, memory=0)
        >>> axes = validation_curve(curve).axes[0]
        >>> axes.get_xlabel(), axes.get_xscale()
        ('l2', 'log')
    """
    _figure.require("plot.validation_curve", "curve", curve, Curve, "select.validation_curve(...)")
    name = over if over is not None or len(curve.values) != 1 else next(iter(curve.values))
    values = np.asarray(curve.values.get(name, np.empty((0, 0))) if at is None else at)  # type: ignore[arg-type]
    if values.shape != curve.cv_losses.shape[2:]:
        raise ValueError(
            explain("plot.validation_curve", "over" if at is None else "at",
                    got=f"{name!r}, of shape {values.shape}",
                    expected=f"numbers {curve.cv_losses.shape[2:]}, from one of {sorted(curve.values)}",
                    fix="over='l2', or at=degrees for masks")
        )  # fmt: skip
    figure = _figure.figure(curve.cv_losses.shape[1])
    for index, axes in enumerate(figure.axes):
        for part, words, colour in PARTS:
            _band(axes, values, getattr(curve, part)[:, index], words, colour)
        losses = curve.cv_losses.mean(axis=0)[index]
        if np.isfinite(losses).any():
            best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
            axes.plot(values[best], losses[best], "ko", label=f"best: {values[best]:.3g}")
        if values.min() > 0 and values.max() >= 100 * values.min():
            axes.set_xscale("log")
        _finish(axes, label or str(name), baseline)
        _limit(axes, losses, curve.train_losses.mean(axis=0)[index])
        axes.set_title("" if curve.sizes is None else f"{curve.sizes[index]} training examples")
    _figure.save(figure, path)
    return figure


def random_search(search: Search, *, path: str | Path | None = None) -> "Figure":
    """Draw the loss of every trial against each hyperparameter, stage by stage in another colour.

    Args:
        search: a `Search` from `select.random_search`; what is not finite is left out.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: something else is given.

    Example:
        >>> from jaxdl.select import Search
        >>> trials = {"rate": np.array([0.1, 1.0])}
        >>> ranges = {"rate": np.array([[0.01, 1.0]])}
        >>> search = Search(trials, np.array([2.0, 1.0]), np.array([0, 0]), ranges, batch_size=2, memory=0)
        >>> random_search(search).axes[0].get_xlabel()
        'rate'
    """
    _figure.require("plot.random_search", "search", search, Search, "select.random_search(...)")
    figure = _figure.figure(len(search.trials))
    finite = np.isfinite(search.losses)
    for axes, (name, values) in zip(figure.axes, search.trials.items(), strict=True):
        for stage in np.unique(search.stages):
            shown = finite & (search.stages == stage)
            axes.plot(values[shown], search.losses[shown], ".", color=f"C{stage}", label=f"stage {stage + 1}")
        axes.plot(
            search.best[name],
            search.best["loss"],
            "k+",
            markersize=14,
            label=f"best: {search.best[name]:.3g}",
        )
        low, high = search.ranges[name][0]
        if low > 0 and high >= 100 * low:
            axes.set_xscale("log")
        if search.losses[finite].min() > 0:
            axes.set_yscale("log")
        _finish(axes, name, None)
    _figure.save(figure, path)
    return figure


def _band(axes: "Axes", x: np.ndarray, losses: np.ndarray, label: str, colour: str) -> None:
    """Draw the mean over the folds (folds, points), and the middle half of them as a band."""
    mean = losses.mean(axis=0)
    axes.plot(x, mean, ".-", color=colour, label=label)
    if len(losses) > 1:
        low, high = np.quantile(losses, (0.25, 0.75), axis=0)
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def _limit(axes: "Axes", valid: np.ndarray, train: np.ndarray) -> None:
    """Switch to a log scale where losses of very different size would hide the small ones."""
    both = np.concatenate([valid, train])
    both = both[np.isfinite(both)]
    if both.size and both.min() > 0 and both.max() > 30 * np.median(both):
        axes.set_yscale("log")


def _finish(axes: "Axes", label: str, baseline: float | None) -> None:
    if baseline is not None:
        axes.axhline(baseline, color="0.4", linestyle=":", label="baseline")
    axes.set(xlabel=label, ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend()
