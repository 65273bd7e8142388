"""Pooling: the maximum or the mean of every window.

Three formulations, which agree in value and, but for the order of a sum, in gradient:

* ``"xla"``: ``lax.reduce_window``; the gradient of a maximum becomes select-and-scatter.
* ``"reshape"``: windows that do not overlap: blocks by a reshape; a maximum keeps the place of its entry, and
  its gradient is one elementwise pass. Windows that overlap go to ``"slices"``.
* ``"slices"``: one axis after the other, the last first: the strided slices of an axis are compared, or
  summed; gradients return to the slices. 3 x 3 costs 3 + 3 entries a window, not 9.

Where entries of a window are equal the maximum's gradient goes to the first of them in row-major order, as in
lax and torch. A NaN anywhere in a window makes its maximum NaN; which entry then has the gradient is not
defined, nor is it where all are -inf. All are differentiable forward, backward and again.

The rule for ``implementation=None`` was measured by ``python -m bench pool``; the figures are in
bench/NOTES.md. On CPU select-and-scatter costs 4 to 20 times what the other two cost, alone and in a scan. Of
these ``"reshape"`` is the faster where windows do not overlap and have many entries or more than 8 channels,
``"slices"`` elsewhere. GPU and TPU were not measured: there ``"xla"`` stands.
"""

import itertools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from ._words import words

IMPLEMENTATIONS = ("xla", "reshape", "slices")
UNROLLED = 4  # entries of a block that are compared one by one; more are reduced, which is faster from 9 on
NARROW, LARGE = 8, 25  # up to so many channels and entries, blocks are slower than slices
Padding = str | Sequence[tuple[int, int]]


class _Window(NamedTuple):
    """The windows along one axis: `before` and `after` pad it, `beyond` is what ceil mode adds to `after`."""

    axis: int
    size: int
    stride: int
    length: int
    before: int
    after: int
    beyond: int

    @property
    def out(self) -> int:
        whole = self.length + self.before + self.after + self.beyond
        return (whole - self.size) // self.stride + 1


def max_pool(
    x: jax.Array,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
    *,
    ceil_mode: bool = False,
    implementation: str | None = None,
) -> jax.Array:
    """Return the maximum of every window; entries that padding adds never win.

    Args:
        x: floating array (..., space..., channels), such as images (batch, height, width, channels).
        window_shape: size of the window along each spatial axis; its length says how many there are.
        strides: step along each spatial axis; None: the window, as in torch (flax's None is 1).
        padding: ``"SAME"``, ``"SAME_LOWER"``, ``"VALID"``, or ``((before, after), ...)`` by spatial axis,
            each smaller than the window.
        ceil_mode: take also a last window that the end of the input cuts off, as torch does.
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        The maxima (..., space..., channels), in the dtype of `x`; NaN where the window holds one.

    Raises:
        ValueError: too few axes, a window larger than the padded input, a stride or size below 1, padding
            that is no pair of whole numbers in [0, window), or an unknown implementation.
        TypeError: `x` is not a floating array.

    Example:
        >>> max_pool(jnp.arange(4.0).reshape(1, 4, 1), (2,)).ravel().tolist()
        [1.0, 3.0]

    Reference:
        Equals ``torch.nn.functional.max_pool1d``, 2d and 3d, in value and gradient.
    """
    x, windows = _plan("max_pool", x, window_shape, strides, padding, ceil_mode)
    chosen = _choose("max_pool", windows, x.shape[-1], implementation)
    if chosen == "xla":
        return _reduce_window(x, windows, -jnp.inf, lax.max)
    if chosen == "reshape":
        return _max_of_blocks(x, windows)
    for window in reversed(windows):
        x = _max_along(x, window)
    return x


def avg_pool(
    x: jax.Array,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Padding = "VALID",
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    implementation: str | None = None,
) -> jax.Array:
    """Return the mean of every window: its sum over the number of its entries.

    Args:
        x: floating array (..., space..., channels). Below float32 the sum is made in float32.
        window_shape: size of the window along each spatial axis.
        strides: step along each spatial axis; None: the window, as in torch (flax's None is 1).
        padding: ``"SAME"``, ``"SAME_LOWER"``, ``"VALID"``, or ``((before, after), ...)`` by spatial axis.
        ceil_mode: take also a last window that the end of the input cuts off, as torch does; what lies beyond
            the padding is not counted.
        count_include_pad: count the zeros of the padding as entries.
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        The means (..., space..., channels), in the dtype of `x`.

    Raises:
        ValueError: as `max_pool`.
        TypeError: `x` is not a floating array.

    Example:
        >>> avg_pool(jnp.arange(4.0).reshape(1, 4, 1), (2,)).ravel().tolist()
        [0.5, 2.5]

    Reference:
        Equals ``torch.nn.functional.avg_pool1d``, 2d and 3d, in value and gradient.
    """
    x, windows = _plan("avg_pool", x, window_shape, strides, padding, ceil_mode)
    chosen, wide = _choose("avg_pool", windows, x.shape[-1], implementation), x.astype(_wide(x.dtype))
    if chosen == "xla":
        total = _reduce_window(wide, windows, 0.0, lax.add)
    elif chosen == "reshape":
        blocks, axes = _blocks(wide, windows, 0.0)
        total = jnp.sum(blocks, axes)
    else:
        total = wide
        for window in reversed(windows):
            total = _sum(_offsets(total, window, 0.0))
    for window in windows:
        total = total / _counts(window, total.ndim, count_include_pad).astype(total.dtype)
    return total.astype(x.dtype)


