"""Pictures of a classifier that slides: where it sees something, and what is made of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _boxes, _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxdl.boxes import Detections


def sliding_windows(
    image: Any,
    heat: Any,
    windows: Any,
    found: "Detections | None" = None,
    *,
    truth: Any = None,
    names: Sequence[str] | None = None,
    size: float = 4.0,
    path: str | Path | None = None,
) -> "Figure":
    """Draw an image with what was found in it, beside the chance of an object by centre of the window.

    Args:
        image: (height, width), (height, width, 1) or (height, width, 3), uint8 or floats in [0, 1].
        heat: (rows, columns), the chance in [0, 1] that each window holds an object.
        windows: (rows, columns, 4) xyxy, such as `jaxdl.net.SlidingWindows.boxes` gives.
        found: detections of this image alone: boxes (places, 4), and the others (places,); or None.
        truth: (objects, 4) boxes that are drawn dashed, or None.
        names: the name of each class; None numbers them.
        size: width of the image in inches.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: arrays that do not fit each other.

    Example:
        >>> windows = np.array([[[0, 0, 6, 6], [2, 0, 8, 6]], [[0, 2, 6, 8], [2, 2, 8, 8]]])
        >>> figure = sliding_windows(np.zeros((8, 8)), np.eye(2), windows)
        >>> figure.axes[1].get_title()
        'chance of an object in 2 x 2 windows of 6 x 6 pixels'
    """
    op, picture = "plot.sliding_windows", _boxes.picture("plot.sliding_windows", image)
    warmth, corners = np.asarray(heat, np.float32), np.asarray(windows, np.float32)
    if warmth.ndim != 2 or corners.shape != (*warmth.shape, 4) or warmth.size == 0:
        raise ShapeError(
            explain(op, "heat", got=f"of shape {warmth.shape} with windows {corners.shape}",
                    expected="(rows, columns) with windows (rows, columns, 4)",
                    fix="windows=slid.boxes(height, width)")
        )  # fmt: skip
    figure = _figure.figure(2, panel_size=(size, size * picture.shape[0] / picture.shape[1] + 0.4))
    left, right = figure.axes[:2]
    for axes in (left, right):
        _boxes.show(axes, picture)
    if truth is not None:
        _boxes.draw_truth(left, _boxes.rows(op, "truth", truth))
    if found is not None:
        _boxes.draw(op, left, picture, found.boxes, found.labels, found.scores, found.mask, names)
        left.set_title(f"{int(np.sum(np.asarray(found.mask) != 0))} found", fontsize=9)
    centres = (corners[..., :2] + corners[..., 2:]) / 2
    step = [float(np.diff(line).max(initial=0)) or 1.0 for line in (centres[0, :, 0], centres[:, 0, 1])]
    (x1, y1), (x2, y2) = centres[0, 0], centres[-1, -1]
    extent = (x1 - step[0] / 2, x2 + step[0] / 2, y2 + step[1] / 2, y1 - step[1] / 2)
    right.imshow(warmth, cmap="inferno", vmin=0, vmax=1, alpha=0.8, extent=extent, interpolation="nearest")
    wide, high = corners[0, 0, 2:] - corners[0, 0, :2]
    count = f"{warmth.shape[0]} x {warmth.shape[1]} windows of {high:g} x {wide:g} pixels"
    right.set_title(f"chance of an object in {count}", fontsize=9)
    _figure.save(figure, path)
    return figure
