"""Variance, shape and dtype of each initialiser, and the library whose draw it equals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import initializers

SHAPE = (600, 200)
CASES = (
    ("lecun", initializers.lecun, 1 / 600),
    ("he", initializers.he, 2 / 600),
    ("glorot", initializers.glorot, 2 / 800),
)


@pytest.mark.parametrize("distribution", initializers.DISTRIBUTIONS)
@pytest.mark.parametrize(("name", "make", "variance"), CASES)
def test_variance(
    name: str, make: initializers.Initializer, variance: float, distribution: str, key: jax.Array
) -> None:
    draw = make(distribution=distribution)(key, SHAPE, jnp.float32)
    assert draw.shape == SHAPE
    assert abs(float(draw.mean())) < 4 * np.sqrt(variance / draw.size)
    assert float(draw.var()) == pytest.approx(variance, rel=0.02)
    bound = {"normal": np.inf, "truncated_normal": 2 / 0.8796, "uniform": np.sqrt(3)}[distribution]
    assert float(jnp.abs(draw).max()) <= bound * np.sqrt(variance) * 1.001


def test_truncated_forms_equal_jax(key: jax.Array) -> None:
    for ours, theirs in (
        (initializers.he, jax.nn.initializers.he_normal),
        (initializers.lecun, jax.nn.initializers.lecun_normal),
        (initializers.glorot, jax.nn.initializers.glorot_normal),
    ):
        draw = ours(distribution="truncated_normal")(key, (8, 4), jnp.float32)
        np.testing.assert_array_equal(draw, theirs()(key, (8, 4), jnp.float32))


def test_convolution_fans_count_the_receptive_field(key: jax.Array) -> None:
    draw = initializers.he()(key, (3, 3, 64, 128), jnp.float32)
    assert float(draw.var()) == pytest.approx(2 / (9 * 64), rel=0.02)


def test_normal_and_zeros(key: jax.Array) -> None:
    assert float(initializers.normal(stddev=0.3)(key, SHAPE, jnp.float32).std()) == pytest.approx(
        0.3, rel=0.01
    )
    assert not initializers.zeros()(key, SHAPE, jnp.float32).any()
