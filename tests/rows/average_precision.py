"""Rows of the metrics of detection, whose bad inputs stand in one of few numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxdl import metrics
from jaxdl.errors import DtypeError, FormatError, ShapeError
from rows.common import Bad, Call

BOX = np.array([[[0, 0, 4, 4]]], np.float32)
ONE = np.ones((1, 1))
ZERO = np.zeros((1, 1), np.int32)
OBJECTS = {"boxes": BOX, "labels": ZERO, "mask": ONE != 0}
FOUND = OBJECTS | {"scores": ONE}
CALL: dict[str, Any] = {"num_classes": 1}


def both(**parts: Any) -> tuple[Any, Any]:
    return FOUND | parts, OBJECTS


def wanted(**parts: Any) -> tuple[Any, Any]:
    return FOUND, OBJECTS | parts


BAD: tuple[Bad, ...] = (
    (
        both(labels=ZERO + 1),
        CALL,
        FormatError,
        r"'detections.labels' is 1 at image 0, place 0; expected a lab",
    ),
    (wanted(labels=ZERO - 1), CALL, FormatError, "'targets.labels' is -1 at image 0"),
    (both(scores=ONE * np.nan), CALL, FormatError, "'detections.scores' is nan"),
    (both(boxes=BOX[..., ::-1]), CALL, FormatError, "expected x2 >= x1 and y2 >= y1"),
    (wanted(boxes=BOX[..., ::-1]), CALL, FormatError, "expected x2 > x1 and y2 > y1"),
    (wanted(boxes=BOX * 0), CALL, FormatError, "drop empty objects"),
    (wanted(boxes=BOX + np.inf), CALL, FormatError, "expected finite corners"),
    (
        (FOUND, {name: np.repeat(part, 2, 0) for name, part in OBJECTS.items()}),
        CALL,
        ShapeError,
        "of 2 images",
    ),
    (both(scores=ONE[0]), CALL, ShapeError, r"'detections.scores' is of shape \(1,\)"),
    (wanted(labels=ZERO[:, :0]), CALL, ShapeError, "'targets.labels'"),
    (wanted(ignore=ONE[0]), CALL, ShapeError, "'targets.ignore'"),
    (both(mask=ONE[0] != 0), CALL, ShapeError, r"expected \(images, places\)"),
    (both(labels=ONE), CALL, DtypeError, "'detections.labels' is of dtype float64"),
    (both(labels=[[0, 1], [2]]), CALL, DtypeError, "'detections.labels' is of dtype object"),
    ((OBJECTS, OBJECTS), CALL, DtypeError, "a dict without 'scores'"),
    ((FOUND, BOX), CALL, DtypeError, "a ndarray without 'boxes'"),
    ((FOUND, OBJECTS), {"num_classes": 0}, ValueError, "'num_classes' is 0"),
    ((FOUND, OBJECTS), CALL | {"sizes": (9.0, 4.0)}, ValueError, "areas above 0 that rise"),
    ((FOUND, OBJECTS), CALL | {"sizes": 9.0}, ValueError, "areas above 0 that rise"),
    ((FOUND, OBJECTS), CALL | {"sizes": ("a",)}, ValueError, "areas above 0 that rise"),
    ((FOUND, OBJECTS), CALL | {"max_detections": 0}, ValueError, "'max_detections' is 0"),
)
OWN: tuple[Bad, ...] = (
    ((FOUND, OBJECTS), CALL | {"thresholds": (0.5, 1.5)}, ValueError, r"expected \[0, 1\]"),
    ((FOUND, OBJECTS), CALL | {"thresholds": float("nan")}, ValueError, r"expected \[0, 1\]"),
    ((FOUND, OBJECTS), CALL | {"thresholds": ()}, DtypeError, "'thresholds'"),
    ((FOUND, OBJECTS), CALL | {"thresholds": (0.5, (0.6, 0.7))}, DtypeError, "'thresholds'"),
    ((FOUND, OBJECTS), CALL | {"interpolation": "voc"}, ValueError, "one of 'all', '11', '101'"),
    ((FOUND, OBJECTS), CALL | {"matching": "greedy"}, ValueError, "one of 'free', 'best'"),
)
MEAN: Callable[..., Any] = metrics.mean_average_precision
CALLS: tuple[Call, ...] = (
    ("metrics.mean_average_precision", MEAN, BAD + OWN),
    ("metrics.coco", metrics.coco, BAD),
)
