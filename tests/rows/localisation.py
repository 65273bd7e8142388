"""Rows of localisation: the loss, and the bad inputs of the metric and of the reading of outputs."""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdl import losses, metrics, models
from jaxdl.errors import DtypeError, ShapeError
from rows.common import Bad, Call, Op

SIZE = (8, 16)
OUTPUTS = jnp.zeros((2, 8))
TARGETS = {"boxes": jnp.tile(jnp.array([2.0, 1.0, 6.0, 5.0]), (2, 1, 1)),
           "labels": jnp.zeros((2, 1), jnp.int32), "mask": jnp.ones((2, 1), bool)}  # fmt: skip
TWO = {name: jnp.concatenate([part, part], 1) for name, part in TARGETS.items()}
CALL: dict[str, Any] = {"size": 8}


def vectors(rng: np.random.Generator) -> tuple[Any, ...]:
    """Outputs, and targets of which every third image has no object; corners are exact in any dtype."""
    low, side = rng.integers(0, 12, (6, 1, 2)) / 4, rng.integers(8, 20, (6, 1, 2)) / 4
    labels, mask = rng.integers(0, 3, (6, 1)), (np.arange(6) % 3 > 0)[:, None]
    boxes = np.concatenate([low, low + side], -1)
    return rng.normal(size=(6, 8)), boxes, labels.astype(np.int32), mask


def named(function: Any, **bound: Any) -> Any:
    """Take the targets as three arrays too."""

    def call(outputs: Any, *rest: Any, **given: Any) -> Any:
        targets = rest
        if len(rest) == 3:
            boxes, labels, mask = (jnp.asarray(part) for part in rest)
            targets = ({"boxes": boxes, "labels": labels, "mask": mask.astype(jnp.uint8)},)
        return function(outputs, *targets, **(bound | given))

    return call


def goal(boxes: np.ndarray) -> np.ndarray:
    """Height before width, as shares of an image of 8 by 16 pixels."""
    x1, y1, x2, y2 = np.moveaxis(boxes[:, 0], -1, 0)
    return np.stack([(x1 + x2) / 2 / 16, (y1 + y2) / 2 / 8, (y2 - y1) / 8, (x2 - x1) / 16], -1)


def as_printed(outputs: Any, boxes: Any, labels: Any, mask: Any) -> np.ndarray:
    wanted = np.concatenate([np.ones((6, 1)), goal(boxes), np.eye(3)[labels[:, 0]]], 1)
    whole = np.square(outputs - wanted).sum(1)
    return np.where(mask[:, 0], whole, np.square(outputs[:, 0]))


def as_libraries(outputs: Any, boxes: Any, labels: Any, mask: Any, *, squared: bool) -> np.ndarray:
    z, there = outputs[:, 0], mask[:, 0].astype(np.float64)
    away = np.abs(outputs[:, 1:5] - goal(boxes))
    smooth = np.where(away < 0.1, away**2 / 0.2, away - 0.05)
    box = (away**2 if squared else smooth).sum(1)
    entropy = np.log(np.exp(outputs[:, 5:]).sum(1)) - outputs[np.arange(6), 5 + labels[:, 0]]
    return np.logaddexp(0, -z) * there + np.logaddexp(0, z) * (1 - there) + there * (2 * box + entropy)


ALIKE: tuple[Bad, ...] = (
    ((OUTPUTS[0],), CALL, ShapeError, r"expected \(batch, 5 \+ classes\)"),
    ((OUTPUTS[:, :5],), CALL, ShapeError, "a network of 5 . classes outputs"),
    ((OUTPUTS.astype(jnp.int32),), CALL, DtypeError, "'outputs' is of dtype int32"),
    ((OUTPUTS,), {"size": (8, 8, 8)}, ShapeError, "a side, or .height, width."),
    ((OUTPUTS,), {"size": 8.5}, DtypeError, "'size' is 8.5"),
    ((OUTPUTS,), CALL | {"form": "hinge"}, ValueError, "one of 'cross_entropy', 'squared_error'"),
)  # fmt: skip
WITH_TARGETS: tuple[Bad, ...] = (
    *(((*args, TARGETS), kwargs, error, words) for args, kwargs, error, words in ALIKE),
    ((OUTPUTS, TWO), CALL, ShapeError, "at most one object an image"),
    ((OUTPUTS, TARGETS["boxes"]), CALL, ShapeError, "expected a mapping of boxes, labels and mask"),
    ((OUTPUTS, {"boxes": TARGETS["boxes"]}), CALL, ShapeError, r"is a dict of \['boxes'\]"),
)
EDGE = np.tile(np.array([-1e4, -1.0, -1e-40, 0.0, 1e-40, 1.0, 1e4, 0.0], np.float32), (6, 1))
BOXES = np.tile(np.array([2, 1, 6, 5], np.float32), (6, 1, 1))
SOME, NONE = np.ones((6, 1), bool), np.zeros((6, 1), bool)
OPS = (
    Op("losses.localisation", named(losses.localisation, size=SIZE, box_weight=2.0), vectors,
       partial(as_libraries, squared=False),
       (*WITH_TARGETS,
        ((OUTPUTS, TARGETS), CALL | {"box_loss": "giou"}, ValueError, "one of 'smooth_l1', 'squared_error'"),
        ((OUTPUTS, TARGETS), CALL | {"box_weight": -1.0}, ValueError, "'box_weight' is -1.0"),
        ((OUTPUTS, TARGETS), CALL | {"beta": -1.0}, ValueError, "'beta' is -1.0")),
       extremes=tuple((EDGE, BOXES, np.zeros((6, 1), np.int32), mask) for mask in (SOME, NONE)),
       batched=False, length=8),
)  # fmt: skip
CALLS: tuple[Call, ...] = (
    ("metrics.localisation_accuracy", metrics.localisation_accuracy,
     (*WITH_TARGETS,
      ((OUTPUTS, TARGETS), CALL | {"iou_threshold": 1.5}, ValueError, r"expected \[0, 1\]"),
      ((OUTPUTS, TARGETS), CALL | {"classify": "yes"}, ValueError, "one of True, False"))),
    ("models.localise", models.localise,
     (*ALIKE, ((OUTPUTS,), CALL | {"score_threshold": -0.5}, ValueError, r"expected \[0, 1\]"))),
)  # fmt: skip
