"""Losses of regression, one value per example."""

import jax
import jax.numpy as jnp

from jaxdl import _checks


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
