"""Losses of regression, one value per example."""

import sys

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets
from jaxdl._math import magnitude


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
    predictions, targets = _pair("squared_error", predictions, targets, outputs)
    total = _over_outputs(jnp.square(predictions - targets), outputs)
    return total * jnp.asarray(factor, total.dtype)


def non_negative_squared_error(
    predictions: jax.Array, targets: jax.Array, *, outputs: str = "mean", factor: float | jax.Array = 1.0
) -> jax.Array:
    """Squared error of rectified outputs: ``factor * sum_k (max(z_k, 0) - y_k)^2``, or the mean over k.

    For quantities that cannot be negative, such as prices and counts: the network ends in a linear layer,
    whose outputs z are rectified here, and by `activations.relu` when it predicts. An output that is
    negative on every example has no gradient: start its bias above 0. Negative targets, which no output
    can reach, make loss and gradient of their own example NaN.

    Args:
        predictions: floating array (batch, ...), outputs z before any rectifier.
        targets: floating array of exactly the same shape, the y of the formula, at least 0.
        outputs: ``"mean"`` or ``"sum"``, over all axes but the first.
        factor: factor before the square, 1 or 1/2.

    Returns:
        Array (batch,).

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the shapes differ, or the arrays are scalars.
        ValueError: unknown `outputs`.

    Example:
        >>> import jax.numpy as jnp
        >>> z, y = jnp.array([-3.0, 2.0, 0.0]), jnp.array([1.0, 1.0, -1.0])
        >>> non_negative_squared_error(z, y).tolist()
        [1.0, 1.0, nan]

    Reference:
        Equals ``torch.nn.MSELoss`` of ``torch.relu(z)``, for targets in range.
    """
    z, y = _pair("non_negative_squared_error", predictions, targets, outputs)
    total = _over_outputs(jnp.square(jax.nn.relu(z) - y), outputs)
    low = jnp.min(y.reshape(y.shape[0], -1), axis=1, initial=jnp.inf)
    return total * jnp.asarray(factor, total.dtype) * _targets.poison(low >= 0, total.dtype)


def huber(
    predictions: jax.Array, targets: jax.Array, *, delta: float | jax.Array = 1.0, outputs: str = "mean"
) -> jax.Array:
    """Huber loss of the residual r: ``r^2 / 2 if |r| <= delta else delta (|r| - delta / 2)``.

    Args:
        predictions: floating array (batch, ...).
        targets: floating array of exactly the same shape.
        delta: residual at which the square goes over into a line of slope delta; positive, or a traced
            scalar, which makes every loss NaN when it is not.
        outputs: ``"mean"`` or ``"sum"``, over all axes but the first.

    Returns:
        Array (batch,).

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the shapes differ, or the arrays are scalars.
        ValueError: `delta` is not positive, or unknown `outputs`.

    Example:
        >>> import jax.numpy as jnp
        >>> huber(jnp.array([0.5, 3.0]), jnp.zeros(2)).tolist()
        [0.125, 2.5]

    Reference:
        Huber (1964). The default, reduced by ``"mean"``, equals ``torch.nn.HuberLoss(delta=delta)``.
    """
    predictions, targets = _pair("huber", predictions, targets, outputs)
    _checks.in_range("huber", "delta", delta, sys.float_info.min, float("inf"), "(0, inf)")
    bound = jnp.asarray(delta, predictions.dtype)
    bound = bound * _targets.poison(bound > 0, bound.dtype)
    residual = magnitude(predictions - targets)
    # One product for both pieces: the square of a large residual, never used, could overflow.
    small = jnp.minimum(residual, bound)
    return _over_outputs(small * (residual - small / 2), outputs)


def smooth_l1(
    predictions: jax.Array, targets: jax.Array, *, beta: float | jax.Array = 1.0, outputs: str = "mean"
) -> jax.Array:
    """Smooth L1 of the residual r: ``r^2 / (2 beta) if |r| < beta else |r| - beta / 2``.

    It equals ``huber(delta=beta) / beta``: its slope far out is 1, whatever beta. At beta 0 it is ``|r|``.

    Args:
        predictions: floating array (batch, ...).
        targets: floating array of exactly the same shape.
        beta: residual at which the square goes over into the line; at least 0, or a traced scalar, which
            makes every loss NaN when it is negative.
        outputs: ``"mean"`` or ``"sum"``, over all axes but the first.

    Returns:
        Array (batch,).

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the shapes differ, or the arrays are scalars.
        ValueError: `beta` is negative, or unknown `outputs`.

    Example:
        >>> import jax.numpy as jnp
        >>> smooth_l1(jnp.array([0.5, 3.0]), jnp.zeros(2), beta=2.0).tolist()
        [0.0625, 2.0]

    Reference:
        Girshick (2015). The default, reduced by ``"mean"``, equals ``torch.nn.SmoothL1Loss(beta=beta)``.
    """
    predictions, targets = _pair("smooth_l1", predictions, targets, outputs)
    _checks.in_range("smooth_l1", "beta", beta, 0, float("inf"), "[0, inf)")
    bound = jnp.asarray(beta, predictions.dtype)
    bound = bound * _targets.within(bound, 0, float("inf"), bound.dtype)
    residual = magnitude(predictions - targets)
    small = jnp.minimum(residual, bound)
    share = jnp.where(bound == 0, 1, small / jnp.where(bound == 0, 1, bound))
    return _over_outputs(share * (residual - small / 2), outputs)


def _pair(op: str, predictions: jax.Array, targets: jax.Array, outputs: str) -> tuple[jax.Array, jax.Array]:
    predictions = _checks.floating(op, "predictions", predictions)
    targets = _checks.floating(op, "targets", targets)
    _checks.one_of(op, "outputs", outputs, ("mean", "sum"))
    _checks.rank_at_least(op, "predictions", predictions, 1, "(batch, ...)")
    _checks.same_shape(op, "predictions", predictions, "targets", targets)
    return predictions, targets


def _over_outputs(values: jax.Array, outputs: str) -> jax.Array:
    axes = tuple(range(1, values.ndim))
    return jnp.sum(values, axis=axes) if outputs == "sum" else jnp.mean(values, axis=axes)
