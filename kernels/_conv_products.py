"""Convolutions as products, whatever the groups, gaps and gradients: behind `conv.py`."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from . import _conv_forms as forms
from ._conv_forms import Form, Window

FORMS: dict[str, Form] = {
    "im2col": forms.im2col,
    "rows": forms.rows,
    "shifted": forms.shifted,
    "tiles": forms.tiles,
    "winograd": forms.winograd,
    "winograd_2d": forms.winograd_2d,
}
ALL = {**FORMS, "pointwise": forms.pointwise}
FEW_GROUPS = 4
# Of the rule: channels below which a product is narrow, and entries of an input beyond the cache of a core.
NARROW, CACHED = 16, 300_000


class Call(NamedTuple):
    """One convolution, batch first and channels last, without groups."""

    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    lhs_dilation: tuple[int, ...]
    dilation: tuple[int, ...]
    precision: Any
    implementation: str | None

    @property
    def window(self) -> Window:
        """How the window moves over the padded input."""
        return Window(self.strides, self.dilation, self.precision)


class Plan(NamedTuple):
    """How one convolution and its two gradients are made.

    Attributes:
        call: the convolution.
        form: formulation of the value; the kernel's gradient is its transpose and shares its columns.
        flipped: take the input's gradient as a convolution with the flipped kernel, not as a transpose.
    """

    call: Call
    form: str
    flipped: bool


def convolve(call: Call, x: jax.Array, w: jax.Array, features: int, batches: int) -> jax.Array:
    """Convolve group by group: each group of features (or of the batch) meets its own kernels."""
    if batches > 1:
        pairs = zip(jnp.split(x, batches), jnp.split(w, batches, -1))
        return jnp.concatenate([_one(call, *pair) for pair in pairs], -1)
    if features == 1:
        return _one(call, x, w)
    if features == x.shape[-1] and call.lhs_dilation == (1,) * len(call.strides):
        return forms.depthwise(_padded(x, call), w, call.window)
    if features <= FEW_GROUPS:
        parts = zip(jnp.split(x, features, -1), jnp.split(w, features, -1))
        return jnp.concatenate([_one(call, *part) for part in parts], -1)
    x = x.reshape(*x.shape[:-1], features, -1)
    w = w.reshape(*w.shape[:-1], features, -1)
    y = jax.vmap(partial(_one, call), (-2, -2), -2)(x, w)
    return y.reshape(*y.shape[:-2], -1)


def _one(call: Call, x: jax.Array, w: jax.Array) -> jax.Array:
    ones = (1,) * len(call.strides)
    # Whole numbers have no transposes.
    if call.lhs_dilation != ones and call.strides == ones and jnp.issubdtype(x.dtype, jnp.inexact):
        return _fractional(call, x, w)
    if call.lhs_dilation != ones:
        x = _padded(x, call)
        call = call._replace(pads=((0, 0),) * len(ones), lhs_dilation=ones)
    if call.implementation is None and _is_coarse(call, w):
        call, x, w = _space_to_depth(call, x, w)
    return _product(_plan(call, x, w))(x, w)


def _fractional(call: Call, x: jax.Array, w: jax.Array) -> jax.Array:
    """Convolve an input with gaps, as the transpose of the convolution whose strides are those gaps."""
    steps = zip(x.shape[1:-1], w.shape[:-2], call.lhs_dilation, call.dilation, call.pads, strict=True)
    sizes, pads = [], []
    for size, taps, stride, gap, (before, after) in steps:
        span, inner = (taps - 1) * gap + 1, (size - 1) * stride + 1
        sizes.append(before + inner + after - span + 1)
        pads.append((span - 1 - before, (size - 1) * stride + before + 1 - sizes[-1]))
    ones = (1,) * len(sizes)
    back = call._replace(strides=call.lhs_dilation, lhs_dilation=ones, pads=tuple(pads))
    larger = jax.ShapeDtypeStruct((x.shape[0], *sizes, w.shape[-1]), x.dtype)
    return _transposed(forms.im2col, back, w, larger)(x)


def _is_coarse(call: Call, w: jax.Array) -> bool:
    """Tell whether the strides are equal and the window far larger, as in the first layer of AlexNet."""
    stride = call.strides[0]
    equal = set(call.strides) == {stride} and set(call.dilation) == {1}
    return equal and stride > 1 and min(w.shape[:-2]) > 2 * stride


def _space_to_depth(call: Call, x: jax.Array, w: jax.Array) -> tuple[Call, jax.Array, jax.Array]:
    """Fold blocks as large as the stride into channels: the stride becomes 1, and the window smaller."""
    stride, space = call.strides[0], len(call.strides)
    x = _padded(x, call)
    taps = [-(-size // stride) for size in w.shape[:-2]]
    counts = [(size - k) // stride + n for size, k, n in zip(x.shape[1:-1], w.shape[:-2], taps, strict=True)]

    def fold(array: jax.Array, blocks: list[int], first: int) -> jax.Array:
        for axis, count in enumerate(blocks, first):
            array = forms.end(array, axis, count * stride)
        shape = [size for count in blocks for size in (count, stride)]
        array = array.reshape(*array.shape[:first], *shape, *array.shape[first + space :])
        within = [first + 2 * i + 1 for i in range(space)]
        order = [axis for axis in range(array.ndim) if axis not in within]
        order[first + space : first + space] = within
        return array.transpose(order)

    x, w = fold(x, counts, 1), fold(w, taps, 0)
    x = x.reshape(*x.shape[: space + 1], -1)
    w = w.reshape(*taps, -1, w.shape[-1])
    return call._replace(strides=(1,) * space, pads=((0, 0),) * space), x, w


def _product(plan: Plan) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Return the convolution of a plan, differentiable in every mode."""
    call, window, form = plan.call, plan.call.window, ALL[plan.form]

    @jax.custom_jvp
    def product(x: jax.Array, w: jax.Array) -> jax.Array:
        return form(_padded(x, call), w, window)

    def along_input(dx: jax.Array, w: jax.Array, like: jax.Array) -> jax.Array:
        if not plan.flipped:
            return form(_padded(dx, call), w, window)
        # Backwards this is transposed again, into the form itself.
        return _transposed(form, _flipped(call, w), w, like)(dx)

    def tangent(primals: Any, tangents: Any) -> Any:
        (x, w), (dx, dw) = primals, tangents
        y = product(x, w)
        parts = []
        if not isinstance(dx, SymbolicZero):
            parts.append(along_input(dx, w, y))
        if not isinstance(dw, SymbolicZero):
            parts.append(form(_padded(x, call), dw, window))
        return y, sum(parts[1:], parts[0]) if parts else jnp.zeros_like(y)

    product.defjvp(tangent, symbolic_zeros=True)
    return product


