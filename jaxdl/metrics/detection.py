"""Metrics of detection: average precision as Pascal VOC and COCO define it, on the host in float64."""

import dataclasses
import itertools
from typing import Any, NamedTuple

import numpy as np

from jaxdl import _checks
from jaxdl.boxes import Detections
from jaxdl.errors import DtypeError, explain
from jaxdl.metrics import _detection_input as read
from jaxdl.metrics import _detection_match as matching_of

INTERPOLATIONS = ("all", "11", "101")
MATCHINGS = ("free", "best")
COCO_THRESHOLDS = tuple(float(one) for one in np.linspace(0.5, 0.95, 10))
COCO_SIZES = (32.0**2, 96.0**2)
# COCO's own levels: some differ from k / 100 in the last bit, and its figures follow from them.
LEVELS = {"11": np.arange(11) / 10, "101": np.linspace(0, 1, 101)}


class PrecisionRecall(NamedTuple):
    """A curve of one class at one IoU threshold: one point a detection, scores falling.

    Attributes:
        scores: (detections,).
        recall: (detections,), rising; NaN where the class has no object.
        precision: (detections,), of all detections down to this score.
        envelope: (detections,), the greatest precision at this recall or above, which is averaged.
    """

    scores: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    envelope: np.ndarray


@dataclasses.dataclass(frozen=True)
class MeanAveragePrecision:
    """Average precision of a detector; NaN stands where there is no object to find, and no mean counts it.

    Attributes:
        mean: over IoU thresholds and classes.
        per_class: (classes,), means over the thresholds.
        per_threshold: (thresholds,), means over the classes.
        per_size: (sizes,), means over thresholds and classes, for objects of each range of area alone.
        table: (thresholds, classes), each average precision.
        thresholds: the IoU thresholds.
        sizes: the areas in square pixels that bound the ranges of `per_size`.
        curves: ``curves[threshold][class]``, each a `PrecisionRecall`.
        objects: (classes,), how many there are to find.
        ignored: (classes,), objects that count neither way.
        detections: (classes,), how many were judged, after `max_detections`.
        hits: (thresholds, classes), detections that found an object.
        false_positives: (thresholds, classes), those that found none, and duplicates.
    """

    mean: float
    per_class: np.ndarray
    per_threshold: np.ndarray
    per_size: np.ndarray
    table: np.ndarray
    thresholds: tuple[float, ...]
    sizes: tuple[float, ...]
    curves: tuple[tuple[PrecisionRecall, ...], ...]
    objects: np.ndarray
    ignored: np.ndarray
    detections: np.ndarray
    hits: np.ndarray
    false_positives: np.ndarray


