"""Hierarchical grouping: the two neighbours most alike become one, until one is left."""

import heapq

import numpy as np

from jaxdl.proposals import _regions
from jaxdl.proposals._regions import Regions


def group(regions: Regions, pairs: np.ndarray, total: float, measures: str) -> np.ndarray:
    """Return the boxes of all regions of the hierarchy, the whole image first, the smallest last."""
    count = len(regions.sizes)
    held = Regions(*(np.concatenate([part, np.zeros_like(part[1:])]) for part in regions))
    touching: dict[int, set[int]] = {number: set() for number in range(count)}
    for a, b in pairs.tolist():
        touching[a].add(b)
        touching[b].add(a)
    queue = _entries(held, pairs[:, 0], pairs[:, 1], total, measures)
    heapq.heapify(queue)
    while queue:
        _, a, b = heapq.heappop(queue)
        if a not in touching or b not in touching:
            continue
        _join(held, a, b, count)
        around = (touching.pop(a) | touching.pop(b)) - {a, b}
        for other in around:
            touching[other] -= {a, b}
            touching[other].add(count)
        touching[count] = around
        others = np.array(sorted(around), np.int64)
        for entry in _entries(held, others, np.full_like(others, count), total, measures):
            heapq.heappush(queue, entry)
        count += 1
    return held.boxes[:count][::-1]


def _entries(
    regions: Regions, a: np.ndarray, b: np.ndarray, total: float, measures: str
) -> list[tuple[float, int, int]]:
    alike = _regions.similarity(regions, a, b, total, measures)
    return list(zip((-alike).tolist(), a.tolist(), b.tolist()))


def _join(regions: Regions, a: int, b: int, into: int) -> None:
    """Write the union of two regions at the place `into`; histograms are averaged by size."""
    boxes, sizes = regions.boxes, regions.sizes
    sizes[into] = sizes[a] + sizes[b]
    boxes[into, :2] = np.minimum(boxes[a, :2], boxes[b, :2])
    boxes[into, 2:] = np.maximum(boxes[a, 2:], boxes[b, 2:])
    for part in (regions.colours, regions.textures):
        part[into] = (sizes[a] * part[a] + sizes[b] * part[b]) / sizes[into]
