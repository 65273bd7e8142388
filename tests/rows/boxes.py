"""Rows of `jaxdl.boxes`, `kernels.nms` and `kernels.roi`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdl import boxes
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.kernels import nms, roi
from rows.common import Bad, Call, Op

B = jnp.array([[0.0, 0, 2, 2], [1, 1, 3, 4]])
S = jnp.array([0.5, 0.25])
TURNED = B[:, [2, 1, 0, 3]]
# Small, large, without area, alike, apart; their corners in order, or all the same.
EXTREME_BOXES = np.array(
    [[0] * 4, [0, 0, 1e-40, 1e-40], [-1e4, -1e4, 1e4, 1e4], [-1e4, 0, -1e4, 0], [1, 2, 3, 5], [1, 2, 3, 5]],
    np.float32,
)  # fmt: skip
FORMAT_BAD: tuple[Bad, ...] = (
    ((B[:, :3],), {}, ShapeError, r"of shape \(2, 3\); expected \(..., 4\), four numbers a box"),
    ((B.astype(jnp.int32),), {}, DtypeError, "of dtype int32; expected a floating dtype"),
    (([[0.0, 0, 2, 2]],), {}, DtypeError, "is a list; expected an array"),
    ((jnp.float32(1),), {}, ShapeError, r"of shape \(\)"),
)
CROSSED_BAD: tuple[Bad, ...] = (
    ((B, B[None]), {}, ShapeError, r"'second' is of shape \(1, 2, 4\); expected \('boxes', 4\)"),
    ((B[0], B), {}, ShapeError, r"'first' is of shape \(4,\); expected at least 2 axes"),
    ((B, B.astype(jnp.int32)), {}, DtypeError, "'second' is of dtype int32"),
    ((B, B[:, :2]), {}, ShapeError, r"'second' is of shape \(2, 2\)"),
)
PAIRED_BAD: tuple[Bad, ...] = (
    ((B, B[:1]), {}, ShapeError, r"of shape \(1, 4\); expected the shape of"),
    ((B[:, :3], B), {}, ShapeError, r"of shape \(2, 3\)"),
    ((B, [0.0] * 4), {}, DtypeError, "is a list"),
)
SIZED_BAD: tuple[Bad, ...] = (
    ((B[:, :3], 4, 4), {}, ShapeError, r"'boxes' is of shape \(2, 3\)"),
    ((B, 0, 4), {}, ValueError, "'height' is 0; expected a number above 0"),
    ((B, 4, -1.0), {}, ValueError, "'width' is -1.0; expected a number above 0"),
    ((B, 4, "8"), {}, DtypeError, "'width' is a str"),
)
NMS_BAD: tuple[Bad, ...] = (
    ((B[None], S), {}, ShapeError, r"'boxes' is of shape \(1, 2, 4\); expected \(boxes, 4\)"),
    ((B, S[:1]), {}, ShapeError, r"'scores' is of shape \(1,\); expected \(2,\)"),
    ((B, S), {"iou_threshold": 1.5}, ValueError, r"'iou_threshold' is 1.5; expected \[0, 1\]"),
    ((B, S), {"iou_threshold": -0.1}, ValueError, r"'iou_threshold' is -0.1"),
    ((B, S), {"iou_threshold": float("nan")}, ValueError, r"'iou_threshold' is nan"),
    ((B, S), {"max_outputs": 0}, ValueError, "'max_outputs' is 0; expected at least 1"),
    ((B, jnp.array([1, 2])), {}, DtypeError, "'scores' is of dtype int32"),
)
LABELLED_BAD: tuple[Bad, ...] = (
    ((B, S), {"labels": jnp.array([1])}, ShapeError, r"'labels' is of shape \(1,\)"),
    ((B, S), {"labels": S}, DtypeError, "'labels' is of dtype float32"),
)
CLASSES = jnp.array([1, 2])
TARGETS = {"boxes": B[None], "labels": jnp.array([[1, 2]]), "mask": jnp.array([[True, False]])}
TRUTH_BAD: tuple[Bad, ...] = (
    (({k: v for k, v in TARGETS.items() if k != "mask"},), {}, ValueError, "without 'mask': boxes, labels"),
    ((B,), {}, DtypeError, "expected a dict of arrays"),
    ((TARGETS | {"boxes": B[None, :, :3]},), {}, ShapeError, r"targets\['boxes'\]' is of shape \(1, 2, 3\)"),
    ((TARGETS | {"boxes": B[0]},), {}, ShapeError, "expected at least 2 axes"),
    ((TARGETS | {"labels": jnp.array([1, 2])},), {}, ShapeError, r"targets\['labels'\]' is of shape \(2,\)"),
    ((TARGETS | {"labels": S[None]},), {}, DtypeError, "expected an integer dtype"),
    ((TARGETS | {"mask": jnp.ones((1, 3), bool)},), {}, ShapeError, r"'\]' is of shape \(1, 3\)"),
    ((TARGETS,), {"num_classes": 0}, ValueError, "'num_classes' is 0"),
)  # fmt: skip
PAD_BAD: tuple[Bad, ...] = (
    (([[[0, 0, 1, 1]]], [[1], [2]]), {}, ShapeError, "'labels' is of 2 images; expected 1"),
    (([[[0, 0, 1, 1]]], [[1, 2]]), {}, ShapeError, r"'labels' is of image 0, of shape \(2,\)"),
    (([[], [[0, 0, 1]]], [[], [1]]), {}, ShapeError, "'boxes' is of image 1"),
    (([[[2, 0, 1, 1]]], [[1]]), {}, FormatError, r"'boxes' is \[2, 0, 1, 1\] in object 0 of image 0"),
    (([[[0, 0, float("nan"), 1]]], [[1]]), {}, FormatError, "in object 0 of image 0; expected finite"),
    (([[[0, 0, 1, 1]]], [[-1]]), {}, FormatError, "'labels' is -1 in object 0"),
    (([[[0, 0, 1, 1]]], [[2**32 + 3]]), {}, FormatError, "'labels' is 4294967299 in object 0"),
    (([[[0, 0, 1e39, 1]]], [[1]]), {}, FormatError, "'boxes' is .0.0, 0.0, 1e.39, 1.0. in object 0"),
    (([[[1e8, 0, 1e8 + 1, 1]]], [[1]]), {}, FormatError, "expected finite x1 < x2"),
    (([[[0, 0, 1, 1], [0, 0, 1]]], [[1, 2]]), {}, ShapeError, "'boxes' is of image 0, ragged"),
    ((None, [[1]]), {}, DtypeError, "'boxes' is a NoneType; expected a list"),
    (([[[0, 0, 1, 1]]], [[0.5]]), {}, DtypeError, "'labels' is of image 0, of dtype float64"),
    (
        ([[[0, 0, 1, 1]], [[0, 0, 1, 1]] * 3], [[1], [1, 2, 3]], 2),
        {},
        FormatError,
        "'places' is 2, too few for 1 of 2 images by 1 objects in all, first for image 1 with 3",
    ),
    (([], [], 0), {}, ValueError, "'places' is 0"),
    (([], []), {"excess": "cut"}, ValueError, "'excess' is 'cut'"),
)
MAP = jnp.ones((4, 5, 2))
ROI_BAD: tuple[Bad, ...] = (
    ((MAP[None], B), {}, ValueError, r"'features' is of shape \(1, 4, 5, 2\)"),
    ((MAP, B[None]), {}, ValueError, r"'boxes' is of shape \(1, 2, 4\); expected \(boxes, 4\)"),
    ((MAP, B), {"spatial_scale": 0.0}, ValueError, "'spatial_scale' is 0.0"),
    ((MAP, B), {"spatial_scale": np.float32(-1)}, ValueError, "'spatial_scale' is .*-1.0"),
    ((MAP, B), {"spatial_scale": None}, ValueError, "'spatial_scale' is None"),
    ((MAP, B), {"output_size": None}, ValueError, "'output_size' is None"),
    ((MAP, B), {"output_size": (2, 0)}, ValueError, "'output_size' is 0"),
    ((MAP, B), {"output_size": (1, 2, 3)}, ValueError, r"'output_size' is \(1, 2, 3\)"),
    ((MAP.astype(jnp.int32), B), {}, TypeError, "'features' is of dtype int32"),
    ((MAP, [[0.0] * 4]), {}, TypeError, "'boxes' is a list"),
    ((MAP[:0], B), {}, ValueError, "none empty"),
)  # fmt: skip
ALIGN_BAD: tuple[Bad, ...] = (
    ((MAP, B), {"sampling_ratio": 0}, ValueError, "'sampling_ratio' is 0; expected a whole"),
    ((MAP, B), {"sampling_ratio": -1}, ValueError, "'sampling_ratio' is -1"),
    ((MAP, B), {"implementation": "fast"}, ValueError, "expected None or one of 'gather', 'products'"),
)  # fmt: skip


def some_boxes(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    def drawn(rng: np.random.Generator) -> np.ndarray:
        low = rng.uniform(0, 3, (*shape, 2))
        return np.concatenate([low, low + rng.uniform(0.5, 3, (*shape, 2))], -1)

    return drawn


def loop(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """Apply a function of numbers to every row of four."""

    def looped(x: np.ndarray) -> np.ndarray:
        return np.array([function(*row) for row in x.reshape(-1, 4)]).reshape(x.shape)

    return looped


def overlap(a: Any, b: Any, *, generalized: bool = False) -> float:
    def area(x1: float, y1: float, x2: float, y2: float) -> float:
        return max(x2 - x1, 0) * max(y2 - y1, 0)

    shared = area(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    hull = area(min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    union = area(*a) + area(*b) - shared
    found = shared / union if union else 0.0
    return found - (hull - union) / hull if generalized and hull else found


def crossed(a: np.ndarray, b: np.ndarray, **options: Any) -> np.ndarray:
    return np.array([[[overlap(p, q, **options) for q in bs] for p in as_] for as_, bs in zip(a, b)])


def paired(a: np.ndarray, b: np.ndarray, **options: Any) -> np.ndarray:
    return np.array([overlap(p, q, **options) for p, q in zip(a, b)])


def encoded(x1: float, y1: float, x2: float, y2: float, anchor: Any) -> tuple[float, ...]:
    w, h = anchor[2] - anchor[0], anchor[3] - anchor[1]
    shift = ((x1 + x2 - anchor[0] - anchor[2]) / 2 / w, (y1 + y2 - anchor[1] - anchor[3]) / 2 / h)
    return *shift, np.log((x2 - x1) / w), np.log((y2 - y1) / h)


def decoded(dx: float, dy: float, dw: float, dh: float, anchor: Any) -> tuple[float, ...]:
    w, h = anchor[2] - anchor[0], anchor[3] - anchor[1]
    cx, cy = (anchor[0] + anchor[2]) / 2 + dx * w, (anchor[1] + anchor[3]) / 2 + dy * h
    w, h = w * np.exp(min(dw, np.log(62.5))) / 2, h * np.exp(min(dh, np.log(62.5))) / 2
    return cx - w, cy - h, cx + w, cy + h


def coded(one: Callable[..., Any]) -> Callable[..., np.ndarray]:
    return lambda x, anchors: np.array([one(*row, anchor) for row, anchor in zip(x, anchors)])


def suppress(kind: Callable[..., Any]) -> Callable[..., Any]:
    def called(x: Any, s: Any, iou_threshold: Any = 0.5, max_outputs: Any = 2, **options: Any) -> Any:
        return kind(x, s, iou_threshold=iou_threshold, max_outputs=max_outputs, **options)

    return called


def by_class(x: Any, s: Any, labels: Any = CLASSES, **options: Any) -> Any:
    return boxes.nms_by_class(x, s, labels, **({"iou_threshold": 0.5, "max_outputs": 2} | options))


def pooled(kind: Callable[..., Any]) -> Callable[..., Any]:
    def called(x: Any, b: Any, output_size: Any = (2, 3), spatial_scale: Any = 0.5, **options: Any) -> Any:
        return kind(x, b, output_size=output_size, spatial_scale=spatial_scale, **options)

    return called


def features_and_boxes(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw boxes whose samples and corners stay away from the borders of cells under small steps."""
    low = 2 * (rng.integers(0, 3, (4, 2)) + 0.58)
    return rng.permutation(7 * 8 * 2).reshape(7, 8, 2) / 8, np.concatenate(
        [low, low + 2 * (np.array([[2.4, 2.4]]) + rng.integers(0, 2, (4, 2)) * np.array([[1.2, 1.2]]))], 1
    )


