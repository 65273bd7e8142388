"""Models of text that count: the next token by how often it followed the tokens before it."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks, _targets
from jaxdl._tokens import PADDING, START
from jaxdl.errors import ShapeError, explain

LARGEST = 2**27  # entries of a table


class NGram(NamedTuple):
    """A table of log probabilities, (vocabulary,) x order: the last axis is the next token."""

    log_probabilities: jax.Array


def fit(
    tokens: jax.Array, *, vocabulary_size: int, order: int = 3, added: float = 1.0, also: Sequence[int] = ()
) -> NGram:
    """Count: ``P(c | a, b) = (n(a, b, c) + k) / (n(a, b) + k V)``, the add-k model of `order` tokens.

    V counts the tokens that can come next: those that follow others in `tokens`, the end among them, and
    those of `also`. Padding is never counted, and the start never comes next.

    Args:
        tokens: integers (texts, time): a start token, the text, an end token where it has one, then 0.
        vocabulary_size: how many tokens there are.
        order: tokens that are looked at together, 3 for a trigram; before the start stand more starts.
        added: k, added to every count; 1 is Laplace's rule.
        also: tokens that can come next though they never do in `tokens`, such as ``(data.UNKNOWN,)``.

    Returns:
        The `NGram`; a token that cannot come next has log probability -inf.

    Raises:
        DtypeError: tokens that are no integers.
        ShapeError: tokens that are not (texts, time), with 2 steps or more.
        ValueError: a number or a token out of range, no token at all, padding before a token, or a table of
            more than 2^27 entries; traced tokens out of range make the whole table NaN.

    Example:
        >>> model = fit(jnp.array([[1, 4, 4, 2], [1, 4, 2, 0]]), vocabulary_size=5, order=2)
        >>> [round(float(p), 2) for p in jnp.exp(model.log_probabilities[4])]  # after 4: once 4, twice 2
        [0.0, 0.0, 0.6, 0.0, 0.4]

    Reference:
        Jurafsky and Martin, Speech and Language Processing, chapter 3.
    """
    op = "ngram.fit"
    size = _checks.positive_integer(op, "vocabulary_size", vocabulary_size, least=2)
    order = _checks.positive_integer(op, "order", order)
    more = [_checks.positive_integer(op, "also", token, least=0) for token in also]
    if any(token >= size for token in more):
        raise ValueError(
            explain(op, "also", got=tuple(more), expected=f"tokens in [0, {size})", fix="leave it empty")
        )
    _checks.in_range(op, "added", added, 5e-324, float("inf"), "(0, inf)")
    if size**order > LARGEST:
        raise ValueError(
            explain(op, "order", got=f"{order}, a table of {size**order:,} entries",
                    expected=f"at most {LARGEST:,}", fix="a lower order, or a smaller vocabulary")
        )  # fmt: skip
    return NGram(_table(_checked(op, tokens, size), added, size, order, tuple(more)))


def cross_entropy(model: NGram, tokens: jax.Array) -> jax.Array:
    """Sum over the steps of a text: ``L = -sum_t log P(x_t | the tokens before)``, in nats.

    Args:
        model: what `fit` returned.
        tokens: integers (texts, time), as `fit` takes them.

    Returns:
        Array (texts,), as `losses.sequence_cross_entropy` of the same targets; inf where a token comes next
        that cannot.

    Raises:
        DtypeError: tokens that are no integers.
        ShapeError: tokens that are not (texts, time), with 2 steps or more.
        ValueError: a token out of range; a traced one makes its own text NaN.

    Example:
        >>> model = fit(jnp.array([[1, 4, 4, 2], [1, 4, 2, 0]]), vocabulary_size=5, order=2)
        >>> cross_entropy(model, jnp.array([[1, 4, 2, 0]])).round(3).tolist()  # log 4/3 + log 5/3
        [0.799...]
    """
    table = model.log_probabilities
    return _look_up(table, _checked("ngram.cross_entropy", tokens, table.shape[0]))


@partial(jax.jit, static_argnums=(2, 3, 4))
def _table(tokens: jax.Array, added: float, size: int, order: int, also: tuple[int, ...]) -> jax.Array:
    places, counts, sound = _places(tokens, size, order)
    table = jnp.zeros(size**order, jnp.float32).at[places].add(counts.astype(jnp.float32))
    table = table.reshape((size,) * order) * _targets.poison(jnp.all(sound), jnp.float32)
    after = jnp.sum(table, axis=tuple(range(order - 1)))
    possible = (after > 0).at[jnp.array(also, jnp.int32)].set(True)
    table = jnp.where(possible.reshape((1,) * (order - 1) + (size,)), table + added, 0)
    return jnp.log(table) - jnp.log(jnp.sum(table, axis=-1, keepdims=True))


@jax.jit
def _look_up(table: jax.Array, tokens: jax.Array) -> jax.Array:
    places, counts, sound = _places(tokens, table.shape[0], table.ndim)
    found = jnp.where(counts, table.reshape(-1)[places], 0)
    return -jnp.sum(found, axis=-1) * _targets.poison(sound, table.dtype)


def _checked(op: str, tokens: jax.Array, size: int) -> jax.Array:
    tokens = _checks.widened(_checks.integer(op, "tokens", tokens))
    if tokens.ndim != 2 or tokens.shape[1] < 2:
        raise ShapeError(
            explain(op, "tokens", got=f"of shape {tokens.shape}", expected="(texts, time), 2 steps or more",
                    fix="data.pad([vocabulary.encode(text, start=True, end=True) for text in texts])[0]")
        )  # fmt: skip
    if not isinstance(tokens, jax.core.Tracer):
        numbers = np.asarray(tokens)
        gaps = ((numbers[:, :-1] == 0) & (numbers[:, 1:] != 0)).any(axis=1)
        if gaps.any() or not numbers.any():
            raise ValueError(
                explain(op, "tokens", expected="texts, each with its padding behind it",
                        got=f"with padding before a token in text {int(gaps.argmax())}"
                        if gaps.any() else "without any token",
                        fix="data.pad([vocabulary.encode(text, start=True, end=True) for text in texts])[0]")
            )  # fmt: skip
        bad = ((numbers < 0) | (numbers >= size)).any(axis=1)
        if bad.any():
            raise ValueError(
                explain(op, "tokens", got=f"out of range in text {int(bad.argmax())}",
                        expected=f"within [0, {size})", fix="number the tokens with one vocabulary")
            )  # fmt: skip
    return tokens


def _places(tokens: jax.Array, size: int, order: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return where in the flat table each token stands behind those before it, and which of them count.

    The third are the texts whose tokens are all in range.
    """
    sound = jnp.all((tokens >= 0) & (tokens < size), axis=1)
    tokens, time = jnp.clip(tokens, 0, size - 1), tokens.shape[1] - 1
    before = jnp.full((len(tokens), max(order - 2, 0)), START, tokens.dtype)
    filled = jnp.concatenate([before, tokens], axis=1)
    places = jnp.zeros((len(tokens), time), jnp.int32)
    for step in range(order):
        start = filled.shape[1] - time - order + 1 + step
        places = places * size + filled[:, start : start + time]
    return places, tokens[:, 1:] != PADDING, sound
