"""Which steps of a sequence count: those within its length, whose label is not the padding."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks, _lengths, _targets
from jaxdl.errors import ShapeError, explain


def inside(
    op: str,
    shape: tuple[int, ...],
    *,
    lengths: Any = None,
    labels: jax.Array | None = None,
    padding: Any = None,
) -> tuple[jax.Array, jax.Array]:
    """Return which steps count, bool `shape` (..., time), and which sequences have a length in range, (...).

    Lengths are for (batch, time); labels that are the padding leave steps out of any shape.
    """
    mask, possible = jnp.ones(shape, bool), jnp.ones(shape[:-1], bool)
    if lengths is not None:
        if len(shape) != 2:
            raise ShapeError(
                explain(op, "lengths", got=f"given for steps of shape {shape}", expected="(batch, time)",
                        fix="flatten the leading axes, or leave the lengths out")
            )  # fmt: skip
        found = _lengths.checked(op, lengths, shape, least=0)
        mask, possible = found.mask, ~jnp.isnan(found.poison)
    if labels is not None and padding is not None:
        number = _checks.positive_integer(op, "padding", padding, least=-(2**31))
        _checks.in_range(op, "padding", number, -(2**31), 2**31, "below 2^31")
        mask = mask & (labels != np.asarray(number).astype(labels.dtype))
    return mask, possible


def total(values: jax.Array, mask: jax.Array, valid: jax.Array) -> jax.Array:
    """Return the sum over the steps that count; a sequence that is not `valid` is NaN, its gradient too."""
    return jnp.sum(jnp.where(mask, values, 0), axis=-1) * _targets.poison(valid, values.dtype)
