"""Impurity of a node of a decision tree, and the information gain of a split, from class counts."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


def binary_entropy(p: jax.Array) -> jax.Array:
    """Measure the uncertainty of a yes-no answer in bits: ``-p log2 p - (1-p) log2 (1-p)``.

    ``0 log 0`` is 0. The gradient at 0 and 1, infinite in the limit, is taken as the finite part of it.

    Args:
        p: floating array of any shape, the probability of a yes, in [0, 1].

    Returns:
        Array of the shape and dtype of `p`, in [0, 1]; NaN where `p` lies outside [0, 1].

    Raises:
        DtypeError: `p` is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> binary_entropy(jnp.array([0.0, 0.5, 1.0])).tolist()
        [0.0, 1.0, 0.0]

    Reference:
        Shannon (1948). Equals ``scipy.stats.entropy([p, 1 - p], base=2)``.
    """
    p = _checks.floating("binary_entropy", "p", p)
    return _bits(p) + _bits(1 - p)


def entropy(counts: jax.Array) -> jax.Array:
    """Measure the disorder of a node in bits: ``-sum_k q_k log2 q_k`` with ``q = counts / sum(counts)``.

    ``0 log 0`` is 0, and so is the entropy of an empty node.

    Args:
        counts: floating array (..., classes), not negative: class counts, weights or probabilities.

    Returns:
        Array (...) in [0, log2(classes)]; NaN where a count is negative.

    Raises:
        DtypeError: `counts` is not floating.
        ShapeError: `counts` has no axis of classes, or no class.

    Example:
        >>> import jax.numpy as jnp
        >>> entropy(jnp.array([[2.0, 2.0, 0.0, 0.0], [4.0, 0.0, 0.0, 0.0]])).tolist()
        [1.0, 0.0]

    Reference:
        Shannon (1948). Equals ``scipy.stats.entropy(counts, base=2, axis=-1)`` and the impurity of
        ``sklearn.tree.DecisionTreeClassifier(criterion="entropy")``.
    """
    counts = _classes("entropy", "counts", counts)
    return jnp.sum(_bits(_shares(counts)), axis=-1)


def gini(counts: jax.Array) -> jax.Array:
    """Give the chance that two examples of a node differ in class: ``1 - sum_k q_k^2``.

    Args:
        counts: floating array (..., classes), not negative: class counts, weights or probabilities.

    Returns:
        Array (...) in [0, 1 - 1/classes]; 0 for an empty node, NaN where a count is negative.

    Raises:
        DtypeError: `counts` is not floating.
        ShapeError: `counts` has no axis of classes, or no class.

    Example:
        >>> import jax.numpy as jnp
        >>> gini(jnp.array([[2.0, 2.0], [4.0, 0.0]])).tolist()
        [0.5, 0.0]

    Reference:
        Breiman, Friedman, Olshen and Stone (1984). Equals the impurity of
        ``sklearn.tree.DecisionTreeClassifier(criterion="gini")``.
    """
    shares = _shares(_classes("gini", "counts", counts))
    return jnp.sum(shares * (1 - shares), axis=-1)


CRITERIA: dict[str, Callable[[jax.Array], jax.Array]] = {"entropy": entropy, "gini": gini}


def information_gain(left: jax.Array, right: jax.Array, *, criterion: str = "entropy") -> jax.Array:
    """Tell what a split gains: ``I(node) - (n_left I(left) + n_right I(right)) / (n_left + n_right)``.

    The counts of the node are the sum of those of its children. A child without examples weighs nothing.

    Args:
        left: floating array (..., classes), not negative: class counts of the left child.
        right: class counts of the right child, of the same shape.
        criterion: the impurity I: ``"entropy"``, which gives bits, or ``"gini"``.

    Returns:
        Array (...), not negative but for rounding; 0 for a split without examples.

    Raises:
        DtypeError: counts that are not floating.
        ShapeError: the shapes differ, or there is no class.
        ValueError: an unknown criterion.

    Example:
        >>> import jax.numpy as jnp
        >>> information_gain(jnp.array([4.0, 1.0]), jnp.array([1.0, 4.0])).round(3).item()
        0.278...

    Reference:
        Quinlan (1986). Equals the fall of impurity by a split of ``sklearn.tree.DecisionTreeClassifier``.
    """
    _checks.one_of("information_gain", "criterion", criterion, CRITERIA)
    left = _classes("information_gain", "left", left)
    right = _classes("information_gain", "right", right)
    _checks.same_shape("information_gain", "left", left, "right", right)
    impurity = CRITERIA[criterion]
    parts = jnp.stack([jnp.sum(left, axis=-1), jnp.sum(right, axis=-1)], axis=-1)
    children = jnp.stack([impurity(left), impurity(right)], axis=-1)
    return impurity(left + right) - jnp.sum(_shares(parts) * children, axis=-1)


def _bits(q: jax.Array) -> jax.Array:
    # A share of 0 is replaced before the logarithm, so that it sends no infinity backwards.
    inside = jnp.where(q == 0, 1, q)
    return jnp.where(q == 0, 0, -q * jnp.log2(inside))


def _shares(counts: jax.Array) -> jax.Array:
    total = jnp.sum(counts, axis=-1, keepdims=True)
    shares = counts / jnp.where(total == 0, 1, total)
    return jnp.where(counts < 0, jnp.nan, shares)


def _classes(op: str, argument: str, value: jax.Array) -> jax.Array:
    counts = _checks.floating(op, argument, value)
    _checks.rank_at_least(op, argument, counts, 1, "(..., classes)")
    if counts.shape[-1] == 0:
        raise ShapeError(
            explain(op, argument, got=f"of shape {counts.shape}", expected="at least one class",
                    fix="give the last axis one entry a class")
        )  # fmt: skip
    return counts
