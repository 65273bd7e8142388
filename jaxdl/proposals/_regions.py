"""Regions of a segmentation: what they look like, and how alike two are."""

from typing import NamedTuple

import numpy as np

from jaxdl.proposals import _pixels

COLOUR_BINS, TEXTURE_BINS, DIRECTIONS = 25, 10, 8


class Regions(NamedTuple):
    """What is known of each of n regions; filled up to 2n - 1 as they are grouped.

    Attributes:
        boxes: (n, 4) xyxy, the last row and column not included.
        sizes: (n,) pixels.
        colours: (n, bins) histograms of the levels, of sum 1.
        textures: (n, bins) histograms of the slopes in eight directions, of sum 1.
    """

    boxes: np.ndarray
    sizes: np.ndarray
    colours: np.ndarray
    textures: np.ndarray


def bins(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bins of colour (height, width, channels) and of texture (height, width, directions)."""
    colours = np.minimum(levels * (COLOUR_BINS / 256), COLOUR_BINS - 1).astype(np.int64)
    down, right = np.gradient(_pixels.smoothed(np.pad(levels, ((1, 1), (1, 1), (0, 0)), mode="edge"), 1.0),
                              axis=(0, 1))  # fmt: skip
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    slopes = down[1:-1, 1:-1, :, None] * np.sin(angles) + right[1:-1, 1:-1, :, None] * np.cos(angles)
    slopes = np.maximum(slopes, 0).reshape(*levels.shape[:2], -1)
    highest = max(float(slopes.max()), 1e-12)
    return colours, np.minimum(slopes * (TEXTURE_BINS / highest), TEXTURE_BINS - 1).astype(np.int64)


def describe(labels: np.ndarray, colours: np.ndarray, textures: np.ndarray) -> Regions:
    """Return the regions of a segmentation (height, width)."""
    count = int(labels.max()) + 1
    rows, columns = np.indices(labels.shape).reshape(2, -1)
    flat = labels.ravel()
    low, high = np.full((count, 2), max(labels.shape)), np.zeros((count, 2), np.int64)
    places = np.stack([columns, rows], -1)
    np.minimum.at(low, flat, places)
    np.maximum.at(high, flat, places + 1)
    return Regions(
        np.concatenate([low, high], 1).astype(np.float64),
        np.bincount(flat).astype(np.float64),
        _histograms(flat, count, colours, COLOUR_BINS),
        _histograms(flat, count, textures, TEXTURE_BINS),
    )


def _histograms(flat: np.ndarray, count: int, values: np.ndarray, size: int) -> np.ndarray:
    kinds = values.shape[-1]
    at = (flat[:, None] * kinds + np.arange(kinds)) * size + values.reshape(-1, kinds)
    found = np.bincount(at.ravel(), minlength=count * kinds * size).reshape(count, -1).astype(np.float64)
    return found / found.sum(1, keepdims=True)


def neighbours(labels: np.ndarray) -> np.ndarray:
    """Return the pairs (pairs, 2) of regions that touch along a side, each once, the lower number first."""
    across = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], 1)
    down = np.stack([labels[:-1].ravel(), labels[1:].ravel()], 1)
    pairs = np.sort(np.concatenate([across, down]), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def similarity(regions: Regions, a: np.ndarray, b: np.ndarray, total: float, measures: str) -> np.ndarray:
    """Return the sum of the measures asked for, of pairs a, b (pairs,) in an image of `total` pixels.

    ``C`` and ``T`` are the intersections of the histograms, ``S = 1 - (|a| + |b|) / total`` favours small
    regions, and ``F = 1 - (|hull| - |a| - |b|) / total`` those that fill the box around both.
    """
    found = np.zeros(len(a))
    sizes = regions.sizes[a] + regions.sizes[b]
    if "C" in measures:
        found += np.minimum(regions.colours[a], regions.colours[b]).sum(1)
    if "T" in measures:
        found += np.minimum(regions.textures[a], regions.textures[b]).sum(1)
    if "S" in measures:
        found += 1 - sizes / total
    if "F" in measures:
        low = np.minimum(regions.boxes[a, :2], regions.boxes[b, :2])
        high = np.maximum(regions.boxes[a, 2:], regions.boxes[b, 2:])
        found += 1 - ((high - low).prod(1) - sizes) / total
    return found