def _choose(op: str, windows: tuple[_Window, ...], channels: int, implementation: str | None) -> str:
    if implementation not in (None, *IMPLEMENTATIONS):
        expected = f"None or one of {IMPLEMENTATIONS}"
        raise ValueError(words(op, "implementation", repr(implementation), expected, "choose one of them"))
    overlap = any(window.size > window.stride for window in windows)
    if implementation is None and jax.default_backend() == "cpu":
        many = channels > NARROW or math.prod(window.size for window in windows) > LARGE
        implementation = "reshape" if many else "slices"
    implementation = implementation or "xla"
    return "slices" if overlap and implementation == "reshape" else implementation


def _reduce_window(x: jax.Array, windows: tuple[_Window, ...], start: float, reduce: Any) -> jax.Array:
    sizes, strides, pads = [1] * x.ndim, [1] * x.ndim, [(0, 0)] * x.ndim
    for window in windows:
        sizes[window.axis], strides[window.axis] = window.size, window.stride
        pads[window.axis] = (window.before, window.after + window.beyond)
    # A number and not a traced array: lax knows by it that this is the maximum, or the sum.
    return lax.reduce_window(x, x.dtype.type(start), reduce, sizes, strides, pads)


def _fitted(x: jax.Array, window: _Window, length: int, fill: float) -> jax.Array:
    """Pad one axis to `length`, or cut off what no window reaches."""
    edges = [(0, 0, 0)] * x.ndim
    edges[window.axis] = (window.before, length - window.before - window.length, 0)
    return lax.pad(x, jnp.asarray(fill, x.dtype), edges)


def _offsets(x: jax.Array, window: _Window, fill: float) -> list[jax.Array]:
    """Return, for each place in the window, the entry there of every window along the axis."""
    axis, stride = window.axis, window.stride
    blocks = window.out - 1 + math.ceil(window.size / stride)
    x = _fitted(x, window, blocks * stride, fill)
    x = x.reshape(*x.shape[:axis], blocks, stride, *x.shape[axis + 1 :])
    # Split, and not sliced with a stride: backwards one concatenation, and no scatter.
    phases = [lax.squeeze(phase, (axis + 1,)) for phase in lax.split(x, (1,) * stride, axis + 1)]
    places = [divmod(place, stride) for place in range(window.size)]
    return [lax.slice_in_dim(phases[phase], block, block + window.out, axis=axis) for block, phase in places]


def _blocks(x: jax.Array, windows: tuple[_Window, ...], fill: float) -> tuple[jax.Array, tuple[int, ...]]:
    """Return the windows, none of which overlap, with an axis for the places in each; and these axes."""
    axes = []
    for moved, window in enumerate(windows):
        axis = window.axis + moved
        shifted = window._replace(axis=axis)
        x = _fitted(x, shifted, window.out * window.stride, fill)
        x = x.reshape(*x.shape[:axis], window.out, window.stride, *x.shape[axis + 1 :])
        x = lax.slice_in_dim(x, 0, window.size, axis=axis + 1)
        axes.append(axis + 1)
    return x, tuple(axes)


