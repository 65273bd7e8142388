"""Decision boundaries of two features."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID = 200


def boundary(
    model: Callable[[Any], Any],
    inputs: Any,
    targets: Any,
    *,
    title: str | None = None,
    names: tuple[str, str] = ("x1", "x2"),
    classes: Sequence[str] | None = None,
    axes: "Axes | None" = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw the regions in which a classifier of two features answers each class, and its examples.

    Args:
        model: maps inputs (batch, 2) to (batch,), above 0 for class 1, or to logits (batch, classes).
            Features made of the two belong inside: ``lambda x: model(features.circle(x))``.
        inputs: (examples, 2).
        targets: (examples,) integers, class numbers.
        title: written above, or None.
        names: of the two features.
        classes: names of the classes; None numbers them.
        axes: matplotlib axes to draw into; None makes a figure of its own.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: inputs that are not (examples, 2), or targets or outputs that do not fit.
        FormatError: inputs or outputs that are not finite.

    Example:
        >>> figure = boundary(lambda x: x[:, 0] - x[:, 1], np.eye(2), np.array([1, 0]))
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['class 0', 'class 1']
    """
    inputs, targets = _examples(inputs, targets)
    x, y = (_span(column) for column in inputs.T)
    mesh = np.meshgrid(x, y)
    grid = np.stack([part.ravel() for part in mesh], axis=1).astype(np.float32)
    answers = _answers(model, grid)
    labels = (
        [f"class {i}" for i in range(max(answers.max(), targets.max()) + 1)] if classes is None else classes
    )
    drawn = _figure.figure(1, panel_size=(5.2, 4.4)) if axes is None else cast("Figure", axes.figure)
    axes = drawn.axes[0] if axes is None else axes
    levels = np.arange(len(labels) + 1) - 0.5
    colours = [f"C{i % 10}" for i in range(len(labels))]
    regions = answers.reshape(mesh[0].shape)
    axes.contourf(*mesh, regions, levels=levels, colors=colours, alpha=0.2)
    if regions.min() < regions.max():
        axes.contour(*mesh, regions, levels=levels[1:-1], colors="0.3", linewidths=1)
    for number, label in enumerate(labels):
        chosen = inputs[targets == number]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=18 if len(inputs) > 30 else 90,
            color=colours[number],
            edgecolors="white",
            linewidths=0.4,
            label=label,
        )
    axes.set(xlabel=names[0], ylabel=names[1], title=title or "")
    axes.legend()
    _figure.save(drawn, path)
    return drawn


def _span(column: np.ndarray) -> np.ndarray:
    low, high = column.min(), column.max()
    margin = 0.1 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, GRID)


def _examples(inputs: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    if inputs.ndim != 2 or inputs.shape[1] != 2 or not len(inputs):
        raise ShapeError(
            explain("plot.boundary", "inputs", got=f"of shape {inputs.shape}", expected="(examples, 2)",
                    fix="choose two features: inputs[:, [0, 1]]")
        )  # fmt: skip
    if targets.shape != inputs.shape[:1] or targets.dtype.kind not in "biu" or targets.min() < 0:
        raise ShapeError(
            explain("plot.boundary", "targets", got=f"of shape {targets.shape} and dtype {targets.dtype}",
                    expected=f"class numbers ({len(inputs)},)", fix="targets.ravel().astype(int)")
        )  # fmt: skip
    if not np.isfinite(inputs).all():
        raise FormatError(explain("plot.boundary", "inputs", got="not finite", expected="finite numbers",
                                  fix="drop or fill in those rows"))  # fmt: skip
    return inputs, targets.astype(int)


def _answers(model: Callable[[Any], Any], grid: np.ndarray) -> np.ndarray:
    outputs = np.asarray(model(grid))
    if outputs.shape[:1] != grid.shape[:1] or outputs.ndim > 2:
        raise ShapeError(
            explain("plot.boundary", "model", got=f"a function that returns shape {outputs.shape}",
                    expected=f"({len(grid)},) or ({len(grid)}, classes)", fix="give one answer an example")
        )  # fmt: skip
    if not np.isfinite(outputs).all():
        raise FormatError(explain("plot.boundary", "model", got="a function that answers NaN",
                                  expected="finite answers", fix="see the status of the fit"))  # fmt: skip
    if outputs.ndim == 2 and outputs.shape[1] > 1:
        return outputs.argmax(axis=1)
    return (outputs.reshape(-1) > 0).astype(int)
