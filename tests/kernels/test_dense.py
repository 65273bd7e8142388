"""Every formulation of the dense product: value, gradients, all modes of differentiation, all callers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from jaxdl.kernels.dense import IMPLEMENTATIONS, dot_general

PLAIN = (((1,), (0,)), ((), ()))
EACH = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)


def product(x: jax.Array, w: jax.Array, implementation: str | None) -> jax.Array:
    return dot_general(x, w, (((x.ndim - 1,), (0,)), ((), ())), implementation=implementation)


@EACH
@pytest.mark.parametrize("shape", [(1, 1, 1), (10, 784, 16), (128, 64, 33), (3, 5, 10)])
def test_value_and_vjp_equal_float64(implementation: str, shape: tuple[int, int, int]) -> None:
    batch, fan_in, fan_out = shape
    rng = np.random.default_rng(0)
    x, w, d = (
        rng.normal(size=(batch, fan_in)),
        rng.normal(size=(fan_in, fan_out)),
        rng.normal(size=(batch, fan_out)),
    )
    single = [jnp.asarray(a, jnp.float32) for a in (x, w, d)]
    y, pull = jax.vjp(lambda x, w: product(x, w, implementation), *single[:2])
    dx, dw = pull(single[2])
    for got, wanted, length in ((y, x @ w, fan_in), (dx, d @ w.T, fan_out), (dw, x.T @ d, batch)):
        np.testing.assert_allclose(got, wanted, atol=1e-6 * max(1, length))


@EACH
def test_forward_mode_hessian_and_vmap(implementation: str) -> None:
    rng = np.random.default_rng(1)
    x, w = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((4, 3), (3, 2)))

    def cost(x: jax.Array, w: jax.Array, how: str | None) -> jax.Array:
        return jnp.sum(jnp.sin(product(x, w, how)))

    def measures(how: str) -> tuple[Any, ...]:
        many = jnp.stack([w, 2 * w])
        return (
            jax.jvp(lambda w: cost(x, w, how), (w,), (w,)),
            jax.hessian(cost, 1)(x, w, how),
            jax.jacrev(jax.grad(cost, 0), 1)(x, w, how),
            jax.vmap(jax.grad(cost, 1), (None, 0, None))(x, many, how),
            jax.vmap(jax.grad(cost, (0, 1)), (0, None, None))(jnp.stack([x, -x]), w, how),
        )

    for ours, theirs in zip(jax.tree.leaves(measures(implementation)), jax.tree.leaves(measures("xla"))):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@EACH
def test_leading_axes(implementation: str) -> None:
    x, w = jnp.arange(24.0).reshape(2, 3, 4), jnp.arange(8.0).reshape(4, 2)
    np.testing.assert_allclose(product(x, w, implementation), np.einsum("abk,ko->abo", x, w))


def test_transposed_form_is_what_narrow_layers_get_on_cpu() -> None:
    if jax.default_backend() != "cpu":
        pytest.skip("the rule for narrow products is about the CPU; this machine computes elsewhere")

    def gradient(outputs: int) -> str:
        x, w = jnp.ones((8, 20)), jnp.ones((20, outputs))
        return str(jax.make_jaxpr(jax.grad(lambda w: product(x, w, None).sum()))(w))

    assert "optimization_barrier" in gradient(16)
    assert "optimization_barrier" not in gradient(64)


def test_other_contractions_go_to_lax() -> None:
    a, b = jnp.arange(12.0).reshape(3, 4), jnp.arange(8.0).reshape(2, 4)
    dims = (((1,), (1,)), ((), ()))
    np.testing.assert_array_equal(
        dot_general(a, b, dims, implementation="transposed"), jax.lax.dot_general(a, b, dims)
    )
    batched = (((2,), (1,)), ((0,), (0,)))
    c, d = jnp.ones((2, 3, 4)), jnp.ones((2, 4, 5))
    assert dot_general(c, d, batched).shape == (2, 3, 5)
    assert dot_general(a, b, dims, None, jnp.float32).dtype == jnp.float32


def test_takes_the_place_of_lax_in_flax_and_linen() -> None:
    x = jnp.ones((5, 4))
    assert nnx.Linear(4, 3, dot_general=dot_general, rngs=nnx.Rngs(0))(x).shape == (5, 3)
    dense = linen.Dense(3, dot_general=dot_general)
    assert dense.apply(dense.init(jax.random.key(0), x), x).shape == (5, 3)