def _first_maximum(entries: Sequence[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Return the greatest of the entries and the place of the first that is as great."""
    place_type = jnp.int8 if len(entries) <= 127 else jnp.int32
    value, first = entries[0], jnp.zeros(entries[0].shape, place_type)
    for place, entry in enumerate(entries[1:], 1):
        greater = (entry > value) | jnp.isnan(entry)
        value = jnp.where(greater, entry, value)
        first = jnp.where(greater, jnp.asarray(place, place_type), first)
    return value, first


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _max_along(x: jax.Array, window: _Window) -> jax.Array:
    entries = _offsets(x, window, -jnp.inf)
    value = entries[0]
    for entry in entries[1:]:
        value = jnp.maximum(value, entry)
    return value


@_max_along.defjvp
def _max_along_jvp(window: _Window, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    value, first = _first_maximum(_offsets(primals[0], window, -jnp.inf))
    entries = _offsets(tangents[0], window, 0.0)
    taken = [jnp.where(first == place, entry, 0) for place, entry in enumerate(entries)]
    return value, _sum(taken)


def _places(shape: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    """Return the row-major place of each entry in its block, with axes of 1 that broadcast."""
    sizes = [shape[axis] for axis in axes]
    places = jnp.arange(math.prod(sizes), dtype=jnp.int8 if math.prod(sizes) <= 127 else jnp.int32)
    return places.reshape([n if axis in axes else 1 for axis, n in enumerate(shape)])


def _first_of_blocks(blocks: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    sizes = [blocks.shape[axis] for axis in axes]
    if math.prod(sizes) > UNROLLED:
        value = jnp.max(blocks, axes, keepdims=True)
        places = _places(blocks.shape, axes)
        last = jnp.asarray(math.prod(sizes) - 1, places.dtype)
        # Not "equal": a NaN is as great as any, so that each block has a place.
        return jnp.squeeze(value, axes), jnp.min(jnp.where(blocks < value, last, places), axes)
    entries = []
    for place in itertools.product(*map(range, sizes)):
        index: list[Any] = [slice(None)] * blocks.ndim
        for axis, number in zip(axes, place):
            index[axis] = number
        entries.append(blocks[tuple(index)])
    return _first_maximum(entries)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _max_of_blocks(x: jax.Array, windows: tuple[_Window, ...]) -> jax.Array:
    return _first_of_blocks(*_blocks(x, windows, -jnp.inf))[0]


@_max_of_blocks.defjvp
def _max_of_blocks_jvp(windows: Any, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    value, first = _first_of_blocks(*_blocks(primals[0], windows, -jnp.inf))
    moved, axes = _blocks(tangents[0], windows, 0.0)
    taken = _places(moved.shape, axes) == jnp.expand_dims(first, axes)
    return value, jnp.sum(jnp.where(taken, moved, 0), axes)


def _sum(entries: Sequence[jax.Array]) -> jax.Array:
    return sum(entries[1:], entries[0])


def _counts(window: _Window, rank: int, padded: bool) -> jax.Array:
    """Return the entries of each window along the axis, ready to divide by."""
    first, end = (-window.before, window.length + window.after) if padded else (0, window.length)
    begins = jnp.arange(window.out) * window.stride - window.before
    counts = jnp.minimum(begins + window.size, end) - jnp.maximum(begins, first)
    return counts.reshape([window.out if axis == window.axis else 1 for axis in range(rank)])


def _wide(dtype: Any) -> Any:
    return dtype if dtype.itemsize >= 4 else jnp.float32


def _plan(
    op: str, x: Any, window_shape: Any, strides: Any, padding: Any, ceil_mode: bool
) -> tuple[jax.Array, tuple[_Window, ...]]:
    """Check the arguments of a pool; return the array and its windows by spatial axis."""
    if not jnp.issubdtype(getattr(x, "dtype", "int32"), jnp.floating):
        got = f"of dtype {x.dtype}" if hasattr(x, "dtype") else f"a {type(x).__name__}"
        raise TypeError(words(op, "x", got, "a floating array", "jnp.asarray(x, jnp.float32)"))
    sizes = _sizes(op, "window_shape", window_shape, None)
    steps = sizes if strides is None else _sizes(op, "strides", strides, len(sizes))
    x, space = jnp.asarray(x), x.shape[-1 - len(sizes) : -1]
    if x.ndim < len(sizes) + 1:
        axes = ", ".join(["...", *["space"] * len(sizes), "channels"])
        fix = "add the missing axes, or give window_shape one entry a spatial axis"
        raise ValueError(words(op, "x", f"of shape {x.shape}", f"({axes})", fix))
    pads = _pads(op, padding, space, sizes, steps)
    windows = []
    for place, (n, size, step, (before, after)) in enumerate(zip(space, sizes, steps, pads)):
        beyond = (size - n - before - after) % step if ceil_mode else 0
        # A window that would begin in the padding behind the input is left out.
        beyond = beyond if n + before + after + beyond - size < n + before else 0
        # In ceil mode the end may cut off the only window, as in torch.
        if n + before + after + beyond < size:
            got = f"of {n} entries along spatial axis {place}, {n + before + after} with padding"
            raise ValueError(words(op, "x", got, f"at least the window, {size}", "a smaller window, or pad"))
        windows.append(_Window(x.ndim - 1 - len(sizes) + place, size, step, n, before, after, beyond))
    return x, tuple(windows)


def _sizes(op: str, argument: str, value: Any, count: int | None) -> tuple[int, ...]:
    entries = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    whole = entries and all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in entries)
    if not whole or len(entries) != (count or len(entries)):
        expected = f"{count or 'some'} whole numbers of at least 1, one a spatial axis"
        fix = f"{argument}=(2, 2) for images"
        raise ValueError(words(op, argument, repr(value), expected, fix))
    return entries


def _pads(op: str, padding: Any, space: Any, sizes: Any, steps: Any) -> Sequence[tuple[int, int]]:
    if padding in ("SAME", "SAME_LOWER", "VALID"):
        return lax.padtype_to_pads(space, sizes, steps, padding)
    try:
        pads = [(int(before), int(after)) for before, after in padding]
        fine = len(pads) == len(sizes) and all(0 <= p < n for pair, n in zip(pads, sizes) for p in pair)
    except (TypeError, ValueError):
        fine = False
    if not fine:
        expected = f"'SAME', 'SAME_LOWER', 'VALID' or {len(sizes)} pairs (before, after) in [0, window)"
        fix = "padding=((1, 1), (1, 1)) for windows of (3, 3)"
        raise ValueError(words(op, "padding", repr(padding), expected, fix))
    return pads
