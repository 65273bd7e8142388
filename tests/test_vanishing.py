"""Gradients by distance in time, against powers of matrices and products of Jacobians."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import plot, vanishing
from jaxdl.kernels import recurrent

states = jax.jit(vanishing.state_gradient_norms, static_argnums=0)
inputs = jax.jit(vanishing.input_gradient_norms, static_argnums=0)
RNG = np.random.default_rng(0)
TIME, BATCH, FEATURES, UNITS = 7, 2, 3, 4
X = RNG.normal(size=(BATCH, TIME, FEATURES))
H = RNG.normal(size=(BATCH, UNITS))


def weights(gates: int, dtype: Any = np.float64) -> recurrent.Weights:
    shapes = ((FEATURES, gates * UNITS), (UNITS, gates * UNITS), (gates * UNITS,))
    return recurrent.Weights(*(jnp.asarray(0.7 * RNG.normal(size=shape), dtype) for shape in shapes))


def test_a_linear_rnn_with_a_scaled_orthogonal_recurrence_is_a_power() -> None:
    """Fifty steps on, what is left is scale^50: 9e-16, 1, or 6e8; the three are one program."""
    scales = np.array([0.5, 1.0, 1.5])
    turn = np.linalg.qr(RNG.normal(size=(UNITS, UNITS)))[0]
    x, h = jnp.ones((1, 50, UNITS)), jnp.zeros((1, UNITS))

    @jax.jit
    @jax.vmap
    def norms(matrix: jax.Array) -> jax.Array:
        return vanishing.state_gradient_norms(lambda x, h: x + h @ matrix, x, h)[0]

    found = norms(jnp.asarray(scales[:, None, None] * turn, jnp.float32))
    np.testing.assert_allclose(found, scales[:, None] ** np.arange(51), rtol=2e-5)


def test_any_linear_rnn_is_a_product_of_matrices() -> None:
    with jax.enable_x64(True):
        w = weights(1)
        v = jnp.asarray(RNG.normal(size=UNITS))

        def linear(x: jax.Array, h: jax.Array) -> jax.Array:
            return x @ w.input + h @ w.recurrent

        back = states(linear, jnp.asarray(X), jnp.asarray(H), direction=v)

        def outputs(x: jax.Array) -> jax.Array:
            steps = jax.lax.scan(lambda h, x: 2 * (linear(x, h),), jnp.asarray(H), jnp.swapaxes(x, 0, 1))[1]
            return jnp.swapaxes(steps, 0, 1)

        of_inputs = inputs(outputs, jnp.asarray(X), direction=v)
    u = np.asarray(w.recurrent)
    rows = [np.linalg.matrix_power(u, k) @ np.asarray(v) for k in range(TIME + 1)]
    np.testing.assert_allclose(back, np.tile(np.linalg.norm(rows, axis=1), (BATCH, 1)), rtol=1e-12)
    wanted = np.linalg.norm(np.asarray(rows[:-1]) @ np.asarray(w.input).T, axis=1)
    np.testing.assert_allclose(of_inputs, np.tile(wanted, (BATCH, 1)), rtol=1e-12)


def test_a_tanh_rnn_is_the_product_of_its_jacobians() -> None:
    with jax.enable_x64(True):
        w = weights(1)
        found = states(lambda x, h: jnp.tanh(x @ w.input + h @ w.recurrent),
                                               jnp.asarray(X), jnp.asarray(H))  # fmt: skip
    hidden = [H]
    for t in range(TIME):
        hidden.append(np.tanh(X[:, t] @ np.asarray(w.input) + hidden[-1] @ np.asarray(w.recurrent)))
    wanted, row = [], np.full((BATCH, UNITS), UNITS**-0.5)
    for t in range(TIME, 0, -1):
        wanted.append(np.linalg.norm(row, axis=1))
        row = (row * (1 - hidden[t] ** 2)) @ np.asarray(w.recurrent).T
    wanted.append(np.linalg.norm(row, axis=1))
    np.testing.assert_allclose(found, np.stack(wanted, 1), rtol=1e-12)


def test_both_parts_of_an_lstms_carry_count() -> None:
    """Gates held open by their biases: c passes unchanged, and nothing reads h."""
    shut, open_ = -100.0, 100.0
    bias = jnp.repeat(jnp.array([shut, open_, 0.0, open_]), UNITS)
    w = recurrent.Weights(jnp.zeros((FEATURES, 4 * UNITS)), jnp.zeros((UNITS, 4 * UNITS)), bias)

    def cell(x: jax.Array, carry: Any) -> Any:
        return recurrent.lstm_cell(x, carry, w, output_tanh=False)

    start = (jnp.zeros((BATCH, UNITS)), jnp.ones((BATCH, UNITS)))
    norms = states(cell, jnp.asarray(X, jnp.float32), start)
    np.testing.assert_allclose(norms, np.ones((BATCH, TIME + 1)), rtol=1e-6)


def test_what_is_not_finite_is_no_number() -> None:
    x = jnp.ones((1, 3, 2)).at[0, 1].set(jnp.nan)
    norms = states(lambda x, h: jnp.tanh(x + h), x, jnp.zeros((1, 2)))
    assert np.isnan(norms[0, 1:]).all()
    assert norms[0, 0] > 0.9


def test_the_picture_shades_a_batch_and_leaves_out_zeros() -> None:
    norms = np.exp(-np.arange(5.0))[None] * np.array([[1.0], [2.0], [3.0]])
    figure = plot.gradients_by_distance({"batch": norms, "one": [1.0, 0.0, np.nan, 0.5]})
    batch, one = figure.axes[0].lines
    np.testing.assert_allclose(batch.get_ydata(), norms[1])
    assert one.get_xdata().tolist() == [0, 3]
    assert len(figure.axes[0].collections) == 1
    with pytest.raises(ValueError, match="without norms"):
        plot.gradients_by_distance({})
