"""Sequences to learn from, as many as one likes: what must be remembered, and what only the rest can tell."""

from functools import partial

import jax
import jax.numpy as jnp

from jaxdl import _checks

BLANK, GO, FIRST_SYMBOL = 1, 2, 3
BRACKETS = ("padding", "letter", "matched", "unmatched")
LETTER, OPEN, CLOSE = 1, 2, 3


def adding(key: jax.Array, count: int, *, length: int = 60) -> tuple[jax.Array, jax.Array]:
    """Draw the adding problem: the sum of the two numbers that are marked, one in each half of the sequence.

    ``x_t = (u_t, m_t)`` with u uniform in [0, 1) and m 1 at two steps, else 0; ``y = sum_t u_t m_t``. Who
    answers 1 whatever comes has a mean squared error of 1/6.

    Args:
        key: random key; the same key draws the same sequences.
        count: how many.
        length: steps of a sequence, at least 2.

    Returns:
        Sequences (count, length, 2) float32, and sums (count, 1) float32.

    Raises:
        DtypeError: no typed key, or numbers that are not whole.
        ValueError: a number out of range.

    Example:
        >>> x, y = adding(jax.random.key(0), 3, length=10)
        >>> x.shape, y.shape, x[..., 1].sum(1).tolist()
        ((3, 10, 2), (3, 1), [2.0, 2.0, 2.0])

    Reference:
        Hochreiter and Schmidhuber, Long short-term memory, 1997, with the marks as in Arjovsky et al.,
        Unitary evolution recurrent neural networks, 2016.
    """
    key = _checks.key("adding", key)
    count = _checks.positive_integer("adding", "count", count)
    return _adding(key, count, _checks.positive_integer("adding", "length", length, least=2))


@partial(jax.jit, static_argnums=(1, 2))
def _adding(key: jax.Array, count: int, length: int) -> tuple[jax.Array, jax.Array]:
    numbers, first, second = jax.random.split(key, 3)
    half = length // 2
    values = jax.random.uniform(numbers, (count, length))
    places = jnp.stack(
        [jax.random.randint(first, (count,), 0, half), jax.random.randint(second, (count,), half, length)], 1
    )
    marks = jnp.sum(jax.nn.one_hot(places, length), axis=1)
    return jnp.stack([values, marks], axis=-1), jnp.sum(values * marks, axis=1, keepdims=True)


def copying(
    key: jax.Array, count: int, *, delay: int = 40, symbols: int = 8, length: int = 10
) -> tuple[jax.Array, jax.Array]:
    """Draw the copying problem: symbols that are to be said again after a delay, in their order.

    The input is `length` symbols, ``delay - 1`` blanks, a go, and `length` blanks; the target is blank up to
    the go, and the symbols behind it. Who remembers nothing has a cross-entropy of
    ``length log(symbols)`` a sequence. Token 0 is the padding, as everywhere, and does not occur; 1 is the
    blank, 2 the go, and the symbols begin at 3.

    Args:
        key: random key; the same key draws the same sequences.
        count: how many.
        delay: steps from the last symbol to the go.
        symbols: how many there are.
        length: symbols of a sequence.

    Returns:
        Tokens and targets, each (count, delay + 2 length) int32 in [0, symbols + 3).

    Raises:
        DtypeError: no typed key, or numbers that are not whole.
        ValueError: a number out of range.

    Example:
        >>> tokens, targets = copying(jax.random.key(0), 1, delay=4, length=2)
        >>> tokens.tolist(), targets.tolist()
        ([[8, 3, 1, 1, 1, 2, 1, 1]], [[1, 1, 1, 1, 1, 1, 8, 3]])

    Reference:
        Hochreiter and Schmidhuber, Long short-term memory, 1997, in the form of Arjovsky et al., Unitary
        evolution recurrent neural networks, 2016.
    """
    key, op = _checks.key("copying", key), "copying"
    count, delay, symbols, length = (
        _checks.positive_integer(op, name, value)
        for name, value in (("count", count), ("delay", delay), ("symbols", symbols), ("length", length))
    )
    return _copying(key, count, delay, symbols, length)


@partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _copying(
    key: jax.Array, count: int, delay: int, symbols: int, length: int
) -> tuple[jax.Array, jax.Array]:
    said = jax.random.randint(key, (count, length), FIRST_SYMBOL, FIRST_SYMBOL + symbols)
    silence = jnp.full((count, delay + 2 * length), BLANK, jnp.int32)
    tokens = silence.at[:, :length].set(said).at[:, length + delay - 1].set(GO)
    return tokens, silence.at[:, -length:].set(said)


def brackets(
    key: jax.Array, count: int, *, length: int = 24, shortest: int = 8
) -> tuple[jax.Array, jax.Array]:
    """Draw strings of letters and brackets, and which brackets have a partner.

    Whether an opening bracket has one is told by what follows it, of a closing one by what precedes it: a
    reader in one direction cannot know the first. Each step is a letter with chance 1/2, else a bracket
    of either kind.

    Args:
        key: random key; the same key draws the same strings.
        count: how many.
        length: steps of the longest.
        shortest: steps of the shortest; the lengths between are equally likely.

    Returns:
        Tokens (count, length) int32: 0 padding, 1 letter, 2 opening, 3 closing; and tags (count, length)
        int32 in the order of `BRACKETS`: 0 padding, 1 letter, 2 matched, 3 unmatched.

    Raises:
        DtypeError: no typed key, or numbers that are not whole.
        ValueError: a number out of range.

    Example:
        >>> tokens, tags = brackets(jax.random.key(8), 1, length=8)
        >>> "".join(" a()"[token] for token in tokens[0]), "".join(" .mu"[tag] for tag in tags[0])
        ('()aa())(', 'mm..mmuu')
    """
    key, op = _checks.key("brackets", key), "brackets"
    count, shortest = (
        _checks.positive_integer(op, name, value)
        for name, value in (("count", count), ("shortest", shortest))
    )
    return _brackets(key, count, _checks.positive_integer(op, "length", length, least=shortest), shortest)


@partial(jax.jit, static_argnums=(1, 2, 3))
def _brackets(key: jax.Array, count: int, length: int, shortest: int) -> tuple[jax.Array, jax.Array]:
    kinds, ends = jax.random.split(key)
    drawn = jax.random.choice(kinds, jnp.array([LETTER, LETTER, OPEN, CLOSE], jnp.int32), (count, length))
    lengths = jax.random.randint(ends, (count, 1), shortest, length + 1)
    tokens = jnp.where(jnp.arange(length)[None] < lengths, drawn, 0)
    closed, opened = _partnered(tokens, OPEN, False), _partnered(tokens, CLOSE, True)
    matched = ((tokens == CLOSE) & closed) | ((tokens == OPEN) & opened)
    tags = jnp.where(tokens >= OPEN, jnp.where(matched, 2, 3), tokens)
    return tokens, tags


def _partnered(tokens: jax.Array, waiting: int, reverse: bool) -> jax.Array:
    """Tell at each step whether a bracket of the kind `waiting`, before it, is still without its partner."""

    def step(depth: jax.Array, token: jax.Array) -> tuple[jax.Array, jax.Array]:
        rise = (token == waiting).astype(jnp.int32) - (token == OPEN + CLOSE - waiting)
        return jnp.maximum(depth + rise, 0), depth > 0

    start = jnp.zeros_like(tokens[:, 0])
    return jnp.swapaxes(jax.lax.scan(step, start, tokens.T, reverse=reverse)[1], 0, 1)
