"""The formulations of a convolution as products of matrices, behind `conv.py`.

All compute ``y[n, p, o] = sum over q, i of x[n, stride p + dilation q, i] w[q, i, o]`` for `x` (batch,
space..., in), padded already, and `w` (window..., in, out), without groups. Each is linear in `x` and in
`w`, and made of slices, concatenations and dots, which differentiate and transpose into their like.
"""

import itertools
import math
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

TILE_WIDTH = 32
FEW_TILES = 5


class Window(NamedTuple):
    """How a window moves over an array that is padded already.

    Attributes:
        strides: its step along each spatial axis.
        dilation: distance of its entries along each spatial axis.
        precision: of the products, as in lax.
    """

    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    precision: Any


Form = Callable[[jax.Array, jax.Array, Window], jax.Array]


def im2col(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """Every window as a row, then one product."""
    columns = _columns(x, w.shape[:-2], window)
    return _dot(columns, w.reshape(-1, w.shape[-1]), window)


def rows(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """Windows along the last axis as rows, then one product for each place along the others, summed."""
    *lead, taps, _, outputs = w.shape
    last = _columns(x, (*[1] * len(lead), taps), _along_last(window))
    rest = _along_others(window)
    sizes = (*_sizes(x, w.shape[:-2], window)[:-1], last.shape[-2])
    flat = w.reshape(*lead, -1, outputs)
    places = itertools.product(*map(range, lead))
    return _sum(_dot(_shift(last, (*at, 0), sizes, rest), flat[at], window) for at in places)


def shifted(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """One product for each place of the window, summed."""
    sizes = _sizes(x, w.shape[:-2], window)
    places = itertools.product(*map(range, w.shape[:-2]))
    return _sum(_dot(_shift(x, at, sizes, window), w[at], window) for at in places)


def depthwise(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """One or several kernels for each channel, `w` (window..., 1, in * multiples): multiples, summed."""
    sizes, multiples = _sizes(x, w.shape[:-2], window), w.shape[-1] // x.shape[-1]
    x = jnp.repeat(x, multiples, axis=-1) if multiples > 1 else x
    places = itertools.product(*map(range, w.shape[:-2]))
    return _sum(_shift(x, at, sizes, window) * w[at].reshape((1,) * (x.ndim - 1) + (-1,)) for at in places)


def pointwise(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """A window of one entry: a product over channels."""
    sizes = _sizes(x, w.shape[:-2], window)
    return _dot(_shift(x, (0,) * len(sizes), sizes, window), w.reshape(w.shape[-2:]), window)


def tiles(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """Several outputs of a row at once, by a banded matrix; stride and dilation 1 along the last axis.

    A tile of t outputs takes t + k - 1 inputs instead of t k: less to copy and wider products, for
    (t + k - 1) / k times the arithmetic.
    """
    *lead, taps, _, outputs = w.shape
    wide = _sizes(x, w.shape[:-2], window)[-1]
    tile = max(1, min(2 ** round(math.log2(max(1, TILE_WIDTH / outputs))), wide))
    count, span = -(-wide // tile), tile + taps - 1
    spans = _spans(_end_last(x, (count - 1) * tile + span), tile, span)
    columns = _columns(spans, (*lead, 1), _along_others(window))
    y = _dot(columns, _band(w, tile), window)
    return _end_last(y.reshape(*y.shape[:-2], count * tile, outputs), wide)


def _spans(x: jax.Array, tile: int, span: int) -> jax.Array:
    """Return, every `tile` entries of the last spatial axis, the next `span` as one row of channels."""
    count, inputs = (x.shape[-2] - span) // tile + 1, x.shape[-1]
    if count <= FEW_TILES:
        pieces = [lax.slice_in_dim(x, i * tile, i * tile + span, axis=-2) for i in range(count)]
        return jnp.stack([piece.reshape(*x.shape[:-2], -1) for piece in pieces], -2)
    blocks = -(-span // tile)
    x = _end_last(x, (count + blocks - 1) * tile).reshape(*x.shape[:-2], -1, tile * inputs)
    rows = jnp.concatenate([lax.slice_in_dim(x, i, i + count, axis=-2) for i in range(blocks)], -1)
    return rows[..., : span * inputs]


def _band(w: jax.Array, tile: int) -> jax.Array:
    """Return the matrix (places * span * in, tile * out): the kernel, a step further for each output."""
    *lead, taps, inputs, outputs = w.shape
    axes, wide = tuple(range(len(lead))), taps + tile
    padded = jnp.pad(w, [*((0, 0) for _ in lead), (0, tile), (0, 0), (0, 0)])
    last = jnp.moveaxis(padded, len(lead), -1)[..., None, :]
    many = jnp.broadcast_to(last, (*lead, inputs, outputs, tile, wide))
    # Rows of `wide` entries, read as rows of one less: each begins one further to the right.
    skewed = many.reshape(*lead, inputs, outputs, tile * wide)[..., : tile * (wide - 1)]
    band = skewed.reshape(*lead, inputs, outputs, tile, wide - 1)
    order = (3, 0, 2, 1)
    return band.transpose(*axes, *(len(lead) + axis for axis in order)).reshape(-1, tile * outputs)


def winograd(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """F(2, 3) along the last axis: two outputs by four products instead of six (Lavin and Gray, 2016)."""
    return _winograd(x, w, window, (x.ndim - 2,))


def winograd_2d(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """F(2 x 2, 3 x 3) along the last two axes: four outputs by 16 products instead of 36."""
    return _winograd(x, w, window, (x.ndim - 2, x.ndim - 3))


def _winograd(x: jax.Array, w: jax.Array, window: Window, axes: tuple[int, ...]) -> jax.Array:
    sizes = _sizes(x, w.shape[:-2], window)
    batch, taps, outputs = x.shape[0], 4 ** len(axes), w.shape[-1]
    for axis in axes:
        x = _moved_inputs(x, axis, -(-sizes[axis - 1] // 2))
    # The kernel's axis of `axis` is one lower, and each transform before has put one more in front.
    for index, axis in enumerate(axes):
        w = _moved_kernel(w, axis - 1 + index)
    lead = w.shape[len(axes) : -2]
    columns = _columns(x, (*lead, *[1] * len(axes)), _with_ones(window, len(axes)))
    m = lax.dot_general(
        columns.reshape(taps, -1, columns.shape[-1]), w.reshape(taps, -1, outputs),
        (((2,), (1,)), ((0,), (0,))), precision=window.precision,
    )  # fmt: skip
    y = m.reshape(taps * batch, *columns.shape[1:-1], outputs)
    for axis in reversed(axes):
        y = lax.slice_in_dim(_moved_outputs(y, axis), 0, sizes[axis - 1], axis=axis)
    return y


def _moved_inputs(x: jax.Array, axis: int, count: int) -> jax.Array:
    """Return ``B^T d`` of the four inputs of each pair of outputs: (4 batch, ..., count, ...)."""
    x = end(x, axis, 2 * count + 2)
    d = [lax.slice_in_dim(x, i, i + 2 * count - 1, stride=2, axis=axis) for i in range(4)]
    return jnp.concatenate([d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]])


def _moved_kernel(w: jax.Array, axis: int) -> jax.Array:
    """Return ``G g`` of the three entries of the kernel along an axis: (4, ...)."""
    g = [lax.index_in_dim(w, i, axis, keepdims=False) for i in range(3)]
    return jnp.stack([g[0], (g[0] + g[1] + g[2]) / 2, (g[0] - g[1] + g[2]) / 2, g[2]])


def _moved_outputs(m: jax.Array, axis: int) -> jax.Array:
    """Return ``A^T m`` of the four products of each pair: (batch, ..., 2 count, ...)."""
    m0, m1, m2, m3 = jnp.split(m, 4)
    y = jnp.stack([m0 + m1 + m2, m1 - m2 - m3], axis + 1)
    return y.reshape(*y.shape[:axis], -1, *y.shape[axis + 2 :])


def _sizes(x: jax.Array, taps: tuple[int, ...], window: Window) -> tuple[int, ...]:
    """Return the output's size along each spatial axis."""
    steps = zip(x.shape[1:-1], taps, window.strides, window.dilation, strict=True)
    return tuple((size - (count - 1) * gap - 1) // stride + 1 for size, count, stride, gap in steps)


def _shift(x: jax.Array, at: tuple[int, ...], sizes: tuple[int, ...], window: Window) -> jax.Array:
    """Return the entries of `x` that the place `at` of the window meets."""
    start = [place * gap for place, gap in zip(at, window.dilation, strict=True)]
    stop = [s + (size - 1) * stride + 1 for s, size, stride in zip(start, sizes, window.strides, strict=True)]
    limits = ((0, *start, 0), (x.shape[0], *stop, x.shape[-1]), (1, *window.strides, 1))
    return lax.slice(x, *limits)


def _columns(x: jax.Array, taps: tuple[int, ...], window: Window) -> jax.Array:
    """Return every window as a row: (batch, places..., taps * in)."""
    sizes = _sizes(x, taps, window)
    pieces = [_shift(x, at, sizes, window) for at in itertools.product(*map(range, taps))]
    return pieces[0] if len(pieces) == 1 else jnp.concatenate(pieces, -1)


def _dot(x: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    flat = x.reshape(-1, x.shape[-1])
    y = lax.dot_general(flat, w, (((1,), (0,)), ((), ())), precision=window.precision)
    return y.reshape(*x.shape[:-1], w.shape[-1])


def _sum(terms: Iterable[jax.Array]) -> jax.Array:
    return reduce(lax.add, terms)


def end(x: jax.Array, axis: int, size: int) -> jax.Array:
    """Cut an axis to this size, or fill it up with zeros."""
    pads = [(0, 0, 0)] * x.ndim
    pads[axis] = (0, size - x.shape[axis], 0)
    return lax.pad(x, jnp.zeros((), x.dtype), pads)


def _end_last(x: jax.Array, size: int) -> jax.Array:
    return x if x.shape[-2] == size else end(x, x.ndim - 2, size)


def _with_ones(window: Window, count: int) -> Window:
    ones = (1,) * count
    return window._replace(strides=window.strides[:-count] + ones, dilation=window.dilation[:-count] + ones)


def _along_others(window: Window) -> Window:
    return _with_ones(window, 1)


def _along_last(window: Window) -> Window:
    ones = (1,) * (len(window.strides) - 1)
    return window._replace(strides=(*ones, window.strides[-1]), dilation=(*ones, window.dilation[-1]))
