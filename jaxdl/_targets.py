"""Targets that mean yes or no, and how a target that means nothing spoils its own example alone."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import DtypeError, explain


def zero_to_one(op: str, argument: str, value: Any) -> jax.Array:
    """Return booleans, integers or floats as an array that compares with 0 and 1, or raise `DtypeError`."""
    found = _checks.array(op, argument, value)
    if jnp.issubdtype(found.dtype, jnp.complexfloating):
        raise DtypeError(
            explain(op, argument, got=f"of dtype {found.dtype}", expected="booleans, integers or floats",
                    fix=f"{argument}.real")
        )  # fmt: skip
    return found.astype(jnp.int8) if found.dtype == jnp.bool_ else found


def within(values: jax.Array, low: float, high: float, dtype: jax.typing.DTypeLike) -> jax.Array:
    """Return the factor 1 where ``low <= value <= high`` and NaN elsewhere, NaN values included."""
    return poison(jnp.logical_and(values >= low, values <= high), dtype)


def poison(valid: jax.Array, dtype: jax.typing.DTypeLike) -> jax.Array:
    """Return the factor 1 where `valid` and NaN elsewhere.

    A factor, not a replacement: ``where(ok, loss, loss * nan)`` would send NaN to the gradients of good
    examples as well.
    """
    return jnp.where(valid, jnp.ones((), dtype), jnp.full((), jnp.nan, dtype))
