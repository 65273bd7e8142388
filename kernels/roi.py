"""Pooling of regions of interest: the features in any box, brought to one size.

Formulations of `roi_align`, which agree in value and gradient but for the order of sums:

* ``"gather"``: four cells a sample are read and added up; the gradient adds patches of 2 x 2 cells, a few
  boxes at a time, so that they stay in the cache.
* ``"products"``: the samples of a row, and of a column, as matrices that multiply the whole map.

The rule was measured by ``python -m bench roi`` (512 boxes of 7 x 7 on 64 channels, value and gradient). On
CPU ``"gather"`` took less than a tenth of torchvision's time on maps of 25 to 100 cells a side, and its work
does not grow with the map; ``"products"`` took as long as torchvision. GPU and TPU were not measured: there
``"products"`` stands, which neither gathers nor scatters.

A number in the features that is not finite reaches what reads it with a share of zero, too: the cell beside a
sample, and with ``"products"`` all boxes.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import _roi_align_forms as forms
from . import _roi_pool_table as table
from ._words import words

IMPLEMENTATIONS = ("gather", "products")


def roi_align(
    features: jax.Array,
    boxes: jax.Array,
    *,
    output_size: int | tuple[int, int] = (7, 7),
    spatial_scale: float | jax.Array,
    sampling_ratio: int = 2,
    aligned: bool = True,
    implementation: str | None = None,
) -> jax.Array:
    """Average bilinear samples in each bin of a grid over each box.

    ``y[r, p, q] = mean over samples s of bin (p, q) of sum over cells h, w of
    max(0, 1 - |s_y - h|) max(0, 1 - |s_x - w|) features[h, w]``

    Samples up to a cell outside the map take the value at its edge, those further out 0. One image;
    `jax.vmap` takes features (batch, height, width, channels) and boxes (batch, boxes, 4). Differentiable in
    reverse, and forward over reverse, by the features and, through the places of the samples, by the boxes,
    to which torchvision gives no gradient: ``lax.stop_gradient(boxes)`` does the same here.

    Args:
        features: floating array (height, width, channels). Below float32 it is computed in float32.
        boxes: floating array (boxes, 4) as x1, y1, x2, y2 in pixels of the image. A box with a number that is
            not finite, or with x2 < x1 or y2 < y1, gives NaN; one of zeros, as in padding, a finite value.
        output_size: rows and columns of the grid, or one number for both.
        spatial_scale: cells of the features a pixel, such as 1/16.
        sampling_ratio: samples along each side of a bin. Zero, which stands elsewhere for as many as the size
            of the box demands, has no fixed shape and is refused.
        aligned: shift by half a cell, so that samples lie where pixels have their centres. Without, boxes are
            at least one cell wide and high.
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        (boxes, rows, columns, channels) of the features' dtype.

    Raises:
        TypeError: features or boxes are not floating arrays.
        ValueError: shapes other than those above, an empty map, sizes or ratio below 1, a scale that is not
            above 0, or an unknown implementation.

    Example:
        >>> features = jnp.arange(16.0).reshape(4, 4, 1)
        >>> whole = jnp.array([[0.0, 0.0, 4.0, 4.0]])
        >>> roi_align(features, whole, output_size=2, spatial_scale=1.0).ravel().tolist()
        [2.5, 4.5, 10.5, 12.5]

    Reference:
        He, Gkioxari, Dollár and Girshick (2017), "Mask R-CNN". Equals ``torchvision.ops.roi_align``.
    """
    wide, boxes, sizes = _checked("roi_align", features, boxes, output_size, spatial_scale)
    _whole("roi_align", "sampling_ratio", sampling_ratio)
    scale = jnp.asarray(spatial_scale, boxes.dtype)
    aligned_to = _align(wide, boxes, scale, sizes, sampling_ratio, bool(aligned), _chosen(implementation))
    return aligned_to.astype(features.dtype)


def roi_pool(
    features: jax.Array,
    boxes: jax.Array,
    *,
    output_size: int | tuple[int, int] = (7, 7),
    spatial_scale: float | jax.Array,
) -> jax.Array:
    """Take the greatest entry in each bin of a grid of whole cells over each box.

    ``y[r, p, q] = max over cells h, w of bin (p, q) of features[h, w]``

    The corners of a box are scaled and rounded, halves away from zero; the last cell belongs to it, and it is
    at least one cell wide and high. Bins reach from ``floor(p size / rows)`` to
    ``ceil((p + 1) size / rows)``, and are cut off at the edges of the map; an empty one gives 0. The gradient
    goes to the first of equal entries in row-major order; boxes have none. One image; `jax.vmap` takes a
    batch of features and of boxes.

    Args:
        features: floating array (height, width, channels). A NaN makes the bins that hold it NaN.
        boxes: floating array (boxes, 4) as x1, y1, x2, y2 in pixels of the image. A box with a number that is
            not finite, or with x2 < x1 or y2 < y1, gives NaN; one of zeros, as in padding, a finite value.
        output_size: rows and columns of the grid, or one number for both.
        spatial_scale: cells of the features a pixel, such as 1/16.

    Returns:
        (boxes, rows, columns, channels) of the features' dtype.

    Raises:
        TypeError: features or boxes are not floating arrays.
        ValueError: shapes other than those above, an empty map, sizes below 1, or a scale not above 0.

    Example:
        >>> features = jnp.arange(16.0).reshape(4, 4, 1)
        >>> whole = jnp.array([[0.0, 0.0, 3.0, 3.0]])
        >>> roi_pool(features, whole, output_size=2, spatial_scale=1.0).ravel().tolist()
        [5.0, 7.0, 13.0, 15.0]

    Reference:
        Girshick (2015), "Fast R-CNN". Equals ``torchvision.ops.roi_pool`` on finite features.
    """
    _, boxes, sizes = _checked("roi_pool", features, boxes, output_size, spatial_scale)
    return _pool(jnp.asarray(features), boxes, jnp.asarray(spatial_scale, boxes.dtype), sizes)


@partial(jax.jit, static_argnums=(3, 4, 5, 6))
def _align(
    features: jax.Array,
    boxes: jax.Array,
    scale: jax.Array,
    sizes: tuple[int, int],
    ratio: int,
    aligned: bool,
    implementation: str,
) -> jax.Array:
    # The choice comes before the difference, so that the compiler does not fuse the product into it.
    scaled = jnp.where(_sound(boxes)[:, None], boxes * scale, jnp.nan)
    scaled = scaled - 0.5 if aligned else scaled
    start, size = scaled[:, :2], scaled[:, 2:] - scaled[:, :2]
    size = size if aligned else jnp.maximum(size, 1.0)
    rows = forms.samples(start[:, 1], size[:, 1], sizes[0], ratio, features.shape[0])
    columns = forms.samples(start[:, 0], size[:, 0], sizes[1], ratio, features.shape[1])
    form = forms.gathered if implementation == "gather" else forms.products
    return form(features, rows, columns)


@partial(jax.jit, static_argnums=3)
def _pool(features: jax.Array, boxes: jax.Array, scale: jax.Array, sizes: tuple[int, int]) -> jax.Array:
    height, width, _ = features.shape
    sound = _sound(boxes)
    corners = _rounded(jnp.where(sound[:, None], boxes, 0) * scale)
    rows = table.bins(corners[:, 1], corners[:, 3], sizes[0], height)
    columns = table.bins(corners[:, 0], corners[:, 2], sizes[1], width)
    values = table.maxima(features, rows, columns)
    filled = (rows.high > rows.low)[:, :, None] & (columns.high > columns.low)[:, None]
    pooled = jnp.where(filled[..., None], values, 0)
    return jnp.where(sound[:, None, None, None], pooled, jnp.nan)


def _sound(boxes: jax.Array) -> jax.Array:
    return jnp.isfinite(boxes).all(1) & (boxes[:, 2:] >= boxes[:, :2]).all(1)


def _rounded(x: jax.Array) -> jax.Array:
    """Round halves away from zero, as C does; `jnp.round` takes them to the even."""
    whole = jnp.trunc(x)
    return whole + jnp.where(jnp.abs(x - whole) >= 0.5, jnp.sign(x), 0)


def _chosen(implementation: str | None) -> str:
    if implementation is None:
        implementation = "gather" if jax.default_backend() == "cpu" else "products"
    if implementation not in IMPLEMENTATIONS:
        expected = f"None or one of {', '.join(map(repr, IMPLEMENTATIONS))}"
        raise ValueError(words("roi_align", "implementation", repr(implementation), expected, "None"))
    return implementation


def _checked(
    op: str, features: Any, boxes: Any, output_size: Any, spatial_scale: Any
) -> tuple[jax.Array, jax.Array, tuple[int, int]]:
    """Return features and boxes in one dtype, float32 or wider, and the size as a pair."""
    for name, value in (("features", features), ("boxes", boxes)):
        if not jnp.issubdtype(getattr(value, "dtype", "int32"), jnp.floating):
            got = f"of dtype {value.dtype}" if hasattr(value, "dtype") else f"a {type(value).__name__}"
            raise TypeError(
                words(op, name, got, "a floating array", f"{name} = jnp.asarray({name}, jnp.float32)")
            )
    if features.ndim != 3 or 0 in features.shape:
        got, expected = f"of shape {features.shape}", "(height, width, channels), none empty"
        raise ValueError(words(op, "features", got, expected, f"jax.vmap({op}) takes a batch of images"))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        got, fix = f"of shape {boxes.shape}", f"jax.vmap({op}) takes the boxes of a batch of images"
        raise ValueError(words(op, "boxes", got, "(boxes, 4), those of one image", fix))
    if not _above_zero(spatial_scale):
        expected = "a finite number above 0"
        raise ValueError(
            words(op, "spatial_scale", repr(spatial_scale), expected, "spatial_scale=1 / stride")
        )
    sizes = output_size if isinstance(output_size, tuple | list) else (output_size,) * 2
    if len(sizes) != 2:
        expected = "a whole number of at least 1, or two of them"
        raise ValueError(words(op, "output_size", repr(output_size), expected, "output_size=(7, 7)"))
    for size in sizes:
        _whole(op, "output_size", size)
    dtype = jnp.float64 if jnp.float64 in (features.dtype, boxes.dtype) else jnp.float32
    boxes = jnp.asarray(boxes, dtype)
    if isinstance(spatial_scale, jax.core.Tracer):
        boxes = jnp.where((spatial_scale > 0) & jnp.isfinite(spatial_scale), boxes, jnp.nan)
    return jnp.asarray(features, dtype), boxes, (sizes[0], sizes[1])


def _above_zero(scale: Any) -> bool:
    if isinstance(scale, jax.core.Tracer):
        return scale.ndim == 0
    try:
        return np.ndim(scale) == 0 and 0 < float(scale) < float("inf")
    except (TypeError, ValueError):
        return False


def _whole(op: str, argument: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        expected = "a whole number of at least 1"
        raise ValueError(words(op, argument, repr(value), expected, f"{argument}=2"))
