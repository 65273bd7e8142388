"""Pictures of embeddings: where examples lie, and which distances tell them apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl._checks import in_range, positive_integer
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.plot import _figure
from jaxdl.plot._boxes import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 12  # classes that a legend names


def embedding(
    embeddings: Any,
    labels: Any,
    *,
    images: Any = None,
    names: Sequence[str] | None = None,
    thumbnails: int = 12,
    title: str = "",
    path: str | Path | None = None,
) -> "Figure":
    """Draw embeddings along their first two principal components, a colour a class.

    Those are the two directions at right angles in which they vary most; how much of their variance each
    takes stands at its axis. What lies apart here lies apart; what overlaps may differ in other directions.

    Args:
        embeddings: (examples, features), or images, which are taken for their pixels.
        labels: (examples,) class numbers.
        images: (examples, height, width, channels) of which one a class is drawn beside its point, the one
            nearest to the mean of its class; or None.
        names: the name of each class number, for a legend of at most twelve classes; or None.
        thumbnails: pictures at most.
        title: what the picture shows.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: fewer than two examples, or lengths that differ.
        FormatError: embeddings that are not finite, or all alike; or a class without a name.

    Example:
        >>> points = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [8.0, 1.0, 0.0], [9.0, 1.0, 0.0]])
        >>> figure = embedding(points, [0, 0, 1, 1], names=("near", "far"))
        >>> figure.axes[0].get_xlabel(), [text.get_text() for text in figure.legends[0].get_texts()]
        ('first component, 100 % of the variance', ['near', 'far'])
    """
    op = "plot.embedding"
    vectors, kinds = _rows(op, embeddings), _labels(op, labels, len(embeddings), names)
    places, shares = _components(op, vectors)
    figure = _figure.figure(1, panel_size=(6.4, 5.4))
    axes = figure.axes[0]
    present = np.unique(kinds)
    for rank, kind in enumerate(present):
        name = None if names is None else names[kind]
        x, y = places[kinds == kind].T
        axes.scatter(x, y, s=16, color=_colour(rank, len(present)), label=name, lw=0)
    words = [f"{word} component, {100 * share:.0f} % of the variance"
             for word, share in zip(("first", "second"), shares)]  # fmt: skip
    axes.set(xlabel=words[0], ylabel=words[1], title=title)
    axes.grid(alpha=0.25)
    if names is not None and len(present) <= SHOWN:
        figure.legend(fontsize=8, loc="outside right upper")
    if images is not None:
        pictures = _pictures(op, images, len(kinds))
        _thumbnails(axes, places, vectors, kinds, pictures, positive_integer(op, "thumbnails", thumbnails))
    _figure.save(figure, path)
    return figure


def distances(
    distances: Any,
    same: Any,
    *,
    threshold: float | None = None,
    bins: int = 40,
    title: str = "",
    path: str | Path | None = None,
) -> "Figure":
    """Draw how far apart pairs of the same class and of different ones lie, and where the threshold is.

    Args:
        distances: (pairs,) from 0 on.
        same: (pairs,) booleans, or 0 and 1: whether both are of one class.
        threshold: pairs up to this distance are taken for the same; or None.
        bins: bars from the least to the greatest distance.
        title: what the picture shows.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure; each sort of pairs has area 1.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: lengths that differ, or no pairs of one sort.
        FormatError: distances that are not finite, or `same` other than 0 and 1.
        DtypeError: a threshold that is no number, or bins that are not whole.
        ValueError: a threshold that is not finite, or no bins.

    Example:
        >>> axes = distances([0.1, 0.2, 0.9, 1.0], [1, 1, 0, 0], threshold=0.5).axes[0]
        >>> [text.get_text() for text in axes.get_legend().get_texts()][0]
        'same: 0 of 2 above the threshold'
    """
    op = "plot.distances"
    values, found = np.asarray(distances, np.float64), np.asarray(same)
    if not np.isin(found, (0, 1)).all():
        raise FormatError(
            explain(op, "same", got=f"{found[~np.isin(found, (0, 1))][0]}", expected="0 and 1, or booleans",
                    fix="labels[first] == labels[second]")
        )  # fmt: skip
    alike, bins = found.astype(bool), positive_integer(op, "bins", bins)
    if threshold is not None:
        in_range(op, "threshold", threshold, -np.inf, np.inf, "a finite number")
    if values.ndim != 1 or values.shape != alike.shape or alike.all() or not alike.any():
        raise ShapeError(
            explain(op, "same", got=f"of shape {alike.shape}, {int(alike.sum())} of them the same",
                    expected=f"one for each of the distances {values.shape}, of both sorts",
                    fix="similarity.pairs(key, labels, count)")
        )  # fmt: skip
    _check_finite(op, "distances", values)
    figure = _figure.figure(1, panel_size=(6.0, 3.8))
    axes, low, high = figure.axes[0], values.min(), values.max()
    # Of equal distances a bar has some width all the same.
    edges = np.linspace(low, high if high > low else high + 1e-6 * max(1, abs(high)), bins + 1).tolist()
    for part, name, colour in ((alike, "same", "C0"), (~alike, "different", "C3")):
        if threshold is not None:
            wrong = (values > threshold) if name == "same" else (values <= threshold)
            name += f": {int((wrong & part).sum())} of {int(part.sum())} "
            name += "above the threshold" if part is alike else "below"
        axes.hist(values[part], edges, density=True, alpha=0.6, color=colour, label=name)
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3g}")
    axes.set(xlabel="distance", ylabel="density of the pairs", title=title)
    axes.legend(fontsize=9)
    _figure.save(figure, path)
    return figure


def _rows(op: str, value: Any) -> np.ndarray:
    array = np.asarray(value, np.float64)
    if array.ndim < 2 or len(array) < 2 or not array[0].size:
        raise ShapeError(
            explain(op, "embeddings", got=f"of shape {array.shape}",
                    expected="(examples, features), two examples at least", fix="pass a batch")
        )  # fmt: skip
    _check_finite(op, "embeddings", array)
    return array.reshape(len(array), -1)


def _check_finite(op: str, argument: str, array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        raise FormatError(
            explain(op, argument, got="not finite", expected="finite numbers",
                    fix="look for a run that diverged")
        )  # fmt: skip


def _labels(op: str, value: Any, count: int, names: Sequence[str] | None) -> np.ndarray:
    array = np.asarray(value)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise ShapeError(
            explain(op, "labels", got=f"{array.dtype} of shape {array.shape}",
                    expected=f"({count},) class numbers, one for each example", fix="dataset.targets")
        )  # fmt: skip
    if names is not None and (array.min() < 0 or array.max() >= len(names)):
        raise FormatError(
            explain(op, "labels", got=f"from {array.min()} to {array.max()}",
                    expected=f"in [0, {len(names)}), one for each name", fix="name every class")
        )  # fmt: skip
    return array


def _pictures(op: str, images: Any, count: int) -> np.ndarray:
    array = np.asarray(images)
    if array.ndim not in (3, 4) or len(array) != count:
        raise ShapeError(
            explain(op, "images", got=f"of shape {array.shape}",
                    expected=f"({count}, height, width, channels), one for each example",
                    fix="take as many images as there are embeddings")
        )  # fmt: skip
    return np.stack([picture(op, image) for image in array])


def _components(op: str, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places (examples, 2) along the two main axes, and the shares of the variance on them."""
    centred = vectors - vectors.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    if sizes[0] < 1e-12 * max(1.0, float(np.abs(vectors).max())):
        raise FormatError(
            explain(op, "embeddings", got="all alike", expected="embeddings that differ",
                    fix="look at the training: a collapsed network gives every example one place")
        )  # fmt: skip
    two = np.zeros((len(vectors), 2))
    kept = min(2, len(sizes))
    two[:, :kept] = left[:, :kept] * sizes[:kept]
    # The sign of a component is arbitrary: that of its largest place is made positive.
    two *= np.where(two[np.abs(two).argmax(0), [0, 1]] < 0, -1, 1)
    shares = np.zeros(2)
    shares[:kept] = (sizes**2 / (sizes**2).sum())[:kept]
    return two, shares


