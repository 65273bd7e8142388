"""Rows of `jaxdl.losses`."""

from functools import partial
from typing import Any

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

BINARY_BAD: tuple[Bad, ...] = (
    ((jnp.ones(4), jnp.ones((4, 1))), {}, ShapeError, r"targets.reshape\(logits.shape\)"),
    ((INTEGERS, X), {}, DtypeError, "'logits' is of dtype int32"),
    ((X, X.astype(complex)), {}, DtypeError, "booleans, integers or floats"),
    ((jnp.float32(1), jnp.float32(1)), {}, ShapeError, r"\(batch, ...\)"),
    ((X, X), {"outputs": "max"}, ValueError, "'mean', 'sum'"),
    ((X, X), {"positive_weight": -1.0}, ValueError, r"\[0, inf\)"),
    ((X, X), {"positive_weight": jnp.ones(4)}, ShapeError, r"\(4,\); expected one number"),
    ((X[0], X[0]), {"positive_weight": jnp.ones(5)}, ShapeError, "one number"),
)


def logits_and_chances(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(6, 3)) * 3, rng.random((6, 3)) * 0.9 + 0.05


def binary(torch: Any, z: Any, y: Any, **options: Any) -> Any:
    return torch.nn.BCEWithLogitsLoss(reduction="none", **options)(z, y)


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
            f"losses.binary_cross_entropy:{name}", partial(losses.binary_cross_entropy, **options),
            logits_and_chances, partial(oracles.binary_cross_entropy, **options), BINARY_BAD,
            differentiable=(0, 1), batched=False, length=3, torch=twin,
            extremes=((ROWS, ROWS.clip(0, 1)), (ROWS[::-1], 1 - ROWS.clip(0, 1))),
        )
        for name, options, twin in (
            ("mean", {}, lambda torch, z, y: binary(torch, z, y).mean(1)),
            ("sum", {"outputs": "sum"}, lambda torch, z, y: binary(torch, z, y).sum(1)),
            (
                "positive_weight", {"positive_weight": 3.0},
                lambda torch, z, y: binary(torch, z, y, pos_weight=torch.tensor(3.0)).mean(1),
            ),
        )
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
