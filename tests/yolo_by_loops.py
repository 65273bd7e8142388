"""The losses of YOLO as slow, obvious loops in float64, from the formulas in their papers."""

import math
from typing import Any

import numpy as np

Objects = list[tuple[tuple[float, ...], int]]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softplus(x: float) -> float:
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def iou(a: Any, b: Any) -> float:
    sides = [max(min(a[i + 2], b[i + 2]) - max(a[i], b[i]), 0) for i in (0, 1)]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return sides[0] * sides[1] / (sum(areas) - sides[0] * sides[1])


def box_around(x: float, y: float, w: float, h: float) -> tuple[float, ...]:
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def measures(box: Any) -> tuple[float, float, float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]


def cell_of(x: float, y: float, grid: tuple[int, int], stride: float) -> tuple[int, int] | None:
    rows, columns = grid
    if not (0 <= x <= columns * stride and 0 <= y <= rows * stride):
        return None
    return min(int(y // stride), rows - 1), min(int(x // stride), columns - 1)


def places(objects: Objects, grid: Any, stride: float, anchors: Any = None) -> dict[tuple[int, ...], int]:
    """Return which object has which place: (row, column), and the anchor where there are any."""
    taken: dict[tuple[int, ...], int] = {}
    for number, (box, _) in enumerate(objects):
        x, y, w, h = measures(box)
        place: Any = cell_of(x, y, grid, stride)
        if place is None:
            continue
        if anchors is not None:
            likeness = [iou(box_around(0, 0, w, h), box_around(0, 0, *shape)) for shape in anchors]
            place = (*place, likeness.index(max(likeness)))
        taken.setdefault(place, number)
    return taken


def v1(
    boxes: np.ndarray, confidence: np.ndarray, classes: np.ndarray, objects: Objects, stride: float
) -> float:
    """Equation 3 of Redmon et al. (2016) for one image, with its weights."""
    rows, columns, predictors = confidence.shape
    taken, total = places(objects, (rows, columns), stride), 0.0
    for i, j in np.ndindex(rows, columns):
        answers = None
        if (i, j) in taken:
            box, label = objects[taken[i, j]]
            x, y, w, h = measures(box)
            w, h = w / (columns * stride), h / (rows * stride)
            overlaps = [
                iou(box_around((j + px) * stride, (i + py) * stride, pw**2 * columns * stride,
                               ph**2 * rows * stride), box)
                for px, py, pw, ph in boxes[i, j]
            ]  # fmt: skip
            answers = overlaps.index(max(overlaps))
            px, py, pw, ph = boxes[i, j, answers]
            total += 5 * ((px - (x / stride - j)) ** 2 + (py - (y / stride - i)) ** 2)
            total += 5 * ((pw - math.sqrt(w)) ** 2 + (ph - math.sqrt(h)) ** 2)
            total += (confidence[i, j, answers] - overlaps[answers]) ** 2
            total += sum((p - (c == label)) ** 2 for c, p in enumerate(classes[i, j]))
        total += 0.5 * sum(confidence[i, j, b] ** 2 for b in range(predictors) if b != answers)
    return total


def anchored(
    boxes: np.ndarray, logits: np.ndarray, classes: np.ndarray, objects: Objects, stride: float, anchors: Any,
    *, threshold: float, kind: str,
) -> float:  # fmt: skip
    """The form with anchors for one image, with coordinates five times as heavy."""
    taken, total = places(objects, logits.shape[:2], stride, anchors), 0.0
    for i, j, a in np.ndindex(*logits.shape):
        tx, ty, tw, th = boxes[i, j, a]
        wide, high = anchors[a]
        if (i, j, a) in taken:
            box, label = objects[taken[i, j, a]]
            x, y, w, h = measures(box)
            total += 5 * ((sigmoid(tx) - (x / stride - j)) ** 2 + (sigmoid(ty) - (y / stride - i)) ** 2)
            total += 5 * ((tw - math.log(w / wide)) ** 2 + (th - math.log(h / high)) ** 2)
            total += softplus(-logits[i, j, a])
            z = classes[i, j, a]
            norm = math.log(sum(map(math.exp, z))) if kind == "softmax" else sum(map(softplus, z))
            total += norm - z[label]
            continue
        predicted = box_around((j + sigmoid(tx)) * stride, (i + sigmoid(ty)) * stride,
                               wide * math.exp(tw), high * math.exp(th))  # fmt: skip
        if all(iou(predicted, box) <= threshold for box, _ in objects):
            total += softplus(logits[i, j, a])
    return total
