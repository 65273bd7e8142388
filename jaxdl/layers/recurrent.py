"""Recurrent layers."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl.initializers import orthogonal, xavier, zeros
from jaxdl.kernels import recurrent


class LSTM(nnx.Module):
    """LSTM over a sequence (batch, time, in): returns the outputs (batch, time, features) and the carry (h, c)."""

    def __init__(self, in_features: int, features: int, *, rngs: nnx.Rngs) -> None:
        self.features = features
        self.input = nnx.Param(xavier()(rngs.params(), (in_features, 4 * features)))
        self.recurrent = nnx.Param(orthogonal()(rngs.params(), (features, 4 * features)))
        self.bias = nnx.Param(zeros()(rngs.params(), (4 * features,)))

    def __call__(
        self, x: jax.Array, *, lengths: jax.Array | None = None, carry: Any = None
    ) -> tuple[jax.Array, Any]:
        """Map `x` (batch, time, in) to outputs (batch, time, features) and the carry behind the last step."""
        if carry is None:
            zero = jnp.broadcast_to(jnp.zeros_like(x[:, 0, :1]), (len(x), self.features))
            carry = (zero, zero)
        weights = recurrent.Weights(self.input[...], self.recurrent[...], self.bias[...])
        return recurrent.lstm(x, carry, weights, lengths=lengths)
