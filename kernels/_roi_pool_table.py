"""The maximum of every bin of `roi_pool`, and where it stands, from a table of maxima over small windows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ._roi_align_forms import divided, in_blocks

# The windows of the table have 1, 2 and 4 cells a side; bins of more are covered by several.
LEVELS = 3
# A block of boxes finds so many maxima at once.
BLOCK = 2**17


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


@jax.custom_jvp
def maxima(features: jax.Array, rows: Bins, columns: Bins) -> jax.Array:
    """Return the greatest entry of each bin, (boxes, rows, columns, channels); anything for an empty one."""
    height, width, channels = features.shape
    flat = _windows(features, jnp.maximum).reshape(-1, channels)

    def some(block: tuple[Bins, Bins]) -> jax.Array:
        start = jnp.full((*block[0].low.shape, block[1].low.shape[1], channels), -jnp.inf, features.dtype)
        return _fold(lambda best, at: jnp.maximum(best, _read(flat, at)), start, *block, height, width)

    return _by_blocks(some, (rows, columns), rows.low.shape[1] * columns.low.shape[1] * channels)


@maxima.defjvp
def _maxima_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (features, rows, columns), (moved, _, _) = primals, tangents
    value = maxima(features, rows, columns)
    still = lax.stop_gradient((features, value))
    places, channels = _places(*still, rows, columns), features.shape[2]
    at = places.reshape(-1, channels), jnp.arange(channels, dtype=jnp.int32)[None]
    return value, _read(moved.reshape(-1, channels), at).reshape(value.shape)


def _places(features: jax.Array, value: jax.Array, rows: Bins, columns: Bins) -> jax.Array:
    """Return the first cell that holds the greatest entry of each bin; the last of the map for NaN."""
    height, width, channels = features.shape
    places = jnp.arange(height * width, dtype=jnp.int32).reshape(height, width, 1)
    cells = _windows(Cells(features, jnp.broadcast_to(places, features.shape)), _greater)
    flat = jax.tree.map(lambda level: level.reshape(-1, channels), cells)

    def some(block: tuple[Bins, Bins, jax.Array]) -> jax.Array:
        rows, columns, value = block

        def first(best: jax.Array, at: jax.Array) -> jax.Array:
            holds = _read(flat.values, at) == value
            return jnp.where(holds, jnp.minimum(best, _read(flat.places, at)), best)

        return _fold(
            first, jnp.full(value.shape, height * width - 1, jnp.int32), rows, columns, height, width
        )

    return _by_blocks(some, (rows, columns, value), rows.low.shape[1] * columns.low.shape[1] * channels)


def _read(flat: jax.Array, at: Any) -> jax.Array:
    return flat.at[at].get(mode="promise_in_bounds")


def _by_blocks(some: Callable[[Any], jax.Array], arrays: Any, entries: int) -> jax.Array:
    """Treat a few boxes at a time, which stay in the cache and wait for none larger than themselves."""
    count = jax.tree.leaves(arrays)[0].shape[0]
    size = max(1, min(count, BLOCK // entries))
    found = lax.map(some, jax.tree.map(lambda array: in_blocks(array, size), arrays))
    return found.reshape(-1, *found.shape[2:])[:count]


def _fold(
    step: Callable[[jax.Array, jax.Array], jax.Array],
    start: jax.Array,
    rows: Bins,
    columns: Bins,
    height: int,
    width: int,
) -> jax.Array:
    """Go through the windows that cover each bin: two along an axis do for most."""
    down, across = _level(rows), _level(columns)
    level = (down[:, :, None] * LEVELS + across[:, None]) * (height * width)

    def at(i: Any, j: Any) -> jax.Array:
        y, x = _window(rows, down, i), _window(columns, across, j)
        return level + y[:, :, None] * width + x[:, None]

    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        start = step(start, at(i, j))
    most = [jnp.max(_count(line, size)) for line, size in ((rows, down), (columns, across))]
    more = jnp.where(jnp.maximum(*most) > 2, most[0] * most[1], 0)
    return lax.fori_loop(0, more, lambda n, best: step(best, at(n // most[1], n % most[1])), start)


def _windows(cells: Any, greater: Callable[[Any, Any], Any]) -> Any:
    """Return the maxima of the windows that start at each cell, (levels, levels, height, width, channels)."""
    for axis in (1, 0):
        levels = [cells]
        for level in range(LEVELS - 1):
            levels.append(greater(levels[-1], _shifted(levels[-1], 2**level, axis - 3)))
        cells = jax.tree.map(lambda *arrays: jnp.stack(arrays), *levels)
    return cells


def _shifted(cells: Any, by: int, axis: int) -> Any:
    """Move entries towards the start; those at the end stay, for windows past it are never read."""

    def moved(array: jax.Array) -> jax.Array:
        length = array.shape[axis]
        kept = lax.slice_in_dim(array, min(by, length), length, axis=axis % array.ndim)
        last = lax.slice_in_dim(array, max(length - by, 0), length, axis=axis % array.ndim)
        return jnp.concatenate([kept, last], axis)

    return jax.tree.map(moved, cells)


def _greater(first: Cells, second: Cells) -> Cells:
    """Return the greater of two entries; of equals, that of the lower place."""
    equal = (first.values == second.values) & (second.places < first.places)
    takes = (second.values > first.values) | equal | jnp.isnan(second.values)
    return Cells(*(jnp.where(takes, b, a) for a, b in zip(first, second)))


def _level(line: Bins) -> jax.Array:
    size = line.high - line.low
    return sum((size >= 2**level).astype(jnp.int32) for level in range(1, LEVELS))


def _count(line: Bins, level: jax.Array) -> jax.Array:
    """Return how many windows cover each bin."""
    window = jnp.left_shift(1, level)
    return (line.high - line.low + window - 1) // window


def _window(line: Bins, level: jax.Array, number: Any) -> jax.Array:
    """Return where the window of that number starts: none goes past the end of its bin."""
    window = jnp.left_shift(1, level)
    return jnp.maximum(jnp.minimum(line.low + number * window, line.high - window), 0)