def _colour(rank: int, count: int) -> Any:
    from matplotlib import colormaps

    return f"C{rank}" if count <= 10 else colormaps["turbo"](0.05 + 0.9 * rank / (count - 1))


def _thumbnails(
    axes: "Axes", places: np.ndarray, vectors: np.ndarray, kinds: np.ndarray, pictures: np.ndarray, most: int
) -> None:
    """Draw the most typical example of each class at the edge, in the direction in which its point lies."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    present = np.unique(kinds)
    chosen = present[np.linspace(0, len(present) - 1, min(most, len(present))).round().astype(int)]
    typical = []
    for kind in chosen:
        rows = np.flatnonzero(kinds == kind)
        typical.append(rows[((vectors[rows] - vectors[rows].mean(0)) ** 2).sum(1).argmin()])
    spots = _ring(places[typical], places)
    zoom = 30 / max(pictures.shape[1:3])
    for row, spot, kind in zip(typical, spots, chosen):
        image = OffsetImage(_shown(pictures[row]), zoom=zoom, cmap="gray", interpolation="nearest")
        hue = _colour(int(np.searchsorted(present, kind)), len(present))
        axes.add_artist(AnnotationBbox(
            image, tuple(places[row]), xybox=tuple(spot), xycoords="data", boxcoords="axes fraction",
            pad=0.15,
            bboxprops={"edgecolor": hue, "linewidth": 1.8},
            arrowprops={"arrowstyle": "-", "color": hue, "linewidth": 0.9},
        ))  # fmt: skip
    axes.margins(0.3)


def _ring(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return places (count, 2) on an ellipse within the axes, in the order of the points' angles."""
    scaled = (points - places.mean(0)) / np.maximum(np.ptp(places, axis=0), 1e-12)
    angles = np.arctan2(scaled[:, 1], scaled[:, 0])
    order, count = np.argsort(angles), len(points)
    # Evenly spread, and turned so that the pictures stand as near to their points as may be.
    even = 2 * np.pi * np.arange(count) / count
    even = even + np.angle(np.exp(1j * (angles[order] - even)).sum())
    spots = np.empty((count, 2))
    spots[order] = 0.5 + 0.43 * np.stack([np.cos(even), np.sin(even)], 1)
    return spots


def _shown(image: np.ndarray) -> np.ndarray:
    """Return colours (height, width, 3) in [0, 1]; grey floats from the darkest to the brightest."""
    array = image / 255 if image.dtype == np.uint8 else image.astype(np.float64)
    if array.ndim == 2 and image.dtype != np.uint8:
        array = (array - array.min()) / max(np.ptp(array), 1e-12)
    return np.clip(array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2), 0, 1)
