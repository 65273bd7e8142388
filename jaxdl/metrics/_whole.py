"""What the metrics of whole arrays share: labels, scores and weights, checked where they are concrete.

Each check also returns whether its values are sound, as a traced scalar: inside a compiled program, where
nothing can be raised, the result of an unsound call is NaN.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import FormatError, ShapeError, explain


def labels(
    op: str, argument: str, value: Any, classes: int, weights: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """Return flat integer labels and whether all lie in [0, classes); those of weight 0 need not."""
    found = _checks.widened(_checks.integer(op, argument, value)).reshape(-1)
    inside = jnp.logical_and(found >= 0, found < classes)
    if weights is not None:
        inside = jnp.logical_or(inside, weights == 0)
    return found, _sound(op, argument, found, inside, f"a label in [0, {classes})",
                         "drop or relabel those examples, or give them weight 0")  # fmt: skip


def weights(op: str, value: Any, like: jax.Array) -> tuple[jax.Array | None, jax.Array]:
    """Return flat weights in float32 or wider, or None, and whether all are finite and 0 or more."""
    if value is None:
        return None, jnp.bool_(True)
    found = _checks.floating(op, "weights", value)
    _checks.same_shape(op, "labels", like, "weights", found)
    found = widened(found).reshape(-1)
    good = jnp.logical_and(found >= 0, jnp.isfinite(found))
    return found, _sound(op, "weights", found, good, "finite weights of 0 or more",
                         "weights=jnp.maximum(weights, 0)")  # fmt: skip


def finite(op: str, argument: str, value: Any) -> tuple[jax.Array, jax.Array]:
    """Return a floating array and whether all of it is finite."""
    found = _checks.floating(op, argument, value)
    return found, _sound(op, argument, found, jnp.isfinite(found), "finite numbers",
                         f"look for the cause, or drop those examples of {argument}")  # fmt: skip


def not_empty(op: str, argument: str, value: jax.Array) -> None:
    """Raise `ShapeError` where there is no example."""
    if value.size == 0:
        raise ShapeError(
            explain(op, argument, got=f"of shape {value.shape}", expected="at least one example",
                    fix="leave empty sets out")
        )  # fmt: skip


def poisoned(values: jax.Array, *good: jax.Array) -> jax.Array:
    """Return the values, or NaN for all of them unless everything was sound."""
    whole = jnp.all(jnp.stack(good))
    return jnp.where(whole, values, jnp.asarray(jnp.nan, values.dtype))


def divided(above: jax.Array, below: jax.Array, zero_division: float) -> jax.Array:
    """Return ``above / below``, and `zero_division` where `below` is 0."""
    empty = below == 0
    safe = jnp.where(empty, jnp.ones((), below.dtype), below)
    return jnp.where(empty, jnp.asarray(zero_division, below.dtype), above / safe)


def widened(values: jax.Array) -> jax.Array:
    """Return half floats as float32: sums over a whole set would stall in bfloat16 at 256."""
    return values if values.dtype.itemsize >= 4 else values.astype(jnp.float32)


def real() -> Any:
    """Return the dtype of counts: float32, or float64 where it is switched on."""
    return jnp.result_type(float)


def _sound(op: str, argument: str, values: jax.Array, good: jax.Array, expected: str, fix: str) -> jax.Array:
    if not isinstance(good, jax.core.Tracer) and not isinstance(values, jax.core.Tracer):
        bad = np.argwhere(~np.asarray(good))
        if len(bad):
            place = tuple(int(i) for i in bad[0])
            got = f"{np.asarray(values)[place]} at {place[0] if len(place) == 1 else place}"
            raise FormatError(explain(op, argument, got=got, expected=expected, fix=fix))
    return jnp.all(good)
