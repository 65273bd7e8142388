"""One step of each recurrent cell: the formulas alone, shared by the cells and the sequences of `recurrent.py`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Weights(NamedTuple):
    """The parameters of a recurrent cell. Gates lie side by side along the last axis, in torch's order.

    Attributes:
        input: (in, gates x features). Gates of the RNN: one. GRU: reset, update, candidate; without reset:
            update, candidate. LSTM: input, forget, candidate, output; coupled: input, candidate, output.
        recurrent: (features, gates x features).
        bias: (gates x features,).
        recurrent_bias: (features,), only of a GRU that resets after the product: torch's b_hn.
        peephole: (3, features), only of an LSTM that looks at its memory: input, forget, output; coupled:
            (2, features), input, output.
    """

    input: jax.Array
    recurrent: jax.Array
    bias: jax.Array
    recurrent_bias: jax.Array | None = None
    peephole: jax.Array | None = None


class Cell(NamedTuple):
    """Which cell, in which convention; static."""

    kind: str
    activation: str = "tanh"
    reset: str | None = None
    update: str = "state"
    output_tanh: bool = True
    coupled: bool = False

    @property
    def gates(self) -> int:
        """Blocks of the last axis of the weights."""
        if self.kind == "gru":
            return 2 if self.reset is None else 3
        return {"rnn": 1, "lstm": 3 if self.coupled else 4}[self.kind]


def step(
    cell: Cell, weights: Weights, projected: jax.Array, carry: tuple[jax.Array, ...]
) -> tuple[jax.Array, ...]:
    """Return the new carry, its first part the output; `projected` is ``x W + b``, (batch, gates x features)."""
    return {"rnn": _rnn, "gru": _gru, "lstm": _lstm}[cell.kind](cell, weights, projected, carry)


def _rnn(
    cell: Cell, weights: Weights, projected: jax.Array, carry: tuple[jax.Array, ...]
) -> tuple[jax.Array, ...]:
    (h,) = carry
    z = projected + h @ weights.recurrent
    return (jnp.tanh(z) if cell.activation == "tanh" else jax.nn.relu(z),)


def _gru(
    cell: Cell, weights: Weights, projected: jax.Array, carry: tuple[jax.Array, ...]
) -> tuple[jax.Array, ...]:
    (h,) = carry
    size = h.shape[-1]
    gates, candidate = projected[..., :-size], projected[..., -size:]
    if cell.reset == "after":
        product = h @ weights.recurrent
        gates, inner = jax.nn.sigmoid(gates + product[..., :-size]), product[..., -size:]
        inner = inner if weights.recurrent_bias is None else inner + weights.recurrent_bias
        candidate = candidate + gates[..., :size] * inner
    else:
        gates = jax.nn.sigmoid(gates + h @ weights.recurrent[:, :-size])
        held = h if cell.reset is None else gates[..., :size] * h
        candidate = candidate + held @ weights.recurrent[:, -size:]
    new, update = jnp.tanh(candidate), gates[..., -size:]
    return (new + update * (h - new) if cell.update == "state" else h + update * (new - h),)


def _lstm(
    cell: Cell, weights: Weights, projected: jax.Array, carry: tuple[jax.Array, ...]
) -> tuple[jax.Array, ...]:
    h, c = carry
    parts = jnp.split(projected + h @ weights.recurrent, cell.gates, axis=-1)
    looks = weights.peephole
    if looks is not None:
        parts = [part + look * c for part, look in zip(parts[:-2], looks[:-1])] + parts[-2:]
    i = jax.nn.sigmoid(parts[0])
    f = 1 - i if cell.coupled else jax.nn.sigmoid(parts[1])
    c = f * c + i * jnp.tanh(parts[-2])
    o = jax.nn.sigmoid(parts[-1] if looks is None else parts[-1] + looks[-1] * c)
    return o * (jnp.tanh(c) if cell.output_tanh else c), c
