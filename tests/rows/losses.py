"""Rows of `jaxdl.losses`."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import oracles
from rows.common import (
    EXTREME,
    INTEGERS,
    LABELS,
    ROWS,
    Bad,
    Op,
    X,
    logits_and_labels,
    logits_and_rows,
    normal,
    pair,
)

from jaxdl import losses
from jaxdl.errors import DtypeError, ShapeError

CROSS_ENTROPY_BAD: tuple[Bad, ...] = (
    ((X, jnp.zeros((4, 1), jnp.int32)), {}, ShapeError, r"labels.reshape\(\(4,\)\)"),
    ((X, jnp.zeros((4,))), {}, DtypeError, r"labels.astype\(jnp.int32\)"),
    ((X, jnp.zeros((4, 5), jnp.int32)), {}, DtypeError, r"labels.astype\(jnp.float32\)"),
    ((INTEGERS, jnp.zeros((4,), jnp.int32)), {}, DtypeError, "'logits' is of dtype int32"),
    ((X, jnp.zeros((3,), jnp.int32)), {}, ShapeError, "give one label an example"),
    ((jnp.ones((4, 0)), jnp.zeros((4,), jnp.int32)), {}, ShapeError, "at least one class"),
)

OPS: tuple[Op, ...] = (
    *(
        Op(
            f"losses.squared_error:{outputs}", partial(losses.squared_error, outputs=outputs), pair,
            partial(oracles.squared_error, outputs=outputs),
            (
                ((jnp.ones(4), jnp.ones((4, 1))), {}, ShapeError, r"targets.reshape\(predictions.shape\)"),
                ((X, INTEGERS), {}, DtypeError, "'targets' is of dtype int32"),
                ((jnp.float32(1), jnp.float32(1)), {}, ShapeError, r"\(batch, ...\)"),
                ((X, jnp.ones((4, 4))), {}, ShapeError, "nothing is broadcast"),
            ),
            differentiable=(0, 1), extremes=((ROWS, ROWS[::-1]),), torch=twin, batched=False, length=3,
        )
        for outputs, twin in (
            ("mean", lambda torch, a, y: torch.nn.MSELoss(reduction="none")(a, y).mean(1)),
            ("sum", lambda torch, a, y: torch.nn.MSELoss(reduction="none")(a, y).sum(1)),
        )
    ),
    Op(
        "losses.softmax_cross_entropy:integer", losses.softmax_cross_entropy, logits_and_labels,
        oracles.softmax_cross_entropy, CROSS_ENTROPY_BAD, extremes=((ROWS, LABELS),),
        torch=lambda torch, z, y: torch.nn.functional.cross_entropy(z, y.long(), reduction="none"), length=4,
    ),
    Op(
        "losses.softmax_cross_entropy:one_hot", losses.softmax_cross_entropy, logits_and_rows,
        oracles.softmax_cross_entropy, CROSS_ENTROPY_BAD, differentiable=(0, 1),
        extremes=((ROWS, np.eye(7, dtype=np.float32)[LABELS]), (ROWS, np.zeros_like(ROWS))),
        torch=lambda torch, z, y: torch.nn.functional.cross_entropy(z, y, reduction="none"), length=4,
    ),
    *(
        Op(
            f"losses.reduce:{reduction}", partial(losses.reduce, reduction=reduction), normal(7),
            partial(oracles.reduce, reduction=reduction),
            (
                ((jnp.ones((0,)),), {}, ShapeError, "at least one loss"),
                ((jnp.ones(2, jnp.int32),), {}, DtypeError, "expected a floating dtype"),
                (([1.0],), {}, DtypeError, "is a list"),
            ),
            extremes=((EXTREME,),), batched=False, length=7,
        )
        for reduction in losses.REDUCTIONS
    ),
)  # fmt: skip
