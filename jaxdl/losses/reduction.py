"""From one loss per example to the scalar that is differentiated."""

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain

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
