"""Selective search: boxes that may hold an object, without knowing what objects are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, explain
from jaxdl.proposals import _graph, _grouping, _pixels, _regions

MEASURES = ("C", "T", "S", "F")


def selective_search(
    image: Any,
    *,
    scales: Sequence[float] = (50.0, 150.0),
    sigma: float = 0.8,
    min_size: int = 20,
    measures: Sequence[str] = ("CTSF", "TSF"),
    max_proposals: int = 200,
    min_side: float = 4.0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Propose the boxes around the regions of a hierarchical grouping.

    Each strategy, a scale and a sum of measures, begins with the regions of `graph_segmentation` and joins
    the two neighbours that are most alike until one region is left; every region on the way gives a box. The
    i-th from the top of a hierarchy has rank ``u i`` with u uniform in [0, 1); the boxes of all strategies
    are sorted by it. Of equal boxes the first stays.

    Args:
        image: (height, width) or (height, width, channels), uint8, or floats in [0, 1]. Its channels are
            taken as they are: convert them for other colour spaces.
        scales: the scales of `graph_segmentation` to begin with.
        sigma: its smoothing, in pixels.
        min_size: the least pixels of its regions.
        measures: sums of measures, letters of: ``C`` colour and ``T`` texture (intersections of histograms),
            ``S`` size and ``F`` fill.
        max_proposals: places of the result.
        min_side: boxes with a shorter side are dropped, in pixels.
        seed: of the numbers u.

    Returns:
        Boxes (max_proposals, 4) float32 xyxy in pixels, the likeliest first, and their mask
        (max_proposals,) bool; places where it is False hold zeros.

    Raises:
        ShapeError: no image of two or three axes.
        DtypeError: neither uint8 nor floating, or arguments of the wrong kind.
        FormatError: floats outside [0, 1].
        ValueError: an argument out of range, or nothing to group by.

    Example:
        >>> image = np.zeros((32, 32), np.uint8)
        >>> image[4:20, 10:26] = 200
        >>> boxes, mask = selective_search(image, max_proposals=8, sigma=0.0)
        >>> sorted(boxes[mask].tolist())
        [[0.0, 0.0, 32.0, 32.0], [10.0, 4.0, 26.0, 20.0]]

    Reference:
        Uijlings, van de Sande, Gevers & Smeulders (2013).
    """
    op = "selective_search"
    found = _pixels.levels(op, "image", image)
    _check(scales, sigma, min_size, measures, max_proposals, min_side)
    seed = _checks.positive_integer(op, "seed", seed, least=0)
    return _search(found, scales, sigma, min_size, measures, max_proposals, min_side, seed)


def _check(scales: Any, sigma: Any, min_size: Any, measures: Any, max_proposals: Any, min_side: Any) -> None:
    """Raise where an argument of `selective_search` is not what it takes."""
    op = "selective_search"
    for name, values, fix in (("scales", scales, "(50.0, 150.0)"), ("measures", measures, "('CTSF',)")):
        if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
            raise DtypeError(
                explain(op, name, got=repr(values), expected="a tuple", fix=f"pass {name}={fix}")
            )
        if len(values) == 0:
            raise ValueError(explain(op, name, got="empty", expected="one at least", fix=f"{name}={fix}"))
    for scale in scales:
        _pixels.positive(op, "scales", scale)
    for letters in measures:
        if not isinstance(letters, str) or not letters or set(letters) - set(MEASURES):
            raise ValueError(
                explain(op, "measures", got=repr(letters), expected=f"letters of {', '.join(MEASURES)}",
                        fix="pass measures=('CTSF', 'TSF')")
            )  # fmt: skip
    _checks.in_range(op, "sigma", sigma, 0, float("inf"), "[0, inf)")
    _checks.in_range(op, "min_side", min_side, 0, float("inf"), "[0, inf)")
    for name, value in (("min_size", min_size), ("max_proposals", max_proposals)):
        _checks.positive_integer(op, name, value)


def _search(
    levels: np.ndarray,
    scales: Sequence[float],
    sigma: float,
    min_size: int,
    measures: Sequence[str],
    max_proposals: int,
    min_side: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    graph = _graph.edges(_pixels.smoothed(levels, sigma))
    bins, total = _regions.bins(levels), float(levels.shape[0] * levels.shape[1])
    boxes = []
    for scale in scales:
        labels = _graph.segment(graph, levels.shape[:2], scale, min_size)
        regions, pairs = _regions.describe(labels, *bins), _regions.neighbours(labels)
        boxes += [_grouping.group(regions, pairs, total, letters) for letters in measures]
    ranks = np.concatenate([draw.random(len(part)) * np.arange(1, len(part) + 1) for part in boxes])
    ordered = np.concatenate(boxes)[np.argsort(ranks, kind="stable")]
    return _fixed(_distinct(ordered, min_side), max_proposals)


def _distinct(boxes: np.ndarray, min_side: float) -> np.ndarray:
    """Return the boxes in their order without repetitions and those that are too narrow."""
    boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).min(1) >= min_side]
    _, first = np.unique(boxes, axis=0, return_index=True)
    return boxes[np.sort(first)]


def _fixed(boxes: np.ndarray, places: int) -> tuple[np.ndarray, np.ndarray]:
    found = np.zeros((places, 4), np.float32)
    kept = boxes[:places]
    found[: len(kept)] = kept
    return found, np.arange(places) < len(kept)
