"""Rows of `jaxdl.metrics`."""

import jax.numpy as jnp
import oracles
from rows.common import LABELS, ROWS, Op, X, logits_and_labels

from jaxdl import metrics
from jaxdl.errors import DtypeError, ShapeError

OPS: tuple[Op, ...] = (
    Op(
        "metrics.accuracy", metrics.accuracy, logits_and_labels, oracles.accuracy,
        (
            ((X, jnp.zeros((4,))), {}, DtypeError, "'labels' is of dtype float32"),
            ((X, jnp.zeros((3,), jnp.int32)), {}, ShapeError, "give one label an example"),
            ((X, jnp.zeros((4, 1))), {}, ShapeError, "nothing is broadcast"),
            ((jnp.ones((4, 0)), jnp.zeros((4,), jnp.int32)), {}, ShapeError, "at least one class"),
        ),
        differentiable=(), extremes=((ROWS, LABELS),),
    ),
)  # fmt: skip
