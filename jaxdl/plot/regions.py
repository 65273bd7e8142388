"""What a classifier of two features answers, over the plane."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def regions(
    predict: Callable[[np.ndarray], Any],
    inputs: Any,
    targets: Any,
    *,
    names: Sequence[str] = ("x0", "x1"),
    classes: Sequence[str] | None = None,
    points: int = 300,
    path: str | Path | None = None,
) -> "Figure":
    """Draw the region of each class in the plane of two features, and the examples upon it.

    Args:
        predict: from inputs (batch, 2) float32 to classes (batch,).
        inputs: examples (examples, 2).
        targets: their classes (examples,).
        names: the two features.
        classes: a name for each class; None: class 0, class 1, ...
        points: points of the grid along each feature.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: inputs that do not have two features, or another number of targets.

    Example:
        >>> figure = regions(lambda x: x[:, 0] > 0, [[-1, 0], [1, 1]], [0, 1])
        >>> figure.axes[0].get_xlabel()
        'x0'
    """
    inputs, targets = np.asarray(inputs, np.float32), np.asarray(targets)
    if inputs.ndim != 2 or inputs.shape[1] != 2 or targets.shape != inputs.shape[:1]:
        raise ShapeError(
            explain("plot.regions", "inputs", got=f"of shape {inputs.shape}, targets {targets.shape}",
                    expected="(examples, 2) and (examples,)", fix="choose two columns: inputs[:, [0, 1]]")
        )  # fmt: skip
    count = len(classes) if classes is not None else int(targets.max()) + 1
    told = [f"class {i}" for i in range(count)] if classes is None else classes
    low, high = inputs.min(0), inputs.max(0)
    margin = 0.08 * np.maximum(high - low, 1e-6)
    sides = [np.linspace(a, b, points, dtype=np.float32) for a, b in zip(low - margin, high + margin)]
    grid = np.stack(np.meshgrid(*sides), axis=-1)
    answers = np.asarray(predict(grid.reshape(-1, 2))).astype(int).reshape(points, points)
    figure = _figure.figure(1, panel_size=(6.0, 4.4))
    (axes,) = figure.axes
    colours = [f"C{i % 10}" for i in range(count)]
    axes.contourf(*sides, answers, np.arange(-0.5, count), colors=colours, alpha=0.25)
    for label, (name, colour) in enumerate(zip(told, colours)):
        here = inputs[targets == label]
        axes.scatter(here[:, 0], here[:, 1], s=18, color=colour, edgecolor="0.2", linewidth=0.5, label=name)
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.legend()
    _figure.save(figure, path)
    return figure
