"""Rows of what belongs to the recurrent layers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import layers
from jaxdl.errors import DtypeError, ShapeError
from rows.common import EXTREME, INTEGERS, ROWS, Op, X, normal

LENGTHS = np.array([4, 1, 3], np.int32)
OUTPUTS = jnp.ones((3, 4, 6))
BAD = (
    ((X,), {}, ShapeError, r"'outputs' is of shape \(4, 5\); expected \(batch, time, features\)"),
    ((OUTPUTS[..., :5],), {"bidirectional": True}, ShapeError, "features even"),
    ((INTEGERS[None],), {}, DtypeError, "of dtype int32"),
    ((OUTPUTS, LENGTHS[:2]), {}, ShapeError, r"'lengths' is of shape \(2,\)"),
    ((OUTPUTS, LENGTHS + 1), {}, ValueError, r"'lengths\[0\]' is 5; expected within \[1, 4\]"),
    ((OUTPUTS, LENGTHS - 1), {}, ValueError, r"'lengths\[1\]' is 0"),
    ((OUTPUTS, LENGTHS / 1), {}, DtypeError, "'lengths' is of dtype"),
)


def ends(outputs: np.ndarray) -> np.ndarray:
    return np.stack([np.concatenate([row[n - 1, :3], row[0, 3:]]) for row, n in zip(outputs, LENGTHS)])


def both(outputs: jax.Array, lengths: Any = LENGTHS, *, bidirectional: bool = True) -> jax.Array:
    return layers.last_step(outputs, lengths, bidirectional=bidirectional)


OPS: tuple[Op, ...] = (
    Op("layers.last_step", layers.last_step, normal(3, 4, 6), lambda outputs: outputs[:, -1], BAD,
       extremes=((ROWS[None],),), batched=False),
    Op("layers.last_step:bidirectional", both, normal(3, 4, 6), ends, BAD,
       extremes=((np.resize(EXTREME, (3, 4, 6)),),), batched=False),
)  # fmt: skip
