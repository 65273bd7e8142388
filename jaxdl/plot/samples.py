"""Pictures of what a network draws, class by class."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, RED = np.zeros(3), np.array([0.8, 0.1, 0.1])


def samples(
    panels: Mapping[str, Any],
    rows: Sequence[str],
    *,
    wrong: Mapping[str, Any] | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw grey images in grids, a row a class, several grids side by side; what is wrong is red.

    Args:
        panels: by title, images (classes, columns, height, width) in [0, 1], 1 the darkest.
        rows: a name for each class.
        wrong: by the same titles, which images are drawn in red, bool (classes, columns); titles that are
            left out have none.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: no panel, or images and flags that do not fit the classes.

    Example:
        >>> figure = samples({"drawn": np.zeros((2, 3, 8, 8))}, ("0", "1"))
        >>> figure.axes[0].get_title(), [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ('drawn', ['0', '1'])
    """
    images = {title: np.asarray(panel, np.float64) for title, panel in panels.items()}
    flags = {title: np.asarray((wrong or {}).get(title, np.zeros(panel.shape[:2], bool)))
             for title, panel in images.items()}  # fmt: skip
    bad = [
        title
        for title, panel in images.items()
        if panel.ndim != 4
        or panel.size == 0
        or len(panel) != len(rows)
        or flags[title].shape != panel.shape[:2]
    ]
    if bad or not images:
        got = f"of shape {images[bad[0]].shape}, flags {flags[bad[0]].shape}" if bad else "empty"
        raise ShapeError(
            explain("plot.samples", f"panels['{bad[0]}']" if bad else "panels", got=got,
                    expected=f"images ({len(rows)} classes, columns, height, width), flags as the first two",
                    fix="images.reshape(classes, columns, height, width)")
        )  # fmt: skip
    columns = max(panel.shape[1] for panel in images.values())
    figure = _figure.figure(len(images), panel_size=(0.38 * columns + 0.3, 0.38 * len(rows) + 0.4))
    for axes, (title, panel) in zip(figure.axes, images.items(), strict=True):
        height = panel.shape[2] + 1
        axes.imshow(_sheet(panel, flags[title]), interpolation="nearest")
        axes.set_title(title, fontsize=10)
        axes.set_xticks([])
        axes.set_yticks(np.arange(len(rows)) * height + panel.shape[2] / 2, rows, fontsize=8)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    _figure.save(figure, path)
    return figure


def _sheet(images: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """Return one colour image of all, a white line between them."""
    ink = np.where(flags[..., None, None, None], RED, INK)
    shade = images.clip(0, 1)[..., None]
    colours = np.pad(shade * ink + (1 - shade), ((0, 0), (0, 0), (0, 1), (0, 1), (0, 0)), constant_values=1)
    rows, columns, height, width, _ = colours.shape
    return np.moveaxis(colours, 1, 2).reshape(rows * height, columns * width, 3)