def mean_average_precision(
    detections: Detections,
    targets: Any,
    *,
    num_classes: int,
    thresholds: tuple[float, ...] = (0.5,),
    interpolation: str = "all",
    matching: str = "free",
    sizes: tuple[float, ...] = (),
    max_detections: int = 100,
) -> MeanAveragePrecision:
    """Mean over classes and IoU thresholds of the area under the interpolated precision-recall curve.

    Detections of a class are taken by falling score; equal scores in the order of images, then of places.
    One whose IoU with an object of its class is the threshold or more finds it, a second one that does is
    a false positive. Precision at a recall is the greatest there or above. The average is over all
    recalls (``"all"``, VOC from 2010), over 0, 0.1, ..., 1 (``"11"``, VOC 2007) or over 0, 0.01, ..., 1
    (``"101"``, COCO). A class without objects is NaN and left out of means, its detections too; without
    any object all is NaN, without any detection the figures are 0.

    ``matching="free"``, COCO's, takes the best object that is not taken; ``"best"``, VOC's, looks at the
    best of all, and is a duplicate where it is taken. Objects that `targets` mark under ``"ignore"``
    count as neither hit nor miss, and any number of detections may fall on one: with ``"free"`` those of
    which the share ``intersection / area of the detection`` reaches the threshold (a crowd holds more
    than the one found), where no proper object is left to take; with ``"best"`` by IoU (a difficult one).

    It takes whole sets, on the host; it is neither compiled nor differentiated.

    Args:
        detections: `jaxdl.boxes.Detections`, or a mapping of the same names: boxes (images, places, 4)
            xyxy, scores, labels and mask (images, places).
        targets: mapping of boxes (images, objects, 4) xyxy, labels and mask (images, objects), and
            perhaps ignore (images, objects) bool.
        num_classes: labels lie in [0, num_classes).
        thresholds: IoU in [0, 1] from which a detection finds an object.
        interpolation: ``"all"``, ``"11"`` or ``"101"``.
        matching: ``"free"`` or ``"best"``.
        sizes: rising areas in square pixels that part objects into ranges for `per_size`, both ends
            included, as COCO does; what lies outside a range is ignored for it.
        max_detections: of a class in an image, those of the highest score.

    Returns:
        `MeanAveragePrecision`.

    Raises:
        DtypeError: a part is missing, or of the wrong dtype.
        ShapeError: the shapes do not fit, or there is no image.
        FormatError: where a mask is True: a label outside [0, num_classes), a score or corner that is not
            finite, a detection with x2 < x1 or y2 < y1, an object without area.
        ValueError: thresholds outside [0, 1], sizes that do not rise, an unknown `interpolation` or
            `matching`.

    Example:
        >>> import numpy as np
        >>> box = np.array([[[0, 0, 10, 10], [20, 20, 30, 30]]], np.float32)
        >>> targets = {"boxes": box, "labels": np.array([[0, 0]]), "mask": np.array([[True, True]])}
        >>> found = Detections(box[:, :1], np.array([[0.9]]), np.array([[0]]), np.array([[True]]))
        >>> mean_average_precision(found, targets, num_classes=2).per_class.tolist()
        [0.5, nan]

    Reference:
        Everingham et al., The Pascal Visual Object Classes Challenge (2010), without the extra pixel that
        its program adds to sides; Lin et al., Microsoft COCO (2014), whose program ``pycocotools`` gives
        the same figures with ``interpolation="101"`` where areas are those of the boxes.
    """
    op = "mean_average_precision"
    classes = _checks.positive_integer(op, "num_classes", num_classes)
    _checks.one_of(op, "interpolation", interpolation, INTERPOLATIONS)
    _checks.one_of(op, "matching", matching, MATCHINGS)
    levels, bounds = _thresholds(op, thresholds), _bounds(op, sizes)
    most = _checks.positive_integer(op, "max_detections", max_detections)
    found, wanted = read.found(op, detections, classes), read.wanted(op, targets, classes)
    read.same_images(op, found, wanted)
    found = matching_of.sorted_by_score(found, most)
    matches = matching_of.match(found, wanted, np.asarray(levels), bounds, free=matching == "free")
    objects = _objects(wanted, bounds, classes)
    parts = [_of_class(found, matches, label, objects[:, label], interpolation) for label in range(classes)]
    return _result(parts, found, wanted, objects, levels, bounds)


def coco(
    detections: Detections,
    targets: Any,
    *,
    num_classes: int,
    sizes: tuple[float, ...] = COCO_SIZES,
    max_detections: int = 100,
) -> MeanAveragePrecision:
    """Average precision as COCO reports it: the mean over IoU thresholds .5, .55, ..., .95, at 101 recalls.

    It is `mean_average_precision` with those thresholds, ``interpolation="101"`` and ``matching="free"``;
    `per_size` holds the figures of small, medium and large objects, ``per_threshold[0]`` is AP@.5 and
    ``per_threshold[5]`` AP@.75.

    Args:
        detections: `jaxdl.boxes.Detections`: boxes (images, places, 4) xyxy in pixels, and the others.
        targets: mapping of boxes (images, objects, 4), labels, mask and perhaps ignore (crowds).
        num_classes: labels lie in [0, num_classes).
        sizes: areas in square pixels that bound small, medium and large.
        max_detections: of a class in an image, those of the highest score.

    Returns:
        `MeanAveragePrecision`.

    Raises:
        DtypeError: a part is missing, or of the wrong dtype.
        ShapeError: the shapes do not fit, or there is no image.
        FormatError: unsound labels, scores or boxes where a mask is True.
        ValueError: sizes that do not rise.

    Example:
        >>> import numpy as np
        >>> object_, near = np.array([[[0, 0, 10, 10]]]), np.array([[[0, 0, 10, 8]]], np.float32)
        >>> targets = {"boxes": object_, "labels": np.array([[0]]), "mask": np.array([[True]])}
        >>> found = Detections(near, np.array([[0.9]]), np.array([[0]]), np.array([[True]]))
        >>> result = coco(found, targets, num_classes=1)
        >>> round(result.mean, 9), result.per_size.tolist()
        (0.7, [0.7, nan, nan])

    Reference:
        Lin et al., Microsoft COCO: Common Objects in Context (2014).
    """
    return mean_average_precision(
        detections, targets, num_classes=num_classes, thresholds=COCO_THRESHOLDS, interpolation="101",
        sizes=sizes, max_detections=max_detections,
    )  # fmt: skip


class _OfClass(NamedTuple):
    """Average precisions (sizes, thresholds) of a class; the rest, a threshold each, for all sizes."""

    averages: np.ndarray
    curves: list[PrecisionRecall]
    hits: np.ndarray
    misses: np.ndarray


