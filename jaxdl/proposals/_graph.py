"""The graph of the pixels of an image, and the sets of pixels that grow along its edges."""

from collections.abc import Iterator

import numpy as np

# Edges that are looked at before roots are read anew.
PORTION = 4096

Edges = tuple[np.ndarray, np.ndarray, np.ndarray]


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


def segment(graph: Edges, shape: tuple[int, ...], scale: float, min_size: int) -> np.ndarray:
    """Return the regions (height, width) of an image of this shape, whose edges are sorted already."""
    forest = Forest(shape[0] * shape[1], scale)
    for start in range(0, len(graph[0]), PORTION):
        forest.grow(*(part[start : start + PORTION] for part in graph))
    if min_size > 1:
        forest.absorb(*graph, min_size)
    _, labels = np.unique(forest.roots(), return_inverse=True)
    return labels.reshape(shape).astype(np.int32)


class Forest:
    """Disjoint sets of pixels; the root of a set is its first pixel in reading order.

    Attributes:
        limits: of each root, the largest weight within its set and ``scale / size``: what may join it.
    """

    def __init__(self, count: int, scale: float) -> None:
        self.scale = scale
        self.parents, self.sizes, self.limits = list(range(count)), [1] * count, [scale] * count

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

    def grow(self, weights: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
        """Join along edges that are no stronger than what varies within both sides, `limits`."""
        find, limits = self.find, self.limits
        for weight, a, b in self.between(weights, first, second):
            a, b = find(a), find(b)
            if a != b and weight <= limits[a] and weight <= limits[b]:
                root = self.join(a, b)
                # The weights rise, so that this one is the largest within.
                limits[root] = weight + self.scale / self.sizes[root]

    def absorb(self, weights: np.ndarray, first: np.ndarray, second: np.ndarray, min_size: int) -> None:
        """Join small sets with the neighbour across their weakest edge."""
        for _, a, b in self.between(weights, first, second):
            a, b = self.find(a), self.find(b)
            if a != b and (self.sizes[a] < min_size or self.sizes[b] < min_size):
                self.join(a, b)

    def between(
        self, weights: np.ndarray, first: np.ndarray, second: np.ndarray
    ) -> Iterator[tuple[float, int, int]]:
        """Return the edges between two sets, from root to root: all others join nothing, and are most."""
        roots = self.roots()
        a, b = roots[first], roots[second]
        apart = a != b
        return zip(weights[apart].tolist(), a[apart].tolist(), b[apart].tolist())

    def roots(self) -> np.ndarray:
        """Return the root of every pixel."""
        found = np.asarray(self.parents)
        while not np.array_equal(found, found[found]):
            found = found[found]
        return found
