"""Sampling: distributions, limits, the feeding back, and beam search against the enumeration of all."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import sampling

CLASSES, STEPS, START, END = 4, 4, 1, 2
# Logits by the last two tokens: what is best at once is not best in the end.
TABLE = np.random.default_rng(10).normal(size=(2, CLASSES, CLASSES, CLASSES)).astype(np.float32) * 1.5


def step(carry: Any, tokens: jax.Array) -> Any:
    """Predict from the token before, which the carry keeps, and the last one; each row by its own table."""
    row, before = carry[:, 0], carry[:, 1]
    return jnp.stack([row, tokens], axis=1), jnp.asarray(TABLE)[row, before, tokens]


CARRY = jnp.array([[0, START], [1, START]])
SEQUENCE = {"steps": STEPS, "start": START, "end": END}


def every_sequence(row: int) -> dict[tuple[int, ...], float]:
    """Return the log probability of all sequences that end, or reach the last step."""
    logs = TABLE[row].astype(np.float64)
    logs -= np.log(np.exp(logs).sum(-1, keepdims=True))
    found = {}
    for tokens in itertools.product(range(CLASSES), repeat=STEPS):
        length = tokens.index(END) + 1 if END in tokens else STEPS
        path = (START, START, *tokens[:length])
        found[tokens[:length]] = sum(logs[a, b, c] for a, b, c in zip(path, path[1:], path[2:]))
    return found


def shown(found: Any, row: int, *beam: int) -> tuple[int, ...]:
    return tuple(np.asarray(found.tokens[(row, *beam)])[: int(found.lengths[(row, *beam)])].tolist())


@functools.cache
def searched(beams: int) -> Any:
    return jax.jit(
        lambda penalty: sampling.beam_search(step, CARRY, beams=beams, length_penalty=penalty, **SEQUENCE)
    )


@functools.cache
def greedy() -> sampling.Generated:
    return jax.jit(lambda carry: sampling.generate(step, carry, None, **SEQUENCE))(CARRY)


@jax.jit
def drawn(key: jax.Array, temperature: Any) -> sampling.Generated:
    TRACES.append(1)
    return sampling.generate(step, MANY, key, temperature=temperature, top_k=3, **SEQUENCE)


TRACES: list[int] = []
MANY = jnp.repeat(CARRY, 1000, axis=0)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.5])
def test_with_all_beams_the_search_is_exhaustive(penalty: float) -> None:
    found = jax.tree.map(np.asarray, searched(CLASSES**STEPS)(penalty))
    for row in range(2):
        exact = every_sequence(row)
        count = len(exact)
        sequences = [shown(found, row, beam) for beam in range(count)]
        assert sorted(sequences) == sorted(exact)
        assert sequences[0] == max(exact, key=lambda tokens: exact[tokens] / len(tokens) ** penalty)
        wanted = np.array([exact[tokens] for tokens in sequences])
        np.testing.assert_allclose(found.log_probabilities[row, :count], wanted, rtol=1e-5)
        wanted /= np.array([len(tokens) for tokens in sequences]) ** penalty
        np.testing.assert_allclose(found.scores[row, :count], wanted, rtol=1e-5)
        assert (np.diff(found.scores[row, :count]) <= 0).all()
        assert (found.scores[row, count:] == -np.inf).all()
        assert (found.lengths[row, count:] == 0).all()
    assert (found.tokens[np.arange(STEPS) >= found.lengths[..., None]] == 0).all()


def test_one_beam_is_greedy_and_more_are_better() -> None:
    one, more, best = (searched(beams)(0.0) for beams in (1, 3, CLASSES**STEPS))
    np.testing.assert_array_equal(one.tokens[:, 0], greedy().tokens)
    np.testing.assert_array_equal(one.lengths[:, 0], greedy().lengths)
    np.testing.assert_allclose(one.scores[:, 0], greedy().log_probabilities, rtol=1e-6)
    assert (more.scores[:, 0] > one.scores[:, 0] + 0.1).any()
    assert (more.scores[:, 0] <= best.scores[:, 0] + 1e-6).all()


def test_cold_and_narrow_sampling_is_greedy() -> None:
    logits = jnp.asarray(TABLE.reshape(-1, CLASSES))
    best = sampling.greedy(logits)
    np.testing.assert_array_equal(best, np.argmax(logits, axis=-1))
    draw = jax.jit(sampling.sample, static_argnames="top_k")
    for temperature in (0.0, 1e-30, 1e-4):
        np.testing.assert_array_equal(draw(jax.random.key(0), logits, temperature=temperature), best)
    np.testing.assert_array_equal(draw(jax.random.key(0), logits, temperature=50.0, top_k=1), best)
    np.testing.assert_array_equal(draw(jax.random.key(0), 1e30 * logits, temperature=1e-30), best)
    ties = jnp.array([[0.0, 1.0, 1.0, 1.0]])
    assert sampling.greedy(ties).tolist() == draw(jax.random.key(4), ties, top_k=1).tolist() == [1]


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, None), (0.5, None), (2.0, 3), (1.0, 2)])
def test_draws_have_their_distribution(temperature: float, top_k: int | None) -> None:
    logits = np.array([0.0, 1.0, -np.inf, 1.5, 0.5], np.float32)
    scaled = np.exp(logits.astype(np.float64) / temperature)
    kept = np.argsort(-scaled)[:top_k]
    wanted = np.where(np.isin(np.arange(5), kept), scaled, 0)
    many = jnp.broadcast_to(jnp.asarray(logits), (20_000, 5))
    drawn = sampling.sample(jax.random.key(1), many, temperature=temperature, top_k=top_k)
    shares = np.bincount(drawn, minlength=5) / len(many)
    np.testing.assert_allclose(shares, wanted / wanted.sum(), atol=0.015)
    assert (shares[wanted == 0] == 0).all()


def test_what_is_drawn_is_fed_back() -> None:
    found = jax.tree.map(np.asarray, drawn(jax.random.key(2), 1.0))
    sequences = [shown(found, row) for row in range(len(MANY))]
    for row in (*range(20), *range(1000, 1020)):
        tokens = sequences[row]
        assert (END in tokens) == (tokens[-1] == END)
        assert len(tokens) == STEPS or tokens[-1] == END
        assert found.log_probabilities[row] == pytest.approx(every_sequence(row // 1000)[tokens], rel=1e-5)
        assert (found.tokens[row, len(tokens) :] == 0).all()
    for row in range(2):
        # Three of the four classes are drawn from at each step.
        logs = np.sort(TABLE[row, START, START].astype(np.float64))[1:]
        likely = sampling.greedy(jnp.asarray(TABLE[row, START, START]))
        share = np.mean([tokens[0] == likely for tokens in sequences[1000 * row : 1000 * (row + 1)]])
        assert share == pytest.approx(np.exp(logs[-1]) / np.exp(logs).sum(), abs=0.06)


def test_one_program_for_every_temperature_and_key() -> None:
    cold, wrong = (drawn(jax.random.key(seed), t) for seed, t in ((0, 0.0), (2, -1.0)))
    assert len(TRACES) == 1
    np.testing.assert_array_equal(cold.tokens[::1000], greedy().tokens)
    np.testing.assert_array_equal(cold.tokens[999::1000], greedy().tokens)
    assert (wrong.tokens == -1).all()
    assert np.isnan(wrong.log_probabilities).all()


def fails(broken: Any) -> Any:
    """Return a step whose logits break at the third call, in rows that begin with a zero."""

    def step(carry: Any, tokens: jax.Array) -> Any:
        late = (carry[:, :1] >= 2) & (carry[:, 1:] == 0)
        logits = jnp.array([[0.0, 0.0, -50.0, 5.0]]).repeat(len(tokens), axis=0)
        return carry + jnp.array([[1, 0]]), jnp.where(late, broken, logits)

    return step


@jax.jit
def broken_runs(broken: jax.Array) -> tuple[sampling.Generated, sampling.Beams]:
    carry = jnp.array([[0, 0], [0, 1]])
    one = sampling.generate(fails(broken), carry, jax.random.key(0), temperature=0.1, **SEQUENCE)
    return one, sampling.beam_search(fails(broken), carry, beams=2, **SEQUENCE)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_stay_loud(broken: float) -> None:
    found, beams = broken_runs(broken)
    assert found.tokens.tolist() == [[3, 3, -1, -1], [3, 3, 3, 3]]
    assert np.isnan(found.log_probabilities).tolist() == [True, False]
    assert (beams.tokens[0] == -1).all()
    assert np.isnan(beams.scores[0]).all()
    assert np.isfinite(beams.scores[1]).all()
    assert beams.tokens[1, 0].tolist() == [3, 3, 3, 3]


def test_half_precision_logits() -> None:
    def halved(carry: Any, tokens: jax.Array) -> Any:
        carry, logits = step(carry, tokens)
        return carry, logits.astype(jnp.bfloat16)

    search = jax.eval_shape(lambda: sampling.beam_search(halved, CARRY, beams=3, **SEQUENCE))
    assert search.scores.dtype == jnp.float32
    one = jax.eval_shape(lambda: sampling.generate(halved, CARRY, jax.random.key(0), **SEQUENCE))
    assert one.log_probabilities.dtype == jnp.float32


def test_a_start_below_zero_and_options_without_a_key_are_refused():
    with pytest.raises(ValueError, match="'start' is -1"):
        sampling.generate(step, CARRY, None, steps=2, start=-1, end=2)
    with pytest.raises(ValueError, match="'key' is None with a temperature or top_k"):
        sampling.generate(step, CARRY, None, steps=2, start=1, end=2, top_k=1)