def _of_class(
    found: read.Found, matches: matching_of.Matches, label: int, objects: np.ndarray, interpolation: str
) -> _OfClass:
    here = found.mask & (found.labels == label)
    order = np.argsort(-found.scores[here], kind="stable")
    scores, hit = found.scores[here][order], matches.hits[:, :, here][..., order]
    miss = ~hit & ~matches.left_out[:, :, here][..., order]
    right, wrong = np.cumsum(hit, -1), np.cumsum(miss, -1)
    recall = np.where(objects > 0, right.T / np.maximum(objects, 1), np.nan).T
    precision = right / np.maximum(right + wrong, 1)
    envelope = np.maximum.accumulate(precision[..., ::-1], -1)[..., ::-1]
    averages = [[_area(*pair, interpolation) for pair in zip(*rows)] for rows in zip(recall, envelope)]
    judged = (hit | miss)[0]
    curves = [
        PrecisionRecall(scores[one], recall[0, t, one], precision[0, t, one], envelope[0, t, one])
        for t, one in enumerate(judged)
    ]
    known = np.where(objects[:, None] > 0, averages, np.nan)
    return _OfClass(known, curves, hit[0].sum(-1), miss[0].sum(-1))


def _result(
    parts: list[_OfClass],
    found: read.Found,
    wanted: read.Wanted,
    objects: np.ndarray,
    levels: tuple[float, ...],
    bounds: list[tuple[float, float]],
) -> MeanAveragePrecision:
    classes = len(parts)
    table = np.stack([one.averages for one in parts], -1)
    return MeanAveragePrecision(
        mean=_mean(table[0]),
        per_class=np.asarray([_mean(column) for column in table[0].T]),
        per_threshold=np.asarray([_mean(row) for row in table[0]]),
        per_size=np.asarray([_mean(one) for one in table[1:]]),
        table=table[0],
        thresholds=levels,
        sizes=tuple(high for _, high in bounds[1:-1]),
        curves=tuple(zip(*(one.curves for one in parts))),
        objects=objects[0],
        ignored=_count(wanted.labels, wanted.ignore, classes),
        detections=_count(found.labels, found.mask, classes),
        hits=np.stack([one.hits for one in parts], -1),
        false_positives=np.stack([one.misses for one in parts], -1),
    )


def _area(recall: np.ndarray, envelope: np.ndarray, interpolation: str) -> float:
    if interpolation == "all":
        return float(np.sum(np.diff(recall, prepend=0.0) * envelope))
    at = np.searchsorted(recall, LEVELS[interpolation], side="left")
    return float(np.append(envelope, 0.0)[at].mean())


def _thresholds(op: str, thresholds: Any) -> tuple[float, ...]:
    if isinstance(thresholds, int | float):
        thresholds = (thresholds,)
    several = isinstance(thresholds, tuple | list) or getattr(thresholds, "ndim", 0) == 1
    if not several or len(thresholds) == 0:
        raise DtypeError(
            explain(op, "thresholds", got=repr(thresholds), expected="one number in [0, 1] or more",
                    fix="thresholds=(0.5,)")
        )  # fmt: skip
    for one in thresholds:
        _checks.in_range(op, "thresholds", one, 0.0, np.nextafter(1.0, 2.0), "[0, 1]")
    return tuple(float(one) for one in thresholds)


def _bounds(op: str, sizes: Any) -> list[tuple[float, float]]:
    """Return ranges of area, the first of all areas."""
    try:
        given = np.asarray(sizes, np.float64)
    except (TypeError, ValueError):
        given = np.asarray(np.nan)
    sides = [0.0, *(given.tolist() if given.ndim == 1 else [np.nan]), np.inf]
    if not all(low < high for low, high in itertools.pairwise(sides)):
        raise ValueError(
            explain(op, "sizes", got=repr(sizes), expected="areas above 0 that rise",
                    fix=f"sizes={COCO_SIZES}")
        )  # fmt: skip
    return [(0.0, np.inf), *(itertools.pairwise(sides) if len(sides) > 2 else ())]


def _objects(wanted: read.Wanted, bounds: list[tuple[float, float]], classes: int) -> np.ndarray:
    """Count what there is to find, (sizes, classes)."""
    area, proper = matching_of.area(wanted.boxes), wanted.mask & ~wanted.ignore
    inside = [proper & (area >= low) & (area <= high) for low, high in bounds]
    return np.stack([_count(wanted.labels, one, classes) for one in inside])


def _count(labels: np.ndarray, mask: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(labels[mask], minlength=classes)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
