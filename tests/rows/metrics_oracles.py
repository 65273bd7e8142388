"""Slow, obvious float64 NumPy for the metrics of whole arrays."""

import numpy as np

Array = np.ndarray


def confusion_matrix(predictions: Array, labels: Array, weights: Array | None = None) -> Array:
    counts = np.zeros((3, 3))
    for n, (guess, label) in enumerate(zip(predictions, labels, strict=True)):
        counts[label, guess] += 1 if weights is None else weights[n]
    return counts


def score(
    predictions: Array, labels: Array, weights: Array | None = None, *, kind: str, average: str
) -> Array:
    weights = np.ones(len(labels)) if weights is None else weights
    found = [weights[(predictions == k) & (labels == k)].sum() for k in range(3)]
    guessed = [weights[predictions == k].sum() for k in range(3)]
    wanted = [weights[labels == k].sum() for k in range(3)]
    below = {
        "precision": guessed,
        "recall": wanted,
        "f1": [(a + b) / 2 for a, b in zip(guessed, wanted)],
    }[kind]
    if average == "micro":
        return np.float64(sum(found) / sum(below))
    scores = np.array([a / b if b else 0.0 for a, b in zip(found, below)])
    if average == "none":
        return scores
    return np.average(scores, weights=wanted if average == "weighted" else None)


def _at(scores: Array, labels: Array, weights: Array, threshold: float) -> tuple[float, float]:
    kept = scores >= threshold
    return weights[kept & (labels == 1)].sum(), weights[kept & (labels == 0)].sum()


def threshold_sweep(scores: Array, labels: Array, weights: Array | None = None) -> Array:
    weights, rows = np.ones(len(labels)) if weights is None else weights, []
    wanted = weights[labels == 1].sum()
    for threshold in sorted(scores, reverse=True):
        right, wrong = _at(scores, labels, weights, threshold)
        rows.append((right / (right + wrong), right / wanted, 2 * right / (right + wrong + wanted)))
    return np.array(rows).T


def roc_curve(scores: Array, labels: Array, weights: Array | None = None) -> Array:
    weights = np.ones(len(labels)) if weights is None else weights
    wanted = np.array([weights[labels == 0].sum(), weights[labels == 1].sum()])
    pairs = [_at(scores, labels, weights, t)[::-1] for t in sorted(scores, reverse=True)]
    return np.concatenate([[(0, 0)], np.array(pairs) / wanted]).T


def roc_area(scores: Array, labels: Array, weights: Array | None = None) -> Array:
    weights, total, pairs = np.ones(len(labels)) if weights is None else weights, 0.0, 0.0
    for i in np.flatnonzero(labels == 1):
        for j in np.flatnonzero(labels == 0):
            total += weights[i] * weights[j] * ((scores[i] > scores[j]) + (scores[i] == scores[j]) / 2)
            pairs += weights[i] * weights[j]
    return np.float64(total / pairs)


def average_precision(scores: Array, labels: Array, weights: Array | None = None) -> Array:
    precision, recall, _ = threshold_sweep(scores, labels, weights)
    return np.sum(np.diff(recall, prepend=0) * precision)


def absolute_error(predictions: Array, targets: Array) -> Array:
    return np.array([np.mean(np.abs(a - y)) for a, y in zip(predictions, targets)])


def r2(predictions: Array, targets: Array, weights: Array | None = None) -> Array:
    weights = np.ones(len(targets)) if weights is None else weights
    mean = np.average(targets, weights=weights)
    return 1 - np.sum(weights * (targets - predictions) ** 2) / np.sum(weights * (targets - mean) ** 2)
