"""Pooling of regions of interest: features of any box, brought to one size."""

import jax
import jax.numpy as jnp


def roi_align(
    features: jax.Array,
    boxes: jax.Array,
    *,
    output_size: tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 2,
    aligned: bool = True,
) -> jax.Array:
    """Average bilinear samples in each cell of a grid over each box.

    Args:
        features: (height, width, channels) of one image.
        boxes: (boxes, 4) as x1, y1, x2, y2 in pixels of the image.
        output_size: rows and columns of the grid.
        spatial_scale: cells of the features a pixel, such as 1/16.
        sampling_ratio: samples along each side of a cell.
        aligned: shift by half a cell, so that samples lie where pixels have their centres.

    Returns:
        (boxes, rows, columns, channels).
    """
    scaled = boxes * spatial_scale - (0.5 if aligned else 0.0)
    start, size = scaled[:, :2], scaled[:, 2:] - scaled[:, :2]
    size = size if aligned else jnp.maximum(size, 1.0)
    rows = _weights(start[:, 1], size[:, 1], output_size[0], features.shape[0], sampling_ratio)
    columns = _weights(start[:, 0], size[:, 0], output_size[1], features.shape[1], sampling_ratio)
    return jnp.einsum("bph,hwc,bqw->bpqc", rows, features, columns)


def _weights(start: jax.Array, size: jax.Array, bins: int, length: int, ratio: int) -> jax.Array:
    """Return how much each bin (boxes, bins, length) takes of each cell along one axis."""
    places = (jnp.arange(bins * ratio) + 0.5) / ratio
    at = start[:, None] + places[None] * (size[:, None] / bins)
    inside = (at >= -1) & (at <= length)
    at = jnp.clip(at, 0, length - 1)
    weights = jnp.maximum(1 - jnp.abs(at[..., None] - jnp.arange(length)[None, None]), 0) * inside[..., None]
    return weights.reshape(-1, bins, ratio, length).mean(2)
