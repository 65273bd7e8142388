"""The distance up to which two embeddings count as the same, chosen on pairs that were kept back."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.metrics import _whole

OBJECTIVES = ("accuracy", "false_acceptance", "equal_error")


class Threshold(NamedTuple):
    """A distance, and what the rule ``distance <= threshold`` reaches on the pairs it was chosen on.

    Attributes:
        threshold: the distance, midway between the last that is accepted and the first that is not.
        accuracy: share of all pairs that are told rightly.
        false_acceptance: share of the pairs of two kinds that are accepted, also called false match rate.
        false_rejection: share of the pairs of one kind that are rejected, false non-match rate.
    """

    threshold: jax.Array
    accuracy: jax.Array
    false_acceptance: jax.Array
    false_rejection: jax.Array


def choose_threshold(
    distances: jax.Array,
    same: jax.Array,
    *,
    objective: str = "accuracy",
    at_most: float | jax.Array | None = None,
) -> Threshold:
    """Choose tau of the rule ``d <= tau`` on validation pairs, never on those that it is judged by.

    Args:
        distances: floating array (pairs,), finite.
        same: integers or booleans (pairs,), 1 for a pair of the same kind and 0 for another; both occur.
        objective: ``"accuracy"``, the largest share of right answers, which depends on the share of pairs of
            the same kind; ``"false_acceptance"``, the fewest rejections of the same among thresholds that
            accept a share of at most `at_most` of the others; ``"equal_error"``, where the two errors are
            nearest to each other. Of equals, the smallest distance.
        at_most: that share, in [0, 1), or a traced scalar.

    Returns:
        `Threshold` of scalars. All are NaN inside a compiled program where something below is the case.

    Raises:
        DtypeError: `distances` are not floating, or `same` are no integers or booleans.
        ShapeError: the shapes differ, are not (pairs,), or there is no pair.
        FormatError: distances that are not finite, or `same` other than 0 and 1.
        ValueError: pairs of one sort alone, an unknown `objective`, `at_most` missing, out of range or with
            another objective; or no threshold that accepts a pair meets the objective.

    Example:
        >>> d, same = jnp.array([0.1, 0.3, 0.4, 0.6, 0.9]), jnp.array([1, 1, 0, 1, 0])
        >>> found = choose_threshold(d, same, objective="false_acceptance", at_most=0.0)
        >>> round(float(found.threshold), 3), round(float(found.false_rejection), 3)
        (0.35, 0.333)

    Reference:
        The rates are those of ``sklearn.metrics.roc_curve`` of the negative distances.
    """
    op = "choose_threshold"
    share = _objective(op, objective, at_most)
    d, is_same, sound = _pairs(op, distances, same)
    found, met = _chosen(d, is_same, share, objective)
    _require(op, "distances", met, "of pairs that meet it nowhere", _GOALS[objective],
             "train further, or another objective")  # fmt: skip
    return Threshold(*(_whole.poisoned(value, *sound, met) for value in found))


@partial(jax.jit, static_argnames="objective")
def _chosen(
    d: jax.Array, same: jax.Array, share: float | jax.Array, objective: str
) -> tuple[Threshold, jax.Array]:
    order = jnp.argsort(d)
    d, same = d[order], same[order]
    # Equal distances are taken together: all of them have the counts of the last.
    last = jnp.searchsorted(d, d, side="right") - 1
    right, wrong = (jnp.cumsum(part)[last] for part in (same, 1 - same))
    missed = right[-1] - right
    shares = (part / part_of for part, part_of in ((wrong, wrong[-1]), (missed, right[-1])))
    false_acceptance, false_rejection = (part.astype(d.dtype) for part in shares)
    if objective == "accuracy":
        cost, met = missed + wrong, missed + wrong <= right[-1]
    elif objective == "false_acceptance":
        met = (false_acceptance <= share) & (right > 0) & (share < 1)
        cost = jnp.where(met, missed, len(d))
    else:
        cost, met = jnp.abs(false_acceptance - false_rejection), right >= 0
    at = jnp.argmin(cost)
    above = d[jnp.minimum(last[at] + 1, len(d) - 1)]
    middle = d[at] + (above - d[at]) / 2
    accuracy = (1 - (missed + wrong)[at] / len(d)).astype(d.dtype)
    threshold = jnp.where(middle < above, middle, d[at])
    return Threshold(threshold, accuracy, false_acceptance[at], false_rejection[at]), met[at]


_GOALS = {
    "accuracy": "a threshold that errs no more often than to accept no pair",
    "false_acceptance": "a threshold that accepts pairs of the same kind, and of others at most that share",
    "equal_error": "a threshold",
}


def _objective(op: str, objective: str, at_most: float | jax.Array | None) -> jax.Array | float:
    _checks.one_of(op, "objective", objective, OBJECTIVES)
    if (at_most is None) == (objective == "false_acceptance"):
        raise ValueError(
            explain(op, "at_most", got=at_most, expected="a share with objective='false_acceptance' alone",
                    fix="objective='false_acceptance', at_most=0.01")
        )  # fmt: skip
    if at_most is None:
        return 1.0
    _checks.in_range(op, "at_most", at_most, 0, 1, "[0, 1)")
    return at_most


def _pairs(op: str, distances: Any, same: Any) -> tuple[jax.Array, jax.Array, tuple[jax.Array, ...]]:
    d, finite = _whole.finite(op, "distances", distances)
    is_same = _checks.array(op, "same", same)
    is_same = is_same.astype(jnp.int32) if is_same.dtype == jnp.bool_ else is_same
    if d.ndim != 1:
        raise ShapeError(
            explain(op, "distances", got=f"of shape {d.shape}", expected="(pairs,)",
                    fix="distances.reshape(-1)")
        )  # fmt: skip
    _checks.same_shape(op, "distances", d, "same", is_same)
    _whole.not_empty(op, "distances", d)
    is_same, binary = _whole.labels(op, "same", is_same, 2, None)
    both = jnp.any(is_same == 1) & jnp.any(is_same == 0)
    _require(op, "same", both, "of one sort alone", "pairs of the same kind, and pairs of different kinds",
             "similarity.pairs draws both")  # fmt: skip
    return _whole.widened(d), is_same.astype(jnp.int32), (finite, binary, both)


def _require(op: str, argument: str, good: jax.Array, got: str, expected: str, fix: str) -> None:
    """Raise `ValueError` where it can be seen that it is not good."""
    if not isinstance(good, jax.core.Tracer) and not bool(good):
        raise ValueError(explain(op, argument, got=got, expected=expected, fix=fix))
