"""Slow, obvious float64 NumPy for the losses."""

from typing import Any

import numpy as np
from oracles import softmax_cross_entropy, squared_error

Array = np.ndarray


def over_outputs(values: Array, outputs: str) -> Array:
    rows = values.reshape(len(values), -1)
    return rows.sum(1) if outputs == "sum" else rows.mean(1)


def non_negative_squared_error(z: Array, y: Array) -> Array:
    return squared_error(np.maximum(z, 0), y)


def huber(a: Array, y: Array, *, delta: float = 1.0, outputs: str = "mean") -> Array:
    r = np.abs(a - y)
    return over_outputs(np.where(r <= delta, r**2 / 2, delta * (r - delta / 2)), outputs)


def smooth_l1(a: Array, y: Array, *, beta: float = 1.0, outputs: str = "mean") -> Array:
    r = np.abs(a - y)
    curve = r if beta == 0 else np.where(r < beta, r**2 / (2 * beta), r - beta / 2)
    return over_outputs(curve, outputs)


def log_softmax(z: Array) -> Array:
    shifted = z - z.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def smoothed(z: Array, labels: Array, *, label_smoothing: float = 0.0, class_weights: Any = 1.0) -> Array:
    rows = labels if labels.ndim == z.ndim else np.eye(z.shape[-1])[labels]
    smooth = (1 - label_smoothing) * rows + label_smoothing / z.shape[-1]
    return -(np.asarray(class_weights) * smooth * log_softmax(z)).sum(-1)


def with_heads(main: Array, first: Array, second: Array, labels: Array) -> Array:
    z, a, b = (softmax_cross_entropy(logits, labels) for logits in (main, first, second))
    return z + 0.3 * (a + b)


def grouped(z: Array, labels: Array, sizes: tuple[int, ...]) -> Array:
    out, start = np.zeros(len(z)), 0
    for j, size in enumerate(sizes):
        out += softmax_cross_entropy(z[:, start : start + size], labels[:, j])
        start += size
    return out


def distance(a: Array, b: Array, *, form: str = "euclidean") -> Array:
    return np.linalg.norm(a - b, axis=-1) ** (1 if form == "euclidean" else 2)


def contrastive(a: Array, b: Array, same: Array, *, margin: float = 1.0, factor: float = 1.0) -> Array:
    d = distance(a, b)
    return factor * (same * d**2 + (1 - same) * np.maximum(margin - d, 0) ** 2)


def triplet(a: Array, p: Array, n: Array, *, margin: float = 1.0, form: str = "euclidean") -> Array:
    return np.maximum(distance(a, p, form=form) - distance(a, n, form=form) + margin, 0)


def soft_threshold(w: Array, amount: float) -> Array:
    return np.sign(w) * np.maximum(np.abs(w) - amount, 0)


def weighted(values: Array, weights: Array, *, reduction: str = "mean", already: bool = False) -> Array:
    total = np.sum(values if already else weights * values)
    mass = np.sum(weights)
    return {"mean": total / mass, "sum": total, "half_mean": total / (2 * mass)}[reduction]
