"""Whole sequences, drawn token by token in one loop."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl import _checks
from jaxdl.errors import explain
from jaxdl.sampling._steps import BROKEN, Step, check_step, first_tokens, log_softmax
from jaxdl.sampling.draw import greedy, sample


class Generated(NamedTuple):
    """What `generate` gives.

    Attributes:
        tokens: (batch, steps) int32; behind the end there is padding, and -1 from the step on whose logits
            were not finite.
        lengths: (batch,) int32, tokens up to the end, which is counted.
        log_probabilities: (batch,), the sum of ``log P`` of the tokens under the network, whatever the
            temperature was; NaN where a token is -1.
    """

    tokens: jax.Array
    lengths: jax.Array
    log_probabilities: jax.Array


def generate(
    step: Step,
    carry: Any,
    key: jax.Array | None,
    *,
    steps: int,
    start: int | jax.Array,
    end: int,
    temperature: float | jax.Array = 1.0,
    top_k: int | None = None,
    padding: int = 0,
) -> Generated:
    """Generate sequences: each token is drawn from the logits of its step, and is the input of the next.

    One ``lax.scan``, to be compiled whole; the temperature may be traced. A sequence ends with the token
    `end`; what follows is padding.

    Args:
        step: ``step(carry, tokens (batch,)) -> carry, logits (batch, classes)``, such as
            `models.LanguageModel.step`.
        carry: what the first step starts from, a pytree of arrays with the batch in front.
        key: random key; None chooses the most likely token at each step (`greedy`).
        steps: tokens to generate at most.
        start: the token that is fed in first, one for all, or (batch,) integers.
        end: the token that ends a sequence.
        temperature: as in `sample`; for drawing only.
        top_k: as in `sample`; for drawing only.
        padding: the token behind the end.

    Returns:
        `Generated`: tokens (batch, steps), lengths (batch,), log probabilities (batch,).

    Raises:
        DtypeError: no typed key, or a number that is not whole.
        ShapeError: `step` does not return a carry like the one it took, and logits (batch, classes).
        ValueError: a number out of range, or a temperature or `top_k` without a key.

    Example:
        >>> def count_down(carry, tokens):
        ...     return carry, 9.0 * jax.nn.one_hot(tokens - 1, 5)
        >>> found = generate(count_down, jnp.zeros((2, 1)), None, steps=5, start=jnp.array([4, 3]), end=1)
        >>> found.tokens.tolist(), found.lengths.tolist()
        ([[3, 2, 1, 0, 0], [2, 1, 0, 0, 0]], [3, 2])
    """
    op = "generate"
    count = _checks.positive_integer(op, "steps", steps)
    first = first_tokens(op, carry, start)
    logits_like = check_step(op, step, carry, first, {"end": end, "padding": padding})
    plain = isinstance(temperature, int | float) and temperature == 1 and top_k is None
    if key is None and not plain:
        raise ValueError(
            explain(op, "key", got="None with a temperature or top_k", expected="a key to draw with",
                    fix="generate(step, carry, jax.random.key(seed), ...), or leave them out")
        )  # fmt: skip
    keys = None if key is None else jax.random.split(_checks.key(op, key), count)

    def body(state: Any, key: Any) -> Any:
        carry, token, ended, broken, log_probability = state
        carry, logits = step(carry, token)
        drawn = greedy(logits) if key is None else sample(key, logits, temperature=temperature, top_k=top_k)
        broken = broken | (~ended & (drawn == BROKEN))
        token = jnp.where(broken, BROKEN, jnp.where(ended, padding, drawn))
        gain = jnp.take_along_axis(log_softmax(logits), jnp.maximum(token, 0)[:, None], axis=-1)[:, 0]
        gain = jnp.where(ended, 0, jnp.where(broken, jnp.nan, gain))
        return (carry, token, ended | (token == end), broken, log_probability + gain), (token, ~ended)

    no, zero = jnp.zeros_like(first, bool), jnp.zeros_like(first, logits_like.dtype)
    state, (tokens, counted) = lax.scan(body, (carry, first, no, no, zero), keys, length=count)
    return Generated(tokens.T, jnp.sum(counted, axis=0, dtype=jnp.int32), state[-1])
