"""What an encoder-decoder is made of besides its layers: tokens, the door, what the decoder looks at."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, _targets
from jaxdl._tokens import END, PADDING
from jaxdl.errors import ShapeError, explain
from jaxdl.kernels.attention import Attended
from jaxdl.layers import AdditiveAttention, DotAttention, Linear

ATTENTIONS = ("additive", "dot", "scaled_dot", "none")
PARTS = ("source", "target")


class Memory(NamedTuple):
    """What the decoder looks at, at every step.

    Attributes:
        states: outputs of the encoder, (batch, time, 2 x features).
        keys: what they are found by: projected for the scorer, (batch, time, units).
        last: the last outputs of both directions, (batch, 2 x features).
        mask: (batch, time), True where there is a token.
        sound: (batch,), False where a sequence is malformed.
    """

    states: jax.Array
    keys: jax.Array
    last: jax.Array
    mask: jax.Array
    sound: jax.Array


class Look(nnx.Module):
    """One look of the decoder at the states of the encoder, by any of `ATTENTIONS`."""

    def __init__(self, kind: str, features: int, units: int, *, rngs: nnx.Rngs) -> None:
        self.kind = kind
        if kind == "additive":
            self.scorer: Any = AdditiveAttention(features, 2 * features, units, rngs=rngs)
        elif kind != "none":
            # The states are twice as wide as the query.
            self.project = Linear(2 * features, features, use_bias=False, rngs=rngs)
            self.scorer = DotAttention(scaled=kind == "scaled_dot")

    def keys(self, states: jax.Array) -> jax.Array:
        """Return what the states are found by, once for all steps."""
        if self.kind == "none":
            return states[..., :0]
        return self.scorer.project(states) if self.kind == "additive" else self.project(states)

    def __call__(self, query: jax.Array, memory: Memory) -> tuple[jax.Array, jax.Array]:
        """Return the context (batch, 2 x features) of a query (batch, features), and the weights."""
        if self.kind == "none":
            return memory.last, memory.keys[:, :, 0:0].reshape(len(query), 0)
        options = {"projected": True} if self.kind == "additive" else {}
        found: Attended = self.scorer(query[:, None], memory.keys, memory.states, mask=memory.mask, **options)
        return found.context[:, 0], found.weights[:, 0]


class AttentionMap(nnx.Module):
    """Hands the weights on to whoever traces the network: modules inside a scan are not seen."""

    def __call__(self, weights: jax.Array) -> jax.Array:
        """Return the weights (batch, target time, source time)."""
        return weights


def read(op: str, x: Any) -> tuple[jax.Array, jax.Array | None]:
    """Return source and target tokens, the target None where there is none, or raise."""
    if not isinstance(x, Mapping):
        return tokens(op, "x", x), None
    if set(x) not in ({"source"}, set(PARTS)):
        raise ValueError(
            explain(op, "x", got=f"a dict of {sorted(x)}", expected="'source', and in training 'target'",
                    fix="{'source': tokens, 'target': tokens}")
        )  # fmt: skip
    source = tokens(op, "x['source']", x["source"])
    if "target" not in x:
        return source, None
    target = tokens(op, "x['target']", x["target"])
    if len(target) != len(source):
        raise ShapeError(
            explain(op, "x['target']", got=f"of shape {target.shape}",
                    expected=f"{len(source)} sequences, as many as in x['source']", fix="one target a source")
        )  # fmt: skip
    return source, target


def tokens(op: str, name: str, value: Any) -> jax.Array:
    """Return integers (batch, time), or raise."""
    found = _checks.widened(_checks.integer(op, name, value))
    if found.ndim != 2 or not found.shape[1]:
        raise ShapeError(
            explain(op, name, got=f"of shape {found.shape}", expected="(batch, time), one step or more",
                    fix=f"{name}[None] for a single sequence")
        )  # fmt: skip
    return found


def well_formed(sequence: jax.Array, vocabulary: int) -> jax.Array:
    """Tell by example whether there is a token, none is out of range, and padding comes last."""
    there = sequence != PADDING
    known = (sequence >= 0) & (sequence < vocabulary)
    ordered = jnp.all(there[:, :-1] | ~there[:, 1:], axis=1)
    return there[:, 0] & jnp.all(known, axis=1) & ordered


def poison(values: jax.Array, sound: jax.Array) -> jax.Array:
    """Make the values and gradients of malformed examples NaN."""
    return values * _targets.poison(sound, values.dtype).reshape(-1, *(1,) * (values.ndim - 1))


def chosen(logits: jax.Array) -> jax.Array:
    """Return the most likely token (batch,) that is neither padding nor start; -1 where there is a NaN."""
    best = jnp.argmax(logits[:, END:], axis=-1).astype(jnp.int32) + END
    return jnp.where(jnp.isnan(logits).any(-1), -1, best)
