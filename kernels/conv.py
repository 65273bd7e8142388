"""Convolutions: `conv_general_dilated` takes the place of `jax.lax.conv_general_dilated` anywhere.

Formulations side by side; those but the first are products, see `_conv_forms.py`:

``"xla"``          ``lax.conv_general_dilated`` as it is; cuDNN on NVIDIA GPUs.
``"im2col"``       every window as a row (slices, concatenated), then one product.
``"rows"``         the same along the last axis only, and one product a row of the window, summed.
``"shifted"``      one product a place of the window, summed.
``"tiles"``        several outputs of a row at once, by a banded matrix.
``"winograd"``     F(2, 3) along the last axis: 2/3 of the multiplications.
``"winograd_2d"``  F(2 x 2, 3 x 3): 4/9 of them.

A formulation that does not fit (Winograd's take windows of 3 without stride) gives way to ``"im2col"``.
Windows of one entry are products over channels, and one kernel a channel is a sum of multiples, whatever is
asked for but ``"xla"``. The gradient of the kernel is one product for each product of the forward pass;
that of the input is, where the window has no stride, a convolution with the flipped kernel, gathered and
not scattered. Every mode of differentiation works, as often as one likes.

A number that is not finite reaches further than in lax: ``"tiles"`` multiplies zeros with the neighbours of
a window, and Winograd's forms take their differences, so that an infinity or a NaN makes the outputs of its
whole tile, pair or square of windows NaN; and numbers near the largest float overflow sooner. Where arrays
are laid out by explicit sharding, lax's own is used.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType

from ._conv_products import FORMS, Call, convolve

IMPLEMENTATIONS = ("xla", *FORMS)
# Part of the key of jit's caches: what was traced by one formulation is traced anew for another.
_FIXED: Any = jax.make_user_context(None)


@contextlib.contextmanager
def using(implementation: str | None) -> Iterator[None]:
    """Let every convolution that this thread traces inside, and that names no formulation, use this one.

    Args:
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        A context manager, which yields nothing.

    Raises:
        ValueError: unknown implementation.

    Example:
        >>> with using("xla"):
        ...     pass
    """
    _check(implementation)
    with _FIXED(implementation):
        yield


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    *,
    out_sharding: Any = None,
    implementation: str | None = None,
) -> jax.Array:
    """Slide kernels over an array as `jax.lax.conv_general_dilated` does, by the formulation fastest here.

    Args:
        lhs: array, such as images (batch, height, width, in).
        rhs: array, such as kernels (height, width, in / groups, out).
        window_strides: step of the window along each spatial axis.
        padding: ``"SAME"``, ``"VALID"``, ``"SAME_LOWER"``, or ``((before, after), ...)`` by spatial axis.
        lhs_dilation: zeros put between the entries of `lhs`, less one, as in lax.
        rhs_dilation: distance of the entries of `rhs`, as in lax.
        dimension_numbers: where batch, features and space are, as in lax: ``("NHWC", "HWIO", "NHWC")``.
        feature_group_count: groups of features, as in lax.
        batch_group_count: groups of the batch, as in lax.
        precision: as in lax.
        preferred_element_type: as in lax.
        out_sharding: as in lax.
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        The array that lax returns; empty, as there, where a kernel is larger than what it is to slide over.

    Raises:
        ValueError: unknown implementation, a stride or dilation below 1, or shapes that lax refuses.

    Example:
        >>> import jax.numpy as jnp
        >>> x, w = jnp.arange(5.0).reshape(1, 5, 1), jnp.array([-1.0, 0.0, 1.0]).reshape(3, 1, 1)
        >>> numbers = ("NWC", "WIO", "NWC")
        >>> conv_general_dilated(x, w, (1,), "VALID", dimension_numbers=numbers).ravel().tolist()
        [2.0, 2.0, 2.0]
    """
    chosen = _formulation(implementation)
    steps = {"window_strides": window_strides, "lhs_dilation": lhs_dilation, "rhs_dilation": rhs_dilation}
    _check_steps("conv_general_dilated", rhs.ndim - 2, steps)
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    lhs, padding = _cropped(lhs, padding, numbers.lhs_spec[2:], lhs_dilation)
    result = partial(
        lax.conv_general_dilated, window_strides=window_strides, padding=padding, lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation, dimension_numbers=dimension_numbers,
        feature_group_count=feature_group_count, batch_group_count=batch_group_count, precision=precision,
        preferred_element_type=preferred_element_type,
    )  # fmt: skip
    if chosen == "xla" or out_sharding is not None or _is_explicit(lhs) or _is_explicit(rhs):
        return result(lhs, rhs, out_sharding=out_sharding)
    wanted = jax.eval_shape(result, lhs, rhs)
    if 0 in (*wanted.shape, *lhs.shape, *rhs.shape):
        return jnp.zeros(wanted.shape, wanted.dtype)
    ones = (1,) * (lhs.ndim - 2)
    gaps = tuple(rhs_dilation or ones)
    x = lhs.transpose(numbers.lhs_spec[0], *numbers.lhs_spec[2:], numbers.lhs_spec[1])
    w = rhs.transpose(*numbers.rhs_spec[2:], numbers.rhs_spec[1], numbers.rhs_spec[0])
    dtype = _product_type(lhs.dtype, wanted.dtype)
    pads = _pads(padding, x.shape[1:-1], w.shape[:-2], window_strides, gaps)
    call = Call(tuple(window_strides), pads, tuple(lhs_dilation or ones), gaps, precision, chosen)
    y = convolve(call, x.astype(dtype), w.astype(dtype), feature_group_count, batch_group_count)
    places = [0] * y.ndim
    for axis, place in enumerate((numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1])):
        places[place] = axis
    return y.transpose(places).astype(wanted.dtype)


def conv_transpose(
    lhs: jax.Array,
    rhs: jax.Array,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    transpose_kernel: bool = False,
    precision: Any = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
    *,
    implementation: str | None = None,
) -> jax.Array:
    """Convolve with the strides on the input's side, as `jax.lax.conv_transpose` does.

    Args:
        lhs: array, such as images (batch, height, width, in).
        rhs: array, such as kernels (height, width, in, out).
        strides: how much larger the output is along each spatial axis.
        padding: ``"SAME"``, ``"VALID"``, or ``((before, after), ...)`` of the dilated input.
        rhs_dilation: distance of the entries of `rhs`, as in lax.
        dimension_numbers: as in lax.
        transpose_kernel: flip the window and swap in and out: the gradient of a convolution.
        precision: as in lax.
        preferred_element_type: as in lax.
        use_consistent_padding: read explicit padding as that of the convolution whose gradient this is, as
            torch does; the default reads it as zeros around the dilated input.
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        The array that lax returns.

    Raises:
        ValueError: unknown implementation, strides or dilation that are not one whole number an axis.

    Example:
        >>> import jax.numpy as jnp
        >>> x, w = jnp.ones((1, 2, 1)), jnp.array([1.0, 2.0]).reshape(2, 1, 1)
        >>> conv_transpose(x, w, (2,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")).ravel().tolist()
        [2.0, 1.0, 2.0, 1.0]
    """
    space = rhs.ndim - 2
    _check_steps("conv_transpose", space, {"strides": strides, "rhs_dilation": rhs_dilation})
    if dimension_numbers is None:
        axes = {1: "H", 2: "HW", 3: "HWD"}.get(space, "")
        dimension_numbers = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    gaps = tuple(rhs_dilation or (1,) * space)
    spans = [(rhs.shape[axis] - 1) * gap + 1 for axis, gap in zip(numbers.rhs_spec[2:], gaps)]
    by_name = isinstance(padding, str)
    each: Sequence[Any] = [padding] * space if by_name else padding
    if by_name or use_consistent_padding:
        each = [_transposed_pads(*one) for one in zip(spans, strides, each, strict=True)]
    if transpose_kernel:
        rhs = jnp.flip(rhs, numbers.rhs_spec[2:]).swapaxes(numbers.rhs_spec[0], numbers.rhs_spec[1])
    return conv_general_dilated(
        lhs, rhs, (1,) * space, each, strides, gaps, numbers, precision=precision,
        preferred_element_type=preferred_element_type, implementation=implementation,
    )  # fmt: skip


def _check(implementation: str | None) -> None:
    if implementation not in (None, *IMPLEMENTATIONS):
        raise ValueError(
            f"convolution: argument 'implementation' is {implementation!r}; expected None or one of "
            f"{IMPLEMENTATIONS}. Fix: choose one of them"
        )


def _check_steps(op: str, space: int, steps: dict[str, Any]) -> None:
    for name, value in steps.items():
        if value is None and name != "strides":
            continue
        entries = tuple(value) if isinstance(value, Sequence) else (value,)
        whole = all(hasattr(step, "__index__") and step >= 1 for step in entries)
        if len(entries) != space or not isinstance(value, Sequence) or not whole:
            raise ValueError(
                f"{op}: argument '{name}' is {value!r}; expected {space} whole numbers of at least 1, one a "
                f"spatial axis. Fix: {name}={(1,) * space}"
            )


def _cropped(lhs: jax.Array, padding: Any, axes: Sequence[int], dilation: Any) -> tuple[jax.Array, Any]:
    """Cut off what negative padding takes away: XLA's convolution on CPU reads beyond the array there."""
    if isinstance(padding, str) or set(dilation or (1,)) != {1} or min(map(min, padding), default=0) >= 0:
        return lhs, padding
    edges = [(0, 0, 0)] * lhs.ndim
    for axis, (before, after) in zip(axes, padding, strict=True):
        edges[axis] = (min(before, 0), min(after, 0), 0)
    kept = tuple((max(before, 0), max(after, 0)) for before, after in padding)
    return lax.pad(lhs, jnp.zeros((), lhs.dtype), edges), kept


def _is_explicit(array: jax.Array) -> bool:
    return AxisType.Explicit in jax.typeof(array).sharding.mesh.axis_types


def _formulation(implementation: str | None) -> str | None:
    """Return the formulation that is asked for: here, by `using`, or by the platform; None leaves it open."""
    _check(implementation)
    asked = implementation or _FIXED.value
    return asked or (None if jax.default_backend() == "cpu" else "xla")


def _product_type(given: Any, wanted: Any) -> Any:
    """Return the dtype of the products: sums of several of them want more than 16 bits."""
    dtype = jnp.promote_types(given, wanted)
    return jnp.float32 if jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize < 4 else dtype


def _pads(
    padding: str | Sequence[tuple[int, int]],
    space: tuple[int, ...],
    taps: tuple[int, ...],
    strides: Sequence[int],
    gaps: tuple[int, ...],
) -> tuple[tuple[int, int], ...]:
    if isinstance(padding, str):
        spans = [(count - 1) * gap + 1 for count, gap in zip(taps, gaps, strict=True)]
        return tuple(lax.padtype_to_pads(space, spans, strides, padding))
    return tuple((int(before), int(after)) for before, after in padding)


def _transposed_pads(span: int, stride: int, padding: str | tuple[int, int]) -> tuple[int, int]:
    """Return the zeros around the dilated input that undo this padding of the convolution."""
    if padding == "VALID":
        return span - 1, stride - 1 + max(span - stride, 0)
    if padding == "SAME":
        before = span - 1 if stride > span - 1 else -(-(span + stride - 2) // 2)
        return before, span + stride - 2 - before
    if isinstance(padding, str):
        raise ValueError(
            f"conv_transpose: argument 'padding' is {padding!r}; expected 'SAME', 'VALID' or pairs. "
            "Fix: padding='SAME'"
        )
    return span - 1 - padding[0], span - 1 - padding[1]
