"""Graph-based segmentation of an image."""

from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.proposals import _pixels

Edges = tuple[np.ndarray, np.ndarray, np.ndarray]


def graph_segmentation(
    image: Any, *, scale: float = 100.0, sigma: float = 0.8, min_size: int = 20
) -> np.ndarray:
    """Cut an image into regions whose borders are stronger than what varies within them.

    Pixels are joined with their 8 neighbours by edges of weight ``w = |I_p - I_q|``, the Euclidean distance
    of the smoothed levels. In the order of rising weight an edge joins the regions A and B of its ends
    if ``w <= min(Int(A) + k / |A|, Int(B) + k / |B|)``, where Int is the largest weight that holds a region
    together. In the same order regions below the least size are then joined with a neighbour.

    Args:
        image: (height, width) or (height, width, channels), uint8, or floats in [0, 1], which are taken
            times 255.
        scale: k, in grey levels times pixels; larger values make larger regions.
        sigma: standard deviation of the Gaussian that smooths the image first, in pixels; 0 for none.
        min_size: the least number of pixels of a region.

    Returns:
        The region of each pixel (height, width) int32, numbered from 0 in reading order.

    Raises:
        ShapeError: no image of two or three axes.
        DtypeError: neither uint8 nor floating, or arguments of the wrong kind.
        FormatError: floats outside [0, 1].
        ValueError: an argument out of range.

    Example:
        >>> image = np.zeros((6, 8), np.uint8)
        >>> image[2:5, 3:7] = 200
        >>> graph_segmentation(image, scale=50, sigma=0, min_size=1)[:3]
        array([[0, 0, 0, 0, 0, 0, 0, 0],
               [0, 0, 0, 0, 0, 0, 0, 0],
               [0, 0, 0, 1, 1, 1, 1, 0]], dtype=int32)

    Reference:
        Felzenszwalb & Huttenlocher (2004). The partition is that of scikit-image's `felzenszwalb`, which
        takes floats as they are, ``scale / 255`` for them, and ``<`` in the place of ``<=``.
    """
    op = "graph_segmentation"
    found = _pixels.levels(op, "image", image)
    scale = _pixels.positive(op, "scale", scale)
    _checks.in_range(op, "sigma", sigma, 0, float("inf"), "[0, inf)")
    least = _checks.positive_integer(op, "min_size", min_size)
    return segment(found, edges(_pixels.smoothed(found, sigma)), scale, least)


def edges(levels: np.ndarray) -> Edges:
    """Return the edges of the grid by rising weight: weights, and the pixels at both ends."""
    height, width = levels.shape[:2]
    number = np.arange(height * width).reshape(height, width)
    every, low, high = slice(None), slice(None, -1), slice(1, None)
    pairs = [((every, low), (every, high)), ((low, every), (high, every)),
             ((low, low), (high, high)), ((high, low), (low, high))]  # fmt: skip
    weights = np.concatenate([np.sqrt(((levels[a] - levels[b]) ** 2).sum(-1)).ravel() for a, b in pairs])
    first, second = (np.concatenate([number[pair[side]].ravel() for pair in pairs]) for side in (0, 1))
    order = np.argsort(weights, kind="stable")
    return weights[order], first[order], second[order]


def segment(levels: np.ndarray, graph: Edges, scale: float, min_size: int) -> np.ndarray:
    """Return the regions of an image whose edges are sorted already."""
    weights, first, second = graph
    parents = _Forest(levels.shape[0] * levels.shape[1])
    parents.grow(weights.tolist(), first.tolist(), second.tolist(), scale)
    if min_size > 1:
        roots = parents.roots()
        border = roots[first] != roots[second]
        parents.absorb(first[border].tolist(), second[border].tolist(), min_size)
    _, labels = np.unique(parents.roots(), return_inverse=True)
    return labels.reshape(levels.shape[:2]).astype(np.int32)


class _Forest:
    """Disjoint sets of pixels; the root of a set is its first pixel in reading order."""

    def __init__(self, count: int) -> None:
        self.parents, self.sizes = list(range(count)), [1] * count

    def find(self, node: int) -> int:
        """Return the root of a pixel, and halve the way there."""
        parents = self.parents
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    def join(self, a: int, b: int) -> int:
        """Join the sets of two roots, and return the root."""
        a, b = (a, b) if a < b else (b, a)
        self.parents[b] = a
        self.sizes[a] += self.sizes[b]
        return a

    def grow(self, weights: list[float], first: list[int], second: list[int], scale: float) -> None:
        """Join along edges that are no stronger than what varies within both sides, `limits`."""
        limits, find = [scale] * len(self.parents), self.find
        for weight, a, b in zip(weights, first, second):
            a, b = find(a), find(b)
            if a != b and weight <= limits[a] and weight <= limits[b]:
                root = self.join(a, b)
                # The weights rise, so that this one is the largest within.
                limits[root] = weight + scale / self.sizes[root]

    def absorb(self, first: list[int], second: list[int], min_size: int) -> None:
        """Join small sets with the neighbour across their weakest edge."""
        for a, b in zip(first, second):
            a, b = self.find(a), self.find(b)
            if a != b and (self.sizes[a] < min_size or self.sizes[b] < min_size):
                self.join(a, b)

    def roots(self) -> np.ndarray:
        """Return the root of every pixel."""
        found = np.asarray(self.parents)
        while not np.array_equal(found, found[found]):
            found = found[found]
        return found
