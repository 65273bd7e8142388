"""One step of each recurrent cell and its derivative: the formulas, which `recurrent.py` runs over time.

Arrays of one step are (batch, features); `projected` is ``x W + b`` with the gates side by side. What a step
keeps for its derivative are the gates behind their sigmoid or tanh; the states are kept by the loop.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import sigmoid

Parts = tuple[jax.Array, ...]


class Weights(NamedTuple):
    """The parameters of a recurrent cell. Gates lie side by side along the last axis, in torch's order.

    Attributes:
        input: (in, gates x features). The gates of an LSTM are input, forget, candidate, output, and input,
            candidate, output where they are coupled; those of a GRU reset, update, candidate, and update,
            candidate without reset; an RNN has one.
        recurrent: (features, gates x features).
        bias: (gates x features,).
        recurrent_bias: (features,), of a GRU that resets after the product: torch's b_hn. None is zero.
        peephole: (3, features), of an LSTM whose gates see the memory: input, forget, output; (2, features)
            where they are coupled. None for an LSTM without.
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


def forward(cell: Cell, weights: Weights, projected: jax.Array, carry: Parts) -> tuple[Parts, Parts]:
    """Return the new carry, its first part the output, and what the derivative needs of this step."""
    run = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}[cell.kind]
    return run(cell, weights, projected, carry)


def backward(
    cell: Cell, weights: Weights, kept: Parts, before: Parts, after: Parts, slopes: Parts
) -> tuple[Parts, jax.Array]:
    """Return the gradients of the carry before a step and of `projected`, from those of the new carry."""
    run = {"rnn": _rnn_back, "gru": _gru_back, "lstm": _lstm_back}[cell.kind]
    return run(cell, weights, kept, before, after, slopes)


def weight_gradients(
    cell: Cell, weights: Weights, x: jax.Array, kept: Parts, before: Parts, after: Parts, deltas: jax.Array
) -> Weights:
    """Return the gradients of the weights, from the rows (rows, features) of one step or of all steps."""
    h, size = before[0], before[0].shape[-1]
    inner = looks = None
    if cell.kind == "gru" and cell.reset is not None:
        gates, new = deltas[:, :-size], deltas[:, -size:]
        held, slopes = (h, new * kept[2]) if cell.reset == "after" else (h * kept[2], new)
        entering = x.T @ deltas
        product = jnp.concatenate([h.T @ gates, held.T @ slopes], axis=-1)
        inner = None if weights.recurrent_bias is None else jnp.sum(slopes, axis=0)
    else:
        # One product for both: it reads the deltas once.
        both = jnp.concatenate([x, h], axis=-1).T @ deltas
        entering, product = both[: x.shape[-1]], both[x.shape[-1] :]
    if weights.peephole is not None:
        seen = [before[1]] * (cell.gates - 2) + [after[1]]
        parts = jnp.split(deltas, cell.gates, axis=-1)
        looks = jnp.stack([jnp.sum(a * b, axis=0) for a, b in zip(parts[:-2] + parts[-1:], seen)])
    return Weights(entering, product, jnp.sum(deltas, axis=0), inner, looks)


def _rnn(cell: Cell, weights: Weights, projected: jax.Array, carry: Parts) -> tuple[Parts, Parts]:
    z = projected + carry[0] @ weights.recurrent
    return (jnp.tanh(z) if cell.activation == "tanh" else jax.nn.relu(z),), ()


def _rnn_back(
    cell: Cell, weights: Weights, kept: Parts, before: Parts, after: Parts, slopes: Parts
) -> tuple[Parts, jax.Array]:
    (h,), (slope,) = after, slopes
    delta = slope * (1 - h * h) if cell.activation == "tanh" else jnp.where(h > 0, slope, 0)
    return (delta @ weights.recurrent.T,), delta


