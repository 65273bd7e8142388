"""cuDNN's LSTM, for the standard form in float32 on NVIDIA GPUs."""

import jax
import jax.numpy as jnp

from ._recurrent_cells import Cell, Parts, Weights


def lstm(cell: Cell, x: jax.Array, carry: Parts, weights: Weights, *, plain: bool) -> tuple[jax.Array, Parts]:
    """Run the LSTM of cuDNN over (batch, time, in); `plain` says that all steps are valid and in order.

    Raises:
        ValueError: another cell or convention, lengths, the reversed direction, another dtype, or no GPU.
    """
    standard = cell == Cell("lstm") and weights.peephole is None and x.dtype == jnp.float32
    if not (plain and standard and jax.default_backend() == "gpu"):
        raise ValueError(
            f"{cell.kind}: argument 'implementation' is 'cudnn'; expected another one for this call: "
            "cuDNN runs the standard LSTM in float32, without lengths, not reversed, on an NVIDIA GPU. "
            "Fix: implementation=None"
        )
    # Nothing else in jax reaches this part of cuDNN.
    from jax.experimental import rnn

    (batch, time, inputs), features = x.shape, weights.recurrent.shape[0]
    lengths = jnp.full((batch,), time, jnp.int32)
    h, c = (part[None] for part in carry)
    y, h, c = rnn.lstm(x, h, c, packed(weights), lengths, inputs, features, 1, 0.0, False)
    return y, (h[0], c[0])


def packed(weights: Weights) -> jax.Array:
    """Return the weights as cuDNN takes them: one vector, kernels by output, and a second bias, here 0."""
    parts = (weights.input.T, weights.recurrent.T, weights.bias, jnp.zeros_like(weights.bias))
    return jnp.concatenate([part.ravel() for part in parts])
