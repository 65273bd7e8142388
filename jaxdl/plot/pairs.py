"""Pictures beside each other: the pairs that distances get most wrong, and episodes of few examples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl._checks import positive_integer
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.plot import _figure
from jaxdl.plot.similarity import _labels, _shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxdl.similarity import FewShot

Tile = tuple[np.ndarray, tuple[float, float, float]]  # an image and the colour of its frame
RIGHT, WRONG, NEUTRAL = (0.16, 0.62, 0.24), (0.85, 0.15, 0.12), (0.72, 0.72, 0.72)


def pairs(
    images: Any,
    panels: Mapping[str, tuple[Any, Any]],
    *,
    labels: Any = None,
    names: Sequence[str] | None = None,
    threshold: float | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw pairs of images with their distances, a row a panel: the hardest ones show what is confused.

    Args:
        images: (examples, height, width, channels).
        panels: by title, indices (count, 2) of the pairs in `images`, and their distances (count,), such as
            those of `similarity.hardest_pairs`.
        labels: (examples,) class numbers, to name both images; or None.
        names: the name of each class number; or None.
        threshold: pairs up to this distance are taken for the same; with `labels` a frame is green where that
            is right, and red where it is wrong. Or None.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: panels that are no dict.
        ShapeError: no pair, or indices, distances or labels of another shape, or labels that are no integers.
        FormatError: an index beyond the images, or a label without a name.

    Example:
        >>> figure = pairs(np.zeros((3, 8, 8, 1)), {"near": ([[0, 1], [0, 2]], [0.25, 0.5])})
        >>> [axes.get_title() for axes in figure.axes]
        ['0.25', '0.5']
    """
    op = "plot.pairs"
    pictures = _images(op, images)
    _figure.require(op, "panels", panels, Mapping, "{'nearest': (hardest.other, hardest.other_distances)}")
    found = {title: _panel(op, title, panel, len(pictures)) for title, panel in panels.items()}
    if not found:
        raise ShapeError(explain(op, "panels", got="empty", expected="pairs by title",
                                 fix="{'nearest': (indices, distances)}"))  # fmt: skip
    kinds = None if labels is None else _labels(op, labels, len(pictures), names)
    columns = max(len(indices) for indices, _ in found.values())
    figure = _figure.figure(columns, rows=len(found), panel_size=(1.75, 1.45))
    for axes in figure.axes:
        axes.axis("off")
    for row, (title, (indices, distances)) in enumerate(found.items()):
        for axes, pair, distance in zip(figure.axes[row * columns :], indices, distances):
            _pair(axes, pictures, pair, distance, kinds, names, threshold)
        figure.axes[row * columns].set_ylabel(title, fontsize=9)
    _figure.save(figure, path)
    return figure


def episodes(
    images: Any,
    found: "FewShot",
    *,
    other: "FewShot | None" = None,
    count: int = 4,
    captions: tuple[str, str] = ("embedding", "pixels"),
    path: str | Path | None = None,
) -> "Figure":
    """Draw episodes of few examples: what was shown, what was asked for, and what was answered.

    Of each class the first question is drawn and counted. Below it stands the example whose class it was
    given: framed green where that is right, red where it is wrong.

    Args:
        images: (examples, height, width, channels), those whose embeddings were judged.
        found: what `similarity.few_shot` returned.
        other: what it returned of other embeddings with the same key, such as pixels, drawn below; or None.
        count: episodes at most, the first ones.
        captions: what `found` and `other` are called.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure, a panel an episode.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: something else than what `similarity.few_shot` returned.
        ShapeError: images of another shape, or `other` of other episodes.
        FormatError: an index beyond the images.
        ValueError: a `count` below 1.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxdl.similarity import few_shot
        >>> images = np.array([0, 1, 50, 51, 90, 91], np.uint8).repeat(64).reshape(6, 8, 8, 1)
        >>> flat = jnp.asarray(images.reshape(6, 64), jnp.float32)
        >>> found = few_shot(flat, np.array([0, 0, 1, 1, 2, 2]), ways=3, episodes=2, key=jax.random.key(0))
        >>> [axes.get_title() for axes in episodes(images, found).axes]
        ['3 of 3', '3 of 3']
    """
    from jaxdl.similarity import FewShot

    op = "plot.episodes"
    pictures, count = _images(op, images), positive_integer(op, "count", count)
    for argument, one in (("found", found), *((("other", other),) if other is not None else ())):
        _figure.require(op, argument, one, FewShot, "similarity.few_shot(embeddings, labels, key=key)")
    support, queries = (np.asarray(part)[:count] for part in (found.support, found.queries))
    if other is not None and not np.array_equal(np.asarray(other.queries)[:count], queries):
        raise ShapeError(
            explain(op, "other", got="of other episodes", expected="the episodes of 'found'",
                    fix="pass the same key, ways, shots and queries to few_shot")
        )  # fmt: skip
    for argument, indices in (("found.support", support), ("found.queries", queries)):
        _check_indices(op, argument, indices, len(pictures))
    given = [np.asarray(one.answers)[:count, :, 0] for one in (found, other) if one is not None]
    words = ["shown", *[""] * (support.shape[2] - 1), "asked", *captions[: len(given)]]
    figure = _figure.figure(len(support), panel_size=(0.5 * support.shape[1] + 0.55, 0.5 * len(words) + 0.4))
    for i, axes in enumerate(figure.axes):
        answers = [answer[i] for answer in given]
        height = _mosaic(axes, _episode(pictures, support[i], queries[i, :, 0], answers))
        axes.set_title(_scores(answers, captions[1]), fontsize=9)
        if i == 0:
            axes.set_yticks((np.arange(len(words)) + 0.5) * height / len(words), words, fontsize=9)
            axes.tick_params(length=0)
    _figure.save(figure, path)
    return figure


