"""Rows of the loss of distances to codes."""

import jax.numpy as jnp
import numpy as np

from jaxdl import losses
from jaxdl.errors import DtypeError, ShapeError
from rows.common import INTEGERS, LABELS, ROWS, Bad, Op, X, logits_and_labels

LABELS4 = jnp.array([0, 4, 3, 2])


def reference(scores: np.ndarray, labels: np.ndarray, rubbish: float = 1.0) -> np.ndarray:
    distances = -np.asarray(scores, np.float64)
    own = distances[np.arange(len(labels)), labels]
    return own + np.log(np.exp(-rubbish) + np.exp(-distances).sum(-1))


BAD: tuple[Bad, ...] = (
    ((INTEGERS, LABELS4), {}, DtypeError, "'scores' is of dtype int32"),
    ((X, X), {}, DtypeError, "'labels' is of dtype float32"),
    ((X, LABELS4[:3]), {}, ShapeError, "give one label an example"),
    ((jnp.ones((4, 0)), LABELS4), {}, ShapeError, "at least one class"),
    ((X, LABELS4), {"rubbish": -1.0}, ValueError, r"\[0, inf\)"),
    ((X, LABELS4), {"rubbish": jnp.ones(4)}, DtypeError, "expected a number"),
)
OPS: tuple[Op, ...] = (
    Op(
        "losses.maximum_a_posteriori", losses.maximum_a_posteriori, logits_and_labels, reference, BAD,
        extremes=((ROWS, LABELS),), length=4,
    ),
    Op(
        "losses.maximum_a_posteriori:far", lambda z, y: losses.maximum_a_posteriori(z, y, rubbish=30.0),
        logits_and_labels, lambda z, y: reference(z, y, 30.0), BAD[:3], extremes=((ROWS, LABELS),), length=4,
    ),
)  # fmt: skip
