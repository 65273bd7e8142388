"""How many steps of each sequence are valid: checked when concrete, poison when traced."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


class Lengths(NamedTuple):
    """Valid steps of a batch of sequences, which come first.

    Attributes:
        steps: (batch,) int32, within the range; all steps where a traced length lies outside of it.
        mask: (batch, time), True in valid steps.
        poison: (batch,) float32, 1, or NaN where a traced length lies outside of the range. What is computed
            of such an example is multiplied by it, so that neither value nor gradient is a plausible number.
    """

    steps: jax.Array
    mask: jax.Array
    poison: jax.Array


def checked(op: str, lengths: Any, shape: Sequence[int], *, least: int = 1) -> Lengths:
    """Return the lengths of sequences of `shape` (batch, time); raise where concrete ones are out of range.

    Raises:
        DtypeError: they are no array of integers.
        ShapeError: their shape is not (batch,).
        ValueError: a length below `least` or above time.
    """
    batch, time = shape
    given = lengths
    lengths = _checks.widened(_checks.integer(op, "lengths", lengths))
    if lengths.shape != (batch,):
        raise ShapeError(
            explain(op, "lengths", got=f"of shape {lengths.shape}", expected=f"(batch,), {(batch,)}",
                    fix="one number of valid steps an example")
        )  # fmt: skip
    # Asked of what was given: inside of a compiled function all that jax makes of it is traced.
    if not isinstance(given, jax.core.Tracer):
        _check_values(op, np.asarray(given), time, least)
    good = (lengths >= least) & (lengths <= time)
    steps = jnp.where(good, lengths, time).astype(jnp.int32)
    return Lengths(
        steps, jnp.arange(time, dtype=jnp.int32)[None] < steps[:, None], jnp.where(good, 1.0, jnp.nan)
    )


def _check_values(op: str, lengths: np.ndarray, time: int, least: int) -> None:
    wrong = np.flatnonzero((lengths < least) | (lengths > time))
    if wrong.size:
        raise ValueError(
            explain(op, f"lengths[{wrong[0]}]", got=lengths[wrong[0]],
                    expected=f"within [{least}, {time}], as there are {time} steps",
                    fix="drop empty sequences, and pad the batch to its longest")
        )  # fmt: skip
