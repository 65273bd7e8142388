"""The formulations of `roi_align`: bilinear samples gathered, or taken by products."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

# A block of boxes writes so many numbers before they are added up: what stays in the cache of a core.
BLOCK = 2**18


class Samples(NamedTuple):
    """Where the samples of each box lie along one axis: between a cell and the next.

    Attributes:
        low: (boxes, bins, ratio) int32, the lower cell.
        weights: (boxes, bins, ratio, 2), the shares of the lower and of the next; 0 far outside.
    """

    low: jax.Array
    weights: jax.Array


def samples(start: jax.Array, size: jax.Array, bins: int, ratio: int, length: int) -> Samples:
    """Lay `ratio` samples in each bin of intervals (boxes,), in cells; NaN gives NaN weights."""
    step = divided(size, bins)[:, None, None]
    number = jnp.arange(bins, dtype=start.dtype)[None, :, None]
    place = jnp.arange(ratio, dtype=start.dtype)[None, None] + 0.5
    # The choice keeps the compiler from fusing the product into the sum, which rounds otherwise: a sample at
    # the border of the map would be in, or out.
    at = start[:, None, None] + jnp.where(step < 0, 0, number * step) + divided(place * step, ratio)
    inside = (at >= -1) & (at <= length)
    fits = jnp.isfinite(at).all((1, 2), keepdims=True)
    at = jnp.clip(jnp.where(fits, at, 0), 0, length - 1)
    low = jnp.clip(jnp.floor(at), 0, max(length - 2, 0))
    shares = jnp.stack([1 - (at - low), at - low], -1)
    kept = jnp.where(fits, jnp.where(inside, 1 / ratio, 0.0), jnp.nan).astype(at.dtype)
    return Samples(low.astype(jnp.int32), shares * kept[..., None])


def divided(x: jax.Array, by: int) -> jax.Array:
    """Divide by a whole number, rounded once: by one number for all, XLA multiplies with its inverse."""
    return x / jnp.where(jnp.isnan(x), 1, by).astype(x.dtype)


def products(features: jax.Array, rows: Samples, columns: Samples) -> jax.Array:
    """Weigh all rows of the features, then all columns: (boxes, rows, columns, channels)."""
    height, width, channels = features.shape
    down, across = _dense(rows, height), _dense(columns, width)
    count, bins, _ = down.shape
    lines = jnp.dot(
        down.reshape(-1, height), features.reshape(height, -1), precision=lax.Precision.HIGHEST
    ).reshape(count, bins, width, channels)
    across = jnp.broadcast_to(across[:, None], (count, bins, *across.shape[1:]))
    return jnp.einsum("rpqw,rpwc->rpqc", across, lines, precision=lax.Precision.HIGHEST)


def _dense(line: Samples, length: int) -> jax.Array:
    """Return what each bin takes of each cell, (boxes, bins, length)."""
    low, cells = line.low[..., None], jnp.arange(length, dtype=jnp.int32)[None, None, None]
    lower, upper = line.weights[..., :1], line.weights[..., 1:]
    return (jnp.where(low == cells, lower, 0) + jnp.where(low + 1 == cells, upper, 0)).sum(2)


@jax.custom_vjp
def gathered(features: jax.Array, rows: Samples, columns: Samples) -> jax.Array:
    """Read four cells a sample and add them up: (boxes, rows, columns, channels)."""
    return _read(features, rows, columns)


def _forward(features: jax.Array, rows: Samples, columns: Samples) -> tuple[jax.Array, Any]:
    return _read(features, rows, columns), (features, rows, columns)


def _backward(kept: Any, above: jax.Array) -> tuple[Any, ...]:
    features, rows, columns = kept

    def by_weights(down: jax.Array, across: jax.Array) -> jax.Array:
        return _read(features, rows._replace(weights=down), columns._replace(weights=across))

    # The compiler leaves these out where nobody asks for the boxes' gradient.
    down, across = jax.vjp(by_weights, rows.weights, columns.weights)[1](above)
    return _scattered(features, rows, columns, above), _of_weights(down), _of_weights(across)


def _of_weights(slope: jax.Array) -> Any:
    """Return the gradient of `Samples`, of which whole numbers have none."""
    return Samples(None, slope)  # type: ignore[arg-type]


gathered.defvjp(_forward, _backward)


def _read(features: jax.Array, rows: Samples, columns: Samples) -> jax.Array:
    height, width, channels = features.shape
    flat = features.reshape(-1, channels)
    ratio = rows.low.shape[-1]

    def one(total: jax.Array, place: Any) -> tuple[jax.Array, None]:
        i, j = place // ratio, place % ratio
        corner = rows.low[:, :, i][:, :, None] * width + columns.low[:, :, j][:, None]
        down, across = rows.weights[:, :, i][:, :, None], columns.weights[:, :, j][:, None]
        for a in range(min(2, height)):
            for b in range(min(2, width)):
                cells = flat.at[corner + (a * width + b)].get(mode="promise_in_bounds")
                total = total + cells * (down[..., a] * across[..., b])[..., None]
        return total, None

    start = jnp.zeros((*rows.low.shape[:2], columns.low.shape[1], channels), features.dtype)
    if ratio > 2:
        return lax.scan(one, start, jnp.arange(ratio**2))[0]
    for place in range(ratio**2):
        start, _ = one(start, place)  # Unrolled, all of it is one loop over the result.
    return start


def _scattered(features: jax.Array, rows: Samples, columns: Samples, above: jax.Array) -> jax.Array:
    """Return the transpose of `_read`: every sample adds a patch of 2 x 2 cells, a few boxes at a time."""
    height, width, channels = features.shape
    patch = (min(2, height), min(2, width))
    count, bins, ratio = rows.low.shape
    size = max(
        1, min(count, BLOCK // (bins * columns.low.shape[1] * ratio**2 * patch[0] * patch[1] * channels))
    )
    numbers = lax.ScatterDimensionNumbers((1, 2, 3), (), (0, 1))

    def one(total: jax.Array, block: Any) -> tuple[jax.Array, None]:
        (low_y, down), (low_x, across), above = block
        corners = jnp.stack(jnp.broadcast_arrays(low_y[:, :, :, None, None], low_x[:, None, None]), -1)
        share = (
            down[:, :, :, None, None, : patch[0], None, None]
            * across[:, None, None, :, :, None, : patch[1], None]
        )
        patches = share * above[:, :, None, :, None, None, None]
        return lax.scatter_add(
            total, corners.reshape(-1, 2), patches.reshape(-1, *patch, channels), numbers,
            mode="promise_in_bounds",
        ), None  # fmt: skip

    blocks = jax.tree.map(lambda array: in_blocks(array, size), (rows, columns, above))
    return lax.scan(one, jnp.zeros_like(features), blocks)[0]


def in_blocks(array: jax.Array, size: int) -> jax.Array:
    """Cut the first axis in blocks, the last filled up with zeros."""
    rest = -array.shape[0] % size
    padded = jnp.pad(array, ((0, rest), *((0, 0),) * (array.ndim - 1)))
    return padded.reshape(-1, size, *array.shape[1:])
