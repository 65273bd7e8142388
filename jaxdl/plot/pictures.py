"""Pictures of images: side by side, with what a network sees of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxdl.units import TopPatches

GAP = 0.1  # between the patches of a unit, in widths of one
FRAME = (0.87, 0.72, 0.45)
OUTSIDE = (0.45, 0.58, 0.78)  # what lies over the edge of the image


def images(
    pictures: Mapping[str, Any],
    *,
    columns: int | None = None,
    size: float = 3.0,
    signed: tuple[str, ...] = (),
    values: bool = False,
    path: str | Path | None = None,
) -> "Figure":
    """Draw images side by side, each under its name.

    Args:
        pictures: by name, (height, width) or (height, width, 1) grey, from its darkest to its brightest
            pixel; or (height, width, 3) colours in [0, 1], cut off there.
        columns: images in a row; None: all of them.
        size: width of an image, in inches.
        signed: names of grey images whose 0 is drawn white, less in blue and more in red.
        values: write the value of every pixel into it, for small grey images.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: no image, or one of another shape.

    Example:
        >>> figure = images({"grey": np.eye(4), "colours": np.ones((4, 4, 3))})
        >>> [axes.get_title() for axes in figure.axes]
        ['grey', 'colours']
    """
    arrays = {name: _image("plot.images", "pictures", picture) for name, picture in pictures.items()}
    if not arrays:
        raise ShapeError(explain("plot.images", "pictures", got="empty", expected="at least one image",
                                 fix="images({'content': content})"))  # fmt: skip
    columns = min(columns or len(arrays), len(arrays))
    first = next(iter(arrays.values()))
    figure = _figure.figure(columns, rows=-(-len(arrays) // columns),
                            panel_size=(size, size * first.shape[0] / first.shape[1] + 0.3))  # fmt: skip
    for axes in figure.axes:
        axes.axis("off")
    for axes, (name, picture) in zip(figure.axes, arrays.items()):
        _show(axes, picture, signed=name in signed)
        axes.axis("on")
        axes.set(xticks=(), yticks=())
        axes.set_title(name, fontsize=10)
        if values and picture.ndim == 2:
            _write(axes, picture)
    _figure.save(figure, path)
    return figure


def top_patches(
    found: "TopPatches", *, columns: int = 2, size: float = 1.6, path: str | Path | None = None
) -> "Figure":
    """Draw the patches that excite each unit most, a square grid a unit, strongest first.

    A patch at an edge of its image is drawn in its place in the receptive field; what lies over the edge
    is blue. All grey patches share one scale.

    Args:
        found: what `jaxdl.units.top_patches` returned, of images with two spatial axes.
        columns: units in a row.
        size: width of a unit's grid, in inches.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: images without two spatial axes and 1 or 3 channels.

    Example:
        >>> import jax
        >>> from flax import nnx
        >>> from jaxdl import layers, net, units
        >>> conv = net.functional(lambda rngs: nnx.Sequential(layers.Conv(1, 3, (3, 3), rngs=rngs)))
        >>> pictures = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
        >>> weights = conv.init(jax.random.key(0))
        >>> found = units.top_patches(conv, *weights, pictures, layer="layers/0", count=4)
        >>> [axes.get_title() for axes in top_patches(found).axes][:3]
        ['unit 0', 'unit 1', 'unit 2']
    """
    patches = [[_image("plot.top_patches", "found", patch) for patch in row] for row in found.patches]
    colours = patches[0][0].ndim == 3
    low, high = _range(patches, colours)
    columns = min(columns, len(patches))
    figure = _figure.figure(columns, rows=-(-len(patches) // columns), panel_size=(size + 0.1, size + 0.3))
    for axes in figure.axes:
        axes.axis("off")
    whole = (found.boxes[..., 1] - found.boxes[..., 0]).reshape(-1, 2).max(axis=0)
    for axes, unit, row, boxes in zip(figure.axes, found.units, patches, found.boxes):
        tiles = [_tile(_coloured(patch, low, high), box, whole) for patch, box in zip(row, boxes)]
        axes.imshow(_mosaic(tiles), interpolation="nearest")
        axes.set_title(f"unit {unit}", fontsize=9)
    _figure.save(figure, path)
    return figure


def saliency(
    pictures: Any,
    maps: Any,
    *,
    names: Any = None,
    shown: float = 99.0,
    path: str | Path | None = None,
) -> "Figure":
    """Draw images in a row, and below each the map of the pixels that its class score hangs on.

    Args:
        pictures: (examples, height, width), or (..., 1), or (..., 3) colours in [0, 1].
        maps: (examples, height, width), as `jaxdl.units.saliency` returns them.
        names: a title for each image, or None.
        shown: percentile of a map that is drawn as its brightest; single pixels would darken the rest.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure, images above and maps below.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: images and maps that do not fit each other, or none.

    Example:
        >>> figure = saliency(np.zeros((3, 8, 8)), np.ones((3, 8, 8)), names=["2", "0", "5"])
        >>> len(figure.axes), figure.axes[1].get_title()
        (6, '0')
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or np.shape(pictures)[:3] != maps.shape or not len(maps):
        raise ShapeError(
            explain("plot.saliency", "maps", got=f"of shape {maps.shape}, for images {np.shape(pictures)}",
                    expected="a map (height, width) for each image", fix="units.saliency(net, ..., images)")
        )  # fmt: skip
    figure = _figure.figure(len(maps), rows=2, panel_size=(1.5, 1.55))
    for axes in figure.axes:
        axes.axis("off")
    for i, (picture, heat) in enumerate(zip(np.asarray(pictures), maps)):
        above, below = figure.axes[i], figure.axes[len(maps) + i]
        _show(above, _image("plot.saliency", "pictures", picture))
        below.imshow(heat, cmap="magma", vmin=0, vmax=max(float(np.percentile(heat, shown)), 1e-30))
        if names is not None:
            above.set_title(str(names[i]), fontsize=10)
    _figure.save(figure, path)
    return figure


