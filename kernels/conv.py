"""Convolutions: `conv_general_dilated` takes the place of `jax.lax.conv_general_dilated` anywhere.

``"xla"``  ``lax.conv_general_dilated`` as it is.
"""

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from jax import lax

IMPLEMENTATIONS = ("xla",)
_FIXED: contextvars.ContextVar[str | None] = contextvars.ContextVar("conv", default=None)


@contextlib.contextmanager
def using(implementation: str | None) -> Iterator[None]:
    """Let every convolution that is traced inside, and names no formulation, use this one.

    Args:
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Yields:
        Nothing.

    Raises:
        ValueError: unknown implementation.

    Example:
        >>> with using("xla"):
        ...     pass
    """
    _check(implementation)
    token = _FIXED.set(implementation)
    try:
        yield
    finally:
        _FIXED.reset(token)


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
        The array that lax returns.

    Raises:
        ValueError: unknown implementation.

    Example:
        >>> import jax.numpy as jnp
        >>> x, w = jnp.arange(5.0).reshape(1, 5, 1), jnp.array([-1.0, 0.0, 1.0]).reshape(3, 1, 1)
        >>> numbers = ("NWC", "WIO", "NWC")
        >>> conv_general_dilated(x, w, (1,), "VALID", dimension_numbers=numbers).ravel().tolist()
        [2.0, 2.0, 2.0]
    """
    _check(implementation)
    return lax.conv_general_dilated(
        lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers,
        feature_group_count, batch_group_count, precision, preferred_element_type, out_sharding=out_sharding,
    )  # fmt: skip


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
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        The array that lax returns.

    Raises:
        ValueError: unknown implementation.

    Example:
        >>> import jax.numpy as jnp
        >>> x, w = jnp.ones((1, 2, 1)), jnp.array([1.0, 2.0]).reshape(2, 1, 1)
        >>> conv_transpose(x, w, (2,), "VALID", dimension_numbers=("NWC", "WIO", "NWC")).ravel().tolist()
        [2.0, 1.0, 2.0, 1.0]
    """
    _check(implementation)
    return lax.conv_transpose(
        lhs, rhs, strides, padding, rhs_dilation, dimension_numbers, transpose_kernel, precision,
        preferred_element_type,
    )  # fmt: skip


def _check(implementation: str | None) -> None:
    if implementation not in (None, *IMPLEMENTATIONS):
        raise ValueError(
            f"convolution: argument 'implementation' is {implementation!r}; expected None or one of "
            f"{IMPLEMENTATIONS}. Fix: choose one of them"
        )