def _transposed(form: Form, call: Call, w: jax.Array, like: Any) -> Callable[[jax.Array], jax.Array]:
    """Return the transpose of a convolution of arrays like `like` with the flipped kernel."""
    kernel = jnp.flip(w, tuple(range(w.ndim - 2))).swapaxes(-1, -2)
    transpose = jax.linear_transpose(
        lambda d: form(_padded(d, call), kernel, call.window),
        jax.ShapeDtypeStruct(like.shape, like.dtype),
    )
    return lambda x: transpose(x)[0]


def _flipped(call: Call, w: jax.Array) -> Call:
    """Return the convolution of the output's gradient that gives the input's, for windows without stride."""
    spans = [(taps - 1) * gap for taps, gap in zip(w.shape[:-2], call.dilation, strict=True)]
    pads = [(span - before, span - after) for span, (before, after) in zip(spans, call.pads, strict=True)]
    return call._replace(pads=tuple(pads))


def _padded(x: jax.Array, call: Call) -> jax.Array:
    gaps = [gap - 1 for gap in call.lhs_dilation]
    config = [(0, 0, 0), *((*pads, gap) for pads, gap in zip(call.pads, gaps, strict=True)), (0, 0, 0)]
    return x if not any(map(any, config)) else lax.pad(x, jnp.zeros((), x.dtype), config)


def _plan(call: Call, x: jax.Array, w: jax.Array) -> Plan:
    plain = set(call.strides) == {1}
    if set(w.shape[:-2]) == {1}:
        return Plan(call, "pointwise", plain)
    if call.implementation is None:
        return Plan(call, *_rule(call, x, w))
    form = call.implementation if _fits(call.implementation, call, w) else "im2col"
    return Plan(call, form, plain and form != "tiles")


def _fits(form: str, call: Call, w: jax.Array) -> bool:
    """Tell whether a formulation covers this window; Winograd's halves want floating numbers."""
    last = {"tiles": 1, "winograd": 1, "winograd_2d": 2}.get(form, 0)
    if not last:
        return True
    if len(call.strides) < last or {*call.strides[-last:], *call.dilation[-last:]} != {1}:
        return False
    return form == "tiles" or (set(w.shape[-2 - last : -2]) == {3} and jnp.issubdtype(w.dtype, jnp.inexact))


def _rule(call: Call, x: jax.Array, w: jax.Array) -> tuple[str, bool]:
    """Return the form that was fastest on CPU, and whether its gradient of the input is better flipped.

    Measured by value and gradients inside a scan (bench/NOTES.md, "Convolutions"): tiles where a product
    would be narrow; Winograd's for windows of 3 without stride, in both axes once the input outgrows a core's
    cache; rows or columns elsewhere. Flipping a kernel larger than its input costs more than it saves.
    """
    inputs, outputs = w.shape[-2:]
    channels, plain = min(inputs, outputs), set(call.strides) == {1}
    if channels < NARROW and _fits("tiles", call, w):
        return "tiles", False
    if _fits("winograd", call, w):
        large = channels >= 2 * NARROW and x.size > CACHED and _fits("winograd_2d", call, w)
        return "winograd_2d" if large else "winograd", plain and w.size <= x.size
    return ("rows", True) if plain and outputs <= inputs else ("im2col", False)
