"""A choice of features as a traced value, so that all choices are one program."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.select import _examples
from jaxdl.select.curves import Fit


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Masked:
    """A model that sees the features of a mask and zeros for the others.

    Attributes:
        model: called on the masked inputs.
        mask: (features,), True or 1 for what is kept.
    """

    model: Any
    mask: jax.Array

    def __call__(self, inputs: jax.Array) -> Any:
        """Return the outputs of the model for inputs (batch, features)."""
        return self.model(jnp.where(self.mask != 0, inputs, 0))


def masked(fit: Fit) -> Fit:
    """Make a fit that chooses features: ``masked(fit)(..., mask=m)`` fits on ``where(m, x, 0)``.

    So degrees and sets of features are values of `validation_curve`, of one shape and one program. The fit
    must survive columns of zeros (a solver for deficient rank, or a penalty).

    Args:
        fit: ``fit(inputs, targets, *, weights, ...) -> model``.

    Returns:
        ``fit(inputs, targets, *, weights, mask, ...) -> Masked``, with mask (features,).

    Raises:
        DtypeError: `fit` is no function.

    Example:
        >>> def total(inputs, targets, *, weights):
        ...     return lambda x: x.sum(axis=1)
        >>> x = jnp.ones((2, 3))
        >>> masked(total)(x, jnp.ones(2), mask=jnp.array([1, 0, 1]))(x).tolist()
        [2.0, 2.0]
    """
    _examples.callables("masked", fit=fit)

    def masked_fit(inputs: Any, targets: Any, *, weights: Any = None, mask: Any, **options: Any) -> Masked:
        inputs, mask = (_checks.array("masked", n, a) for n, a in (("inputs", inputs), ("mask", mask)))
        if inputs.ndim < 2 or mask.shape != inputs.shape[1:]:
            raise ShapeError(
                explain("masked", "mask", got=f"of shape {mask.shape}",
                        expected=f"one entry a feature, {inputs.shape[1:]}",
                        fix="values={'mask': masks} with masks (values, features)")
            )  # fmt: skip
        return Masked(fit(jnp.where(mask != 0, inputs, 0), targets, weights=weights, **options), mask)

    return masked_fit
