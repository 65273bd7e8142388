"""Beam search: the sequences that are likeliest as a whole, as far as a few at a time can tell."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl import _checks
from jaxdl.sampling._steps import BROKEN, Step, check_step, first_tokens, log_softmax

NEVER = -jnp.inf


class Beams(NamedTuple):
    """What `beam_search` gives, the best beam first.

    Attributes:
        tokens: (batch, beams, steps) int32, padding behind the end; -1 throughout where
            logits were not finite.
        lengths: (batch, beams) int32, tokens up to the end, which is counted.
        scores: (batch, beams), ``log P / length^penalty``; -inf where there are fewer sequences than beams,
            and NaN where logits were not finite.
        log_probabilities: (batch, beams), ``log P`` of the tokens.
    """

    tokens: jax.Array
    lengths: jax.Array
    scores: jax.Array
    log_probabilities: jax.Array


class _Search(NamedTuple):
    """The state of a search; all but `carry` and `broken` (batch,) are (batch, beams, ...)."""

    carry: Any
    last: jax.Array
    tokens: jax.Array
    lengths: jax.Array
    log_probabilities: jax.Array
    ended: jax.Array
    broken: jax.Array


def beam_search(
    step: Step,
    carry: Any,
    *,
    beams: int,
    steps: int,
    start: int | jax.Array,
    end: int,
    length_penalty: float | jax.Array = 0.0,
    padding: int = 0,
) -> Beams:
    """Search for the sequences of the largest ``log P(y_1 ... y_n) / n^penalty``, `beams` of them at a time.

    Each step goes on with the best `beams` of all continuations of those before; sequences that have ended
    stay among them and compete. One beam is `generate` by argmax; as many as there are sequences is the
    exhaustive search. A penalty of 0 prefers short sequences, since every token lowers P; 1 is the mean per
    token. Shapes are fixed, and everything is one ``lax.scan``.

    Args:
        step: ``step(carry, tokens (batch x beams,)) -> carry, logits (batch x beams, classes)``.
        carry: what the first step starts from, a pytree of arrays with the batch in front; each row is
            repeated for its beams, so what does not change, such as the states of an encoder, may be in it.
        beams: sequences that are kept.
        steps: tokens at most.
        start: the token that is fed in first, one for all, or (batch,) integers.
        end: the token that ends a sequence.
        length_penalty: exponent of the length, in [0, 8]; beyond, powers of lengths leave float32.
        padding: the token behind the end.

    Returns:
        `Beams`: tokens (batch, beams, steps), lengths, scores and log probabilities (batch, beams).

    Raises:
        DtypeError: a number that is not whole.
        ShapeError: `step` does not return a carry like the one it took, and logits.
        ValueError: a number out of range.

    Example:
        >>> def step(carry, tokens):  # 3 is likeliest at first, but what follows 2 is certain
        ...     table = jnp.array([[9, 9, 9, 9], [0, 0, 0.4, 0.6], [0, 1, 0, 0], [0, 0.5, 0.2, 0.3]])
        ...     return carry, jnp.log(table[tokens])
        >>> search = jax.jit(lambda carry: beam_search(step, carry, beams=2, steps=3, start=1, end=1))
        >>> found = search(jnp.zeros((1, 1)))
        >>> found.tokens[0].tolist(), [round(float(score), 2) for score in found.scores[0]]
        ([[2, 1, 0], [3, 1, 0]], [-0.92, -1.2])

    Reference:
        The exponent of the length is that of Wu et al. (2016) without its constant.
    """
    op = "beam_search"
    width, count = (
        _checks.positive_integer(op, name, value) for name, value in (("beams", beams), ("steps", steps))
    )
    _checks.in_range(op, "length_penalty", length_penalty, 0, math.nextafter(8, 9), "[0, 8]")
    first = first_tokens(op, carry, start)
    like = check_step(op, step, carry, first, {"end": end, "padding": padding})
    penalty = jnp.asarray(length_penalty, like.dtype)

    def body(state: _Search, number: jax.Array) -> tuple[_Search, None]:
        return _advance(step, state, number, end, padding, penalty), None

    state = _begin(carry, first, width, count, padding, like.dtype)
    state, _ = lax.scan(body, state, jnp.arange(count))
    bad = state.broken[:, None] | ~((penalty >= 0) & (penalty <= 8))
    scores = _scores(state.log_probabilities, state.lengths, penalty)
    scores, logs = (jnp.where(bad, jnp.nan, part) for part in (scores, state.log_probabilities))
    # A beam that never was still holds what its parent had written.
    written = jnp.arange(count)[None, None] < state.lengths[..., None]
    tokens = jnp.where(bad[..., None], BROKEN, jnp.where(written, state.tokens, padding))
    return Beams(tokens, state.lengths, scores, logs)


def _begin(carry: Any, first: jax.Array, beams: int, steps: int, padding: int, dtype: Any) -> _Search:
    """Return a search in which the first beam alone is alive: the others would be copies of it."""
    last = jnp.repeat(first[:, None], beams, axis=1)
    alone = jnp.where(jnp.arange(beams)[None] == 0, 0, NEVER).astype(dtype)
    tokens = jnp.full_like(last, padding, shape=(*last.shape, steps))
    return _Search(
        jax.tree.map(lambda leaf: jnp.repeat(leaf, beams, axis=0), carry), last, tokens,
        jnp.zeros_like(last), jnp.broadcast_to(alone, last.shape), jnp.zeros_like(last, bool),
        jnp.zeros_like(first, bool),
    )  # fmt: skip


def _advance(
    step: Step, state: _Search, number: jax.Array, end: int, padding: int, penalty: jax.Array
) -> _Search:
    batch, beams = state.last.shape
    carry, logits = step(state.carry, state.last.reshape(-1))
    logs = log_softmax(logits).reshape(batch, beams, -1)
    alive = ~state.ended & (state.log_probabilities > NEVER)
    bad = alive & jnp.any(jnp.isnan(logs), axis=-1)
    # What has ended, and what never was, goes on with padding alone, and loses nothing by it.
    idle = jnp.where(jnp.arange(logs.shape[-1]) == padding, 0, NEVER).astype(logs.dtype)
    logs = jnp.where((alive & ~bad)[..., None], logs, idle[None, None])
    totals = state.log_probabilities[..., None] + logs
    lengths = state.lengths + alive
    ranks = _scores(totals, lengths[..., None], penalty).reshape(batch, -1)
    best = lax.top_k(ranks, beams)[1]
    parents, tokens = best // logs.shape[-1], (best % logs.shape[-1]).astype(jnp.int32)

    def of_parents(values: jax.Array) -> jax.Array:
        return jnp.take_along_axis(values, parents, axis=1)

    chosen = jnp.take_along_axis(totals.reshape(batch, -1), best, axis=1)
    tokens = jnp.where(chosen > NEVER, tokens, padding)
    written = jnp.take_along_axis(state.tokens, parents[..., None], axis=1)
    places = (jnp.arange(batch, dtype=parents.dtype)[:, None] * beams + parents).reshape(-1)
    return _Search(
        jax.tree.map(lambda leaf: leaf[places], carry), tokens, written.at[:, :, number].set(tokens),
        jnp.where(chosen > NEVER, of_parents(lengths), 0), chosen, of_parents(state.ended) | (tokens == end),
        state.broken | jnp.any(bad, axis=1),
    )  # fmt: skip


def _scores(log_probabilities: jax.Array, lengths: jax.Array, penalty: jax.Array) -> jax.Array:
    return log_probabilities / jnp.maximum(lengths, 1).astype(penalty.dtype) ** penalty
