"""From one loss per example to the scalar that is differentiated."""

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets
from jaxdl.errors import ShapeError, explain

REDUCTIONS = ("mean", "sum", "half_mean")


def reduce(
    values: jax.Array,
    *,
    reduction: str = "mean",
    weights: jax.Array | None = None,
    weighted: bool = False,
) -> jax.Array:
    """Reduce per-example losses: ``mean`` (1/m) sum, ``sum`` sum, ``half_mean`` 1/(2m) sum.

    With weights w of the examples: ``sum_i w_i l_i``, and m is ``sum_i w_i``.

    Args:
        values: floating array of per-example losses, usually (batch,).
        reduction: ``"mean"``, ``"sum"`` or ``"half_mean"``, the 1/(2m) that texts print for regression.
        weights: w, array of the shape of `values`, not negative; 0 leaves an example out. Negative ones,
            or a mean with none above 0, give NaN.
        weighted: the values are w_i l_i already, as those of a loss with class weights are; only m is
            taken from `weights`.

    Returns:
        Scalar of the dtype of `values`.

    Raises:
        DtypeError: `values` is not floating.
        ShapeError: `values` is empty, or `weights` has another shape.
        ValueError: unknown reduction, or `weighted` without `weights`.

    Example:
        >>> import jax.numpy as jnp
        >>> [float(reduce(jnp.array([1.0, 3.0]), reduction=r)) for r in ("mean", "sum", "half_mean")]
        [2.0, 4.0, 1.0]
        >>> float(reduce(jnp.array([1.0, 3.0]), weights=jnp.array([3, 1])))
        1.5

    Reference:
        ``"mean"`` and ``"sum"`` equal the `reduction` of ``torch.nn`` losses with one output. With the
        weights of the labels' classes and `weighted`, ``"mean"`` is that of
        ``torch.nn.CrossEntropyLoss(weight=...)``.
    """
    values = _checks.floating("reduce", "values", values)
    _checks.one_of("reduce", "reduction", reduction, REDUCTIONS)
    _checks.one_of("reduce", "weighted", weighted, (False, True))
    if weighted and weights is None:
        raise ValueError(
            explain("reduce", "weights", got="None", expected="the weights that the values have already",
                    fix="weights=class_weights[labels]")
        )  # fmt: skip
    if values.size == 0:
        raise ShapeError(
            explain("reduce", "values", got=f"of shape {values.shape}", expected="at least one loss",
                    fix="do not reduce an empty batch")
        )  # fmt: skip
    mass = jnp.ones((), values.dtype)
    if weights is not None:
        found = _checks.array("reduce", "weights", weights)
        _checks.same_shape("reduce", "values", values, "weights", found)
        found = found.astype(values.dtype) * _targets.within(found, 0, float("inf"), values.dtype)
        # A loss of inf that counts for nothing must not become 0 * inf.
        values = values if weighted else jnp.where(found == 0, 0, values * found)
        mass = jnp.mean(found)
    if reduction == "sum":
        return jnp.sum(values)
    return jnp.mean(values) / mass * (0.5 if reduction == "half_mean" else 1)
