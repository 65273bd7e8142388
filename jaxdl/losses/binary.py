"""Losses of yes-or-no questions, from logits, one value per example."""

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain


def binary_cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    *,
    outputs: str = "mean",
    positive_weight: float | jax.Array = 1.0,
) -> jax.Array:
    """Binary cross-entropy ``-y log a - (1 - y) log(1 - a)`` with ``a = sigmoid(z)``, from the logits z.

    Targets outside [0, 1] make loss *and* gradient of their own example NaN; the gradients of the other
    examples stay exact.

    Args:
        logits: floating array (batch, ...), the z of the formula, before any sigmoid.
        targets: array of exactly the same shape, the y of the formula: 0 or 1 as integers, booleans or
            floats, or probabilities.
        outputs: ``"mean"`` or ``"sum"`` over all axes but the first. Arrays of rank 1 have one output.
        positive_weight: factor before ``-y log a``, to weigh rare positives up; a number, a traced scalar,
            or one value per output, (outputs,); negative ones make every loss NaN.

    Returns:
        Array (batch,) in nats, of the dtype of `logits`.

    Raises:
        DtypeError: `logits` is not floating, or `targets` are not numbers.
        ShapeError: the shapes differ ((N,) against (N, 1) is an error), the arrays are scalars, or
            `positive_weight` has another shape.
        ValueError: unknown `outputs`, or a negative `positive_weight`.

    Example:
        >>> import jax.numpy as jnp
        >>> binary_cross_entropy(jnp.array([0.0, 1e4, 1e4, 0.0]), jnp.array([1, 1, 0, 2])).round(4).tolist()
        [0.6930999755859375, 0.0, 10000.0, nan]

    Reference:
        The default, reduced by ``"mean"``, equals ``torch.nn.BCEWithLogitsLoss`` for targets in range, with
        its `pos_weight`.
    """
    op = "binary_cross_entropy"
    logits = _checks.floating(op, "logits", logits)
    targets = _targets(op, _checks.array(op, "targets", targets))
    _checks.one_of(op, "outputs", outputs, ("mean", "sum"))
    _checks.rank_at_least(op, "logits", logits, 1, "(batch, ...)")
    _checks.same_shape(op, "logits", logits, "targets", targets)
    valid = jnp.logical_and(targets >= 0, targets <= 1)
    y, weight = targets.astype(logits.dtype), _weight(op, positive_weight, logits)
    # Two softplus, not softplus(z) - z y: that difference loses every digit of a small loss.
    values = y * weight * jax.nn.softplus(-logits) + (1 - y) * jax.nn.softplus(logits)
    values = values * jnp.where(valid, 1, jnp.nan).astype(logits.dtype)
    axes = tuple(range(1, values.ndim))
    return jnp.sum(values, axis=axes) if outputs == "sum" else jnp.mean(values, axis=axes)


def _targets(op: str, targets: jax.Array) -> jax.Array:
    if jnp.issubdtype(targets.dtype, jnp.complexfloating):
        raise DtypeError(
            explain(op, "targets", got=f"of dtype {targets.dtype}", expected="booleans, integers or floats",
                    fix="targets.real")
        )  # fmt: skip
    return targets.astype(jnp.int8) if targets.dtype == jnp.bool_ else targets


def _weight(op: str, weight: float | jax.Array, logits: jax.Array) -> jax.Array:
    if jnp.ndim(weight) == 0:
        _checks.in_range(op, "positive_weight", weight, 0, float("inf"), "[0, inf)")
    found = _checks.array(op, "positive_weight", weight)
    if found.ndim > 0 and (logits.ndim < 2 or found.shape != logits.shape[-1:]):
        raise ShapeError(
            explain(op, "positive_weight", got=f"of shape {found.shape}",
                    expected="one number, or one for each entry of the last axis of logits (batch, outputs)",
                    fix="pass one number")
        )  # fmt: skip
    return jnp.where(found >= 0, found, jnp.nan).astype(logits.dtype)
