"""Metrics for classification. Like the losses they give one value per example."""

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


def accuracy(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Tell which examples are classified rightly: ``1 if argmax_k outputs_k == label else 0``.

    The mean over the batch is the accuracy. Ties go to the lower class; examples whose outputs, or
    one-hot label row, hold a NaN are counted as wrong.

    Args:
        outputs: floating array (..., classes): logits or probabilities.
        labels: integers (...), or floating one-hot rows (..., classes).

    Returns:
        float32 array (...) of zeros and ones.

    Raises:
        DtypeError: `outputs` is not floating, or labels of the rank of a class number are not integers.
        ShapeError: the shapes do not fit.

    Example:
        >>> import jax.numpy as jnp
        >>> accuracy(jnp.array([[2.0, 1.0], [0.0, 3.0]]), jnp.array([0, 0])).tolist()
        [1.0, 0.0]

    Reference:
        Its mean equals ``sklearn.metrics.accuracy_score``.
    """
    outputs = _checks.floating("accuracy", "outputs", outputs)
    _checks.rank_at_least("accuracy", "outputs", outputs, 1, "(..., classes)")
    labels = _checks.widened(_checks.array("accuracy", "labels", labels))
    if outputs.shape[-1] == 0:
        raise ShapeError(
            explain("accuracy", "outputs", got=f"of shape {outputs.shape}",
                    expected="at least one class", fix="give the last axis one entry a class")
        )  # fmt: skip
    whole = jnp.logical_not(jnp.any(jnp.isnan(outputs), axis=-1))
    if labels.ndim == outputs.ndim:
        _checks.same_shape("accuracy", "outputs", outputs, "labels", labels)
        whole = jnp.logical_and(whole, jnp.logical_not(jnp.any(jnp.isnan(labels), axis=-1)))
        labels = jnp.argmax(labels, axis=-1)
    labels = _checks.integer("accuracy", "labels", labels)
    if labels.shape != outputs.shape[:-1]:
        raise ShapeError(
            explain("accuracy", "labels", got=f"of shape {labels.shape}",
                    expected=f"{outputs.shape[:-1]} or {outputs.shape}",
                    fix="give one label an example")
        )  # fmt: skip
    right = jnp.argmax(outputs, axis=-1).astype(labels.dtype) == labels
    return jnp.logical_and(right, whole).astype(jnp.float32)
