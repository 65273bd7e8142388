"""Rows of `jaxdl.vanishing`: what it refuses. Its values are tested in `test_vanishing.py`."""

import jax.numpy as jnp

from jaxdl import vanishing
from jaxdl.errors import DtypeError, ShapeError
from rows.common import Bad, Call

X, H = jnp.ones((2, 3, 4)), jnp.zeros((2, 4))
WHOLE = jnp.ones((2, 3, 4), jnp.int32)


def cell(x: jnp.ndarray, h: jnp.ndarray) -> jnp.ndarray:
    return x + h


def sequence(x: jnp.ndarray) -> jnp.ndarray:
    return x


STATE_BAD: tuple[Bad, ...] = (
    ((cell, X[0], H), {}, ShapeError, r"\(batch, time, features\)"),
    ((cell, X[:, :0], H), {}, ShapeError, "none of them 0"),
    ((cell, WHOLE, H), {}, DtypeError, "expected a floating dtype"),
    ((cell, X, H[:1]), {}, ShapeError, r"'carry' is of shapes \[\(1, 4\)\]; expected \(2, units\)"),
    ((cell, X, ()), {}, ShapeError, r"of shapes \[\]"),
    ((cell, X, H.astype(jnp.int32)), {}, DtypeError, "'carry' is of dtype int32"),
    ((cell, X, H), {"direction": jnp.ones(3)}, ShapeError, r"expected \(4,\)"),
)
INPUT_BAD: tuple[Bad, ...] = (
    ((sequence, X[0]), {}, ShapeError, r"x\[None\] for a single sequence"),
    ((sequence, WHOLE), {}, DtypeError, "expected a floating dtype"),
    ((lambda x: x[:, :, 0, None, None], X), {}, ShapeError, r"layer\(x\)\[0\]"),
    ((lambda x: (x, x), X), {}, DtypeError, r"'sequence\(x\)' is a tuple"),
    ((sequence, X), {"direction": jnp.ones(5)}, ShapeError, "one entry for each unit"),
)

CALLS: tuple[Call, ...] = (
    ("vanishing.state_gradient_norms", vanishing.state_gradient_norms, STATE_BAD),
    ("vanishing.input_gradient_norms", vanishing.input_gradient_norms, INPUT_BAD),
)
