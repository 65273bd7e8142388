"""The graph of the pixels of an image, and the sets of pixels that grow along its edges."""

import numpy as np

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
    weights, first, second = graph
    parents = Forest(shape[0] * shape[1])
    parents.grow(weights.tolist(), first.tolist(), second.tolist(), scale)
    if min_size > 1:
        roots = parents.roots()
        border = roots[first] != roots[second]
        parents.absorb(first[border].tolist(), second[border].tolist(), min_size)
    _, labels = np.unique(parents.roots(), return_inverse=True)
    return labels.reshape(shape).astype(np.int32)


class Forest:
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
