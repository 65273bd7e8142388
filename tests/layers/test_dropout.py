"""Dropout in both forms: torch's statistics, and one expectation."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import net
from jaxdl.layers import Dropout
from jaxdl.layers.dropout import SCALES

GOLDEN = Path(__file__).parents[1] / "golden" / "mlp_norm.npz"
NETS = {
    scale: net.functional(lambda rngs, scale=scale: Dropout("rate", scale=scale, rngs=rngs))
    for scale in SCALES
}


def apply(
    scale: str, rate: jax.Array | float, x: jax.Array, *, train: bool, key: jax.Array | None
) -> jax.Array:
    return NETS[scale].apply({}, {}, x, train=train, key=key, hyper={"rate": rate})[0]


def test_statistics_are_those_of_torch(key: jax.Array) -> None:
    with np.load(GOLDEN) as golden:
        rates, wanted = golden["dropout/rates"], golden["dropout/statistics"]
    run = jax.jit(jax.vmap(lambda rate: apply("training", rate, jnp.ones(400_000), train=True, key=key)))
    draws = np.asarray(run(jnp.asarray(rates, jnp.float32)), np.float64)
    found = np.stack([(draws == 0).mean(1), draws.mean(1), draws.var(1)], axis=1)
    np.testing.assert_allclose(found, wanted, rtol=0.015)
    np.testing.assert_allclose(found[:, 2], rates / (1 - rates), rtol=0.015)


@pytest.mark.parametrize("scale", SCALES)
def test_training_agrees_with_evaluation_in_expectation(scale: str, key: jax.Array) -> None:
    x = jnp.linspace(-2.0, 3.0, 7)

    def one(key: jax.Array) -> jax.Array:
        return apply(scale, 0.4, x, train=True, key=key)

    draws = jax.jit(jax.vmap(one))(jax.random.split(key, 40_000))
    evaluated = apply(scale, 0.4, x, train=False, key=None)
    np.testing.assert_allclose(draws.mean(0), evaluated, atol=4 * 3 / 0.6 * np.sqrt(0.24 / 40_000))
    factor = 1 / 0.6 if scale == "training" else 1.0
    kept = np.asarray(jnp.where(draws[0] == 0, x * factor, draws[0]))
    np.testing.assert_allclose(kept, x * factor, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(evaluated, x * (1 if scale == "training" else 0.6), rtol=1e-6)


def test_both_forms_draw_the_same_mask(key: jax.Array) -> None:
    x = jnp.ones((50, 4))
    inverted, plain = (apply(scale, 0.3, x, train=True, key=key) for scale in SCALES)
    np.testing.assert_allclose(inverted * 0.7, plain, rtol=1e-6)


def test_scale_is_checked_and_evaluation_asks_for_its_rate() -> None:
    with pytest.raises(ValueError, match="'training', 'evaluation'"):
        Dropout(0.5, scale="inverted", rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"Dropout.*'hyper' is without 'rate'"):
        NETS["evaluation"].apply({}, {}, jnp.ones(3), train=False)
    fixed = net.functional(lambda rngs: Dropout(0.25, scale="evaluation", rngs=rngs))
    np.testing.assert_array_equal(fixed.apply({}, {}, jnp.ones(3), train=False)[0], 0.75)


@pytest.mark.parametrize("scale", SCALES)
def test_a_traced_rate_out_of_range_is_nan_and_leaves_the_rest_of_a_sweep_alone(
    scale: str, key: jax.Array
) -> None:
    def given(rate: jax.Array) -> jax.Array:
        return Dropout(rate, scale=scale, rngs=nnx.Rngs(0))(jnp.ones(50))

    def named(rate: jax.Array, train: bool = True) -> jax.Array:
        return apply(scale, rate, jnp.ones(50), train=train, key=key if train else None)

    for run in (given, named, *([lambda rate: named(rate, False)] if scale == "evaluation" else [])):
        sweep = jax.jit(jax.vmap(run))
        found, right = sweep(jnp.array([0.25, 1.5, 1.0, -0.1, 0.0])), sweep(jnp.full(5, 0.25))
        assert np.isnan(found[1:4]).all()
        np.testing.assert_array_equal(found[0], right[0])
        np.testing.assert_array_equal(found[4], 1.0)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("scale", SCALES)
def test_a_small_rate_is_kept_exactly_in_few_bits(dtype: jnp.dtype, scale: str, key: jax.Array) -> None:
    x = jnp.ones(400_000, dtype)
    y = apply(scale, 0.01, x, train=True, key=key)
    assert y.dtype == dtype
    assert float(jnp.mean(y == 0, dtype=jnp.float32)) == pytest.approx(0.01, abs=5 * 1.6e-4)
    kept = 1 / 0.99 if scale == "training" else 1.0
    assert set(np.unique(y).tolist()) == {0.0, float(jnp.asarray(kept, dtype))}
    evaluated = apply(scale, 0.01, x[:1], train=False, key=None)
    assert evaluated.dtype == dtype
