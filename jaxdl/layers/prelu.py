"""The rectifier whose slope is learnt."""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, activations
from jaxdl.errors import ShapeError, explain


class PReLU(nnx.Module):
    """Parametric rectifier ``x if x > 0 else slope * x``, with the slope a parameter.

    Args:
        num_features: size of the last axis, for one slope a feature; None for one slope in all.
        start: value of the slope before training: torch's 0.25; flax starts at 0.01, Keras at 0 with one
            slope an element.
        param_dtype: dtype of the slope.
        rngs: the random streams of the constructor; none is drawn from.

    Raises:
        ValueError: `start` is not finite, or `num_features` is below 1.
        ShapeError: the last axis of the input is not `num_features`.

    Example:
        >>> layer = PReLU(2, rngs=nnx.Rngs(0))
        >>> layer(jnp.array([[-4.0, 3.0]])).tolist(), layer.slope.shape
        ([[-1.0, 3.0]], (2,))

    Reference:
        He et al. (2015), who leave the slope out of the weight decay. Equals ``torch.nn.PReLU``.
    """

    def __init__(
        self,
        num_features: int | None = None,
        *,
        start: float = 0.25,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        _checks.in_range("PReLU", "start", start, -1e30, 1e30, "[-1e30, 1e30)")
        if num_features is not None:
            num_features = _checks.positive_integer("PReLU", "num_features", num_features)
        self.num_features = num_features
        shape = () if num_features is None else (num_features,)
        self.slope = nnx.Param(jnp.full(shape, start, param_dtype))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Rectify `x` (..., features); returns the same shape and dtype."""
        x = _checks.floating("PReLU", "x", x)
        if self.num_features is not None and x.shape[-1:] != (self.num_features,):
            raise ShapeError(
                explain("PReLU", "x", got=f"of shape {x.shape}",
                        expected=f"(..., {self.num_features})", fix=f"PReLU({(*x.shape, 1)[-1]}, ...)")
            )  # fmt: skip
        return activations.prelu(x, self.slope[...])