def _show(axes: "Axes", picture: np.ndarray, *, signed: bool = False) -> None:
    if picture.ndim == 3:
        axes.imshow(np.clip(picture, 0, 1), interpolation="nearest")
    elif signed:
        bound = max(float(np.abs(picture).max()), 1e-30)
        axes.imshow(picture, cmap="RdBu_r", vmin=-bound, vmax=bound)
    else:
        axes.imshow(picture, cmap="gray", interpolation="nearest")


def _write(axes: "Axes", picture: np.ndarray) -> None:
    """Write each value over its pixel, on a ground that is light whatever the colour below."""
    ground = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "edgecolor": "none"}
    for (row, column), value in np.ndenumerate(picture):
        axes.text(column, row, f"{value:g}", ha="center", va="center", fontsize=8, bbox=ground)


def _coloured(patch: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return colours (height, width, 3) in [0, 1]."""
    if patch.ndim == 3:
        return np.clip(patch, 0, 1)
    grey = (patch.astype(np.float64) - low) / max(high - low, 1e-30)
    return np.repeat(grey[..., None], 3, axis=2)


def _tile(patch: np.ndarray, box: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Put a patch into its place in a receptive field of `whole` pixels."""
    tile = np.broadcast_to(np.array(OUTSIDE), (*whole, 3)).copy()
    # Cut at the first pixel of the image, it is the end of the field; else its beginning.
    missing = whole - patch.shape[:2]
    top, left = np.where(box[:, 0] == 0, missing, 0)
    tile[top : top + patch.shape[0], left : left + patch.shape[1]] = patch
    return tile


def _mosaic(tiles: list[np.ndarray]) -> np.ndarray:
    """Return tiles in a square grid, framed: white would run into bright patches."""
    side, (height, width) = int(np.ceil(np.sqrt(len(tiles)))), tiles[0].shape[:2]
    gap = max(1, round(GAP * width))
    mosaic = np.broadcast_to(FRAME, (side * (height + gap) + gap, side * (width + gap) + gap, 3)).copy()
    for rank, tile in enumerate(tiles):
        top, left = gap + (height + gap) * (rank // side), gap + (width + gap) * (rank % side)
        mosaic[top : top + height, left : left + width] = tile
    return mosaic


def _range(patches: list[list[np.ndarray]], colours: bool) -> tuple[float, float]:
    flat = np.concatenate([patch.ravel() for row in patches for patch in row])
    return (0.0, 1.0) if colours or not flat.size else (float(flat.min()), float(flat.max()))


def _image(op: str, argument: str, picture: Any) -> np.ndarray:
    """Return a grey image (height, width), or colours (height, width, 3), bytes taken to [0, 1]."""
    array = np.asarray(picture)
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] != 3):
        raise ShapeError(
            explain(op, argument, got=f"with an image of shape {np.shape(picture)}",
                    expected="(height, width), (height, width, 1) or (height, width, 3)",
                    fix="take one image of a batch: images[0]")
        )  # fmt: skip
    return array / 255 if array.ndim == 3 and array.dtype == np.uint8 else array
