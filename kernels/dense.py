"""Dense products. `dot_general` has the signature of `jax.lax.dot_general` and takes its place anywhere.

Two formulations of the plain product y = x w, (..., in) times (in, out):

``"xla"``         ``lax.dot_general`` as it is; its weight gradient becomes ``x^T d``.
``"transposed"``  the same forward; the weight gradient is ``(d^T x)^T``, with d^T laid out in memory.

The rule for ``implementation=None`` was measured by ``python -m bench dense`` (2 cores, Zen 4, jax
0.10.2): on CPU, where XLA compiles ``x^T d`` to a slow narrow product, a layer of up to 32 outputs trains
1.1 to 2.8 times as fast in the transposed form, at batches from 10 to 512; from 64 outputs on it gains
nothing and can lose half. On GPU and TPU the compiler's own form stands.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

IMPLEMENTATIONS = ("xla", "transposed")
NARROW = 32


def dot_general(
    lhs: jax.Array,
    rhs: jax.Array,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    *,
    out_sharding: Any = None,
    implementation: str | None = None,
) -> jax.Array:
    """Contract two arrays as `jax.lax.dot_general` does, by the formulation that is fastest here.

    Args:
        lhs: array, such as inputs (batch, in).
        rhs: array, such as weights (in, out).
        dimension_numbers: ``((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch))``.
        precision: as in lax.
        preferred_element_type: as in lax.
        out_sharding: as in lax.
        implementation: ``"xla"``, ``"transposed"``, or None for the measured rule. Only the product
            ``(..., in) x (in, out)`` has a second formulation; others always go to lax.

    Returns:
        The array that lax returns, differentiable in every mode.

    Raises:
        ValueError: unknown implementation.

    Example:
        >>> import jax.numpy as jnp
        >>> dot_general(jnp.ones((2, 3)), jnp.ones((3, 1)), (((1,), (0,)), ((), ()))).tolist()
        [[3.0], [3.0]]
    """
    if implementation not in (None, *IMPLEMENTATIONS):
        raise ValueError(
            f"dot_general: argument 'implementation' is {implementation!r}; expected None or one of "
            f"{IMPLEMENTATIONS}. Fix: choose one of them"
        )
    (lhs_axes, rhs_axes), (lhs_batch, rhs_batch) = dimension_numbers
    plain = (
        tuple(lhs_axes) == (lhs.ndim - 1,)
        and tuple(rhs_axes) == (0,)
        and not (*lhs_batch, *rhs_batch)
        and rhs.ndim == 2
        and lhs.ndim >= 2
    )
    if plain and out_sharding is None and _choose(lhs, rhs, implementation) == "transposed":
        product = _transposed(precision, preferred_element_type)
        return product(lhs.reshape(-1, lhs.shape[-1]), rhs).reshape(*lhs.shape[:-1], rhs.shape[1])
    return lax.dot_general(
        lhs,
        rhs,
        dimension_numbers,
        precision=precision,
        preferred_element_type=preferred_element_type,
        out_sharding=out_sharding,
    )


def _choose(lhs: jax.Array, rhs: jax.Array, implementation: str | None) -> str:
    if implementation is not None:
        return implementation
    narrow = rhs.shape[1] <= NARROW and lhs.dtype == rhs.dtype == jnp.float32
    return "transposed" if narrow and jax.default_backend() == "cpu" else "xla"


def _transposed(precision: Any, element_type: Any) -> Callable[[jax.Array, jax.Array], jax.Array]:
    def dot(a: jax.Array, b: jax.Array, contract: tuple[int, int]) -> jax.Array:
        axes = (((contract[0],), (contract[1],)), ((), ()))
        return lax.dot_general(a, b, axes, precision=precision, preferred_element_type=element_type)

    @jax.custom_jvp
    def product(x: jax.Array, w: jax.Array) -> jax.Array:
        return dot(x, w, (1, 0))

    @product.defjvp
    def tangent(primals: Any, tangents: Any) -> Any:
        (x, w), (dx, dw) = primals, tangents
        # The barriers transpose to themselves: backwards they pin d^T and d^T x to memory, so that
        # the compiler cannot fold the transposes into its narrow product again.
        along_w = lax.optimization_barrier(dot(lax.optimization_barrier(dw.T), x, (1, 1))).T
        return product(x, w), dot(dx, w, (1, 0)) + along_w

    return product
