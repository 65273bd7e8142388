"""Which detection finds which object: images, IoU thresholds and ranges of size at once, in NumPy."""

from typing import NamedTuple

import numpy as np

from jaxdl.metrics._detection_input import Found, Wanted

# Numbers in one working array: what stays in the cache.
CHUNK = 1 << 17


class Matches(NamedTuple):
    """What became of detections, (sizes, thresholds, images, places): found an object, or left out."""

    hits: np.ndarray
    left_out: np.ndarray


def sorted_by_score(found: Found, most: int) -> Found:
    """Order each image by falling score, ties as they came, and keep `most` places of a class."""
    order = np.argsort(-np.where(found.mask, found.scores, -np.inf), axis=1, kind="stable")
    boxes = np.take_along_axis(found.boxes, order[..., None], 1)
    scores, labels, mask = (np.take_along_axis(part, order, 1) for part in found[1:])
    by_label = np.argsort(np.where(mask, labels, labels.max(initial=0) + 1), axis=1, kind="stable")
    ranked = np.take_along_axis(labels, by_label, 1)
    place = np.broadcast_to(np.arange(labels.shape[1]), labels.shape)
    new = np.concatenate([np.ones((len(labels), 1), bool), ranked[:, 1:] != ranked[:, :-1]], 1)
    first = np.maximum.accumulate(np.where(new[:, : labels.shape[1]], place, 0), 1)
    rank = np.empty_like(labels)
    np.put_along_axis(rank, by_label, place - first, 1)
    return Found(boxes, scores, labels, mask & (rank < most))


def area(boxes: np.ndarray) -> np.ndarray:
    """Return the area of boxes (..., 4)."""
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))


def match(
    found: Found, wanted: Wanted, thresholds: np.ndarray, sizes: list[tuple[float, float]], *, free: bool
) -> Matches:
    """Match detections, sorted by score, with objects."""
    shape = (len(sizes), len(thresholds), *found.mask.shape)
    hits, left_out = np.zeros(shape, bool), np.zeros(shape, bool)
    low, high = (np.asarray(side)[:, None, None] for side in zip(*sizes))
    other = wanted.ignore | (area(wanted.boxes) < low) | (area(wanted.boxes) > high)
    step = max(1, CHUNK // max(1, shape[0] * shape[1] * wanted.mask.shape[1]))
    for start in range(0, len(found.mask), step):
        part = slice(start, start + step)
        some, objects = Found(*(x[part] for x in found)), Wanted(*(x[part] for x in wanted))
        overlap = _overlap(some, objects, crowd=free)
        hits[:, :, part], left_out[:, :, part] = _images(
            overlap, objects.ignore, other[:, part], thresholds, free
        )
    outside = (area(found.boxes) < low) | (area(found.boxes) > high)
    return Matches(hits, left_out | (~hits & outside[:, None]))


def _overlap(found: Found, wanted: Wanted, *, crowd: bool) -> np.ndarray:
    """Return the IoU (images, places, objects), -1 where the classes differ or a place is empty."""
    first, second = found.boxes[:, :, None], wanted.boxes[:, None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.prod(np.maximum(sides, 0), -1)
    union = area(first) + area(second) - shared
    if crowd:
        union = np.where(wanted.ignore[:, None], area(first), union)
    same = (found.labels[:, :, None] == wanted.labels[:, None]) & found.mask[:, :, None]
    overlap = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return np.where(same & wanted.mask[:, None], overlap, -1)


def _images(
    overlap: np.ndarray, crowd: np.ndarray, other: np.ndarray, thresholds: np.ndarray, free: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Go down the places of all images together: each detection takes the object that overlaps it most."""
    images, places, objects = overlap.shape
    shape = (len(other), len(thresholds), images, places)
    hits, left_out = np.zeros(shape, bool), np.zeros(shape, bool)
    taken = np.zeros((*shape[:3], objects), bool)
    proper = ~other[:, None]
    # The bound of COCO's own program: a threshold of 1 forgives rounding.
    least = np.minimum(thresholds, 1 - 1e-10)[:, None, None]
    for place in range(places if objects else 0):
        iou = overlap[:, place]
        if iou.max() < 0:
            continue
        usable = _usable(iou >= least, iou, taken, crowd, proper, free)
        at = _last_or_first(np.where(usable, iou, -1), last=free)
        reached, before = (np.take_along_axis(one, at, -1) for one in (usable, taken))
        left = reached & ~np.take_along_axis(np.broadcast_to(proper, taken.shape), at, -1)
        hits[..., place], left_out[..., place] = (reached & ~left & ~before)[..., 0], left[..., 0]
        np.put_along_axis(taken, at, before | reached, -1)
    return hits, left_out


def _usable(
    near: np.ndarray, iou: np.ndarray, taken: np.ndarray, crowd: np.ndarray, proper: np.ndarray, free: bool
) -> np.ndarray:
    """Tell which objects a detection may take, (sizes, thresholds, images, objects)."""
    if not free:
        return np.broadcast_to(near & (iou == iou.max(-1, keepdims=True)), taken.shape)
    still = near & (~taken | crowd)
    wished = still & proper
    return np.where(wished.any(-1, keepdims=True), wished, still)


def _last_or_first(values: np.ndarray, *, last: bool) -> np.ndarray:
    """Return where the largest value stands; of equal ones the last, as COCO's program, or the first."""
    if not last:
        return np.argmax(values, -1)[..., None]
    return values.shape[-1] - 1 - np.argmax(values[..., ::-1], -1)[..., None]
