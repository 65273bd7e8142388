"""Recurrent cells and sequences: RNN, GRU and LSTM, in the conventions of the texts and of the libraries.

A cell maps one step, ``(x, carry, weights) -> carry``; a sequence maps (batch, time, in) to (batch, time, features)
and gives the last carry, so that a long sequence can be taken in pieces.
"""

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl.kernels._recurrent_cells import Cell, step
from jaxdl.kernels._recurrent_cells import Weights as Weights

Carry = tuple[jax.Array, ...]


def rnn_cell(x: jax.Array, h: jax.Array, weights: Weights, *, activation: str = "tanh") -> jax.Array:
    """Take one step of the simple RNN: ``g(x W + h U + b)``."""
    cell = Cell("rnn", activation)
    return step(cell, weights, x @ weights.input + weights.bias, (h,))[0]


def gru_cell(
    x: jax.Array, h: jax.Array, weights: Weights, *, reset: str | None = "after", update: str = "state"
) -> jax.Array:
    """Take one step of the GRU."""
    cell = Cell("gru", reset=reset, update=update)
    return step(cell, weights, x @ weights.input + weights.bias, (h,))[0]


def lstm_cell(
    x: jax.Array, carry: Carry, weights: Weights, *, output_tanh: bool = True, coupled: bool = False
) -> Carry:
    """Take one step of the LSTM; the carry is (h, c)."""
    cell = Cell("lstm", output_tanh=output_tanh, coupled=coupled)
    return step(cell, weights, x @ weights.input + weights.bias, carry)


def rnn(
    x: jax.Array,
    h: jax.Array,
    weights: Weights,
    *,
    lengths: jax.Array | None = None,
    reverse: bool = False,
    activation: str = "tanh",
    implementation: str | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Run the simple RNN over a sequence."""
    y, carry = _sequence(Cell("rnn", activation), x, (h,), weights, lengths, reverse)
    return y, carry[0]


def gru(
    x: jax.Array,
    h: jax.Array,
    weights: Weights,
    *,
    lengths: jax.Array | None = None,
    reverse: bool = False,
    reset: str | None = "after",
    update: str = "state",
    implementation: str | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Run the GRU over a sequence."""
    y, carry = _sequence(Cell("gru", reset=reset, update=update), x, (h,), weights, lengths, reverse)
    return y, carry[0]


def lstm(
    x: jax.Array,
    carry: Carry,
    weights: Weights,
    *,
    lengths: jax.Array | None = None,
    reverse: bool = False,
    output_tanh: bool = True,
    coupled: bool = False,
    implementation: str | None = None,
) -> tuple[jax.Array, Carry]:
    """Run the LSTM over a sequence."""
    return _sequence(
        Cell("lstm", output_tanh=output_tanh, coupled=coupled), x, carry, weights, lengths, reverse
    )


def _sequence(
    cell: Cell, x: jax.Array, carry: Carry, weights: Weights, lengths: jax.Array | None, reverse: bool
) -> tuple[jax.Array, Carry]:
    time = x.shape[1]
    inside = None if lengths is None else (jnp.arange(time) < lengths[:, None])[..., None]
    # A NaN in a padded step would reach the gradient of the weights as 0 x NaN.
    x = x if inside is None else jnp.where(inside, x, 0)

    def body(carry: Carry, item: tuple[jax.Array, jax.Array | None]) -> tuple[Carry, jax.Array]:
        x, here = item
        new = step(cell, weights, x @ weights.input + weights.bias, carry)
        if here is None:
            return new, new[0]
        return tuple(jnp.where(here, a, b) for a, b in zip(new, carry)), jnp.where(here, new[0], 0)

    items = jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), (x, inside))
    carry, y = lax.scan(body, carry, items, reverse=reverse)
    return jnp.swapaxes(y, 0, 1), carry