def _pair(
    axes: "Axes",
    pictures: np.ndarray,
    pair: np.ndarray,
    distance: float,
    kinds: np.ndarray | None,
    names: Sequence[str] | None,
    threshold: float | None,
) -> None:
    """Draw one pair under its distance, with the names of both where they are known."""
    frame = NEUTRAL
    if kinds is not None and threshold is not None:
        frame = _frame((kinds[pair[0]] == kinds[pair[1]]) == (distance <= threshold))
    _mosaic(axes, [[(pictures[i], frame) for i in pair]])
    axes.set_title(f"{distance:.3g}", fontsize=9)
    if kinds is not None:
        both = [str(kind) if names is None else names[kind] for kind in kinds[pair]]
        axes.set_xlabel(" | ".join(dict.fromkeys(both)), fontsize=7)


def _episode(
    pictures: np.ndarray, support: np.ndarray, asked: np.ndarray, answers: list[np.ndarray]
) -> list[list[Tile]]:
    """Return what was shown and asked, and below the example whose class was answered, -1 being none."""
    grid = [[(pictures[k], NEUTRAL) for k in row] for row in (*support.T, asked)]
    nothing = np.zeros_like(pictures[0])
    for given in answers:
        chosen = [pictures[support[way, 0]] if way >= 0 else nothing for way in given]
        grid.append([(image, _frame(way == right)) for right, (image, way) in enumerate(zip(chosen, given))])
    return grid


def _scores(answers: list[np.ndarray], caption: str) -> str:
    words = [f"{int((given == np.arange(len(given))).sum())} of {len(given)}" for given in answers]
    return f", {caption} ".join(words)


def _images(op: str, images: Any) -> np.ndarray:
    array = np.asarray(images)
    array = array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array
    if array.ndim not in (3, 4) or 0 in array.shape or (array.ndim == 4 and array.shape[3] != 3):
        raise ShapeError(
            explain(op, "images", got=f"of shape {np.shape(images)}",
                    expected="(examples, height, width), or with 1 or 3 channels",
                    fix="pass a batch of images")
        )  # fmt: skip
    return array


def _panel(op: str, title: str, panel: tuple[Any, Any], count: int) -> tuple[np.ndarray, np.ndarray]:
    indices, distances = np.asarray(panel[0]), np.asarray(panel[1], np.float64)
    if indices.ndim != 2 or indices.shape[1] != 2 or not len(indices) or distances.shape != indices.shape[:1]:
        raise ShapeError(
            explain(op, f"panels['{title}']", got=f"of shapes {indices.shape} and {distances.shape}",
                    expected="indices (count, 2) and distances (count,)", fix="similarity.hardest_pairs(...)")
        )  # fmt: skip
    _check_indices(op, f"panels['{title}']", indices, count)
    return indices, distances


def _check_indices(op: str, argument: str, indices: np.ndarray, count: int) -> None:
    if indices.dtype.kind not in "iu" or indices.min() < 0 or indices.max() >= count:
        raise FormatError(
            explain(op, argument, got=f"{indices.dtype} from {indices.min()} to {indices.max()}",
                    expected=f"indices of the {count} images", fix="pass the images that were embedded")
        )  # fmt: skip


def _frame(good: bool) -> tuple[float, float, float]:
    return RIGHT if good else WRONG


def _mosaic(axes: "Axes", grid: list[list[Tile]]) -> int:
    """Draw images in rows, each in its frame; return the height of all in pixels."""
    whole = np.concatenate([np.concatenate([_framed(*tile) for tile in row], 1) for row in grid])
    axes.imshow(whole, interpolation="nearest")
    axes.axis("on")
    axes.set(xticks=(), yticks=())
    for side in axes.spines.values():
        side.set_visible(False)
    return len(whole)


def _framed(image: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    height, width = image.shape[:2]
    gap, edge = max(1, round(height / 20)), max(1, round(height / 14))
    inner = gap + edge
    tile = np.ones((height + 2 * inner, width + 2 * inner, 3))
    tile[gap:-gap, gap:-gap] = colour
    tile[inner:-inner, inner:-inner] = _shown(image)
    return tile
