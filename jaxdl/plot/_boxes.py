"""Boxes drawn over images: what every picture of detection is made with."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl import _checks
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Ten that differ on black and on white; classes beyond them begin anew.
COLOURS = (
    "#ff5a4f", "#3fa7ff", "#3ddc68", "#ffb000", "#c77dff",
    "#00d5d5", "#ff7bc0", "#b5d100", "#e08e5a", "#9fb0c8",
)  # fmt: skip
PLAIN = "#ffb000"
TRUTH = "white"


def colour(label: int) -> str:
    """Return the colour of a class."""
    return COLOURS[label % len(COLOURS)]


def picture(op: str, image: Any) -> np.ndarray:
    """Return (height, width) or (height, width, 3)."""
    array = np.asarray(image)
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.size == 0 or (array.ndim != 2 and (array.ndim != 3 or array.shape[2] != 3)):
        raise ShapeError(
            explain(op, "image", got=f"of shape {np.shape(image)}",
                    expected="(height, width), (height, width, 1) or (height, width, 3)",
                    fix="take one image of a batch: images[0]")
        )  # fmt: skip
    return array


def sheet(op: str, images: Any, columns: int, size: float, title: float) -> tuple["Figure", list[np.ndarray]]:
    """Return a figure with one image a panel."""
    if np.ndim(images) not in (3, 4) or not len(images):
        raise ShapeError(
            explain(op, "images", got=f"of shape {np.shape(images)}",
                    expected="(count, height, width, channels)",
                    fix="images[None] makes one image a batch")
        )  # fmt: skip
    pictures = [picture(op, image) for image in np.asarray(images)]
    columns = min(_checks.positive_integer(op, "columns", columns), len(pictures))
    height, width = pictures[0].shape[:2]
    figure = _figure.figure(
        columns, rows=-(-len(pictures) // columns), panel_size=(size, size * height / width + title)
    )
    for axes in figure.axes:
        axes.axis("off")
    for axes, one in zip(figure.axes, pictures):
        show(axes, one)
    return figure, pictures


def show(axes: "Axes", picture: np.ndarray) -> None:
    """Draw an image so that a pixel is the square from its number to the next, as boxes count them."""
    height, width = picture.shape[:2]
    high = 255 if picture.dtype == np.uint8 else 1
    shown = picture if picture.dtype == np.uint8 or picture.ndim == 2 else np.clip(picture, 0, 1)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=high, interpolation="nearest", extent=(0, width, height, 0))
    axes.axis("off")


def rows(op: str, argument: str, value: Any) -> np.ndarray:
    """Return boxes (places, 4)."""
    array = np.asarray(value, np.float64)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ShapeError(explain(op, argument, got=f"of shape {array.shape}", expected="(places, 4), xyxy",
                                 fix="take the boxes of one image: boxes[0]"))  # fmt: skip
    return array


def part(op: str, argument: str, value: Mapping[str, Any], name: str, count: int) -> np.ndarray:
    """Return an array of a tree, checked to have an entry for each image."""
    array = np.asarray(value[name]) if name in value else np.zeros(())
    if array.shape[:1] != (count,) or array.ndim != (3 if name == "boxes" else 2):
        got = f"of shape {array.shape}" if name in value else "missing"
        raise ShapeError(
            explain(op, f"{argument}[{name!r}]", got=got,
                    expected=f"({count}, places{', 4' * (name == 'boxes')}), one for each image",
                    fix="take as many images as there are rows")
        )  # fmt: skip
    return array


def draw_truth(axes: "Axes", truth: np.ndarray) -> None:
    """Draw boxes dashed, those with an area."""
    for box in truth[(truth[:, 2:] > truth[:, :2]).all(1)]:
        _outline(axes, box, TRUTH, linewidth=0.9, linestyle="--")


def draw(
    op: str,
    axes: "Axes",
    picture: np.ndarray,
    boxes: Any,
    labels: Any,
    scores: Any,
    mask: Any,
    names: Sequence[str] | None,
) -> None:
    """Draw boxes in the colour of their class, the name and score of each at a corner within the image."""
    array = rows(op, "boxes", boxes)
    columns = [
        None if value is None else _column(op, argument, value, len(array))
        for argument, value in (("labels", labels), ("scores", scores), ("mask", mask))
    ]
    shown = np.ones(len(array), bool) if columns[2] is None else columns[2] != 0
    if not np.isfinite(array[shown]).all():
        raise FormatError(explain(op, "boxes", got="not finite", expected="corners in pixels",
                                  fix="mask out what is no box"))  # fmt: skip
    if columns[0] is not None:
        _check_labels(op, columns[0][shown], names)
    height, width = picture.shape[:2]
    thick = 0.7 if columns[0] is None else 1.2
    for i in np.flatnonzero(shown):
        label = None if columns[0] is None else int(columns[0][i])
        hue = PLAIN if label is None else colour(label)
        _outline(axes, array[i], hue, linewidth=thick)
        words = [] if label is None else [str(label) if names is None else names[label]]
        words += [] if columns[1] is None else [f"{columns[1][i]:.2f}"]
        if words:
            _label(axes, " ".join(words), hue, array[i], width, height)
    axes.set(xlim=(0, width), ylim=(height, 0))


def _check_labels(op: str, labels: np.ndarray, names: Sequence[str] | None) -> None:
    classes = math.inf if names is None else len(names)
    bad = ~((labels >= 0) & (labels < classes) & (labels % 1 == 0))
    if bad.any():
        raise FormatError(
            explain(op, "labels", got=f"{labels[bad][0]:g}", expected=f"class numbers in [0, {classes})",
                    fix="give every class a name, or mask out what is no object")
        )  # fmt: skip


def _outline(axes: "Axes", box: np.ndarray, hue: str, **style: Any) -> None:
    x1, y1, x2, y2 = box
    axes.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], color=hue, **style)


def _column(op: str, argument: str, value: Any, count: int) -> np.ndarray:
    array = np.asarray(value)
    if array.shape != (count,):
        raise ShapeError(
            explain(op, argument, got=f"of shape {array.shape}", expected=f"({count},), one a box",
                    fix="take those of one image")
        )  # fmt: skip
    return array


def _label(axes: "Axes", text: str, hue: str, box: np.ndarray, width: int, height: int) -> None:
    """Write above a box, within it at the top of the image, and flush right at the right edge."""
    right, inside = box[0] > 0.8 * width, box[1] < 0.09 * height
    axes.text(
        box[2] if right else box[0], box[1], text, fontsize=6, color="black",
        ha="right" if right else "left", va="top" if inside else "bottom",
        bbox={"boxstyle": "square,pad=0.12", "facecolor": hue, "alpha": 0.85, "edgecolor": "none"},
    )  # fmt: skip
