"""Gradient descent: where it stops, and what it says of how it ended."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import descent, optim
from jaxdl.descent import CONVERGED, DIVERGING, NOT_FINITE, OUT_OF_STEPS, descend, describe
from jaxdl.models import linear_regression

CURVATURE = jnp.array([1.0, 10.0])


def bowl(w: jax.Array) -> jax.Array:
    return jnp.sum(CURVATURE * jnp.square(w - 1)) / 2


def test_each_learning_rate_has_its_own_end() -> None:
    def run(rate: jax.Array) -> descent.Descent:
        return descend(bowl, jnp.zeros(2), learning_rate=rate, tolerance=1e-6, max_steps=200)

    rates = jnp.array([0.1, 0.18, 0.21, 1e-4, jnp.nan])
    ends = jax.jit(jax.vmap(run))(rates)
    assert ends.status.tolist() == [CONVERGED, CONVERGED, DIVERGING, OUT_OF_STEPS, NOT_FINITE]
    np.testing.assert_allclose(ends.params[:2], 1, atol=5e-3)
    assert ends.steps.tolist()[3] == 200
    assert describe(ends.status)[2] == "diverging: the cost rises, so lower the learning rate"
    for i in (0, 2, 3):
        alone = run(rates[i])
        assert int(alone.steps) == int(ends.steps[i])
        np.testing.assert_allclose(alone.params, ends.params[i], rtol=1e-5)


def test_it_stops_at_the_first_step_that_gains_too_little() -> None:
    w, cost, steps = np.zeros(2), None, 0
    while True:
        before = float(bowl(jnp.asarray(w)))
        w = w - 0.05 * np.asarray(CURVATURE) * (w - 1)
        steps, cost = steps + 1, float(bowl(jnp.asarray(w)))
        if before - cost < 1e-3:
            break
    end = descend(bowl, jnp.zeros(2), learning_rate=0.05, tolerance=1e-3)
    assert int(end.steps) == steps
    assert float(end.cost) == pytest.approx(cost, rel=1e-5)


def test_optimizers_that_overshoot_need_patience() -> None:
    start = jnp.full(2, 3.0)
    rash = descend(bowl, start, optimizer=optim.momentum(0.1, beta=0.9), tolerance=1e-7)
    calm = descend(bowl, start, optimizer=optim.momentum(0.1, beta=0.9), tolerance=1e-7, patience=30)
    assert [describe(end.status).split(":")[0] for end in (rash, calm)] == ["diverging", "converged"]


def test_a_cost_that_is_not_finite_at_the_start_or_later() -> None:
    assert int(descend(lambda w: jnp.log(w), jnp.float32(-1), learning_rate=0.1).status) == NOT_FINITE
    late = descend(lambda w: jnp.sum(jnp.sqrt(w)), jnp.ones(2), learning_rate=0.3)
    assert int(late.status) == NOT_FINITE
    assert int(late.steps) > 1


def test_statuses_in_words_have_the_shape_of_the_statuses() -> None:
    assert describe(np.zeros((2, 1), int)) == [["converged"], ["converged"]]


def test_a_learning_rate_that_is_not_positive_never_counts_as_converged() -> None:
    def run(rate: jax.Array) -> descent.Descent:
        return descend(bowl, jnp.zeros(2), learning_rate=rate)

    ends = jax.vmap(run)(jnp.array([0.0, -0.1, -1e-9, 0.1]))
    assert ends.status.tolist() == [NOT_FINITE] * 3 + [CONVERGED]
    assert np.isnan(ends.params[:3]).all()
    for rate in (0.0, -0.1, 1e-300):
        with pytest.raises(ValueError, match="'learning_rate'"):
            descend(bowl, jnp.zeros(2), learning_rate=rate)
    model = jax.jit(
        lambda rate: linear_regression.fit(jnp.eye(2), jnp.ones(2), method="descent", learning_rate=rate)
    )
    assert int(model(0.0).status) == NOT_FINITE
