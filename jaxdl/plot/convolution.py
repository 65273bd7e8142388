"""Pictures of what convolutional networks work with: kernels, signals and volumes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def kernels(kernels: Any, *, columns: int = 8, title: str = "", path: str | Path | None = None) -> "Figure":
    """Draw the kernels of a convolution: red adds, blue takes away, white is 0, on one scale.

    Of one input, each kernel is a square in a grid; of several, a row an output and a column an input.

    Args:
        kernels: (height, width, in, out), such as ``fitted.params["layers"][0]["kernel"]``.
        columns: squares in a row, where there is one input.
        title: of the picture.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: kernels that are not of two spatial axes.

    Example:
        >>> figure = kernels(np.ones((5, 5, 1, 6)))
        >>> len(figure.axes[0].images), figure.axes[5].get_title()
        (1, '5')
    """
    weights = np.asarray(kernels, np.float64)
    if weights.ndim != 4 or weights.size == 0:
        raise ShapeError(
            explain("plot.kernels", "kernels", got=f"of shape {weights.shape}",
                    expected="(height, width, in, out)", fix="pass the kernel of a 2D convolution")
        )  # fmt: skip
    inputs, outputs = weights.shape[2:]
    columns = inputs if inputs > 1 else min(columns, outputs)
    figure = _figure.figure(columns, rows=-(-inputs * outputs // columns), panel_size=(1.1, 1.25))
    bound = max(float(np.nanmax(np.abs(weights))), 1e-30)
    for number, axes in enumerate(figure.axes):
        axes.set_xticks([])
        axes.set_yticks([])
        if number >= inputs * outputs:
            axes.axis("off")
            continue
        output, source = divmod(number, inputs)
        axes.imshow(weights[:, :, source, output], cmap="RdBu_r", vmin=-bound, vmax=bound)
        axes.set_title(f"{output}" if inputs == 1 else f"{source} to {output}", fontsize=8)
    figure.suptitle(title, fontsize=10) if title else None
    _figure.save(figure, path)
    return figure


def signals(
    signals: Any,
    titles: Sequence[str],
    *,
    colors: Sequence[str] | None = None,
    columns: int = 4,
    path: str | Path | None = None,
) -> "Figure":
    """Draw signals in a grid, all on one scale.

    Args:
        signals: (count, length), or (count, length, 1).
        titles: one a signal, such as its class.
        colors: one a signal, a name or code of matplotlib; None: all alike.
        columns: signals in a row.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: no signals, or not one title each.

    Example:
        >>> figure = signals(np.zeros((3, 50)), ("a", "b", "c"))
        >>> [axes.get_title() for axes in figure.axes]
        ['a', 'b', 'c']
    """
    curves = np.asarray(signals, np.float64)
    curves = curves[..., 0] if curves.ndim == 3 and curves.shape[-1] == 1 else curves
    if curves.ndim != 2 or not len(curves) == len(titles) > 0:
        raise ShapeError(
            explain("plot.signals", "signals", got=f"of shape {curves.shape}, with {len(titles)} titles",
                    expected="(count, length), and a title each", fix="signals[:8], titles[:8]")
        )  # fmt: skip
    columns = min(columns, len(curves))
    figure = _figure.figure(columns, rows=-(-len(curves) // columns), panel_size=(2.6, 1.5))
    bound = 1.05 * max(float(np.nanmax(np.abs(curves))), 1e-30)
    for number, axes in enumerate(figure.axes):
        if number >= len(curves):
            axes.axis("off")
            continue
        axes.plot(curves[number], linewidth=0.9, color=colors[number] if colors else "C0")
        axes.set(ylim=(-bound, bound), xlim=(0, curves.shape[1] - 1))
        axes.set_title(titles[number], fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    _figure.save(figure, path)
    return figure


def volumes(
    volumes: Any,
    titles: Sequence[str],
    *,
    path: str | Path | None = None,
) -> "Figure":
    """Draw volumes as the mean along each axis, as X-rays: from the front, from above, from the side.

    Args:
        volumes: (count, depth, height, width), or (..., 1).
        titles: one a volume, such as its class.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure, a column a volume.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: no volumes, or not one title each.

    Example:
        >>> figure = volumes(np.zeros((2, 4, 5, 6, 1)), ("3", "8"))
        >>> [axes.get_title() for axes in figure.axes[:2]], figure.axes[2].get_ylabel()
        (['3', '8'], 'from above')
    """
    solids = np.asarray(volumes, np.float64)
    solids = solids[..., 0] if solids.ndim == 5 and solids.shape[-1] == 1 else solids
    if solids.ndim != 4 or not len(solids) == len(titles) > 0:
        raise ShapeError(
            explain("plot.volumes", "volumes", got=f"of shape {solids.shape}, with {len(titles)} titles",
                    expected="(count, depth, height, width), and a title each",
                    fix="volumes[:8], titles[:8]")
        )  # fmt: skip
    figure = _figure.figure(len(solids), rows=3, panel_size=(1.4, 1.5))
    views = (("from the front", 1), ("from above", 2), ("from the side", 3))
    for row, (name, axis) in enumerate(views):
        seen = solids.mean(axis=axis)
        for column, image in enumerate(seen):
            axes = figure.axes[row * len(solids) + column]
            # From the side, depth runs to the right and height stays upright.
            axes.imshow(
                image.T if axis == 3 else image, cmap="gray_r", vmin=seen.min(), vmax=seen.max() + 1e-12
            )
            axes.set_xticks([])
            axes.set_yticks([])
            if column == 0:
                axes.set_ylabel(name, fontsize=9)
            if row == 0:
                axes.set_title(titles[column], fontsize=9)
    _figure.save(figure, path)
    return figure