def _gru(cell: Cell, weights: Weights, projected: jax.Array, carry: Parts) -> tuple[Parts, Parts]:
    (h,) = carry
    size = h.shape[-1]
    inner: Parts = ()
    if cell.reset == "after":
        product = h @ weights.recurrent
        gates, last = sigmoid(projected[:, :-size] + product[:, :-size]), product[:, -size:]
        last = last if weights.recurrent_bias is None else last + weights.recurrent_bias[None]
        inner, last = (last,), gates[:, :size] * last
    else:
        gates = sigmoid(projected[:, :-size] + h @ weights.recurrent[:, :-size])
        held = h if cell.reset is None else gates[:, :size] * h
        last = held @ weights.recurrent[:, -size:]
    new, update = jnp.tanh(projected[:, -size:] + last), gates[:, -size:]
    # A mean of two, written so that weights of 0 and 1 give either one exactly.
    share = update if cell.update == "state" else 1 - update
    reset = () if cell.reset is None else (gates[:, :size],)
    return (share * h + (1 - share) * new,), (update, new, *reset, *inner)


def _gru_back(
    cell: Cell, weights: Weights, kept: Parts, before: Parts, after: Parts, slopes: Parts
) -> tuple[Parts, jax.Array]:
    (h,), (slope,), size = before, slopes, before[0].shape[-1]
    update, new, *rest = kept
    share = update if cell.update == "state" else 1 - update
    d_new = slope * (1 - share) * (1 - new * new)
    d_update = slope * ((h - new) if cell.update == "state" else (new - h)) * update * (1 - update)
    d_h = slope * share
    if cell.reset == "after":
        reset, inner = rest
        d_reset = d_new * inner * reset * (1 - reset)
        through = jnp.concatenate([d_reset, d_update, d_new * reset], axis=-1) @ weights.recurrent.T
        return (d_h + through,), jnp.concatenate([d_reset, d_update, d_new], axis=-1)
    if cell.reset is None:
        delta = jnp.concatenate([d_update, d_new], axis=-1)
        return (d_h + delta @ weights.recurrent.T,), delta
    (reset,) = rest
    held = d_new @ weights.recurrent[:, -size:].T
    d_gates = jnp.concatenate([held * h * reset * (1 - reset), d_update], axis=-1)
    through = d_gates @ weights.recurrent[:, :-size].T
    return (d_h + held * reset + through,), jnp.concatenate([d_gates, d_new], axis=-1)


def _lstm(cell: Cell, weights: Weights, projected: jax.Array, carry: Parts) -> tuple[Parts, Parts]:
    h, c = carry
    parts = jnp.split(projected + h @ weights.recurrent, cell.gates, axis=-1)
    looks = weights.peephole
    if looks is not None:
        parts = [part + look[None] * c for part, look in zip(parts[:-2], looks[:-1])] + parts[-2:]
    gates, new = [sigmoid(part) for part in parts[:-2]], jnp.tanh(parts[-2])
    i, f = gates[0], 1 - gates[0] if cell.coupled else gates[1]
    c = f * c + i * new
    o = sigmoid(parts[-1] if looks is None else parts[-1] + looks[-1][None] * c)
    return (o * (jnp.tanh(c) if cell.output_tanh else c), c), (*gates, new, o)


def _lstm_back(
    cell: Cell, weights: Weights, kept: Parts, before: Parts, after: Parts, slopes: Parts
) -> tuple[Parts, jax.Array]:
    (d_h, d_c), (_, c), (_, last) = slopes, after, before
    *gates, new, o = kept
    i, f = gates[0], 1 - gates[0] if cell.coupled else gates[1]
    out = jnp.tanh(c) if cell.output_tanh else c
    d_o = d_h * out * o * (1 - o)
    d_c = d_c + d_h * o * (1 - out * out if cell.output_tanh else 1)
    looks = weights.peephole
    d_c = d_c if looks is None else d_c + d_o * looks[-1][None]
    d_i = d_c * (new - last if cell.coupled else new) * i * (1 - i)
    d_gates = [d_i] if cell.coupled else [d_i, d_c * last * f * (1 - f)]
    delta = jnp.concatenate([*d_gates, d_c * i * (1 - new * new), d_o], axis=-1)
    d_last = d_c * f
    if looks is not None:
        d_last = d_last + sum(d * look[None] for d, look in zip(d_gates, looks[:-1]))
    return (delta @ weights.recurrent.T, d_last), delta
