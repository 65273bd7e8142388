"""Distances to fixed codes, as an output layer."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


class RadialBasis(nnx.Module):
    """Euclidean radial basis functions: ``y_k = sum_j (x_j - c_kj)^2``, the codes c fixed, not trained.

    The codes are state, not parameters: no rule and no penalty reaches them.

    Args:
        codes: (classes, features), one code a class.

    Raises:
        ShapeError: codes that are no matrix, or an input of another number of features.

    Example:
        >>> layer = RadialBasis([[1.0, -1.0], [1.0, 1.0]])
        >>> layer(jnp.array([[1.0, -1.0]])).tolist()
        [[0.0, 4.0]]

    Reference:
        LeCun, Bottou, Bengio and Haffner (1998), equation 7.
    """

    def __init__(self, codes: Any) -> None:
        found = np.asarray(codes, np.float32)
        if found.ndim != 2 or 0 in found.shape:
            raise ShapeError(
                explain("RadialBasis", "codes", got=f"of shape {found.shape}", expected="(classes, features)",
                        fix="give one code a class")
            )  # fmt: skip
        self.codes = nnx.Variable(jnp.asarray(found))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, features) to the squared distances (batch, classes)."""
        x = _checks.floating("RadialBasis", "x", x)
        codes = self.codes[...].astype(x.dtype)
        if x.ndim != 2 or x.shape[-1] != codes.shape[-1]:
            raise ShapeError(
                explain("RadialBasis", "x", got=f"of shape {x.shape}", expected=f"(batch, {codes.shape[-1]})",
                        fix="give as many features as a code has entries")
            )  # fmt: skip
        # Not |x|^2 - 2 x c + |c|^2, which loses the digits of a small distance.
        return jnp.sum(jnp.square(x[:, None] - codes[None]), axis=-1)
