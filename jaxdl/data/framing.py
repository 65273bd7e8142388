"""Drawings brought to one place and size, as the digits of MNIST were before they were published."""

from typing import Any

import numpy as np

from jaxdl._checks import positive_integer
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


def frame_ink(images: Any, *, size: int = 28, margin: int = 2) -> np.ndarray:
    """Cut each drawing out along the box of its ink, and scale it to fill a square but for its margin.

    The box, the smallest that holds all ink, comes to the middle; proportions are kept, so that it fills the
    square in its longer side. Scaled by area: a pixel is the mean of what it covers.

    Args:
        images: (n, height, width) or (n, height, width, 1) uint8, ink bright on a ground of 0.
        size: height and width of what is returned, in pixels.
        margin: pixels left free on each side.

    Returns:
        uint8 (n, size, size) or (n, size, size, 1). A thin line grows fainter where it is made smaller.

    Raises:
        DtypeError: images that are not uint8.
        ShapeError: images of other shapes, or none.
        FormatError: an image without ink.
        ValueError: no room between the margins.

    Example:
        >>> dot = np.zeros((1, 9, 9), np.uint8)
        >>> dot[0, 0, 7] = 255
        >>> frame_ink(dot, size=4, margin=1)[0].tolist()
        [[0, 0, 0, 0], [0, 255, 255, 0], [0, 255, 255, 0], [0, 0, 0, 0]]

    Reference: the box of 20 by 20 pixels in the middle of 28 by 28 in LeCun, Bottou, Bengio and Haffner,
    "Gradient-based learning applied to document recognition" (1998); they centre by mass, not by the box.
    """
    op = "frame_ink"
    drawings = _drawings(op, images)
    size = positive_integer(op, "size", size)
    if size <= 2 * positive_integer(op, "margin", margin, least=0):
        raise ValueError(
            explain(op, "margin", got=margin, expected=f"less than half of size={size}",
                    fix=f"margin={size // 14}")
        )  # fmt: skip
    framed = np.empty((len(drawings), size, size), np.uint8)
    for number, drawing in enumerate(drawings):
        framed[number] = _framed(op, number, drawing, size, margin)
    return framed if np.ndim(images) == 3 else framed[..., None]


def _drawings(op: str, images: Any) -> np.ndarray:
    array = np.asarray(images)
    if array.dtype != np.uint8:
        raise DtypeError(
            explain(op, "images", got=f"of dtype {array.dtype}", expected="uint8, ink bright on 0",
                    fix="(255 * images).astype(np.uint8) for shares of ink")
        )  # fmt: skip
    if array.ndim not in (3, 4) or 0 in array.shape or (array.ndim == 4 and array.shape[3] != 1):
        raise ShapeError(
            explain(op, "images", got=f"of shape {array.shape}", expected="(n, height, width, 1), not empty",
                    fix="images[None] for a single one")
        )  # fmt: skip
    return array.reshape(array.shape[:3])


def _framed(op: str, number: int, drawing: np.ndarray, size: int, margin: int) -> np.ndarray:
    rows, columns = (np.flatnonzero(drawing.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise FormatError(
            explain(op, "images", got=f"without any ink at image {number}", expected="ink in every drawing",
                    fix="255 - images, where the ink is dark, or leave that one out")
        )  # fmt: skip
    ends = [(places[0], places[-1] + 1) for places in (rows, columns)]
    pixel = max(end - begin for begin, end in ends) / (size - 2 * margin)
    down, across = (
        _means((begin + end - size * pixel) / 2, pixel, size, length)
        for (begin, end), length in zip(ends, drawing.shape, strict=True)
    )
    return np.rint(down @ drawing @ across.T).astype(np.uint8)


def _means(start: float, pixel: float, size: int, length: int) -> np.ndarray:
    """Return what share of each of `size` new pixels every one of `length` old ones covers, along an axis.

    What lies outside the image is ground.
    """
    begin = start + pixel * np.arange(size)[:, None]
    old = np.arange(length)
    return np.clip(np.minimum(begin + pixel, old + 1) - np.maximum(begin, old), 0, None) / pixel
