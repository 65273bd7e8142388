"""Metrics for classification. Like the losses they give one value per example."""

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


def accuracy(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Tell which examples are classified rightly: ``1 if argmax_k outputs_k == label else 0``.

    The mean over the batch is the accuracy. Ties go to the lower class; examples whose outputs, or
    one-hot label row, hold a NaN are counted as wrong.

    A single logit an example, as of two classes or of several labels, has no argmax: see `binary_accuracy`.

    Args:
        outputs: floating array (..., classes): logits or probabilities of two classes or more.
        labels: integers (...), or floating one-hot rows (..., classes).

    Returns:
        float32 array (...) of zeros and ones.

    Raises:
        DtypeError: `outputs` is not floating, class numbers are not integers, or rows are not floating.
        ShapeError: the shapes do not fit, or there are fewer than two classes.

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
    if outputs.shape[-1] < 2:
        raise ShapeError(
            explain("accuracy", "outputs", got=f"of shape {outputs.shape}",
                    expected="at least two classes, one entry each",
                    fix="jaxdl.metrics.binary_accuracy for one logit an example")
        )  # fmt: skip
    whole = jnp.logical_not(jnp.any(jnp.isnan(outputs), axis=-1))
    if labels.ndim == outputs.ndim:
        _checks.same_shape("accuracy", "outputs", outputs, "labels", labels)
        labels = _checks.floating("accuracy", "labels", labels)
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


def binary_accuracy(
    logits: jax.Array, targets: jax.Array, *, threshold: float | jax.Array = 0.0
) -> jax.Array:
    """Share of an example's logits on the right side: ``mean_k [(z_k > threshold) == (y_k = 1)]``.

    One logit an example is a decision between two classes; several are labels that go together, of which
    the share that is right is taken. A logit that is NaN is counted as wrong; a target outside [0, 1]
    makes its example NaN.

    Args:
        logits: floating array (batch,) or (batch, ...), before any sigmoid.
        targets: 0 or 1, integers, bools or floats of exactly the same shape; from 0.5 on they count as 1.
        threshold: of the logits, 0 where a probability of 1/2 decides; log(p / (1 - p)) for another p.

    Returns:
        Array (batch,), float32 or wider.

    Raises:
        DtypeError: `logits` is not floating.
        ShapeError: the shapes differ ((N,) against (N, 1) is an error), or the arrays are scalars.

    Example:
        >>> import jax.numpy as jnp
        >>> binary_accuracy(jnp.array([[2.0, -1.0], [3.0, -4.0]]), jnp.array([[1, 1], [1, 0]])).tolist()
        [0.5, 1.0]

    Reference:
        Its mean equals Keras's ``BinaryAccuracy`` of the sigmoids at ``threshold=0.5``.
    """
    logits = _checks.floating("binary_accuracy", "logits", logits)
    targets = _checks.array("binary_accuracy", "targets", targets)
    _checks.rank_at_least("binary_accuracy", "logits", logits, 1, "(batch, ...)")
    _checks.same_shape("binary_accuracy", "logits", logits, "targets", targets)
    given, axes = targets.astype(jnp.float32), tuple(range(1, logits.ndim))
    right = (logits > jnp.asarray(threshold, logits.dtype)) == (given >= 0.5)
    known = jnp.all((given >= 0) & (given <= 1), axis=axes)
    wide = logits.dtype if logits.dtype.itemsize >= 4 else jnp.float32
    share = jnp.mean(right & ~jnp.isnan(logits), axis=axes, dtype=wide)
    return jnp.where(known, share, jnp.nan)
