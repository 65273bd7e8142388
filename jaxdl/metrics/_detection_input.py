"""What detections are judged by, as float64 NumPy arrays, checked: every unsound number is named."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


class Found(NamedTuple):
    """Detections: boxes (images, places, 4), the others (images, places); zeros where the mask is False."""

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    mask: np.ndarray


class Wanted(NamedTuple):
    """Objects: boxes (images, places, 4), the others (images, places); zeros where the mask is False."""

    boxes: np.ndarray
    labels: np.ndarray
    mask: np.ndarray
    ignore: np.ndarray


def found(op: str, detections: Any, num_classes: int) -> Found:
    """Read and check detections."""
    parts = {
        name: _part(op, "detections", detections, name) for name in ("boxes", "scores", "labels", "mask")
    }
    mask = _mask(op, "detections", parts["mask"])
    boxes = _boxes(op, "detections", parts["boxes"], mask)
    labels = _labels(op, "detections", parts["labels"], mask, num_classes)
    _like(op, "detections.scores", parts["scores"], mask.shape)
    scores = np.where(mask, parts["scores"].astype(np.float64), 0)
    _all(op, "detections.scores", scores, np.isfinite(scores), "finite scores", "look for NaN in the network")
    sides = boxes[..., 2:] - boxes[..., :2]
    _all(op, "detections.boxes", boxes, (sides >= 0).all(-1), "x2 >= x1 and y2 >= y1",
         "sort the corners, or see boxes.xywh_to_xyxy and boxes.cxcywh_to_xyxy")  # fmt: skip
    return Found(boxes, scores, labels, mask)


def wanted(op: str, targets: Any, num_classes: int) -> Wanted:
    """Read and check the objects."""
    parts = {name: _part(op, "targets", targets, name) for name in ("boxes", "labels", "mask")}
    mask = _mask(op, "targets", parts["mask"])
    boxes = _boxes(op, "targets", parts["boxes"], mask)
    labels = _labels(op, "targets", parts["labels"], mask, num_classes)
    sides = boxes[..., 2:] - boxes[..., :2]
    _all(op, "targets.boxes", boxes, ~mask | (sides > 0).all(-1), "x2 > x1 and y2 > y1",
         "drop empty objects, or see boxes.xywh_to_xyxy and boxes.cxcywh_to_xyxy")  # fmt: skip
    ignore = np.zeros(mask.shape, bool)
    if isinstance(targets, Mapping) and targets.get("ignore") is not None:
        given = _part(op, "targets", targets, "ignore")
        _like(op, "targets.ignore", given, mask.shape)
        ignore = _mask(op, "targets", given, "ignore") & mask
    return Wanted(boxes, labels, mask, ignore)


def same_images(op: str, found: Found, wanted: Wanted) -> None:
    """Raise unless both speak of the same images, of which there must be one."""
    images, others = len(found.mask), len(wanted.mask)
    if images != others or images == 0:
        raise ShapeError(
            explain(op, "targets", got=f"of {others} images where detections have {images}",
                    expected="the same images in both, at least one",
                    fix="detect in every image that has targets; masks mark empty places")
        )  # fmt: skip


def _part(op: str, argument: str, value: Any, name: str) -> np.ndarray:
    part = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    if part is None:
        raise DtypeError(
            explain(op, argument, got=f"a {type(value).__name__} without '{name}'",
                    expected=f"arrays by name, '{name}' among them",
                    fix="pass boxes.Detections and a dict of boxes, labels and mask")
        )  # fmt: skip
    try:
        array = np.asarray(part)
    except ValueError:  # ragged
        array = np.empty(0, object)
    if array.dtype.kind not in "biufV":
        raise DtypeError(
            explain(op, f"{argument}.{name}", got=f"of dtype {array.dtype}", expected="numbers",
                    fix=f"pad {name} to one length an image and pass an array")
        )  # fmt: skip
    return array


def _mask(op: str, argument: str, value: np.ndarray, name: str = "mask") -> np.ndarray:
    if value.ndim != 2:
        raise ShapeError(
            explain(op, f"{argument}.{name}", got=f"of shape {value.shape}", expected="(images, places)",
                    fix=f"{name}[None] for a single image")
        )  # fmt: skip
    return np.asarray(value != 0)


def _like(op: str, argument: str, value: np.ndarray, shape: tuple[int, ...]) -> None:
    if value.shape != shape:
        raise ShapeError(
            explain(op, argument, got=f"of shape {value.shape}", expected=f"{shape}, from the mask's",
                    fix="pad every image to the same number of places")
        )  # fmt: skip


def _boxes(op: str, argument: str, value: np.ndarray, mask: np.ndarray) -> np.ndarray:
    _like(op, f"{argument}.boxes", value, (*mask.shape, 4))
    boxes = np.where(mask[..., None], value.astype(np.float64), 0)
    _all(op, f"{argument}.boxes", boxes, np.asarray(np.isfinite(boxes).all(-1)), "finite corners",
         "look for NaN in the boxes")  # fmt: skip
    return boxes


def _labels(op: str, argument: str, value: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    _like(op, f"{argument}.labels", value, mask.shape)
    if value.dtype.kind not in "iu":
        raise DtypeError(
            explain(op, f"{argument}.labels", got=f"of dtype {value.dtype}", expected="an integer dtype",
                    fix="labels.astype(np.int32)")
        )  # fmt: skip
    labels = np.where(mask, value.astype(np.int64), 0)
    _all(op, f"{argument}.labels", labels, (labels >= 0) & (labels < num_classes),
         f"a label in [0, {num_classes})", "relabel, or raise num_classes")  # fmt: skip
    return labels


def _all(op: str, argument: str, values: np.ndarray, good: np.ndarray, expected: str, fix: str) -> None:
    bad = np.argwhere(~good)
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        got = f"{values[place]} at image {place[0]}, place {place[1]}"
        raise FormatError(explain(op, argument, got=got, expected=expected, fix=fix))
