"""Metrics of regression."""

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.metrics import _whole


def absolute_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """Absolute error per example: ``|a - y|``, the mean over the outputs where there are several.

    Args:
        predictions: floating array (batch, ...), the a of the formula.
        targets: floating array of exactly the same shape, the y of the formula, in the same unit.

    Returns:
        Array (batch,), in the unit of the targets; its mean is the mean absolute error.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the shapes differ, or the arrays are scalars.

    Example:
        >>> import jax.numpy as jnp
        >>> absolute_error(jnp.array([1.0, 4.0]), jnp.array([3.0, 4.0])).tolist()
        [2.0, 0.0]

    Reference:
        Its mean equals ``sklearn.metrics.mean_absolute_error``.
    """
    predictions = _checks.floating("absolute_error", "predictions", predictions)
    targets = _checks.floating("absolute_error", "targets", targets)
    _checks.rank_at_least("absolute_error", "predictions", predictions, 1, "(batch, ...)")
    _checks.same_shape("absolute_error", "predictions", predictions, "targets", targets)
    errors = jnp.abs(predictions - targets)
    return jnp.mean(errors, axis=tuple(range(1, errors.ndim)))


def r2(predictions: jax.Array, targets: jax.Array, *, weights: jax.Array | None = None) -> jax.Array:
    """Share of the variance that is explained: ``1 - sum (y - a)^2 / sum (y - mean y)^2``.

    It takes whole arrays: 1 is perfect, 0 the constant mean, below 0 worse than that. Where the targets
    are constant there is no variance, and the result is NaN, unless every prediction is exact: then 1.

    Args:
        predictions: floating array (examples,), the a of the formula.
        targets: floating array of the same shape, the y of the formula.
        weights: floating array of the same shape, finite and 0 or more; None counts each example once.

    Returns:
        Scalar, in float32 or wider.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the shapes differ, or there is no example.
        FormatError: concrete numbers that are not finite, or negative weights.

    Example:
        >>> import jax.numpy as jnp
        >>> float(r2(jnp.array([1.0, 2.0, 4.0]), jnp.array([1.0, 2.0, 3.0])))
        0.5

    Reference:
        Equals ``sklearn.metrics.r2_score(targets, predictions)``; for constant targets that are not met,
        scikit-learn says 0 instead (-inf with ``force_finite=False``).
    """
    predictions, known = _whole.finite("r2", "predictions", predictions)
    targets, given = _whole.finite("r2", "targets", targets)
    _checks.same_shape("r2", "targets", targets, "predictions", predictions)
    _whole.not_empty("r2", "targets", targets)
    weight, sound = _whole.weights("r2", weights, targets)
    predictions, targets = (_whole.widened(part).reshape(-1) for part in (predictions, targets))
    share = jnp.ones_like(targets) if weight is None else weight.astype(targets.dtype)
    mean = jnp.sum(share * targets) / jnp.sum(share)
    missed = jnp.sum(share * jnp.square(targets - predictions))
    spread = jnp.sum(share * jnp.square(targets - mean))
    exact = jnp.where(missed == 0, 1.0, jnp.nan).astype(targets.dtype)
    # The mean is rounded, so that constant targets may differ from it.
    there = share > 0
    low, high = jnp.min(jnp.where(there, targets, jnp.inf)), jnp.max(jnp.where(there, targets, -jnp.inf))
    constant = (low == high) | (spread == 0)
    ratio = missed / jnp.where(constant, 1, spread)
    return _whole.poisoned(jnp.where(constant, exact, 1 - ratio), known, given, sound)
