"""Float64 loops over all pairs and triplets of a batch, as slow and as plain as they can be."""

import itertools
from typing import Any

import numpy as np

Array = np.ndarray


def distances(first: Array, second: Array, *, form: str = "euclidean") -> Array:
    squared = np.array([[np.sum((a - b) ** 2) for b in second] for a in first])
    return squared if form == "squared_euclidean" else np.sqrt(squared)


def normalise(x: Array) -> Array:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def mined(d: Array, labels: Array, *, margin: float, mining: str, negatives: str, fallback: str) -> Any:
    """Return the triplets (a, p, n) that are mined from a table of distances."""
    indices = range(len(labels))
    found = []
    for a in indices:
        positives = [p for p in indices if p != a and labels[p] == labels[a]]
        others = [n for n in indices if labels[n] != labels[a]]
        if not positives or not others:
            continue
        nearest, farthest = min(others, key=lambda n: d[a, n]), max(others, key=lambda n: d[a, n])
        if mining == "batch_all":
            found += [(a, p, n) for p, n in itertools.product(positives, others)]
        elif mining == "batch_hard":
            found.append((a, max(positives, key=lambda p: d[a, p]), nearest))
        else:
            for p in positives:
                chosen = [n for n in others if d[a, n] > d[a, p]]
                if negatives == "nearest":
                    chosen = [min(chosen, key=lambda n: d[a, n])] if chosen else []
                else:
                    chosen = [n for n in chosen if d[a, n] < d[a, p] + margin]
                if not chosen and fallback != "none":
                    chosen = [{"nearest": nearest, "farthest": farthest}[fallback]]
                found += [(a, p, n) for n in chosen]
    return found


def mined_triplet(
    embeddings: Array, labels: Array, *, margin: float = 0.2, mining: str = "semi_hard",
    form: str = "squared_euclidean", average: str = "active", negatives: str = "every",
    fallback: str = "none",
) -> Array:  # fmt: skip
    d = distances(embeddings, embeddings, form=form)
    triplets = mined(d, labels, margin=margin, mining=mining, negatives=negatives, fallback=fallback)
    losses = {(a, p, n): max(d[a, p] - d[a, n] + margin, 0.0) for a, p, n in triplets}
    count = sum(loss > 0 for loss in losses.values()) if average == "active" else len(losses)
    values = np.zeros(len(labels))
    for (a, _, _), loss in losses.items():
        values[a] += loss
    return values * len(labels) / max(count, 1)


def batch_contrastive(
    embeddings: Array, labels: Array, *, margin: float = 1.0, factor: float = 1.0, average: str = "pairs"
) -> Array:
    n, d = len(labels), distances(embeddings, embeddings)
    near, far, counts = np.zeros(n), np.zeros(n), [0, 0]
    for a, b in itertools.permutations(range(n), 2):
        if labels[a] == labels[b]:
            near[a] += d[a, b] ** 2
            counts[0] += 1
        else:
            far[a] += max(margin - d[a, b], 0) ** 2
            counts[1] += 1
    if average == "pairs":
        counts = [sum(counts)] * 2
    return factor * n * (near / max(counts[0], 1) + far / max(counts[1], 1))
