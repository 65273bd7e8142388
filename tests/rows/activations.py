"""Rows of `jaxdl.activations`."""

import jax.numpy as jnp
import numpy as np
import oracles
from rows.common import ELEMENTWISE_BAD, EXTREME, ROWS, Op, X, away_from_zero, masked, normal

from jaxdl import activations
from jaxdl.errors import DtypeError, ShapeError

OPS: tuple[Op, ...] = (
    Op(
        "activations.sigmoid", activations.sigmoid, normal(4, 5), oracles.sigmoid, ELEMENTWISE_BAD,
        extremes=((EXTREME,),), torch=lambda torch, x: torch.sigmoid(x),
    ),
    Op(
        "activations.relu", activations.relu, away_from_zero, oracles.relu, ELEMENTWISE_BAD,
        extremes=((EXTREME,),), torch=lambda torch, x: torch.relu(x),
    ),
    Op(
        "activations.softmax", activations.softmax, normal(6, 4), oracles.softmax,
        (
            *ELEMENTWISE_BAD,
            ((jnp.float32(1),), {}, ShapeError, "at least 1 axes"),
            ((X,), {"axis": 2}, ShapeError, "an axis of an array of shape"),
        ),
        extremes=((ROWS,),), torch=lambda torch, x: torch.softmax(x, -1), length=4,
    ),
    Op(
        "activations.softmax:mask", lambda x, where: activations.softmax(x, where=where), masked,
        oracles.softmax,
        (
            ((X, X), {}, DtypeError, "expected bool"),
            ((X, jnp.ones((3,), bool)), {}, ShapeError, "broadcasts to"),
            ((X, [True]), {}, DtypeError, "is a list"),
        ),
        extremes=((ROWS, ROWS > 0), (ROWS, np.zeros_like(ROWS, bool))), length=4,
    ),
)  # fmt: skip
