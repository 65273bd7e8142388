"""Losses. Each returns one value per example; `reduce` turns these into the scalar to be differentiated."""

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain

REDUCTIONS = ("mean", "sum", "half_mean")


def reduce(values: jax.Array, *, reduction: str = "mean") -> jax.Array:
    """Reduce per-example losses: ``mean`` (1/m) sum, ``sum`` sum, ``half_mean`` 1/(2m) sum.

    Args:
        values: floating array of per-example losses, usually (batch,).
        reduction: ``"mean"``, ``"sum"`` or ``"half_mean"``, the 1/(2m) that texts print for regression.

    Returns:
        Scalar of the dtype of `values`.

    Raises:
        DtypeError: `values` is not floating.
        ShapeError: `values` is empty.
        ValueError: unknown reduction.

    Example:
        >>> import jax.numpy as jnp
        >>> [float(reduce(jnp.array([1.0, 3.0]), reduction=r)) for r in ("mean", "sum", "half_mean")]
        [2.0, 4.0, 1.0]

    Reference:
        ``"mean"`` and ``"sum"`` equal the `reduction` of ``torch.nn`` losses with one output.
    """
    values = _checks.floating("reduce", "values", values)
    _checks.one_of("reduce", "reduction", reduction, REDUCTIONS)
    if values.size == 0:
        raise ShapeError(
            explain("reduce", "values", got=f"of shape {values.shape}", expected="at least one loss",
                    fix="do not reduce an empty batch")
        )  # fmt: skip
    if reduction == "sum":
        return jnp.sum(values)
    return jnp.mean(values) * (0.5 if reduction == "half_mean" else 1)


def squared_error(
    predictions: jax.Array, targets: jax.Array, *, outputs: str = "mean", factor: float | jax.Array = 1.0
) -> jax.Array:
    """Squared error per example: ``factor * sum_k (a_k - y_k)^2``, or the mean over the outputs k.

    With `outputs="sum"`, `reduce` gives the three scalings of the texts: ``"sum"`` the total cost,
    ``"mean"`` the mean cost with gradient ``2 (a - y) / m``, ``"half_mean"`` the cost ``1/(2m)``.
    For ten outputs the default is ten times smaller than `outputs="sum"`.

    Args:
        predictions: floating array (batch, ...), the a of the formula.
        targets: floating array of exactly the same shape, the y of the formula.
        outputs: ``"mean"`` as libraries take it, or ``"sum"`` as texts print it, over all axes but the
            first. Arrays of rank 1 have one output.
        factor: factor before the square, 1 or 1/2.

    Returns:
        Array (batch,).

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the shapes differ ((N,) against (N, 1) is an error), or the arrays are scalars.
        ValueError: unknown `outputs`.

    Example:
        >>> import jax.numpy as jnp
        >>> a, y = jnp.array([[0.0, 2.0]]), jnp.array([[1.0, 1.0]])
        >>> float(squared_error(a, y)[0]), float(squared_error(a, y, outputs="sum")[0])
        (1.0, 2.0)

    Reference:
        The default, reduced by ``"mean"``, equals ``torch.nn.MSELoss``.
    """
    predictions = _checks.floating("squared_error", "predictions", predictions)
    targets = _checks.floating("squared_error", "targets", targets)
    _checks.one_of("squared_error", "outputs", outputs, ("mean", "sum"))
    _checks.rank_at_least("squared_error", "predictions", predictions, 1, "(batch, ...)")
    _checks.same_shape("squared_error", "predictions", predictions, "targets", targets)
    squares = jnp.square(predictions - targets)
    axes = tuple(range(1, squares.ndim))
    total = jnp.sum(squares, axis=axes) if outputs == "sum" else jnp.mean(squares, axis=axes)
    return total * jnp.asarray(factor, total.dtype)


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
