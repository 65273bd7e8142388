"""Pictures of embeddings, pairs and episodes: what is drawn where, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.offsetbox import AnnotationBbox

from jaxdl import plot
from jaxdl.errors import FormatError, ShapeError
from jaxdl.plot.pairs import NEUTRAL, RIGHT, WRONG
from jaxdl.similarity import FewShot

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1, 2], 5)
EMBEDDINGS = RNG.normal(size=(15, 6)) + 4 * LABELS[:, None]
IMAGES = RNG.integers(0, 256, (15, 8, 8, 3), dtype=np.uint8)


def test_embeddings_lie_along_their_principal_components(tmp_path: Path) -> None:
    figure = plot.embedding(EMBEDDINGS, LABELS, path=tmp_path / "a" / "e.png")
    axes = figure.axes[0]
    points = np.concatenate([part.get_offsets() for part in axes.collections])
    variances, directions = np.linalg.eigh(np.cov(EMBEDDINGS.T))
    truth = (EMBEDDINGS - EMBEDDINGS.mean(0)) @ directions[:, [-1, -2]]
    np.testing.assert_allclose(np.abs(points), np.abs(truth), atol=1e-8)
    second, first = (round(100 * share) for share in (variances / variances.sum())[-2:])
    assert axes.get_xlabel() == f"first component, {first} % of the variance"
    assert axes.get_ylabel() == f"second component, {second} % of the variance"
    assert not figure.legends
    assert (tmp_path / "a" / "e.png").read_bytes()[:4] == b"\x89PNG"


def test_a_picture_of_each_class_stands_beside_its_point() -> None:
    figure = plot.embedding(EMBEDDINGS, LABELS, images=IMAGES, names=("a", "b", "c"), thumbnails=2)
    boxes = [child for child in figure.axes[0].get_children() if isinstance(child, AnnotationBbox)]
    assert len(boxes) == 2
    points = np.concatenate([part.get_offsets() for part in figure.axes[0].collections])
    for box, kind in zip(boxes, (0, 2)):
        rows = np.flatnonzero(kind == LABELS)
        typical = rows[((EMBEDDINGS[rows] - EMBEDDINGS[rows].mean(0)) ** 2).sum(1).argmin()]
        np.testing.assert_allclose(box.xy, points[typical])
        np.testing.assert_allclose(box.offsetbox.get_data(), IMAGES[typical] / 255)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]


def test_many_classes_have_no_legend_and_a_colour_each() -> None:
    labels = np.arange(15)
    figure = plot.embedding(EMBEDDINGS, labels, names=[str(k) for k in labels])
    assert not figure.legends
    assert len({tuple(part.get_facecolor()[0]) for part in figure.axes[0].collections}) == 15


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((EMBEDDINGS[0], LABELS), {}, ShapeError, "'embeddings' is of shape"),
        ((EMBEDDINGS[:1], LABELS[:1]), {}, ShapeError, "two examples at least"),
        ((EMBEDDINGS * np.nan, LABELS), {}, FormatError, "not finite"),
        ((EMBEDDINGS * 0, LABELS), {}, FormatError, "all alike"),
        ((EMBEDDINGS, LABELS[:3]), {}, ShapeError, "'labels' is int64 of shape"),
        ((EMBEDDINGS, LABELS), {"names": ("a",)}, FormatError, r"from 0 to 2; expected in \[0, 1\)"),
        ((EMBEDDINGS, LABELS), {"images": IMAGES[:4]}, ShapeError, "one for each example"),
        ((EMBEDDINGS, LABELS), {"images": IMAGES[..., :2]}, ShapeError, "argument 'image'"),
        ((EMBEDDINGS, LABELS), {"images": IMAGES, "thumbnails": 0}, ValueError, "thumbnails"),
    ],
)
def test_embeddings_that_cannot_be_drawn(
    arguments: Any, options: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=f"plot.embedding: .*{words}"):
        plot.embedding(*arguments, **options)


def test_distances_of_both_sorts_and_the_threshold() -> None:
    axes = plot.distances([0.1, 0.5, 0.6, 0.9, 1.0], [True, True, True, False, False], threshold=0.55,
                          bins=9).axes[0]  # fmt: skip
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(words) == ["different: 0 of 2 below", "same: 1 of 3 above the threshold", "threshold 0.55"]
    areas = [sum(bar.get_width() * bar.get_height() for bar in bars) for bars in axes.containers]
    np.testing.assert_allclose(areas, [1, 1])
    assert plot.distances([0.1, 0.9], [1, 0]).axes[0].get_legend().get_texts()[0].get_text() == "same"
    for values, same, error, text in (
        ([0.1, 0.2], [1, 1], ShapeError, "2 of them the same"),
        ([0.1, 0.2], [1], ShapeError, r"distances \(2,\)"),
        ([0.1, np.inf], [1, 0], FormatError, "not finite"),
        ([0.1, 0.2], [1, 2], FormatError, "'same' is 2; expected 0 and 1"),
        ([0.1, 0.2], [1, np.nan], FormatError, "'same' is nan"),
    ):
        with pytest.raises(error, match=f"plot.distances: .*{text}"):
            plot.distances(values, same)
    for options, error, text in (
        ({"threshold": np.nan}, ValueError, "a finite number"),
        ({"threshold": (0.1, 0.2)}, TypeError, "is a tuple; expected a number"),
        ({"bins": 0}, ValueError, "at least 1"),
    ):
        with pytest.raises(error, match=f"plot.distances: .*{text}"):
            plot.distances([0.1, 0.2], [1, 0], **options)  # type: ignore[arg-type]


def test_equal_distances_have_bars_all_the_same() -> None:
    bars = plot.distances([1e6, 1e6], [1, 0], bins=4).axes[0].patches
    assert all(np.isfinite(bar.get_height()) and bar.get_width() > 0 for bar in bars)


def frames(axes: Any) -> list[tuple[float, ...]]:
    """Colours of the frames of a mosaic of 8 x 8 images, each in a margin of one and a frame of one."""
    whole = np.asarray(axes.images[0].get_array())
    return [
        tuple(whole[r, c].round(6)) for r in range(1, len(whole), 12) for c in range(1, whole.shape[1], 12)
    ]


def test_pairs_are_named_and_framed_by_whether_the_threshold_is_right() -> None:
    panels = {"near": ([[0, 5], [0, 1]], [0.2, 0.3]), "far": ([[2, 3]], [0.9])}
    figure = plot.pairs(IMAGES, panels, labels=LABELS, names=("a", "b", "c"), threshold=0.5)
    drawn = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in drawn] == ["0.2", "0.3", "0.9"]
    assert [axes.get_xlabel() for axes in drawn] == ["a | b", "a", "a"]
    assert [axes.get_ylabel() for axes in drawn] == ["near", "", "far"]
    assert [frames(axes) for axes in drawn] == [[WRONG] * 2, [RIGHT] * 2, [WRONG] * 2]
    whole = np.asarray(drawn[0].images[0].get_array())
    np.testing.assert_allclose(whole[2:10, 2:10], IMAGES[0] / 255)
    grey = plot.pairs(IMAGES[..., :1], {"near": ([[0, 5]], [0.2])})
    assert frames(grey.axes[0]) == [NEUTRAL] * 2
    for images, given, options, error, text in (
        (IMAGES, {}, {}, ShapeError, "empty"),
        (IMAGES, {"x": ([[0, 1]], [0.1, 0.2])}, {}, ShapeError, r"'panels\['x'\]'"),
        (IMAGES, {"x": ([[0, 15]], [0.1])}, {}, FormatError, "from 0 to 15; expected indices of the 15"),
        (IMAGES[0], {"x": ([[0, 1]], [0.1])}, {"labels": LABELS}, ShapeError, "'labels'"),
        (IMAGES, panels, {"labels": LABELS - 1, "names": "abc"}, FormatError, r"from -1 to 1; .*\[0, 3\)"),
        (IMAGES, panels, {"labels": LABELS / 2}, ShapeError, "float64"),
        (IMAGES, ([[0, 1]], [0.1]), {}, TypeError, "'panels' is a tuple; expected a Mapping"),
        (IMAGES[0, 0], {"x": ([[0, 1]], [0.1])}, {}, ShapeError, "'images'"),
    ):
        with pytest.raises(error, match=f"plot.pairs: .*{text}"):
            plot.pairs(images, given, **options)


def shots(answers: Any) -> FewShot:
    support, queries = np.array([[[0], [5]], [[1], [10]]]), np.array([[[2], [6]], [[3], [11]]])
    return FewShot(np.float32(0), np.float32(0), np.zeros(2), support, queries, np.array(answers))


def test_episodes_show_what_was_answered() -> None:
    found, other = shots([[[0], [1]], [[1], [1]]]), shots([[[1], [-1]], [[0], [1]]])
    figure = plot.episodes(IMAGES, found, other=other)
    first, second = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["2 of 2, pixels 0 of 2", "1 of 2, pixels 2 of 2"]
    assert frames(first) == [NEUTRAL] * 4 + [RIGHT] * 2 + [WRONG] * 2
    assert frames(second) == [NEUTRAL] * 4 + [WRONG, RIGHT] + [RIGHT] * 2
    assert [text.get_text() for text in first.get_yticklabels()] == ["shown", "asked", "embedding", "pixels"]
    whole = np.asarray(second.images[0].get_array())
    np.testing.assert_allclose(whole[26:34, 2:10], IMAGES[10] / 255)  # given the second way
    alone = plot.episodes(IMAGES, found, count=1)
    assert [axes.get_title() for axes in alone.axes] == ["2 of 2"]
    with pytest.raises(ShapeError, match="'other' is of other episodes"):
        plot.episodes(IMAGES, found, other=other._replace(queries=other.queries + 1))
    with pytest.raises(ValueError, match="'count' is 0"):
        plot.episodes(IMAGES, found, count=0)
    with pytest.raises(TypeError, match="'other' is a tuple; expected a FewShot"):
        plot.episodes(IMAGES, found, other=tuple(found))  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"'found.support' is int64 from 0 to 10"):
        plot.episodes(IMAGES[:9], found)
