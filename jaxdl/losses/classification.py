"""Losses of classification, from logits, one value per example."""

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain


def softmax_cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross-entropy of a softmax: ``log sum_j exp(z_j) - sum_k y_k z_k``, computed from the logits z.

    Integer labels outside [0, classes), negative ones included, make the loss *and* the gradient of
    their own example NaN; the gradients of the other examples stay exact.

    Args:
        logits: floating array (..., classes), before any softmax.
        labels: either integers (...), class numbers, or floating (..., classes), one-hot rows or
            probabilities.

    Returns:
        Array (...) of per-example losses in nats.

    Raises:
        DtypeError: `logits` is not floating, or the dtype of `labels` does not fit their shape.
        ShapeError: `logits` is a scalar or has no class, or `labels` fits neither form.

    Example:
        >>> import jax.numpy as jnp
        >>> z = jnp.array([[0.0, 0.0], [3.0, 3.0]])
        >>> softmax_cross_entropy(z, jnp.array([0, 7])).round(4).tolist()
        [0.6930999755859375, nan]

    Reference:
        Equals ``torch.nn.CrossEntropyLoss(reduction="none")`` for labels in range.
    """
    logits = _checks.floating("softmax_cross_entropy", "logits", logits)
    _checks.rank_at_least("softmax_cross_entropy", "logits", logits, 1, "(..., classes)")
    labels = _checks.widened(_checks.array("softmax_cross_entropy", "labels", labels))
    _check_labels(logits, labels)
    # Shifted by a constant of no gradient, so that exp cannot overflow.
    shifted = logits - jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    log_total = jnp.log(jnp.sum(jnp.exp(shifted), axis=-1))
    if labels.ndim == logits.ndim:
        mass = jnp.sum(labels, axis=-1)
        chosen = jnp.sum(jnp.where(labels == 0, 0, shifted * labels.astype(shifted.dtype)), axis=-1)
        return mass.astype(shifted.dtype) * log_total - chosen
    classes = jax.lax.broadcasted_iota(labels.dtype, logits.shape, logits.ndim - 1)
    chosen = jnp.sum(jnp.where(classes == labels[..., None], shifted, 0), axis=-1)
    return (log_total - chosen) * _poison(labels, logits.shape[-1], shifted.dtype)


def _poison(labels: jax.Array, classes: int, dtype: jax.typing.DTypeLike) -> jax.Array:
    # A factor, not a replacement: where(ok, loss, loss * nan) would send nan to good rows as well.
    valid = jnp.logical_and(labels >= 0, labels < classes)
    return jnp.where(valid, jnp.ones((), dtype), jnp.full((), jnp.nan, dtype))


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
