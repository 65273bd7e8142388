"""Gradient descent along one parameter, and times by size."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def descent(
    cost: Callable[[Any], Any],
    paths: Mapping[str, Any],
    *,
    span: tuple[float, float] | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw descents of one parameter on the curve of its cost: one panel a path.

    Args:
        cost: the cost of an array of parameters, elementwise.
        paths: by title, the parameter after each step (steps + 1,), the start first.
        span: lowest and highest parameter that are drawn; None: those of the paths, and some room. A path
            that leaves it is drawn to its last point inside, and its title says so.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: a path is not of shape (steps + 1,).
        ValueError: there is no path, or `span` is empty.

    Example:
        >>> figure = descent(lambda w: w**2, {"too small": [1.0, 0.9, 0.81], "too large": [1.0, -1.2, 1.44]})
        >>> [axes.get_title().split(":")[0] for axes in figure.axes]
        ['too small', 'too large']
    """
    points = {name: np.asarray(values, np.float64) for name, values in paths.items()}
    if not points:
        raise ValueError(explain("plot.descent", "paths", got="empty", expected="at least one path",
                                 fix="{'rate 0.1': values}"))  # fmt: skip
    for name, values in points.items():
        if values.ndim != 1 or not values.size:
            raise ShapeError(explain("plot.descent", f"paths['{name}']", got=f"of shape {values.shape}",
                                     expected="(steps + 1,)", fix="pass one parameter by step"))  # fmt: skip
    low, high = span or _span(points)
    if not low < high:
        raise ValueError(explain("plot.descent", "span", got=(low, high), expected="lowest < highest",
                                 fix="span=(-2.0, 2.0)"))  # fmt: skip
    curve = np.linspace(low, high, 400)
    figure = _figure.figure(len(points), panel_size=(4.4, 3.6))
    for axes, (name, values) in zip(figure.axes, points.items(), strict=True):
        inside = np.cumprod((values >= low) & (values <= high)).astype(bool)
        seen = values[inside]
        axes.plot(curve, np.asarray(cost(curve)), color="0.6", label="cost")
        axes.plot(seen, np.asarray(cost(seen)), "o-", color="C3", markersize=4, lw=1, label="steps")
        axes.plot(seen[:1], np.asarray(cost(seen[:1])), "s", color="k", markersize=6, label="start")
        left = "" if inside.all() else f", out of the picture at {int(np.argmin(inside))}"
        axes.set(title=f"{name}:\n{len(values) - 1} steps{left}", xlabel="parameter", ylabel="cost")
        axes.title.set_fontsize(10)
        axes.grid(alpha=0.3)
    figure.axes[0].legend()
    _figure.save(figure, path)
    return figure


def _span(points: Mapping[str, np.ndarray]) -> tuple[float, float]:
    known = np.concatenate(list(points.values()))
    known = known[np.isfinite(known)]
    if not known.size:
        raise ValueError(explain("plot.descent", "paths", got="nowhere finite", expected="finite numbers",
                                 fix="start where the cost is defined"))  # fmt: skip
    room = 0.1 * max(np.ptp(known), 1e-3)
    return float(np.min(known) - room), float(np.max(known) + room)


def times(
    sizes: Any, seconds: Mapping[str, Any], *, xlabel: str = "parameters", path: str | Path | None = None
) -> "Figure":
    """Draw times by size on logarithmic axes, one curve a method.

    Args:
        sizes: sizes (points,), positive.
        seconds: by name of the method, seconds (points,); NaN where it was not run.
        xlabel: what the sizes count.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: times of another length than the sizes.
        ValueError: there is no method.

    Example:
        >>> figure = times([10, 100], {"numerical": [1e-3, 1e-1], "automatic": [1e-4, 2e-4]})
        >>> figure.axes[0].get_xscale(), len(figure.axes[0].lines)
        ('log', 2)
    """
    if not seconds:
        raise ValueError(explain("plot.times", "seconds", got="empty", expected="at least one method",
                                 fix="{'automatic': values}"))  # fmt: skip
    figure = _figure.figure(1)
    axes = figure.axes[0]
    for name, values in seconds.items():
        if np.shape(values) != np.shape(sizes):
            raise ShapeError(explain("plot.times", f"seconds['{name}']", got=f"of shape {np.shape(values)}",
                                     expected=f"{np.shape(sizes)}", fix="one time a size"))  # fmt: skip
        axes.plot(sizes, values, "o-", label=name)
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="seconds")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    _figure.save(figure, path)
    return figure
