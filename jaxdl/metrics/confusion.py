"""Metrics of whole arrays, counted from class numbers: they are not means over examples."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.metrics import _whole

AVERAGES = ("none", "macro", "micro", "weighted")


def confusion_matrix(
    predictions: jax.Array, labels: jax.Array, *, classes: int, weights: jax.Array | None = None
) -> jax.Array:
    """Count examples by label and prediction: ``C_ij = sum_n w_n [label_n = i][prediction_n = j]``.

    It takes whole arrays. A label or prediction outside [0, classes) is an error where the arrays are
    concrete, and makes the whole matrix NaN inside a compiled program; examples of weight 0 may have any.

    Args:
        predictions: integers (...), class numbers such as ``outputs.argmax(-1)``.
        labels: integers of the same shape, the true class numbers.
        classes: number of classes, 2 or more; static.
        weights: floating array of the same shape, finite and 0 or more; None counts each example once.

    Returns:
        Floating array (classes, classes): the rows are the labels, the columns the predictions.

    Raises:
        DtypeError: an argument has the wrong dtype.
        ShapeError: the shapes differ.
        ValueError: fewer than 2 classes.
        FormatError: concrete labels out of range, or weights that are negative or not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> confusion_matrix(jnp.array([0, 1, 1]), jnp.array([0, 1, 0]), classes=2).tolist()
        [[1.0, 1.0], [0.0, 1.0]]

    Reference:
        Equals ``sklearn.metrics.confusion_matrix(labels, predictions, labels=range(classes))``.
    """
    return _count("confusion_matrix", predictions, labels, classes, weights)


def precision(
    predictions: jax.Array,
    labels: jax.Array,
    *,
    classes: int,
    average: str = "none",
    zero_division: float = 0.0,
    weights: jax.Array | None = None,
) -> jax.Array:
    """Share of the examples predicted as a class that are of it: ``TP / (TP + FP)``.

    It takes whole arrays; labels out of range are treated as in `confusion_matrix`.

    Args:
        predictions: integers (...), class numbers.
        labels: integers of the same shape, the true class numbers.
        classes: number of classes, 2 or more; static.
        average: ``"none"`` gives one value a class (of two classes, take ``[1]``), ``"macro"`` their mean,
            ``"micro"`` counts all classes together (the accuracy), ``"weighted"`` the mean weighted by the
            number of examples of each class.
        zero_division: the value of a class that was never predicted, 0 by default; NaN leaves the class out
            of the means.
        weights: floating array of the same shape, finite and 0 or more, or None.

    Returns:
        Floating array (classes,), or a scalar where it is averaged.

    Raises:
        DtypeError: an argument has the wrong dtype.
        ShapeError: the shapes differ, or there is no example.
        ValueError: fewer than 2 classes, or an unknown average.
        FormatError: concrete labels out of range, or weights that are negative or not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> precision(jnp.array([0, 1, 1]), jnp.array([0, 1, 0]), classes=2).tolist()
        [1.0, 0.5]

    Reference:
        Equals ``sklearn.metrics.precision_score`` with ``labels=range(classes)``.
    """
    counts = _score_counts("precision", predictions, labels, classes, average, weights)
    return _scores(counts, counts.sum(axis=0), average, zero_division)


def recall(
    predictions: jax.Array,
    labels: jax.Array,
    *,
    classes: int,
    average: str = "none",
    zero_division: float = 0.0,
    weights: jax.Array | None = None,
) -> jax.Array:
    """Share of the examples of a class that are predicted as it: ``TP / (TP + FN)``.

    It takes whole arrays; labels out of range are treated as in `confusion_matrix`.

    Args:
        predictions: integers (...), class numbers.
        labels: integers of the same shape, the true class numbers.
        classes: number of classes, 2 or more; static.
        average: ``"none"``, ``"macro"``, ``"micro"`` or ``"weighted"``, as in `precision`.
        zero_division: the value of a class without examples, 0 by default; NaN leaves it out of the means.
        weights: floating array of the same shape, finite and 0 or more, or None.

    Returns:
        Floating array (classes,), or a scalar where it is averaged.

    Raises:
        DtypeError: an argument has the wrong dtype.
        ShapeError: the shapes differ, or there is no example.
        ValueError: fewer than 2 classes, or an unknown average.
        FormatError: concrete labels out of range, or weights that are negative or not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> recall(jnp.array([0, 1, 1]), jnp.array([0, 1, 0]), classes=2).tolist()
        [0.5, 1.0]

    Reference:
        Equals ``sklearn.metrics.recall_score`` with ``labels=range(classes)``.
    """
    counts = _score_counts("recall", predictions, labels, classes, average, weights)
    return _scores(counts, counts.sum(axis=1), average, zero_division)


def f1(
    predictions: jax.Array,
    labels: jax.Array,
    *,
    classes: int,
    average: str = "none",
    zero_division: float = 0.0,
    weights: jax.Array | None = None,
) -> jax.Array:
    """Harmonic mean of precision and recall: ``2 P R / (P + R) = 2 TP / (2 TP + FP + FN)``.

    It takes whole arrays; labels out of range are treated as in `confusion_matrix`.

    Args:
        predictions: integers (...), class numbers.
        labels: integers of the same shape, the true class numbers.
        classes: number of classes, 2 or more; static.
        average: ``"none"``, ``"macro"``, ``"micro"`` or ``"weighted"``, as in `precision`.
        zero_division: the value of a class that is neither a label nor a prediction, 0 by default; NaN
            leaves it out of the means.
        weights: floating array of the same shape, finite and 0 or more, or None.

    Returns:
        Floating array (classes,), or a scalar where it is averaged.

    Raises:
        DtypeError: an argument has the wrong dtype.
        ShapeError: the shapes differ, or there is no example.
        ValueError: fewer than 2 classes, or an unknown average.
        FormatError: concrete labels out of range, or weights that are negative or not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> f1(jnp.array([0, 1, 1]), jnp.array([0, 1, 0]), classes=2).round(4).tolist()
        [0.666700005531311, 0.666700005531311]

    Reference:
        Van Rijsbergen (1979). Equals ``sklearn.metrics.f1_score`` with ``labels=range(classes)``.
    """
    counts = _score_counts("f1", predictions, labels, classes, average, weights)
    return _scores(counts, (counts.sum(axis=0) + counts.sum(axis=1)) / 2, average, zero_division)


def _count(op: str, predictions: Any, labels: Any, classes: int, weights: Any) -> jax.Array:
    classes = _checks.positive_integer(op, "classes", classes, least=2)
    given = _checks.integer(op, "labels", labels)
    _checks.same_shape(op, "labels", given, "predictions", _checks.integer(op, "predictions", predictions))
    weight, sound = _whole.weights(op, weights, given)
    label, inside = _whole.labels(op, "labels", labels, classes, weight)
    guess, known = _whole.labels(op, "predictions", predictions, classes, weight)
    cell = label.astype(jnp.int32) * classes + guess.astype(jnp.int32)
    # Counted in int32: float32 stops at 16,777,216 when ones are added.
    unit = jnp.ones(cell.shape, jnp.int32) if weight is None else weight
    counts = jnp.zeros(classes * classes, unit.dtype).at[cell].add(unit, mode="drop")
    counts = counts.astype(_whole.real() if weight is None else weight.dtype)
    return _whole.poisoned(counts.reshape(classes, classes), sound, inside, known)


def _score_counts(
    op: str, predictions: Any, labels: Any, classes: int, average: str, weights: Any
) -> jax.Array:
    _checks.one_of(op, "average", average, AVERAGES)
    counts = _count(op, predictions, labels, classes, weights)
    _whole.not_empty(op, "labels", _checks.array(op, "labels", labels))
    return counts


def _scores(counts: jax.Array, below: jax.Array, average: str, zero_division: float) -> jax.Array:
    """Divide the diagonal of a confusion matrix by `below`, by class or averaged."""
    right = jnp.diagonal(counts)
    if average == "micro":
        return _whole.divided(right.sum(), below.sum(), zero_division)
    scores = _whole.divided(right, below, zero_division)
    if average == "none":
        return scores
    shares = counts.sum(axis=1) if average == "weighted" else jnp.ones_like(scores)
    # A class is left out only for being undefined: the NaN of a bad label must stay.
    kept = jnp.logical_or(below != 0, jnp.logical_not(jnp.isnan(scores)))
    total = jnp.sum(jnp.where(kept, shares * scores, 0))
    return _whole.divided(total, jnp.sum(jnp.where(kept, shares, 0)), zero_division)
