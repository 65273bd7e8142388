"""Dropout, batch norm and the dense layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import net
from jaxdl.errors import DtypeError
from jaxdl.layers import BatchNorm, Dropout, Linear


def dropped(rate: float, key: jax.Array, x: jax.Array) -> jax.Array:
    network = net.functional(lambda rngs: Dropout("rate", rngs=rngs))
    return network.apply({}, {}, x, train=True, key=key, hyper={"rate": rate})[0]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_statistics(rate: float, key: jax.Array) -> None:
    y = dropped(rate, key, jnp.ones((200, 500)))
    kept = float((y != 0).mean())
    assert kept == pytest.approx(1 - rate, abs=4 * np.sqrt(rate * (1 - rate) / 1e5))
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)


def test_dropout_rate_is_traced_and_swept(key: jax.Array) -> None:
    rates = jnp.array([0.0, 0.25, 0.75])
    y = jax.jit(jax.vmap(dropped, in_axes=(0, None, None)))(rates, key, jnp.ones((100, 100)))
    np.testing.assert_allclose((y != 0).mean((1, 2)), 1 - rates, atol=0.02)


def test_dropout_gradient_is_the_mask(key: jax.Array) -> None:
    x = jnp.linspace(-1, 1, 50)
    gradient = jax.grad(lambda x: dropped(0.5, key, x).sum())(x)
    assert sorted(set(np.asarray(gradient).tolist())) == [0.0, 2.0]


def test_dropout_does_nothing_in_evaluation_and_at_rate_0(key: jax.Array) -> None:
    x = jnp.ones((5, 5))
    network = net.functional(lambda rngs: Dropout(0.9, rngs=rngs))
    np.testing.assert_array_equal(network.apply({}, {}, x, train=False)[0], x)
    nothing = net.functional(lambda rngs: Dropout(0.0, rngs=rngs))
    np.testing.assert_array_equal(nothing.apply({}, {}, x, train=True)[0], x)


def test_dropout_refuses() -> None:
    for rate in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"\[0, 1\)"):
            Dropout(rate, rngs=nnx.Rngs(0))
    with pytest.raises(DtypeError, match="floating"):
        Dropout(0.5, rngs=nnx.Rngs(0))(jnp.ones(3, jnp.int32))


def test_batch_norm_equals_the_formula_and_its_running_statistics(key: jax.Array) -> None:
    x = jax.random.normal(key, (64, 3)) * 5 + 2
    network = net.functional(lambda rngs: BatchNorm(3, rngs=rngs))
    params, state = network.init(key)
    y, after = network.apply(params, state, x, train=True)
    values = np.asarray(x, np.float64)
    mean, variance = values.mean(0), values.var(0)
    np.testing.assert_allclose(y, (values - mean) / np.sqrt(variance + 1e-5), atol=1e-5)
    np.testing.assert_allclose(after["mean"], 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(after["var"], 0.9 + 0.1 * variance, rtol=1e-5)


def test_batch_norm_survives_a_large_mean(key: jax.Array) -> None:
    x = jax.random.normal(key, (256, 1)) + 1e4
    layer = BatchNorm(1, rngs=nnx.Rngs(0))
    assert float(layer(x).std()) == pytest.approx(1, abs=1e-2)


def test_linear_keeps_the_options_of_flax(key: jax.Array) -> None:
    layer = Linear(4, 2, use_bias=False, rngs=nnx.Rngs(0))
    assert layer.bias is None
    np.testing.assert_allclose(layer(jnp.eye(4)), layer.kernel[...], rtol=1e-6)
    wide = Linear(500, 400, rngs=nnx.Rngs(0))
    assert float(wide.kernel[...].var() * 500) == pytest.approx(1, rel=0.02)
