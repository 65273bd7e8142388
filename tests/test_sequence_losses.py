"""Losses and metrics of sequences: what is padded is not seen, what is wrong is."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import losses, metrics

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(3, 5, 4)).astype(np.float32)
LENGTHS = np.array([5, 2, 0], np.int32)
INSIDE = np.arange(5) < LENGTHS[:, None]
LABELS = np.where(INSIDE, RNG.integers(1, 4, (3, 5)), 0).astype(np.int32)
BITS = np.where(INSIDE, RNG.integers(0, 2, (3, 5)), 0).astype(np.float32)


def by_padding(z: jax.Array, y: jax.Array, lengths: jax.Array) -> jax.Array:
    return losses.sequence_cross_entropy(z, y, padding=0)


def by_lengths(z: jax.Array, y: jax.Array, lengths: jax.Array) -> jax.Array:
    return losses.sequence_cross_entropy(z, y, lengths=lengths)


def binary(z: jax.Array, y: jax.Array, lengths: jax.Array) -> jax.Array:
    return losses.sequence_binary_cross_entropy(z[..., 0], y, lengths=lengths)


def compiled(loss: Any) -> Any:
    def value_and_gradient(z: jax.Array, y: jax.Array, lengths: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, pullback = jax.vjp(lambda z: loss(z, y, lengths), z)
        return value, pullback(jnp.ones_like(value))[0]

    return jax.jit(value_and_gradient)


PROGRAMS = {loss: compiled(loss) for loss in (by_padding, by_lengths, binary)}


@pytest.mark.parametrize("loss", PROGRAMS)
@pytest.mark.parametrize("filled", [np.nan, np.inf, 1e30])
def test_padded_steps_change_no_bit(loss: Any, filled: float) -> None:
    y = BITS if loss is binary else LABELS
    value, gradient = PROGRAMS[loss](Z, y, LENGTHS)
    assert np.isfinite(value).all()
    assert value[2] == 0
    assert (np.asarray(gradient)[~INSIDE] == 0).all()
    assert (np.asarray(gradient)[INSIDE][:, 0] != 0).all()
    dirty = np.where(INSIDE[..., None], Z, np.float32(filled))
    labels = y if loss is by_padding else np.where(INSIDE, y, -7).astype(y.dtype)
    for clean, seen in zip((value, gradient), PROGRAMS[loss](dirty, labels, LENGTHS), strict=True):
        np.testing.assert_array_equal(clean, seen)


def test_padding_and_lengths_say_the_same() -> None:
    for a, b in zip(PROGRAMS[by_padding](Z, LABELS, LENGTHS), PROGRAMS[by_lengths](Z, LABELS, LENGTHS)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("loss", PROGRAMS)
@pytest.mark.parametrize("wrong", [-1, 4, 2**31 - 1])
def test_a_wrong_label_poisons_its_own_sequence(loss: Any, wrong: int) -> None:
    y = (BITS if loss is binary else LABELS).copy()
    value, gradient = PROGRAMS[loss](Z, y, LENGTHS)
    y[1, 1] = wrong
    bad_value, bad_gradient = PROGRAMS[loss](Z, y, LENGTHS)
    assert np.isnan(bad_value).tolist() == [False, True, False]
    assert np.isnan(bad_gradient[1, :2, 0]).all()
    for clean, seen in ((value, bad_value), (gradient, bad_gradient)):
        np.testing.assert_array_equal(clean[0], seen[0])


@pytest.mark.parametrize("loss", [by_lengths, binary])
def test_an_impossible_length_is_loud_inside_the_program(loss: Any) -> None:
    y = BITS if loss is binary else LABELS
    value, gradient = PROGRAMS[loss](Z, y, np.array([6, -1, 0], np.int32))
    assert np.isnan(value).tolist() == [True, True, False]
    assert np.isnan(gradient[0, :, 0]).all()


def test_several_outputs_a_step_are_summed() -> None:
    rows = np.eye(4)[LABELS]
    got = jax.jit(losses.sequence_binary_cross_entropy)(Z, rows.astype(np.float32), lengths=LENGTHS)
    steps = np.logaddexp(0, Z.astype(np.float64)) - Z * rows
    np.testing.assert_allclose(got, (steps.sum(-1) * INSIDE).sum(-1), rtol=1e-6)


def test_metrics_of_tokens_and_of_nothing() -> None:
    said = jnp.asarray(Z.argmax(-1), jnp.int32)
    for metric in (metrics.sequence_accuracy, metrics.exact_match):
        of_logits = metric(jnp.asarray(Z), LABELS, padding=0)
        np.testing.assert_array_equal(of_logits, metric(said, LABELS, lengths=LENGTHS))
        assert np.isnan(of_logits).tolist() == [False, False, True]
        np.testing.assert_array_equal(metric(LABELS, LABELS, padding=0)[:2], [1, 1])
    spoiled = jnp.asarray(10 * np.eye(4, dtype=np.float32)[LABELS]).at[0, 3].set(jnp.nan)
    assert metrics.sequence_accuracy(spoiled, LABELS, padding=0)[0] == np.float32(0.8)
    assert metrics.exact_match(spoiled, LABELS, padding=0)[:2].tolist() == [0, 1]
