"""Slow, obvious float64 NumPy: the definitions, written as they are printed."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray


def sigmoid(x: Array) -> Array:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def step(x: Array, *, at_zero: float = 0.0) -> Array:
    return np.heaviside(x, at_zero)


def softsign(x: Array) -> Array:
    return x / (1 + np.abs(x))


def swish(x: Array, *, beta: float = 1.0) -> Array:
    return x * sigmoid(beta * x)


def prelu(x: Array, slope: Any = 0.01) -> Array:
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def softmax(x: Array, where: Array | None = None) -> Array:
    out = np.zeros_like(x)
    keep = np.ones(x.shape, bool) if where is None else where
    for row in np.ndindex(x.shape[:-1]):
        if keep[row].any():
            powers = np.exp(x[row][keep[row]] - x[row][keep[row]].max())
            out[row][keep[row]] = powers / powers.sum()
    return out


def squared_error(a: Array, y: Array, *, outputs: str = "mean", factor: float = 1.0) -> Array:
    rows = ((a - y) ** 2).reshape(len(a), -1)
    return factor * (rows.sum(1) if outputs == "sum" else rows.mean(1))


def softmax_cross_entropy(z: Array, labels: Array) -> Array:
    log_total = np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1)) + z.max(-1)
    if labels.ndim == z.ndim:
        return labels.sum(-1) * log_total - (labels * z).sum(-1)
    out = np.empty(labels.shape, z.dtype)
    for row in np.ndindex(labels.shape):
        out[row] = log_total[row] - z[row][labels[row]]
    return out


def binary_cross_entropy(z: Array, y: Array, *, outputs: str = "mean", positive_weight: Any = 1.0) -> Array:
    a = sigmoid(z)
    one, zero = np.log(np.where(y > 0, a, 1)), np.log(np.where(y < 1, sigmoid(-z), 1))
    rows = (-positive_weight * y * one - (1 - y) * zero).reshape(len(z), -1)
    return rows.sum(1) if outputs == "sum" else rows.mean(1)


def accuracy(z: Array, labels: Array) -> Array:
    wanted = labels.argmax(-1) if labels.ndim == z.ndim else labels
    return (z.argmax(-1) == wanted).astype(np.float64)


def reduce(values: Array, *, reduction: str = "mean") -> Array:
    return {"mean": values.mean(), "sum": values.sum(), "half_mean": values.sum() / (2 * values.size)}[
        reduction
    ]


def product(x: Array, w: Array) -> Array:
    out = np.zeros((*x.shape[:-1], w.shape[1]), x.dtype)
    for row in np.ndindex(x.shape[:-1]):
        for j in range(w.shape[1]):
            out[(*row, j)] = sum(x[row][k] * w[k, j] for k in range(w.shape[0]))
    return out


def z_score(x: Array) -> Array:
    out = np.zeros_like(x)
    for j in range(x.shape[1]):
        deviation = np.sqrt(((x[:, j] - x[:, j].mean()) ** 2).mean())
        out[:, j] = (x[:, j] - x[:, j].mean()) / deviation if deviation > 0 else 0
    return out


def binary_entropy(p: Array) -> Array:
    return entropy(np.stack([p, 1 - p], axis=-1))


def entropy(counts: Array) -> Array:
    out = np.zeros(counts.shape[:-1])
    for row in np.ndindex(out.shape):
        for count in counts[row][counts[row] > 0]:
            share = count / counts[row].sum()
            out[row] -= share * np.log2(share)
    return out


def gini(counts: Array) -> Array:
    return 1 - ((counts / counts.sum(-1, keepdims=True)) ** 2).sum(-1)


def information_gain(left: Array, right: Array, *, impurity: Callable[[Array], Array]) -> Array:
    n_left, n_right = left.sum(-1), right.sum(-1)
    children = (n_left * impurity(left) + n_right * impurity(right)) / (n_left + n_right)
    return impurity(left + right) - children


def padding_pairs(
    space: Sequence[int], window: Sequence[int], strides: Sequence[int], padding: Any
) -> list[tuple[int, int]]:
    """Return (before, after) by axis; `window` is what a window reaches over, dilation included."""
    if not isinstance(padding, str):
        return [(before, after) for before, after in padding]
    pairs = []
    for n, size, step in zip(space, window, strides):
        total = max((-(-n // step) - 1) * step + size - n, 0) if padding != "VALID" else 0
        less, more = total // 2, total - total // 2
        pairs.append((more, less) if padding == "SAME_LOWER" else (less, more))
    return pairs


def pool_windows(
    space: Sequence[int], window: Sequence[int], strides: Any, padding: Any, ceil_mode: bool
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...], int]]:
    """Yield the place of each output, the entries of its window, and their number with the padding."""
    strides = window if strides is None else strides
    pairs = padding_pairs(space, window, strides, padding)
    begins = []
    for n, size, step, (before, after) in zip(space, window, strides, pairs):
        begin, found = -before, []
        while begin + size <= n + after or (ceil_mode and begin < n and begin - step + size < n + after):
            found.append(begin)
            begin += step
        begins.append(found)
    for place in np.ndindex(*map(len, begins)):
        starts = [found[i] for found, i in zip(begins, place)]
        ends = [min(a + size, n + after) for a, size, n, (_, after) in zip(starts, window, space, pairs)]
        inside = tuple(slice(max(a, 0), min(b, n)) for a, b, n in zip(starts, ends, space))
        yield place, inside, int(np.prod([b - a for a, b in zip(starts, ends)]))


def max_pool(
    x: Array, window: Sequence[int], strides: Any = None, padding: Any = "VALID", *, ceil_mode: bool = False
) -> tuple[Array, Callable[[Array], Array]]:
    """Return the maxima of x (batch, space..., channels), and what takes their gradient back."""
    return _pooled(x, pool_windows(x.shape[1:-1], window, strides, padding, ceil_mode), _maximum_weights)


def avg_pool(
    x: Array,
    window: Sequence[int],
    strides: Any = None,
    padding: Any = "VALID",
    *,
    ceil_mode: bool = False,
    counted: bool = True,
) -> tuple[Array, Callable[[Array], Array]]:
    def weights(part: Array, count: int) -> Array:
        return np.full(part.shape, 1 / (count if counted else part.size))

    return _pooled(x, pool_windows(x.shape[1:-1], window, strides, padding, ceil_mode), weights)


def adaptive_pool(x: Array, sizes: Sequence[int], *, maximum: bool) -> tuple[Array, Callable[[Array], Array]]:
    space, windows = x.shape[1:-1], []
    for place in np.ndindex(*sizes):
        bins = [slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(place, space, sizes)]
        windows.append((place, tuple(bins), 0))
    return _pooled(
        x, windows, _maximum_weights if maximum else lambda part, _: np.full(part.shape, 1 / part.size)
    )


def _maximum_weights(part: Array, _: int) -> Array:
    weights = np.zeros(part.shape)
    weights.flat[part.argmax()] = 1
    return weights


def _pooled(
    x: Array, windows: Any, weigh: Callable[[Array, int], Array]
) -> tuple[Array, Callable[[Array], Array]]:
    windows = list(windows)
    out = tuple(np.max([place for place, *_ in windows], 0) + 1)
    y, matrix = np.zeros((len(x), *out, x.shape[-1])), []
    for b, c in np.ndindex(len(x), x.shape[-1]):
        for place, inside, count in windows:
            weights = weigh(x[b][inside][..., c], count)
            y[(b, *place, c)] = (weights * x[b][inside][..., c]).sum()
            matrix.append((b, c, place, inside, weights))

    def pull(g: Array) -> Array:
        dx = np.zeros(x.shape)
        for b, c, place, inside, weights in matrix:
            dx[b][(*inside, c)] += weights * g[(b, *place, c)]
        return dx

    return y, pull


def local_response_norm(
    x: Array, size: int, *, alpha: float, beta: float, k: float, alpha_divided: bool = False
) -> Array:
    y = np.zeros_like(x)
    for c in range(x.shape[-1]):
        near = x[..., max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        total = (alpha / size if alpha_divided else alpha) * (near**2).sum(-1)
        y[..., c] = x[..., c] / (k + total) ** beta
    return y


def convolution(
    x: Array,
    w: Array,
    strides: Sequence[int],
    padding: Any,
    *,
    input_dilation: Any = None,
    kernel_dilation: Any = None,
    groups: int = 1,
) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
    """Cross-correlate x (batch, space..., in) with w (window..., in / groups, out), product by product.

    Returned are the outputs, and what takes their gradient to x and w.
    """
    space, window, (inputs, outputs) = x.shape[1:-1], w.shape[:-2], w.shape[-2:]
    spread, reach = input_dilation or (1,) * len(space), kernel_dilation or (1,) * len(space)
    # The number of the input entry at each place of the dilated and padded grid, -1 where there is none.
    grid = np.full([(n - 1) * d + 1 for n, d in zip(space, spread)], -1)
    grid[tuple(slice(None, None, d) for d in spread)] = np.arange(np.prod(space)).reshape(space)
    whole = [(k - 1) * d + 1 for k, d in zip(window, reach)]
    pairs = padding_pairs(grid.shape, whole, strides, padding)
    grid = np.pad(grid, [(max(a, 0), max(b, 0)) for a, b in pairs], constant_values=-1)
    grid = grid[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, grid.shape))]
    out = [max((n - k) // s + 1, 0) for n, k, s in zip(grid.shape, whole, strides)]

    flat, y, links = x.reshape(len(x), np.prod(space), x.shape[-1]), np.zeros((len(x), *out, outputs)), []
    for place, tap in itertools.product(np.ndindex(*out), np.ndindex(*window)):
        source = grid[tuple(p * s + t * d for p, s, t, d in zip(place, strides, tap, reach))]
        for group in range(groups if source >= 0 else 0):
            i = slice(group * inputs, (group + 1) * inputs)
            o = slice(group * outputs // groups, (group + 1) * outputs // groups)
            y[(slice(None), *place, o)] += flat[:, source, i] @ w[(*tap, slice(None), o)]
            links.append((place, tap, source, i, o))

    def pull(g: Array) -> tuple[Array, Array]:
        dx, dw = np.zeros_like(flat), np.zeros_like(w)
        for place, tap, source, i, o in links:
            d = g[(slice(None), *place, o)]
            dx[:, source, i] += d @ w[(*tap, slice(None), o)].T
            dw[(*tap, slice(None), o)] += flat[:, source, i].T @ d
        return dx.reshape(x.shape), dw

    return y, pull
