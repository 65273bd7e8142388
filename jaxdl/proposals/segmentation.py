"""Graph-based segmentation of an image."""

from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.proposals import _graph, _pixels


def graph_segmentation(
    image: Any, *, scale: float = 100.0, sigma: float = 0.8, min_size: int = 20
) -> np.ndarray:
    """Cut an image into regions whose borders are stronger than what varies within them.

    Pixels are joined with their 8 neighbours by edges of weight ``w = |I_p - I_q|``, the Euclidean distance
    of the smoothed levels. In the order of rising weight an edge joins the regions A and B of its ends
    if ``w <= min(Int(A) + k / |A|, Int(B) + k / |B|)``, where Int is the largest weight that holds a region
    together. In the same order regions below the least size are then joined with a neighbour.

    Args:
        image: (height, width) or (height, width, channels), uint8, or floats in [0, 1], which are taken
            times 255.
        scale: k, in grey levels times pixels; larger values make larger regions.
        sigma: standard deviation of the Gaussian that smooths the image first, in pixels; 0 for none.
        min_size: the least number of pixels of a region.

    Returns:
        The region of each pixel (height, width) int32, numbered from 0 in reading order.

    Raises:
        ShapeError: no image of two or three axes.
        DtypeError: neither uint8 nor floating, or arguments of the wrong kind.
        FormatError: floats outside [0, 1].
        ValueError: an argument out of range.

    Example:
        >>> image = np.zeros((6, 8), np.uint8)
        >>> image[2:5, 3:7] = 200
        >>> graph_segmentation(image, scale=50, sigma=0, min_size=1)[:3]
        array([[0, 0, 0, 0, 0, 0, 0, 0],
               [0, 0, 0, 0, 0, 0, 0, 0],
               [0, 0, 0, 1, 1, 1, 1, 0]], dtype=int32)

    Reference:
        Felzenszwalb & Huttenlocher (2004). The partition is that of scikit-image's `felzenszwalb`, which
        takes floats as they are, ``scale / 255`` for them, and ``<`` in the place of ``<=``.
    """
    op = "graph_segmentation"
    found = _pixels.levels(op, "image", image)
    scale = _pixels.positive(op, "scale", scale)
    _checks.in_range(op, "sigma", sigma, 0, float("inf"), "[0, inf)")
    least = _checks.positive_integer(op, "min_size", min_size)
    return _graph.segment(_graph.edges(_pixels.smoothed(found, sigma)), found.shape[:2], scale, least)
