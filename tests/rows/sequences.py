"""Rows of the losses and metrics of sequences."""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import oracles

from jaxdl import losses, metrics
from jaxdl.errors import DtypeError, ShapeError
from rows.common import INTEGERS, LABELS, ROWS, Bad, Op, X

LOGITS, TAGS = X[None], jnp.array([[1, 0, 1, 0]])
LENGTHS: tuple[Bad, ...] = (
    (
        (LOGITS, TAGS),
        {"lengths": jnp.array([5])},
        ValueError,
        r"'lengths\[0\]' is 5; expected within \[0, 4\]",
    ),
    ((LOGITS, TAGS), {"lengths": jnp.array([-1])}, ValueError, r"'lengths\[0\]' is -1"),
    ((LOGITS, TAGS), {"lengths": jnp.array([2, 2])}, ShapeError, r"\(batch,\), \(1,\)"),
    ((LOGITS, TAGS), {"lengths": jnp.array([2.0])}, DtypeError, "'lengths' is of dtype float32"),
)
PADDING: tuple[Bad, ...] = (
    ((LOGITS, TAGS), {"padding": 0.5}, DtypeError, "whole number"),
    ((LOGITS, TAGS), {"padding": "0"}, DtypeError, "whole number"),
)
CROSS_ENTROPY_BAD: tuple[Bad, ...] = (
    *LENGTHS,
    *PADDING,
    ((X[0], TAGS[0]), {}, ShapeError, r"\(batch, time, classes\)"),
    ((LOGITS, TAGS[0]), {}, ShapeError, "one label a step"),
    ((X, TAGS[0]), {"lengths": jnp.array([2])}, ShapeError, r"expected \(batch, time\)"),
    ((INTEGERS[None], TAGS), {}, DtypeError, "'logits' is of dtype int32"),
    ((LOGITS, TAGS * 1.0), {}, DtypeError, "'labels' is of dtype float32"),
    ((LOGITS[..., :0], TAGS), {}, ShapeError, "at least one class"),
)
METRICS_BAD: tuple[Bad, ...] = (
    *LENGTHS,
    *PADDING,
    ((LOGITS, TAGS[0]), {}, ShapeError, "one label a step"),
    ((TAGS, TAGS[:, :2]), {}, ShapeError, r"integers \(batch, time\)"),
    ((LOGITS, LOGITS[..., 0]), {}, DtypeError, "'labels' is of dtype float32"),
)
BINARY_BAD: tuple[Bad, ...] = (
    *(((LOGITS[..., 0], TAGS), *rest) for _, *rest in LENGTHS),
    ((X[0], X[0]), {}, ShapeError, r"\(batch, time, ...\)"),
    ((LOGITS, TAGS), {}, ShapeError, "'targets' is of shape"),
    ((TAGS, TAGS), {}, DtypeError, "'logits' is of dtype int32"),
    ((X, X.astype(complex)), {}, DtypeError, "booleans, integers or floats"),
)
# A whole sequence, one that is padded, and one that is nothing but padding.
EXTREME = (np.stack([ROWS] * 3), np.stack([LABELS, LABELS * [1, 1, 0, 0], LABELS * 0]).astype(np.int32))


def tokens(rng: np.random.Generator) -> tuple[Any, ...]:
    """Draw logits and labels of sequences that end in zeros, the second with nothing else."""
    labels = rng.integers(1, 4, (5, 6)).astype(np.int32)
    lengths = np.array([6, 0, 3, 1, 5])
    return rng.normal(size=(5, 6, 4)) * 3, labels * (np.arange(6) < lengths[:, None])


def tagged(rng: np.random.Generator) -> tuple[Any, ...]:
    lengths = np.array([6, 0, 3, 1, 5], np.int32)
    return rng.normal(size=(5, 6)) * 3, rng.random((5, 6)) * 0.9 + 0.05, lengths


def binary(logits: Any, targets: Any, lengths: Any = None, **options: Any) -> Any:
    given = {"lengths": lengths} | options
    return losses.sequence_binary_cross_entropy(logits, targets, **given)


def summed(step: Any, a: Any, b: Any, counts: Any) -> np.ndarray:
    """Add up the steps that count, one at a time."""
    totals = np.zeros(len(a))
    for i, t in np.argwhere(counts):
        totals[i] += step(a[i, t][None], b[i, t][None])[0]
    return totals


def cross_entropy_twin(torch: Any, z: Any, y: Any) -> Any:
    z, y = z.transpose(1, 2), y.long()
    return torch.nn.functional.cross_entropy(z, y, ignore_index=0, reduction="none").sum(1)


def binary_twin(torch: Any, z: Any, y: Any, lengths: Any) -> Any:
    steps = torch.nn.BCEWithLogitsLoss(reduction="none")(z, y)
    return (steps * (torch.arange(z.shape[1]) < lengths[:, None])).sum(1)


def share_right(z: Any, y: Any, counts: Any) -> np.ndarray:
    rows = zip(z, y, counts, strict=True)
    return np.array([np.mean(a.argmax(-1)[c] == b[c]) if c.any() else np.nan for a, b, c in rows])


def counted(rng: np.random.Generator) -> tuple[Any, ...]:
    """Draw tokens as `tokens` does, some steps right, without the sequence in which nothing counts."""
    logits, labels = (array[[0, 2, 3, 4]] for array in tokens(rng))
    return logits + 6 * np.eye(4)[labels] * (rng.random((4, 6, 1)) < 0.7), labels


OPS: tuple[Op, ...] = (
    Op(
        "losses.sequence_cross_entropy", partial(losses.sequence_cross_entropy, padding=0), tokens,
        lambda z, y: summed(oracles.softmax_cross_entropy, z, y, y > 0), CROSS_ENTROPY_BAD,
        extremes=(EXTREME,), torch=cross_entropy_twin, length=24,
    ),
    Op(
        "losses.sequence_binary_cross_entropy", binary, tagged,
        lambda z, y, n: summed(oracles.binary_cross_entropy, z, y, np.arange(6) < n[:, None]), BINARY_BAD,
        differentiable=(0, 1), extremes=((ROWS, ROWS.clip(0, 1), np.array([7, 3, 0, 1])),), batched=False,
        length=6, torch=binary_twin,
    ),
    *(
        Op(
            f"metrics.{name}", partial(getattr(metrics, name), padding=0), counted,
            lambda z, y, share=share: share(share_right(z, y, y > 0)), METRICS_BAD, differentiable=(),
            extremes=((EXTREME[0][:2], EXTREME[1][:2]),),
        )
        for name, share in (("sequence_accuracy", lambda x: x), ("exact_match", lambda x: x == 1))
    ),
)  # fmt: skip
