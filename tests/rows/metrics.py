"""Rows of `jaxdl.metrics`."""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import oracles

from jaxdl import metrics
from jaxdl.errors import DtypeError, FormatError, ShapeError
from rows import metrics_oracles
from rows.common import EXTREME, INTEGERS, LABELS, ROWS, Bad, Op, X, logits_and_labels, pair

GUESSES = jnp.array([0, 1, 2, 1])
TRUTH = jnp.array([0, 1, 1, 1])
SCORES = jnp.array([0.1, 0.9, 0.4, 0.4])
BINARY = jnp.array([0, 1, 0, 1])


def guesses(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.integers(0, 3, 20).astype(np.int32), rng.integers(0, 3, 20).astype(np.int32)


def weighted_guesses(rng: np.random.Generator) -> tuple[Any, ...]:
    return *guesses(rng), rng.random(20) * (rng.random(20) < 0.7)


def weighted_scored(rng: np.random.Generator) -> tuple[Any, ...]:
    """Scores with ties that every dtype keeps, and labels that they half predict."""
    labels = (np.arange(16) % 2).astype(np.int32)
    return np.round(rng.normal(size=16) * 2 + labels) / 2, labels, rng.random(16) + 0.1


def whole(name: str) -> tuple[Bad, ...]:
    call: dict[str, Any] = {"classes": 3}
    return (
        ((GUESSES, TRUTH[:, None]), call, ShapeError, r"predictions.reshape\(labels.shape\)"),
        ((GUESSES * 1.0, TRUTH), call, DtypeError, "'predictions' is of dtype float32"),
        ((GUESSES, TRUTH - 1), call, FormatError, r"'labels' is -1 at 0; expected a label in \[0, 3\)"),
        ((GUESSES + 1, TRUTH), call, FormatError, "'predictions' is 3 at 2"),
        ((GUESSES, TRUTH), {"classes": 1}, ValueError, f"{name}: argument 'classes' is 1"),
        ((GUESSES, TRUTH), call | {"weights": -SCORES}, FormatError, "'weights' is -0.1"),
        ((GUESSES, TRUTH), call | {"weights": SCORES[:, None]}, ShapeError, "'weights' is of shape"),
    )


def averaged(name: str) -> tuple[Bad, ...]:
    call: dict[str, Any] = {"classes": 3, "average": "binary"}
    return (
        ((GUESSES, TRUTH), call, ValueError, "'none', 'macro', 'micro', 'weighted'"),
        ((GUESSES[:0], TRUTH[:0]), {"classes": 3}, ShapeError, "at least one example"),
    )


RANKED_BAD: tuple[Bad, ...] = (
    ((SCORES, BINARY[:, None]), {}, ShapeError, r"labels.reshape\(scores.shape\)"),
    ((SCORES[:, None], BINARY[:, None]), {}, ShapeError, r"expected \(examples,\)"),
    ((SCORES, BINARY + 1), {}, FormatError, r"'labels' is 2 at 1; expected a label in \[0, 2\)"),
    ((SCORES, BINARY * 1.0), {}, DtypeError, "'labels' is of dtype float32"),
    ((BINARY, BINARY), {}, DtypeError, "'scores' is of dtype int32"),
    ((SCORES.at[2].set(jnp.nan), BINARY), {}, FormatError, "'scores' is nan at 2"),
    ((SCORES[:0], BINARY[:0]), {}, ShapeError, "at least one example"),
    ((SCORES, BINARY), {"weights": SCORES.at[0].set(jnp.inf)}, FormatError, "'weights' is inf"),
)
FAR = (np.concatenate([EXTREME, EXTREME]), (np.arange(14) % 2).astype(np.int32))


def positional(function: Any, **bound: Any) -> Any:
    """Take the weights as a third argument; of a curve, give its values without the thresholds."""

    def call(a: Any, b: Any, weights: Any = None, **given: Any) -> Any:
        found = function(a, b, **{"weights": weights} | bound | given)
        return jnp.stack(found[1:]) if isinstance(found, tuple) else found

    return call


def op(name: str, function: Any, oracle: Any, inputs: Any, bad: tuple[Bad, ...], **fields: Any) -> Op:
    fields = {"differentiable": (), "batched": False, "length": 20} | fields
    return Op(f"metrics.{name}", function, inputs, oracle, bad, **fields)


OPS: tuple[Op, ...] = (
    Op(
        "metrics.binary_accuracy", metrics.binary_accuracy,
        lambda rng: (rng.normal(size=(6, 3)), rng.integers(0, 2, (6, 3)).astype(np.int32)),
        lambda z, y: ((z > 0) == (y == 1)).mean(1),
        (
            ((jnp.ones(4), jnp.ones((4, 1))), {}, ShapeError, r"targets.reshape\(logits.shape\)"),
            ((INTEGERS, INTEGERS), {}, DtypeError, "'logits' is of dtype int32"),
            ((jnp.float32(1), jnp.float32(1)), {}, ShapeError, r"\(batch, ...\)"),
        ),
        differentiable=(), extremes=((ROWS, (ROWS > 0).astype(np.int32)),), batched=False,
    ),
    Op(
        "metrics.accuracy", metrics.accuracy, logits_and_labels, oracles.accuracy,
        (
            ((X, jnp.zeros((4,))), {}, DtypeError, "'labels' is of dtype float32"),
            ((X, jnp.zeros((3,), jnp.int32)), {}, ShapeError, "give one label an example"),
            ((X, jnp.zeros((4, 1))), {}, ShapeError, "nothing is broadcast"),
            ((jnp.ones((4, 1)), jnp.zeros((4,), jnp.int32)), {}, ShapeError, "metrics.binary_accuracy"),
            ((jnp.ones(4), jnp.zeros(4, jnp.int32)), {}, DtypeError, "'labels' is of dtype int32"),
            ((X, INTEGERS), {}, DtypeError, "'labels' is of dtype int32; expected a floating"),
        ),
        differentiable=(), extremes=((ROWS, LABELS),),
    ),
    *(
        op(
            f"confusion_matrix:{name}", positional(metrics.confusion_matrix, classes=3),
            metrics_oracles.confusion_matrix, inputs, whole("confusion_matrix"),
            extremes=((LABELS[:0], LABELS[:0]), (LABELS % 3, LABELS % 3)),
        )
        for name, inputs in (("counts", guesses), ("weights", weighted_guesses))
    ),
    *(
        op(
            f"{kind}:{average}", positional(getattr(metrics, kind), classes=3, average=average),
            partial(metrics_oracles.score, kind=kind, average=average), weighted_guesses,
            whole(kind) + averaged(kind), extremes=((LABELS * 0, LABELS * 0 + 1),),
        )
        for kind, average in (
            ("precision", "none"), ("precision", "micro"), ("recall", "macro"), ("f1", "weighted"),
        )
    ),
    *(
        op(
            name, positional(getattr(metrics, name)), getattr(metrics_oracles, name), weighted_scored,
            RANKED_BAD, extremes=(FAR,),
        )
        for name in ("threshold_sweep", "roc_curve", "roc_area", "average_precision")
    ),
    Op(
        "metrics.absolute_error", metrics.absolute_error, pair, metrics_oracles.absolute_error,
        (
            ((jnp.ones(4), jnp.ones((4, 1))), {}, ShapeError, r"targets.reshape\(predictions.shape\)"),
            ((X, INTEGERS), {}, DtypeError, "'targets' is of dtype int32"),
            ((jnp.float32(1), jnp.float32(1)), {}, ShapeError, r"\(batch, ...\)"),
        ),
        differentiable=(0, 1), extremes=((ROWS, ROWS[::-1]),), batched=False, length=3,
        torch=lambda torch, a, y: torch.nn.L1Loss(reduction="none")(a, y).mean(1),
    ),
    op(
        "r2", positional(metrics.r2), metrics_oracles.r2,
        lambda rng: (rng.normal(size=12), rng.normal(size=12), rng.random(12)),
        (
            ((jnp.ones(4), jnp.ones((4, 1))), {}, ShapeError, r"predictions.reshape\(targets.shape\)"),
            ((BINARY, SCORES), {}, DtypeError, "'predictions' is of dtype int32"),
            ((SCORES, SCORES.at[1].set(jnp.nan)), {}, FormatError, "'targets' is nan at 1"),
            ((SCORES[:0], SCORES[:0]), {}, ShapeError, "at least one example"),
            ((SCORES, SCORES), {"weights": -SCORES}, FormatError, "'weights' is -0.1"),
        ),
        differentiable=(0, 1), extremes=((EXTREME, EXTREME[::-1]), (EXTREME, EXTREME)),
    ),
)  # fmt: skip
