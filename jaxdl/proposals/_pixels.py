"""Images on the host as grey levels, checked and smoothed."""

import functools
from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain

# As far as the Gaussian reaches, in standard deviations.
TRUNCATE = 4.0


def levels(op: str, argument: str, image: Any) -> np.ndarray:
    """Return an image (height, width[, channels]) as float64 with channels, in [0, 255], or raise."""
    if not isinstance(image, np.ndarray) and not hasattr(image, "__array__"):
        raise DtypeError(
            explain(op, argument, got=f"a {type(image).__name__}", expected="an array",
                    fix=f"pass np.asarray({argument})")
        )  # fmt: skip
    found = np.asarray(image)
    if found.ndim not in (2, 3) or 0 in found.shape:
        fix = f"{argument}[0], or propose() for a batch" if found.ndim == 4 else "pass one image"
        raise ShapeError(
            explain(op, argument, got=f"of shape {found.shape}",
                    expected="(height, width) or (height, width, channels), not empty", fix=fix)
        )  # fmt: skip
    found = found.reshape(*found.shape[:2], -1)
    if found.dtype == np.uint8:
        return found.astype(np.float64)
    if found.dtype.kind != "f":
        raise DtypeError(
            explain(op, argument, got=f"of dtype {found.dtype}", expected="uint8, or floats in [0, 1]",
                    fix=f"{argument}.astype(np.uint8)")
        )  # fmt: skip
    if not (np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1):
        raise FormatError(
            explain(op, argument, got=f"of floats in [{found.min():g}, {found.max():g}]",
                    expected="uint8, or floats in [0, 1]", fix=f"({argument} / 255) for grey levels")
        )  # fmt: skip
    return 255.0 * found.astype(np.float64)


def smoothed(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return ``G_rows x G_columns^T`` of each channel, G the Gaussian with the edges mirrored."""
    if sigma == 0:
        return image
    rows, columns = (_gaussian(length, sigma) for length in image.shape[:2])
    return np.moveaxis(rows @ np.moveaxis(image, -1, 0) @ columns.T, 0, -1)


@functools.lru_cache(maxsize=8)
def _gaussian(length: int, sigma: float) -> np.ndarray:
    """Return the matrix (length, length) that smooths along one axis."""
    radius = int(TRUNCATE * sigma + 0.5)
    window = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    mirrored = np.pad(np.arange(length), radius, mode="symmetric")
    at = np.arange(length)[:, None] + np.arange(2 * radius + 1)
    matrix = np.zeros((length, length))
    np.add.at(matrix, (np.arange(length)[:, None], mirrored[at]), window / window.sum())
    return matrix


def positive(op: str, argument: str, value: Any) -> float:
    """Return a finite number above 0, or raise."""
    _checks.in_range(op, argument, value, 0, float("inf"), "a finite number above 0")
    if value == 0:
        raise ValueError(
            explain(op, argument, got=0, expected="a finite number above 0", fix=f"pass {argument}=1.0 or so")
        )
    return float(value)
