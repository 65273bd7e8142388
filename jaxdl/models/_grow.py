"""Growing a classification tree on the host, a level at a time: all nodes and features of it at once.

Each feature is sorted once. From then on the examples of a feature stand sorted by node, and by value within
the node. A level is a few passes over them (class counts by cumulative sums, impurities, the least of each
node); going down is a stable partition, so that nothing is sorted again: O(features x examples) a level.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

Array = np.ndarray
Pairs = Iterable[tuple[Array, Array]]  # by class: counts on the left and on the right of each cut
Cost = Callable[[Pairs, Array, Array], Array]
BLOCK = 1 << 16  # entries of a pass over several features: a few such arrays stay in the cache
TABLE = 1 << 21  # the largest total weight for which x log2 x is looked up
EPSILON = float(np.finfo(np.float64).eps)


class Limits(NamedTuple):
    """When a node is not split any more; see `decision_tree.fit`."""

    max_depth: float
    min_samples_split: int
    min_samples_leaf: int
    min_gain: float
    of_tree: bool


class Data(NamedTuple):
    """Examples of positive weight: values (features, examples), labels and weights (examples,).

    Weights are int32 where all are whole, which makes every count exact, and float64 elsewhere.
    """

    values: Array
    labels: Array
    weights: Array | None
    classes: int


class Nodes(NamedTuple):
    """Nodes of a tree, breadth first; the children of node i are ``left[i]`` and ``left[i] + 1``."""

    feature: Array
    threshold: Array
    left: Array
    gain: Array
    counts: Array


class Level(NamedTuple):
    """The nodes of one depth that may be split, with their examples sorted by node, then by value."""

    order: Array  # (features, active), examples
    values: Array  # (features, active), their values
    ids: Array  # places of the nodes among those of this depth, leaves included
    sizes: Array  # examples of each node
    counts: Array  # (nodes, classes), weights

    @property
    def starts(self) -> Array:
        """Where the examples of each node begin."""
        return np.cumsum(self.sizes) - self.sizes


class Splits(NamedTuple):
    """The best split of each node of a level: the first `cut` of its examples go left."""

    feature: Array
    threshold: Array
    gain: Array
    cut: Array
    found: Array
    examples: Array  # (active,), each node's in the order of its feature


def grow(data: Data, criterion: str, limits: Limits) -> tuple[Nodes, int, int]:
    """Grow a tree by the impurity ``"entropy"`` or ``"gini"``; return nodes, depth and usual depth."""
    counts = np.bincount(data.labels, data.weights, data.classes)[None].astype(np.float64)
    cost = _entropy_cost(data, counts.sum()) if criterion == "entropy" else _gini_cost
    level, nodes, first = _root(data, counts, limits), [_leaves(counts)], 1
    while level.ids.size and len(nodes) <= limits.max_depth:
        splits = _best_splits(level, data, cost, limits, counts.sum())
        if not splits.found.any():
            break
        _write(nodes[-1], level.ids, splits, first)
        level, children = _descend(level, splits, data, limits)
        nodes.append(_leaves(children))
        first += len(children)
    whole = Nodes(*(np.concatenate(parts) for parts in zip(*nodes, strict=True)))
    # A leaf is its own left child, so that a prediction may go on for as long as it likes.
    left = np.where(whole.left < 0, np.arange(first, dtype=np.int32), whole.left)
    return whole._replace(left=left), len(nodes) - 1, _usual_depth(nodes)


def _usual_depth(levels: list[Nodes]) -> int:
    """Return the depth by which nine tenths of the weight have come to a leaf."""
    ended = np.cumsum([level.counts[level.left < 0].sum() for level in levels])
    return int(np.argmax(ended >= 0.9 * ended[-1]))


def padded(nodes: Nodes, rows: int) -> Nodes:
    """Return the nodes in so many rows; those beyond the last are leaves that nothing leads to."""
    out = Nodes(*(np.zeros((rows, *part.shape[1:]), part.dtype) for part in nodes))
    out.threshold[:], out.left[:] = np.inf, np.arange(rows)
    for whole, part in zip(out, nodes, strict=True):
        whole[: len(part)] = part
    return out._replace(counts=out.counts.astype(np.float32))


def _leaves(counts: Array) -> Nodes:
    n = len(counts)
    above = np.full(n, np.inf, np.float32)
    return Nodes(np.zeros(n, np.int32), above, np.full(n, -1, np.int32), np.zeros(n, np.float32), counts)


def _write(nodes: Nodes, ids: Array, splits: Splits, first: int) -> None:
    split = ids[splits.found]
    nodes.feature[split] = splits.feature[splits.found]
    nodes.threshold[split] = splits.threshold[splits.found]
    nodes.gain[split] = splits.gain[splits.found]
    nodes.left[split] = first + 2 * np.arange(split.size)


def _root(data: Data, counts: Array, limits: Limits) -> Level:
    sizes = np.array([data.labels.size])
    may = _splittable(sizes, counts, limits)
    values = data.values if may[0] else data.values[:, :0]
    order = np.argsort(values, axis=1).astype(np.int32)
    values = np.take_along_axis(values, order, axis=1)
    return Level(order, values, np.flatnonzero(may), sizes[may], counts[may])


def _splittable(sizes: Array, counts: Array, limits: Limits) -> Array:
    large = (sizes >= limits.min_samples_split) & (sizes >= 2 * limits.min_samples_leaf)
    return large & ((counts > 0).sum(axis=1) > 1)


def _best_splits(level: Level, data: Data, cost: Cost, limits: Limits, total: float) -> Splits:
    """Find each node's split of greatest gain; ties go to the first feature, then to the least threshold."""
    scan = _Scan(level, data, cost, limits)
    features, active = level.order.shape
    least = np.empty((features, level.sizes.size))
    step = max(1, BLOCK // active)
    for block in (slice(i, i + step) for i in range(0, features, step)):
        costs = scan.costs(level.order[block], level.values[block])
        least[block] = np.minimum.reduceat(costs, scan.starts, axis=1)
    feature = np.argmin(least, axis=0)
    # The passes kept only the least cost of each node; where it lies is found in one more, over the examples
    # of every node in the order of its own best feature. Fractional weights may round otherwise there, so the
    # least is taken anew.
    chosen, everyone = np.repeat(feature, level.sizes), np.arange(active)
    examples, values = level.order[chosen, everyone], level.values[chosen, everyone]
    costs = scan.costs(examples[None], values[None])[0]
    best = np.minimum.reduceat(costs, scan.starts)
    hits = np.flatnonzero(costs == np.repeat(best, level.sizes))
    cut = hits[np.searchsorted(hits, scan.starts)]
    threshold = _between(values[cut], values[np.minimum(cut + 1, active - 1)])
    gain, weight = (scan.impurity() - best) / level.counts.sum(1), level.counts.sum(1)
    enough = gain * (weight / total if limits.of_tree else 1) + EPSILON >= limits.min_gain
    found = enough & np.isfinite(best)
    return Splits(feature, threshold, np.maximum(gain, 0), cut + 1 - scan.starts, found, examples)


def _between(low: Array, high: Array) -> Array:
    """Return the middle, rounded down to float32: float32 inputs compare with it as with the exact middle."""
    middle = (low.astype(np.float64) + high) / 2
    rounded = middle.astype(np.float32)
    return np.where(rounded > middle, np.nextafter(rounded, np.float32(-np.inf)), rounded)


class _Scan:
    """What the passes over the features of one level share."""

    def __init__(self, level: Level, data: Data, cost: Cost, limits: Limits) -> None:
        self._level, self._data, self._cost = level, data, cost
        self._dtype = np.int32 if data.weights is None else data.weights.dtype
        self.starts = level.starts
        self._left = np.arange(1, 1 + level.order.shape[1], dtype=np.int32) - self._each(self.starts)
        right = self._each(level.sizes) - self._left
        fewest = limits.min_samples_leaf
        self._allowed = (self._left >= fewest) & (right >= fewest)
        self._present = np.flatnonzero(level.counts.any(axis=0))
        self._totals = [self._each(level.counts[:, label]) for label in self._present]

    def _each(self, values: Array) -> Array:
        return np.repeat(values.astype(self._dtype), self._level.sizes)

    def _running(self, values: Array) -> Array:
        """Sum along each row, anew in each node."""
        sums = np.cumsum(values, axis=1, dtype=self._dtype)
        before = sums[:, self.starts] - values[:, self.starts]
        return sums - np.repeat(before, self._level.sizes, axis=1)

    def costs(self, order: Array, values: Array) -> Array:
        """Return the impurity of both children for a cut after each example; inf where none may be."""
        labels = self._data.labels.take(order)
        weights = None if self._data.weights is None else self._data.weights.take(order)
        left = self._left[None] if weights is None else self._running(weights)
        right = sum(self._totals) - left
        costs = self._cost(self._by_class(labels, weights, left), left, right)
        costs[:, :-1][values[:, 1:] <= values[:, :-1]] = np.inf
        costs[:, ~self._allowed] = np.inf
        return costs

    def _by_class(self, labels: Array, weights: Array | None, left: Array) -> Iterator[tuple[Array, Array]]:
        rest = left
        for label, total in zip(self._present[:-1], self._totals):
            here = labels == label
            found = self._running(here if weights is None else np.where(here, weights, 0))
            rest = rest - found
            yield found, np.maximum(total - found, 0)
        # Rounding may leave a trace below zero where the weights are not whole.
        rest = np.maximum(rest, 0)
        yield rest, np.maximum(self._totals[-1] - rest, 0)

    def impurity(self) -> Array:
        """Return the summed impurity of each node before it is split."""
        counts = self._level.counts[:, self._present].astype(self._dtype)
        nothing = np.zeros(len(counts), self._dtype)
        return self._cost(((column, nothing) for column in counts.T), counts.sum(1), nothing)


def _entropy_cost(data: Data, total: float) -> Cost:
    """Return the cost ``n log2 n - sum_k c_k log2 c_k`` of both children, in bits times weight."""
    whole = data.weights is None or data.weights.dtype.kind == "i"
    table = _x_log_x(np.arange(total + 1)) if whole and total < TABLE else None
    term = _x_log_x if table is None else table.take

    def cost(pairs: Pairs, left: Array, right: Array) -> Array:
        out = term(left) + term(right)
        for on_left, on_right in pairs:
            out = out - term(on_left)
            out -= term(on_right)
        return out

    return cost


def _x_log_x(x: Array) -> Array:
    return x * np.log2(np.where(x > 0, x, 1))


def _gini_cost(pairs: Pairs, left: Array, right: Array) -> Array:
    """Return the cost ``n - sum_k c_k^2 / n`` of both children."""
    squares_left, squares_right = np.zeros(()), np.zeros(())
    for on_left, on_right in pairs:
        squares_left = squares_left + np.square(on_left, dtype=np.float64)
        squares_right = squares_right + np.square(on_right, dtype=np.float64)
    tiny = np.finfo(np.float64).tiny
    return left - squares_left / np.maximum(left, tiny) + (right - squares_right / np.maximum(right, tiny))


def _descend(level: Level, splits: Splits, data: Data, limits: Limits) -> tuple[Level, Array]:
    """Return the next level, and the counts of the children of every split node, in pairs."""
    place = np.arange(splits.examples.size) - np.repeat(level.starts, level.sizes)
    goes_left = place < np.repeat(splits.cut, level.sizes)
    sizes = np.stack([splits.cut, level.sizes - splits.cut])
    counts = _child_counts(level, splits, data, goes_left)
    may = np.stack([_splittable(sizes[side], counts[side], limits) & splits.found for side in (0, 1)])
    # All left children come first, then all right ones: a partition is two selections.
    side = np.where(goes_left, np.repeat(may[0], level.sizes), 2 * np.repeat(may[1], level.sizes))
    side_of = np.zeros(data.labels.size, np.int8)
    side_of[splits.examples] = side
    order, values = _partition(level, side_of, int(sizes[may].sum()))
    rank = np.cumsum(splits.found) - 1
    ids = np.concatenate([2 * rank[may[0]], 2 * rank[may[1]] + 1])
    pairs = counts.swapaxes(0, 1)[splits.found].reshape(-1, data.classes)
    return Level(order, values, ids, sizes[may], counts[may]), pairs


def _child_counts(level: Level, splits: Splits, data: Data, goes_left: Array) -> Array:
    """Return the class counts (2, nodes, classes) of the left and of the right children."""
    nodes = level.sizes.size
    # Counted on both sides: a difference would leave traces of fractional weights in classes that are gone.
    child = np.repeat(np.arange(nodes), level.sizes) + nodes * ~goes_left
    weights = None if data.weights is None else data.weights[splits.examples]
    flat = child * data.classes + data.labels[splits.examples]
    counts = np.bincount(flat, weights, 2 * nodes * data.classes)
    return counts.astype(np.float64).reshape(2, nodes, data.classes)


def _partition(level: Level, side_of: Array, kept: int) -> tuple[Array, Array]:
    features = len(level.order)
    order, values = np.empty((features, kept), np.int32), np.empty((features, kept), np.float32)
    for old, old_values, new, new_values in zip(level.order, level.values, order, values, strict=True):
        side = side_of.take(old)
        left, right = np.flatnonzero(side == 1), np.flatnonzero(side == 2)
        for chosen, part in ((left, slice(left.size)), (right, slice(left.size, None))):
            old.take(chosen, out=new[part])
            old_values.take(chosen, out=new_values[part])
    return order, values
