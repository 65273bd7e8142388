"""Losses of classification, from logits, one value per example."""

import math

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.losses._heads import WithAuxiliary


def softmax_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    *,
    label_smoothing: float | jax.Array = 0.0,
    class_weights: jax.Array | None = None,
) -> jax.Array:
    """Cross-entropy of a softmax: ``log sum_j exp(z_j) - sum_k y_k z_k``, computed from the logits z.

    In full, with class weights w and smoothing e over K classes: ``sum_k w_k y'_k (log sum_j exp(z_j) -
    z_k)`` with ``y' = (1 - e) y + e / K``. Integer labels outside [0, classes), negative ones included,
    and rows with an entry outside [0, 1] make the loss *and* the gradient of their own example NaN; the
    gradients of the other examples stay exact.

    Args:
        logits: floating array (..., classes), before any softmax.
        labels: either integers (...), class numbers, or floating (..., classes), one-hot rows or
            probabilities.
        label_smoothing: e, in [0, 1], the share of the label that is spread over all classes; a number or
            a traced scalar.
        class_weights: w, floating (classes,), not negative; None weighs all alike. A mean that divides by
            the weights of the labels is `reduce(..., weights=class_weights[labels], weighted=True)`.

    Returns:
        Array (...) of per-example losses in nats.

    Raises:
        DtypeError: `logits` or `class_weights` is not floating, or the dtype of `labels` does not fit
            their shape.
        ShapeError: `logits` is a scalar or has no class, or `labels` or `class_weights` do not fit it.
        ValueError: `label_smoothing` outside [0, 1].

    Example:
        >>> import jax.numpy as jnp
        >>> z = jnp.array([[0.0, 0.0], [3.0, 3.0]])
        >>> softmax_cross_entropy(z, jnp.array([0, 7])).round(4).tolist()
        [0.6930999755859375, nan]

    Reference:
        Szegedy et al. (2016) for the smoothing. Equals ``torch.nn.CrossEntropyLoss(reduction="none")``
        with its `label_smoothing` and `weight`, for labels in range.
    """
    op = "softmax_cross_entropy"
    if isinstance(logits, WithAuxiliary):
        raise DtypeError(
            explain(op, "logits", got="a WithAuxiliary, the logits of several heads",
                    expected="the array of one head", fix="losses.auxiliary_cross_entropy takes them all")
        )  # fmt: skip
    logits = _checks.floating(op, "logits", logits)
    _checks.rank_at_least(op, "logits", logits, 1, "(..., classes)")
    labels = _checks.widened(_checks.array(op, "labels", labels))
    _check_labels(logits, labels)
    weights = _class_weights(op, class_weights, logits)
    # Shifted by a constant of no gradient, so that exp cannot overflow.
    shifted = logits - jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    log_total = jnp.log(jnp.sum(jnp.exp(shifted), axis=-1))
    if labels.ndim == logits.ndim:
        rows = labels.astype(shifted.dtype)
        values = _against(shifted, log_total, rows if weights is None else rows * weights)
        factor = _targets.poison(_probable(labels), shifted.dtype)
    else:
        classes = jax.lax.broadcasted_iota(labels.dtype, logits.shape, logits.ndim - 1)
        here = classes == labels[..., None]
        values = log_total - jnp.sum(jnp.where(here, shifted, 0), axis=-1)
        values = values if weights is None else values * jnp.sum(jnp.where(here, weights, 0), axis=-1)
        factor = _targets.within(labels, 0, logits.shape[-1] - 1, shifted.dtype)
    return _smoothed(op, label_smoothing, values, shifted, log_total, weights) * factor


def _probable(rows: jax.Array) -> jax.Array:
    # Averages of probabilities may round to a little more than 1.
    highest = 1 + 8 * float(jnp.finfo(rows.dtype).eps)
    return jnp.all(jnp.logical_and(rows >= 0, rows <= highest), axis=-1)


def _against(shifted: jax.Array, log_total: jax.Array, rows: jax.Array) -> jax.Array:
    """Return ``sum_k rows_k (log_total - shifted_k)``; entries that are 0 may meet a logit of -inf."""
    chosen = jnp.sum(jnp.where(rows == 0, 0, shifted * rows), axis=-1)
    return jnp.sum(rows, axis=-1) * log_total - chosen


def _smoothed(
    op: str,
    share: float | jax.Array,
    values: jax.Array,
    shifted: jax.Array,
    log_total: jax.Array,
    weights: jax.Array | None,
) -> jax.Array:
    _checks.in_range(op, "label_smoothing", share, 0, math.nextafter(1, 2), "[0, 1]")
    if isinstance(share, int | float) and share == 0:
        return values
    found = jnp.asarray(share, shifted.dtype)
    found = found * _targets.within(found, 0, 1, found.dtype)
    uniform = jnp.ones_like(shifted) if weights is None else jnp.broadcast_to(weights, shifted.shape)
    spread = _against(shifted, log_total, uniform / shifted.shape[-1])
    return (1 - found) * values + found * spread


def _class_weights(op: str, weights: jax.Array | None, logits: jax.Array) -> jax.Array | None:
    if weights is None:
        return None
    found = _checks.floating(op, "class_weights", weights)
    if found.shape != logits.shape[-1:]:
        raise ShapeError(
            explain(op, "class_weights", got=f"of shape {found.shape}",
                    expected=f"one weight a class, {logits.shape[-1:]}", fix="weigh every class")
        )  # fmt: skip
    found = found.astype(logits.dtype) * _targets.within(found, 0, float("inf"), logits.dtype)
    return found.reshape((1,) * (logits.ndim - 1) + found.shape)


def _check_labels(logits: jax.Array, labels: jax.Array) -> None:
    op, integral = "softmax_cross_entropy", jnp.issubdtype(labels.dtype, jnp.integer)
    if logits.shape[-1] == 0:
        raise ShapeError(
            explain(op, "logits", got=f"of shape {logits.shape}", expected="at least one class",
                    fix="give the last axis one entry a class")
        )  # fmt: skip
    if labels.shape == logits.shape[:-1] and integral:
        return
    if labels.shape == logits.shape and jnp.issubdtype(labels.dtype, jnp.floating):
        return
    got, forms = (
        f"of dtype {labels.dtype} and shape {labels.shape}",
        f"integers of shape {logits.shape[:-1]} or floating one-hot rows of shape {logits.shape}",
    )
    if labels.shape in (logits.shape, logits.shape[:-1]):
        kind = "jnp.int32" if labels.shape == logits.shape[:-1] else "jnp.float32"
        raise DtypeError(explain(op, "labels", got=got, expected=forms, fix=f"labels.astype({kind})"))
    fix = "give one label an example"
    if labels.size == logits.size // logits.shape[-1]:
        fix = f"labels.reshape({logits.shape[:-1]})"
    raise ShapeError(explain(op, "labels", got=got, expected=forms, fix=fix))
