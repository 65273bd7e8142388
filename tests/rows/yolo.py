"""Rows of YOLO: its losses, and its detections."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import losses
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.losses import YoloOutputs
from jaxdl.models import YoloConfig, yolo
from rows.common import Bad, Call

V1 = YoloOutputs(jnp.ones((2, 2, 3, 2, 4)), jnp.ones((2, 2, 3, 2)), jnp.ones((2, 2, 3, 4)))
FREE = V1._replace(classes=jnp.ones((2, 2, 3, 2, 4)))
ANCHORS = ((4, 4), (8, 8))
TARGETS = {
    "boxes": jnp.tile(jnp.array([1.0, 1, 5, 5]), (2, 3, 1)),
    "labels": jnp.zeros((2, 3), jnp.int32),
    "mask": jnp.ones((2, 3), bool),
}
FEW = {name: part[:1] for name, part in TARGETS.items()}


def v1(outputs: Any = V1, targets: Any = TARGETS, **options: Any) -> jax.Array:
    return losses.yolo_v1(outputs, targets, **({"stride": 8} | options))


def anchored(outputs: Any = FREE, targets: Any = TARGETS, **options: Any) -> jax.Array:
    return losses.yolo_anchors(outputs, targets, **({"stride": 8, "anchors": ANCHORS} | options))


def unplaced(targets: Any = TARGETS, **options: Any) -> jax.Array:
    return losses.yolo_unplaced(targets, **({"stride": 8, "grid": (2, 3), "num_classes": 4} | options))


def detect(outputs: Any = FREE, **options: Any) -> Any:
    config = options.pop("config", YoloConfig(anchors=ANCHORS, num_classes=4))
    return yolo.detect(outputs, config, **options)


COMMON: tuple[Bad, ...] = (
    ((jnp.ones((2, 2, 3, 4)),), {}, DtypeError, "expected losses.YoloOutputs"),
    ((V1._replace(boxes=jnp.ones((2, 2, 3, 4))),), {}, ShapeError, r"boxes \(batch, rows, columns, boxes, 4"),
    ((V1._replace(confidence=jnp.ones((2, 2, 3, 2), int)),), {}, DtypeError, "'outputs.confidence'"),
    ((), {"stride": 0}, ValueError, r"'stride' is 0; expected \(0, inf\)"),
    ((), {"lambda_coord": -1.0}, ValueError, r"'lambda_coord' is -1.0; expected \[0, inf\)"),
    ((), {"lambda_noobj": jnp.ones(2)}, DtypeError, "'lambda_noobj' is a"),
    ((), {"targets": FEW}, ShapeError, "an image each of outputs"),
    (
        (),
        {"targets": {"label" if k == "labels" else k: v for k, v in TARGETS.items()}},
        ValueError,
        "without 'labels'",
    ),
)
CALLS: tuple[Call, ...] = (
    ("losses.yolo_v1", v1, (*COMMON, ((FREE,), {}, ShapeError, "what models.Yolo of form='v1' returns"))),
    (
        "losses.yolo_anchors", anchored,
        (
            *COMMON,
            ((V1,), {}, ShapeError, "what models.Yolo of form='anchors' returns"),
            ((), {"anchors": ((4, 4),)}, ShapeError, r"of shape \(1, 2\); expected \(2, 2\)"),
            ((), {"anchors": ((4, 4), (4, -1))}, ValueError, "sides above 0"),
            ((), {"anchors": ((4, 4), (4,))}, DtypeError, "'anchors' is"),
            ((), {"ignore_threshold": 1.5}, ValueError, r"\[0, 1\]"),
            ((), {"class_loss": "hinge"}, ValueError, "one of 'softmax', 'binary'"),
        ),
    ),
    (
        "losses.yolo_unplaced", unplaced,
        (
            ((), {"grid": (0, 3)}, ValueError, "'grid' is 0"),
            ((), {"grid": (2.5, 3)}, DtypeError, "'grid' is 2.5"),
            ((), {"grid": 3}, ShapeError, r"'grid' is 3; expected \(rows, columns\)"),
            ((), {"stride": float("nan")}, ValueError, "'stride' is nan"),
            ((), {"num_classes": 0}, ValueError, "'num_classes' is 0"),
            ((), {"anchors": (4, 4)}, ShapeError, r"expected \(shapes, 2\)"),
        ),
    ),
    (
        "models.yolo.detect", detect,
        (
            ((TARGETS,), {}, DtypeError, "expected losses.YoloOutputs"),
            ((V1,), {}, ShapeError, "form='anchors'"),
            ((), {"config": YoloConfig(num_classes=4)}, ShapeError, "of 2 boxes a cell"),
            ((), {"config": None}, DtypeError, "'config' is a NoneType"),
            ((), {"iou_threshold": 1.5}, ValueError, r"\[0, 1\]"),
            ((), {"max_outputs": 0}, ValueError, "'max_outputs' is 0"),
            ((), {"candidates": 0}, ValueError, "'candidates' is 0"),
        ),
    ),
)  # fmt: skip
