"""Metrics of whole arrays, from the scores of a binary classifier at every threshold."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.metrics import _whole


class ThresholdSweep(NamedTuple):
    """Precision, recall and F1 of ``score >= threshold``, arrays (examples,), thresholds falling."""

    thresholds: jax.Array
    precision: jax.Array
    recall: jax.Array
    f1: jax.Array


class RocCurve(NamedTuple):
    """Rates of ``score >= threshold``, arrays (examples + 1,); the first threshold is infinite."""

    thresholds: jax.Array
    false_positive_rate: jax.Array
    true_positive_rate: jax.Array


def threshold_sweep(
    scores: jax.Array, labels: jax.Array, *, zero_division: float = 0.0, weights: jax.Array | None = None
) -> ThresholdSweep:
    """Give precision, recall and F1 of the rule ``score >= t`` for every score t, falling.

    It takes whole arrays. Every score is a threshold, so that the shape is known before the data are;
    equal scores are one threshold, which stands there several times with the same values. A bad label,
    score or weight is an error where concrete, and makes everything NaN inside a compiled program.

    Args:
        scores: floating array (examples,), finite: logits or probabilities of the positive class.
        labels: integers (examples,), 1 for positive and 0 for negative examples.
        zero_division: recall and F1 where there is no positive example, 0 by default.
        weights: floating array (examples,), finite and 0 or more, or None.

    Returns:
        `ThresholdSweep` of four floating arrays (examples,).

    Raises:
        DtypeError: an argument has the wrong dtype.
        ShapeError: the shapes differ, are not of one axis, or there is no example.
        FormatError: concrete labels other than 0 and 1, scores that are not finite, bad weights.

    Example:
        >>> import jax.numpy as jnp
        >>> sweep = threshold_sweep(jnp.array([0.1, 0.9, 0.8]), jnp.array([0, 1, 0]))
        >>> sweep.precision.tolist()[:2], sweep.recall.tolist()
        ([1.0, 0.5], [1.0, 1.0, 1.0])

    Reference:
        Equals ``sklearn.metrics.precision_recall_curve`` at its thresholds, which rise and are distinct,
        and without its last point (1, 0).
    """
    found = _ranked("threshold_sweep", scores, labels, weights)
    wanted = found.right[-1]
    both = (found.right + found.wrong + wanted) / 2
    values = (
        _whole.divided(found.right, found.right + found.wrong, zero_division),
        _whole.divided(found.right, jnp.full_like(found.right, wanted), zero_division),
        _whole.divided(found.right, both, zero_division),
    )
    poisoned = (_whole.poisoned(value, found.sound) for value in (found.thresholds, *values))
    return ThresholdSweep(*poisoned)


def roc_curve(scores: jax.Array, labels: jax.Array, *, weights: jax.Array | None = None) -> RocCurve:
    """Give true and false positive rates, ``TP / P`` and ``FP / N``, of ``score >= t`` for every score t.

    It takes whole arrays; thresholds as in `threshold_sweep`, after a first one above every score. With
    no positive (or no negative) example the rate that is a share of them is NaN.

    Args:
        scores: floating array (examples,), finite: logits or probabilities of the positive class.
        labels: integers (examples,), 1 for positive and 0 for negative examples.
        weights: floating array (examples,), finite and 0 or more, or None.

    Returns:
        `RocCurve` of three floating arrays (examples + 1,), from (0, 0) to (1, 1).

    Raises:
        DtypeError: an argument has the wrong dtype.
        ShapeError: the shapes differ, are not of one axis, or there is no example.
        FormatError: concrete labels other than 0 and 1, scores that are not finite, bad weights.

    Example:
        >>> import jax.numpy as jnp
        >>> curve = roc_curve(jnp.array([0.1, 0.9, 0.8]), jnp.array([0, 1, 0]))
        >>> curve.false_positive_rate.tolist(), curve.true_positive_rate.tolist()
        ([0.0, 0.0, 0.5, 1.0], [0.0, 1.0, 1.0, 1.0])

    Reference:
        Fawcett (2006). Equals ``sklearn.metrics.roc_curve(drop_intermediate=False)``, where equal scores
        stand once.
    """
    found = _ranked("roc_curve", scores, labels, weights)
    rates = []
    for counts in (found.wrong, found.right):
        rate = _whole.divided(counts, jnp.full_like(counts, counts[-1]), jnp.nan)
        start = jnp.where(jnp.isnan(rate[:1]), rate[:1], 0)
        rates.append(_whole.poisoned(jnp.concatenate([start, rate]), found.sound))
    above = jnp.full(1, jnp.inf, found.thresholds.dtype)
    return RocCurve(_whole.poisoned(jnp.concatenate([above, found.thresholds]), found.sound), *rates)


def roc_area(scores: jax.Array, labels: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """Area under the ROC curve: the chance that a positive example scores higher than a negative one.

    Ties count one half. It takes whole arrays, and is NaN when one of the two classes has no example.

    Args:
        scores: floating array (examples,), finite: logits or probabilities of the positive class.
        labels: integers (examples,), 1 for positive and 0 for negative examples.
        weights: floating array (examples,), finite and 0 or more, or None.

    Returns:
        Floating scalar in [0, 1].

    Raises:
        DtypeError: an argument has the wrong dtype.
        ShapeError: the shapes differ, are not of one axis, or there is no example.
        FormatError: concrete labels other than 0 and 1, scores that are not finite, bad weights.

    Example:
        >>> import jax.numpy as jnp
        >>> float(roc_area(jnp.array([0.1, 0.9, 0.8, 0.8]), jnp.array([0, 1, 0, 1])))
        0.875

    Reference:
        Hanley and McNeil (1982). Equals ``sklearn.metrics.roc_auc_score``.
    """
    found = _ranked("roc_area", scores, labels, weights)
    before = jnp.zeros(1, found.right.dtype)
    width = jnp.diff(found.wrong, prepend=before)
    height = found.right + jnp.concatenate([before, found.right[:-1]])
    whole = found.right[-1] * found.wrong[-1]
    return _whole.poisoned(_whole.divided(jnp.sum(width * height) / 2, whole, jnp.nan), found.sound)


def average_precision(scores: jax.Array, labels: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """Area under the precision-recall curve, by steps: ``sum_t (R_t - R_{t-1}) P_t``.

    It takes whole arrays, and is NaN when there is no positive example.

    Args:
        scores: floating array (examples,), finite: logits or probabilities of the positive class.
        labels: integers (examples,), 1 for positive and 0 for negative examples.
        weights: floating array (examples,), finite and 0 or more, or None.

    Returns:
        Floating scalar in [0, 1].

    Raises:
        DtypeError: an argument has the wrong dtype.
        ShapeError: the shapes differ, are not of one axis, or there is no example.
        FormatError: concrete labels other than 0 and 1, scores that are not finite, bad weights.

    Example:
        >>> import jax.numpy as jnp
        >>> float(average_precision(jnp.array([0.1, 0.9, 0.8]), jnp.array([0, 1, 0])))
        1.0

    Reference:
        Equals ``sklearn.metrics.average_precision_score`` for binary labels.
    """
    found = _ranked("average_precision", scores, labels, weights)
    purity = _whole.divided(found.right, found.right + found.wrong, 0)
    steps = jnp.diff(found.right, prepend=jnp.zeros(1, found.right.dtype))
    area = _whole.divided(jnp.sum(steps * purity), found.right[-1], jnp.nan)
    return _whole.poisoned(area, found.sound)


class _Ranked(NamedTuple):
    """Sums of weights at and above each threshold, of positive and of negative examples."""

    thresholds: jax.Array
    right: jax.Array
    wrong: jax.Array
    sound: jax.Array


def _ranked(op: str, scores: Any, labels: Any, weights: Any) -> _Ranked:
    scores, finite = _whole.finite(op, "scores", scores)
    given = _checks.integer(op, "labels", labels)
    if scores.ndim != 1:
        raise ShapeError(
            explain(op, "scores", got=f"of shape {scores.shape}", expected="(examples,)",
                    fix="scores.reshape(-1), or vmap over the classes")
        )  # fmt: skip
    _checks.same_shape(op, "scores", scores, "labels", given)
    _whole.not_empty(op, "scores", scores)
    weight, sound = _whole.weights(op, weights, given)
    label, binary = _whole.labels(op, "labels", labels, 2, weight)
    order = jnp.argsort(-scores, stable=True)
    falling, label = scores[order], label[order]
    unit = jnp.ones(label.shape, jnp.int32) if weight is None else weight[order]
    # Equal scores are taken together: all of them have the sums of the last.
    last = jnp.searchsorted(-falling, -falling, side="right") - 1
    dtype = _whole.real() if weight is None else unit.dtype
    right, wrong = (jnp.cumsum(jnp.where(label == value, unit, 0))[last].astype(dtype) for value in (1, 0))
    return _Ranked(falling, right, wrong, jnp.all(jnp.stack([finite, sound, binary])))
