"""Losses: narrow and out-of-range targets, low precision, torch, and the results that texts prove."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from jaxdl import losses

Z = jnp.array([[-2.0, 0.5], [3.0, -1.0], [0.0, 4.0]])
BITS = jnp.array([[1, 0], [0, 1], [1, 1]])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "bool", "float32", "float16"])
def test_binary_targets_of_every_dtype(dtype: str) -> None:
    wanted = oracles.binary_cross_entropy(np.asarray(Z, np.float64), np.asarray(BITS, np.float64))
    got = losses.binary_cross_entropy(Z, BITS.astype(dtype))
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize("wrong", [-1, 2, 255, -0.01, 1.01, float("nan"), float("inf")])
def test_binary_targets_out_of_range_poison_their_own_example(wrong: float) -> None:
    targets = BITS.astype(jnp.float32).at[1, 0].set(wrong)
    clean = jax.grad(lambda z: losses.binary_cross_entropy(z, BITS).sum())(Z)
    value = losses.binary_cross_entropy(Z, targets)
    gradient = jax.grad(lambda z: losses.binary_cross_entropy(z, targets).sum())(Z)
    assert np.isnan(value).tolist() == [False, True, False]
    assert np.isnan(gradient[1, 0])
    np.testing.assert_array_equal(gradient[jnp.array([0, 2])], clean[jnp.array([0, 2])])


def test_a_small_binary_loss_keeps_its_digits() -> None:
    z = jnp.array([20.0, -20.0, 80.0])
    got = losses.binary_cross_entropy(z, jnp.array([1, 0, 1]))
    np.testing.assert_allclose(got, np.log1p(np.exp(-np.abs(np.asarray(z, np.float64)))), rtol=1e-6)
