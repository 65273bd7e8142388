"""Slow, obvious float64 NumPy: the definitions, written as they are printed."""

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