def aligned_by_loops(x: np.ndarray, b: np.ndarray) -> np.ndarray:
    height, width, _ = x.shape
    y = np.zeros((len(b), 2, 3, x.shape[2]))
    for r, box in enumerate(b * 0.5 - 0.5):
        for p in range(4):
            for q in range(6):
                v = min(max(box[1] + (p + 0.5) * (box[3] - box[1]) / 4, 0), height - 1)
                u = min(max(box[0] + (q + 0.5) * (box[2] - box[0]) / 6, 0), width - 1)
                for h in range(height):
                    for w in range(width):
                        y[r, p // 2, q // 2] += max(0, 1 - abs(v - h)) * max(0, 1 - abs(u - w)) * x[h, w] / 4
    return y


def sized(name: str) -> Callable[..., Any]:
    return lambda x, height=4, width=5: getattr(boxes, name)(x, height, width)


FORMATS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("xyxy_to_cxcywh", lambda a, b, c, d: ((a + c) / 2, (b + d) / 2, c - a, d - b)),
    ("cxcywh_to_xyxy", lambda a, b, c, d: (a - c / 2, b - d / 2, a + c / 2, b + d / 2)),
    ("xyxy_to_xywh", lambda a, b, c, d: (a, b, c - a, d - b)),
    ("xywh_to_xyxy", lambda a, b, c, d: (a, b, a + c, b + d)),
    ("xyxy_to_cycxhw", lambda a, b, c, d: ((b + d) / 2, (a + c) / 2, d - b, c - a)),
    ("cycxhw_to_xyxy", lambda a, b, c, d: (b - d / 2, a - c / 2, b + d / 2, a + c / 2)),
)
SIZED: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("to_relative", lambda a, b, c, d: (a / 5, b / 4, c / 5, d / 4)),
    ("to_absolute", lambda a, b, c, d: (a * 5, b * 4, c * 5, d * 4)),
    ("clip", lambda a, b, c, d: (min(a, 5), min(b, 4), min(c, 5), min(d, 4))),
)
OPS: tuple[Op, ...] = (
    *(
        Op(
            f"boxes.{name}", getattr(boxes, name), lambda rng: (some_boxes(4)(rng),), loop(truth), FORMAT_BAD,
            extremes=((EXTREME_BOXES,),), length=4,
        )
        for name, truth in FORMATS
    ),
    *(
        Op(
            f"boxes.{name}", sized(name),
            lambda rng: (some_boxes(4)(rng),), loop(truth), SIZED_BAD, extremes=((EXTREME_BOXES,),), length=4,
        )
        for name, truth in SIZED
    ),
    Op(
        "boxes.area", boxes.area, lambda rng: (some_boxes(4)(rng),),
        lambda x: np.array([(c - a) * (d - b) for a, b, c, d in x]), FORMAT_BAD,
        extremes=((EXTREME_BOXES,),), length=4,
    ),
    Op(
        "boxes.valid", boxes.valid, lambda rng: (some_boxes(4)(rng) * [[1], [1], [-1], [1]],),
        lambda x: (x[:, 2:] >= x[:, :2]).all(1), FORMAT_BAD, differentiable=(), extremes=((EXTREME_BOXES,),),
    ),
    *(
        Op(
            f"boxes.{name}", getattr(boxes, name),
            lambda rng: (some_boxes(2, 4)(rng), some_boxes(2, 3)(rng)),
            partial(crossed, generalized=name == "giou"), CROSSED_BAD, differentiable=(0, 1),
            extremes=((EXTREME_BOXES[None], EXTREME_BOXES[None]),), length=4,
        )
        for name in ("iou", "giou")
    ),
    *(
        Op(
            f"boxes.{name}", getattr(boxes, name), lambda rng: (some_boxes(6)(rng), some_boxes(6)(rng)),
            truth, PAIRED_BAD, differentiable=(0, 1), extremes=((EXTREME_BOXES, EXTREME_BOXES[::-1]),),
            length=4,
        )
        for name, truth in (
            ("paired_iou", paired), ("paired_giou", partial(paired, generalized=True)),
            ("giou_loss", lambda a, b: 1 - paired(a, b, generalized=True)),
        )
    ),
    Op(
        "boxes.encode", boxes.encode, lambda rng: (some_boxes(5)(rng), some_boxes(5)(rng)), coded(encoded),
        (
            ((B, TURNED), {}, FormatError, r"'anchors' is \[2.0, 0.0, 0.0, 2.0\] at \(0,\), one of 2 such"),
            ((TURNED, B), {}, FormatError, r"'boxes' is \[2.0, 0.0, 0.0, 2.0\]"),
            ((B, jnp.ones((3, 4))), {}, ShapeError, r"'anchors' is of shape \(3, 4\); expected a shape"),
            ((B, B), {"weights": (1, 2, 3)}, ValueError, r"'weights' is \(1, 2, 3\)"),
            ((B, B), {"weights": (1, 2, 3, 0)}, ValueError, "expected four finite numbers other than 0"),
            ((B, B.astype(jnp.int32)), {}, DtypeError, "'anchors' is of dtype int32"),
        ),
        differentiable=(0, 1), extremes=((EXTREME_BOXES[4:], EXTREME_BOXES[[2, 4]]),), length=4,
    ),
    Op(
        "boxes.decode", boxes.decode,
        lambda rng: (rng.normal(size=(5, 4)), some_boxes(5)(rng)), coded(decoded),
        (
            ((B, TURNED), {}, FormatError, "'anchors' is"),
            ((B, jnp.ones((3, 4))), {}, ShapeError, r"'anchors' is of shape \(3, 4\)"),
            ((B, B), {"weights": None}, ValueError, "'weights' is None"),
            ((B[:, :3], B), {}, ShapeError, r"'offsets' is of shape \(2, 3\)"),
        ),
        differentiable=(0, 1),
        extremes=((np.full((6, 4), 1e4), EXTREME_BOXES), (EXTREME_BOXES, EXTREME_BOXES)), length=8,
    ),
    # The other formulation, and `roi_pool`, are held to torchvision in tests/kernels/test_roi.py.
    Op(
        "kernels.roi.roi_align", pooled(partial(roi.roi_align, implementation="gather")), features_and_boxes,
        aligned_by_loops, (*ROI_BAD, *ALIGN_BAD), differentiable=(0, 1),
        extremes=((np.full((3, 3, 1), 1e4), EXTREME_BOXES), (np.zeros((3, 3, 1)), EXTREME_BOXES)),
        batched=False, length=64,
    ),
)  # fmt: skip
KERNEL_NMS_BAD: tuple[Bad, ...] = (
    ((B[None], S), {}, ValueError, "'boxes' is of shape"),
    ((B, S[:1]), {}, ValueError, "'scores' is of shape"),
    ((B, S), {"iou_threshold": 1.5}, ValueError, "'iou_threshold' is 1.5"),
    ((B, jnp.array([1, 2])), {}, TypeError, "'scores' is of dtype int32"),
)
CALLS: tuple[Call, ...] = (
    ("boxes.nms", suppress(boxes.nms), (*NMS_BAD, *LABELLED_BAD)),
    (
        "boxes.nms_by_class", by_class,
        (*NMS_BAD, *LABELLED_BAD, ((B, S, None), {}, DtypeError, "'labels' is a NoneType")),
    ),
    (
        "boxes.soft_nms", suppress(boxes.soft_nms),
        (
            *NMS_BAD, *LABELLED_BAD,
            ((B, S), {"decay": "cubic"}, ValueError, "'decay' is 'cubic'; expected one of"),
            ((B, S), {"sigma": 0.0}, ValueError, "'sigma' is 0.0"),
            ((B, S), {"sigma": None}, DtypeError, "'sigma' is None"),
            ((B, S), {"sigma": jnp.ones(2)}, DtypeError, "'sigma' is a"),
            ((B, S), {"score_threshold": 2.0}, ValueError, "'score_threshold' is 2.0"),
        ),
    ),
    (
        "boxes.detections", suppress(boxes.detections),
        (
            ((B, S), {}, ShapeError, r"'scores' is of shape \(2,\); expected \(boxes, classes\)"),
            ((B[:1], S[:, None]), {}, ShapeError, r"'boxes' is of shape \(1, 4\); expected \(2, 4\) or"),
            ((B, S[:, None]), {"score_threshold": -1.0}, ValueError, "'score_threshold' is -1.0"),
            ((B, S[:, None]), {"iou_threshold": 1.1}, ValueError, "'iou_threshold' is 1.1"),
            ((B, S[:, None]), {"candidates": 0}, ValueError, "'candidates' is 0"),
        ),
    ),
    ("boxes.truth", lambda targets, num_classes=3: boxes.truth("loss", targets, num_classes), TRUTH_BAD),
    ("boxes.pad_targets", boxes.pad_targets, PAD_BAD),
    ("kernels.nms.nms", suppress(nms.nms), KERNEL_NMS_BAD),
    ("kernels.roi.roi_pool", pooled(roi.roi_pool), ROI_BAD),
)  # fmt: skip
