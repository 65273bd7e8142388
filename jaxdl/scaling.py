"""Scaling of inputs: fitted on training data, applied to NumPy arrays or inside the compiled step."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Scaling:
    """An affine scaling ``x -> (x - offset) * factor``, in float32.

    Attributes:
        offset: subtracted; a scalar or one value a feature.
        factor: multiplied; a scalar or one value a feature.

    Example:
        >>> pixels()(np.array([0, 255], np.uint8)).tolist()
        [0.0, 1.0]
    """

    offset: jax.Array
    factor: jax.Array

    def __call__(self, x: Any) -> jax.Array:
        """Scale `x` (batch, ...), of any numeric dtype, to float32 of the same shape."""
        x = _checks.array("Scaling", "x", x).astype(jnp.float32)
        shape = jnp.shape(self.factor)
        if x.shape[x.ndim - len(shape) :] != shape:
            raise ShapeError(
                explain("Scaling", "x", got=f"of shape {x.shape}", expected=f"features of shape {shape}",
                        fix="fit the scaling on data of the same features")
            )  # fmt: skip
        offset, factor = (jnp.broadcast_to(part, x.shape) for part in (self.offset, self.factor))
        return (x - offset) * factor


def pixels(*, highest: float = 255.0) -> Scaling:
    """Scale pixels from [0, highest] to [0, 1]: ``x / highest``.

    Args:
        highest: largest pixel value, positive: 255 for bytes, 16 for scikit-learn's digits.

    Returns:
        The `Scaling`.

    Raises:
        ValueError: `highest` is not positive and finite.

    Example:
        >>> float(pixels(highest=16)(np.float32(4)))
        0.25
    """
    _checks.in_range("pixels", "highest", highest, 1e-30, np.inf, "(0, inf)")
    return Scaling(jnp.float32(0), jnp.float32(1 / highest))


def z_score(inputs: Any) -> Scaling:
    """Scale each feature to mean 0 and standard deviation 1: ``(x - mean) / std`` with ddof 0.

    A constant feature becomes exactly 0; nothing is divided by zero.

    Args:
        inputs: training inputs (examples, ...), read in float64.

    Returns:
        The `Scaling`, to be applied to training and test inputs alike.

    Raises:
        DtypeError: not numbers.
        ShapeError: no example.
        FormatError: inputs that are not finite, or whose scale does not fit float32.

    Example:
        >>> z_score(np.array([[1.0, 5.0], [3.0, 5.0]]))(np.array([[1.0, 5.0]])).tolist()
        [[-1.0, 0.0]]

    Reference:
        Equals ``sklearn.preprocessing.StandardScaler``.
    """
    values = np.asarray(inputs)
    if values.dtype.kind not in "biuf":
        raise DtypeError(
            explain("z_score", "inputs", got=f"of dtype {values.dtype}", expected="real numbers",
                    fix="encode them as numbers first")
        )  # fmt: skip
    values = values.astype(np.float64)
    if values.ndim < 1 or len(values) == 0:
        raise ShapeError(
            explain("z_score", "inputs", got=f"of shape {values.shape}",
                    expected="(examples, ...) with at least one example", fix="pass training inputs")
        )  # fmt: skip
    if not np.isfinite(values).all():
        raise FormatError(
            explain("z_score", "inputs", got="not finite", expected="finite numbers",
                    fix="drop or fill in those rows")
        )  # fmt: skip
    mean, std = values.mean(axis=0), values.std(axis=0)
    constant = std <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    factor = np.where(constant, 0.0, 1 / np.where(constant, 1.0, std))
    if np.max(np.abs([mean, factor])) > np.finfo(np.float32).max:
        raise FormatError(
            explain("z_score", "inputs", got="too large or too narrow for float32",
                    expected="means and 1 / standard deviations below 3e38", fix="change the unit first")
        )  # fmt: skip
    return Scaling(jnp.asarray(mean, jnp.float32), jnp.asarray(factor, jnp.float32))
