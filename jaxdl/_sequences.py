"""Which steps of a sequence count: those within its length, whose label is not the padding."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks, _targets
from jaxdl.errors import ShapeError, explain


def checked_lengths(op: str, lengths: Any, leading: tuple[int, ...], time: int) -> jax.Array:
    """Return lengths as int32, or raise unless there is one for each sequence, each in [0, time]."""
    found = _checks.widened(_checks.integer(op, "lengths", lengths))
    if found.shape != leading:
        raise ShapeError(
            explain(op, "lengths", got=f"of shape {found.shape}",
                    expected=f"{leading}, one for each sequence", fix="pass the number of valid steps of each")
        )  # fmt: skip
    if not isinstance(found, jax.core.Tracer):
        numbers = np.asarray(found)
        bad = (numbers < 0) | (numbers > time)
        if bad.any():
            raise ValueError(
                explain(op, "lengths", got=f"{numbers[bad][0]} for sequence {np.flatnonzero(bad)[0]}",
                        expected=f"whole numbers in [0, {time}], the steps of the sequences",
                        fix="count the valid steps, which come first")
            )  # fmt: skip
    return found


def inside(
    op: str,
    leading: tuple[int, ...],
    time: int,
    *,
    lengths: Any = None,
    labels: jax.Array | None = None,
    padding: Any = None,
) -> tuple[jax.Array, jax.Array]:
    """Return which steps count, bool (..., time), and which sequences have a possible length, bool (...)."""
    mask, possible = jnp.ones((*leading, time), bool), jnp.ones(leading, bool)
    if lengths is not None:
        found = checked_lengths(op, lengths, leading, time)
        steps = jax.lax.broadcasted_iota(found.dtype, mask.shape, mask.ndim - 1)
        mask, possible = steps < found[..., None], (found >= 0) & (found <= time)
    if labels is not None and padding is not None:
        number = _checks.positive_integer(op, "padding", padding, least=-(2**31))
        mask = mask & (labels != np.asarray(number).astype(labels.dtype))
    return mask, possible


def total(values: jax.Array, mask: jax.Array, valid: jax.Array) -> jax.Array:
    """Return the sum over the steps that count; a sequence that is not `valid` is NaN, its gradient too."""
    return jnp.sum(jnp.where(mask, values, 0), axis=-1) * _targets.poison(valid, values.dtype)
