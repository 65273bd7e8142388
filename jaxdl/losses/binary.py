"""Losses of yes-or-no questions, one or several to an example, from logits, one value per example."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets
from jaxdl.errors import ShapeError, explain
from jaxdl.losses.classification import softmax_cross_entropy


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
    targets = _targets.zero_to_one(op, "targets", targets)
    _checks.one_of(op, "outputs", outputs, ("mean", "sum"))
    _checks.rank_at_least(op, "logits", logits, 1, "(batch, ...)")
    _checks.same_shape(op, "logits", logits, "targets", targets)
    y, weight = targets.astype(logits.dtype), _weight(op, positive_weight, logits)
    # Two softplus, not softplus(z) - z y: that difference loses every digit of a small loss.
    values = y * weight * jax.nn.softplus(-logits) + (1 - y) * jax.nn.softplus(logits)
    values = values * _targets.within(targets, 0, 1, logits.dtype)
    axes = tuple(range(1, values.ndim))
    return jnp.sum(values, axis=axes) if outputs == "sum" else jnp.mean(values, axis=axes)


def multi_label_cross_entropy(
    logits: jax.Array, targets: jax.Array, *, groups: Sequence[int] | None = None
) -> jax.Array:
    """Sum over the labels of an example of the cross-entropy of each: ``sum_j L_j``.

    Without `groups` each label is a yes or no and L_j its binary cross-entropy. With `groups` label j is
    one of ``groups[j]`` classes, and L_j the softmax cross-entropy of its own stretch of the logits.
    Targets out of range make loss and gradient of their own example NaN.

    Args:
        logits: floating array (batch, labels), or (batch, sum of groups), label by label.
        targets: 0 or 1, or probabilities, (batch, labels); with `groups` class numbers, integers
            (batch, labels).
        groups: number of classes of each label, such as ``(3, 2)``, or None.

    Returns:
        Array (batch,) in nats.

    Raises:
        DtypeError: `logits` is not floating, or the dtype of `targets` does not fit.
        ShapeError: the shapes do not fit, or the groups do not add up to the logits.

    Example:
        >>> import jax.numpy as jnp
        >>> zeros = jnp.zeros((1, 5))
        >>> round(float(multi_label_cross_entropy(zeros, jnp.array([[1, 0, 1, 0, 0]]))[0]), 4)
        3.4657
        >>> round(float(multi_label_cross_entropy(zeros, jnp.array([[2, 1]]), groups=(3, 2))[0]), 4)
        1.7918

    Reference:
        The first form equals ``torch.nn.BCEWithLogitsLoss``, summed over the labels; the second the sum of
        one ``torch.nn.CrossEntropyLoss`` a label.
    """
    op = "multi_label_cross_entropy"
    logits = _checks.floating(op, "logits", logits)
    _checks.rank_at_least(op, "logits", logits, 2, "(batch, labels)")
    if groups is None:
        targets = _targets.zero_to_one(op, "targets", targets)
        _checks.same_shape(op, "logits", logits, "targets", targets)
        return binary_cross_entropy(logits, targets, outputs="sum")
    ends = _ends(op, logits, groups)
    targets = _checks.integer(op, "targets", targets)
    if targets.shape != (*logits.shape[:-1], len(ends)):
        raise ShapeError(
            explain(op, "targets", got=f"of shape {targets.shape}",
                    expected=f"{(*logits.shape[:-1], len(ends))}, one class number a group",
                    fix="give each group its label")
        )  # fmt: skip
    values = [
        softmax_cross_entropy(logits[..., start:end], targets[..., j])
        for j, (start, end) in enumerate(itertools.pairwise((0, *ends)))
    ]
    total = sum(values[1:], values[0])
    return total.sum(axis=tuple(range(1, total.ndim)))


def _ends(op: str, logits: jax.Array, groups: Sequence[int]) -> tuple[int, ...]:
    sizes = [_checks.positive_integer(op, "groups", size) for size in groups]
    if not sizes or sum(sizes) != logits.shape[-1]:
        raise ShapeError(
            explain(op, "groups", got=f"{tuple(sizes)}, {sum(sizes)} logits",
                    expected=f"sizes that add up to {logits.shape[-1]}, the last axis of logits",
                    fix="give each label its number of classes")
        )  # fmt: skip
    return tuple(itertools.accumulate(sizes))


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
    found = found.reshape((1,) * (logits.ndim - found.ndim) + found.shape)
    return jnp.where(found >= 0, found, jnp.nan).astype(logits.dtype)
