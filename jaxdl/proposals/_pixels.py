"""Images on the host as grey levels, checked and smoothed."""

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
    """Return each channel smoothed by a Gaussian along both axes, the edges mirrored."""
    radius = int(TRUNCATE * sigma + 0.5)
    window = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, 1e-300)) ** 2)
    for axis in (0, 1) if radius else ():
        pads = [(radius * (other == axis),) * 2 for other in range(3)]
        shifted = np.swapaxes(np.pad(image, pads, mode="symmetric"), 0, axis)
        rows = sum(weight * shifted[i : i + image.shape[axis]] for i, weight in enumerate(window))
        image = np.swapaxes(rows / window.sum(), 0, axis)
    return image


def positive(op: str, argument: str, value: Any) -> float:
    """Return a finite number above 0, or raise."""
    _checks.in_range(op, argument, value, 0, float("inf"), "a finite number above 0")
    if value == 0:
        raise ValueError(
            explain(op, argument, got=0, expected="a finite number above 0", fix=f"pass {argument}=1.0 or so")
        )
    return float(value)
