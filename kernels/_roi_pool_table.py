"""Where the maximum of every bin of `roi_pool` stands, found in a table of maxima over small windows."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ._roi_align_forms import divided, in_blocks

# The windows of the table have 1, 2 and 4 cells a side; bins of more are covered by several.
LEVELS = 3
# A block of boxes finds so many maxima at once.
BLOCK = 2**15


class Cells(NamedTuple):
    """Entries of the features and where they stand, row-major; the table has the levels in front."""

    values: jax.Array
    places: jax.Array


class Bins(NamedTuple):
    """The bins of each box along one axis, (boxes, bins) int32: the first cell, and the one past the last."""

    low: jax.Array
    high: jax.Array


def bins(first: jax.Array, last: jax.Array, count: int, length: int) -> Bins:
    """Cut intervals of whole cells, first and last included, in `count` bins that may overlap by a cell."""
    step = divided(jnp.maximum(last - first + 1, 1), count)
    number = jnp.arange(count, dtype=first.dtype)[None]
    low = jnp.floor(number * step[:, None]) + first[:, None]
    high = jnp.ceil((number + 1) * step[:, None]) + first[:, None]
    return Bins(*(jnp.clip(edge, 0, length).astype(jnp.int32) for edge in (low, high)))


def places_of_maxima(features: jax.Array, rows: Bins, columns: Bins) -> jax.Array:
    """Return the first cell of the greatest entry, (boxes, rows, columns, channels) int32; any of empty bins.

    A few boxes at a time, which stay in the cache, and take as many steps as the largest of them demands.
    """
    height, width, channels = features.shape
    flat = jax.tree.map(lambda level: level.reshape(-1, channels), _table(features))
    count = rows.low.shape[0]

    def some(block: tuple[Bins, Bins]) -> jax.Array:
        return jnp.minimum(_best(flat, *block, height, width).places, height * width - 1)

    size = max(1, min(count, BLOCK // (rows.low.shape[1] * columns.low.shape[1] * channels)))
    blocks = jax.tree.map(lambda array: in_blocks(array, size), (rows, columns))
    return lax.map(some, blocks).reshape(-1, *rows.low.shape[1:], columns.low.shape[1], channels)[:count]


def _best(flat: Cells, rows: Bins, columns: Bins, height: int, width: int) -> Cells:
    down, across = _level(rows), _level(columns)
    most = [jnp.max(_count(line, level)) for line, level in ((rows, down), (columns, across))]

    def one(number: jax.Array, best: Cells) -> Cells:
        y, x = _window(rows, down, number // most[1]), _window(columns, across, number % most[1])
        level = down[:, :, None] * LEVELS + across[:, None]
        # A barrier, or the index of a bin is computed for each channel.
        index = lax.optimization_barrier((level * height + y[:, :, None]) * width + x[:, None])
        return _greater(best, jax.tree.map(lambda array: array.at[index].get(mode="promise_in_bounds"), flat))

    shape = (*rows.low.shape, columns.low.shape[1], flat.values.shape[1])
    none = Cells(jnp.full(shape, -jnp.inf, flat.values.dtype), jnp.full(shape, height * width, jnp.int32))
    return lax.fori_loop(0, most[0] * most[1], one, none)


def _table(features: jax.Array) -> Cells:
    """Return the maxima of the windows that start at each cell, (levels, levels, height, width, channels)."""
    height, width, _ = features.shape
    places = jnp.arange(height * width, dtype=jnp.int32).reshape(height, width, 1)
    cells = Cells(features, jnp.broadcast_to(places, features.shape))
    for axis in (1, 0):
        levels = [cells]
        for level in range(LEVELS - 1):
            levels.append(_greater(levels[-1], _shifted(levels[-1], 2**level, axis - 3)))
        cells = jax.tree.map(lambda *arrays: jnp.stack(arrays), *levels)
    return cells


def _shifted(cells: Cells, by: int, axis: int) -> Cells:
    """Move entries towards the start; those at the end stay, for windows past it are never read."""

    def moved(array: jax.Array) -> jax.Array:
        length = array.shape[axis]
        kept = lax.slice_in_dim(array, min(by, length), length, axis=axis % array.ndim)
        last = lax.slice_in_dim(array, max(length - by, 0), length, axis=axis % array.ndim)
        return jnp.concatenate([kept, last], axis)

    return jax.tree.map(moved, cells)


def _greater(first: Cells, second: Cells) -> Cells:
    """Return the greater of two entries; of equals, and of NaNs, that of the lower place."""
    lost, won = jnp.isnan(first.values), jnp.isnan(second.values)
    equal = (first.values == second.values) | (lost & won)
    takes = jnp.where(
        equal, second.places < first.places, (second.values > first.values) & ~lost | won & ~lost
    )
    return Cells(*(jnp.where(takes, b, a) for a, b in zip(first, second)))


def _level(line: Bins) -> jax.Array:
    size = line.high - line.low
    return sum((size >= 2**level).astype(jnp.int32) for level in range(1, LEVELS))


def _count(line: Bins, level: jax.Array) -> jax.Array:
    """Return how many windows cover each bin."""
    window = jnp.left_shift(1, level)
    return (line.high - line.low + window - 1) // window


def _window(line: Bins, level: jax.Array, number: jax.Array) -> jax.Array:
    """Return where the window of that number starts: none goes past the end of its bin."""
    window = jnp.left_shift(1, level)
    return jnp.maximum(jnp.minimum(line.low + number * window, line.high - window), 0)
