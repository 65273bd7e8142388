"""Targets of detection from lists of objects: a fixed number of places an image, and a mask. On the host."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain

EXCESS = ("raise", "drop")


def pad_targets(
    boxes: Sequence[Any],
    labels: Sequence[Any],
    places: int | None = None,
    *,
    ignore: Sequence[Any] | None = None,
    excess: str = "raise",
) -> dict[str, np.ndarray]:
    """Put the objects of each image in a fixed number of places, in their order, and pad with zeros.

    Args:
        boxes: for each image (objects, 4), xyxy in pixels; an empty list where there are none.
        labels: for each image (objects,) integers in [0, 2^31).
        places: how many objects an image has room for; None: as many as the fullest has.
        ignore: for each image (objects,) bool: difficult or crowded objects, which metrics leave out.
        excess: what to do with an image of more objects than places: ``"raise"``, or ``"drop"`` the last of
            them with a warning that counts them.

    Returns:
        ``{"boxes": (images, places, 4) float32, "labels": (images, places) int32, "mask": (images, places)
        bool}``, and ``"ignore"`` (images, places) bool where it is given.

    Raises:
        DtypeError: labels are not integers, or what is no list.
        FormatError: a box that in float32 is not finite or has x2 <= x1 or y2 <= y1, or a label out of range;
            with ``excess="raise"`` also more objects than places. Image and object are named.
        ShapeError: the lists differ in length, or the arrays of an image do.
        ValueError: `places` below 1, or an unknown `excess`.

    Example:
        >>> targets = pad_targets([[[0, 0, 2, 2], [1, 1, 4, 5]], []], [[7, 3], []], 3)
        >>> targets["labels"].tolist(), targets["mask"].sum(1).tolist(), targets["boxes"].shape
        ([[7, 3, 0], [0, 0, 0]], [2, 0], (2, 3, 4))
    """
    _checks.one_of("pad_targets", "excess", excess, EXCESS)
    lists = {"labels": labels} if ignore is None else {"labels": labels, "ignore": ignore}
    for name, given in ({"boxes": boxes} | lists).items():
        if not hasattr(given, "__len__") or isinstance(given, str):
            raise DtypeError(
                explain("pad_targets", name, got=f"a {type(given).__name__}", expected="a list by images",
                        fix=f"{name}=[...]")
            )  # fmt: skip
        if len(given) != len(boxes):
            raise ShapeError(
                explain("pad_targets", name, got=f"of {len(given)} images",
                        expected=f"{len(boxes)}, as in boxes", fix="one entry an image, [] for none")
            )  # fmt: skip
    objects = [_objects(i, *image) for i, image in enumerate(zip(boxes, *lists.values()))]
    counts = np.array([len(image[0]) for image in objects], int)
    if places is None:
        places = max(1, int(counts.max(initial=1)))
    places = _checks.positive_integer("pad_targets", "places", places)
    _say_excess(counts, places, excess)
    shape = (len(objects), places)
    found = {"boxes": np.zeros((*shape, 4), np.float32), "labels": np.zeros(shape, np.int32)}
    if ignore is not None:
        found["ignore"] = np.zeros(shape, bool)
    for i, image in enumerate(objects):
        for array, values in zip(found.values(), image):
            array[i, : counts[i]] = values[:places]
    return found | {"mask": np.arange(places) < counts[:, None]}


def _objects(image: int, boxes: Any, labels: Any, ignore: Any = None) -> tuple[np.ndarray, ...]:
    """Return boxes (objects, 4), labels (objects,) and what to ignore, or say what is wrong with them."""
    where = f"of image {image}"
    boxes, labels = (_array(where, *pair) for pair in (("boxes", boxes), ("labels", labels)))
    corners = np.zeros((0, 4), np.float32) if boxes.size == 0 else boxes
    if corners.ndim != 2 or corners.shape[1] != 4 or corners.dtype.kind not in "iuf":
        got = f"{where}, of shape {corners.shape} and dtype {corners.dtype}"
        raise ShapeError(
            explain("pad_targets", "boxes", got=got, expected="(objects, 4) numbers", fix="one row a box")
        )
    names = labels.astype(np.int32) if labels.size == 0 else labels
    if names.dtype.kind not in "iu":
        raise DtypeError(
            explain("pad_targets", "labels", got=f"{where}, of dtype {names.dtype}", expected="integers",
                    fix="number the classes from 0")
        )  # fmt: skip
    rest = () if ignore is None else (np.asarray(ignore, bool),)
    for name, array in zip(("labels", "ignore"), (names, *rest)):
        if array.shape != corners.shape[:1]:
            raise ShapeError(
                explain("pad_targets", name, got=f"{where}, of shape {array.shape}",
                        expected=f"{corners.shape[:1]}, one for each box", fix="label every box")
            )  # fmt: skip
    _sound(where, corners, names)
    return corners, names, *rest


def _array(where: str, argument: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ShapeError(
            explain("pad_targets", argument, got=f"{where}, ragged", expected="rows of equal length",
                    fix="four numbers a box, and one label")
        ) from error  # fmt: skip


def _sound(where: str, boxes: np.ndarray, labels: np.ndarray) -> None:
    # Judged as they are stored: beyond float32 a number is not finite, and a narrow box has no width.
    with np.errstate(over="ignore"):
        stored = boxes.astype(np.float32)
    area = np.isfinite(stored).all(1) & (stored[:, 2:] > stored[:, :2]).all(1)
    for argument, fits, expected, fix in (
        ("boxes", area, "finite x1 < x2 and y1 < y2", "boxes.xywh_to_xyxy, if they are corner and size"),
        ("labels", (labels >= 0) & (labels < 2**31), "in [0, 2^31)", "number the classes from 0"),
    ):
        if not fits.all():
            place = int(fits.argmin())
            value = (boxes if argument == "boxes" else labels)[place].tolist()
            got = f"{value} in object {place} {where}"
            raise FormatError(explain("pad_targets", argument, got=got, expected=expected, fix=fix))


def _say_excess(counts: np.ndarray, places: int, excess: str) -> None:
    over = counts > places
    if not over.any():
        return
    first, most = int(over.argmax()), int(counts.max())
    words = explain(
        "pad_targets", "places", got=f"{places}, too few for {int(over.sum())} of {len(counts)} images by "
        f"{int((counts - places)[over].sum())} objects in all, first for image {first} with {counts[first]}",
        expected=f"at least {most}", fix=f"places={most}, or excess='drop' to leave the last ones out",
    )  # fmt: skip
    if excess == "raise":
        raise FormatError(words)
    warnings.warn(f"{words}. They are left out", UserWarning, stacklevel=3)
