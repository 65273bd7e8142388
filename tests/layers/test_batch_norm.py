"""Batch norm against torch: passes, running statistics, gradients, evaluation; and what it can do."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import losses, net
from jaxdl._trees import named_leaves
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.layers import BatchNorm
from jaxdl.models import MLP, MLPConfig
from jaxdl.models.mlp import PLACES

GOLDEN = Path(__file__).parents[1] / "golden" / "mlp_norm.npz"


def golden(place: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as arrays:
        return {name.removeprefix(f"{place}/"): arrays[name] for name in arrays if name.startswith(place)}


def built(tree: Any, stored: dict[str, np.ndarray]) -> Any:
    leaves = [jnp.asarray(stored[name]) for name in named_leaves(tree)]
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)


def network(place: str, **options: Any) -> net.Net:
    config = MLPConfig(sizes=(6, 5, 4, 3), activation="sigmoid", batch_norm=True, norm_place=place, **options)
    return net.functional(lambda rngs: MLP(config, rngs=rngs))


@pytest.mark.parametrize("place", PLACES)
def test_an_mlp_with_batch_norm_equals_torch(place: str, key: jax.Array) -> None:
    twin, made = golden(place), network(place, norm_variance="unbiased")
    params, state = jax.jit(made.init)(key)
    params, x, y = built(params, twin), jnp.asarray(twin["x"]), jnp.asarray(twin["y"], jnp.int32)
    train = jax.jit(lambda state, x: made.apply(params, state, x, train=True))
    for batch, wanted in zip(x, twin["z"], strict=True):
        z, state = train(state, batch)
        np.testing.assert_allclose(z, wanted, rtol=1e-5, atol=2e-6)
    for name, value in named_leaves(state).items():
        np.testing.assert_allclose(value, twin[name], rtol=1e-5, atol=1e-6)

    @jax.jit
    def rest(params: Any, state: Any) -> Any:
        def cost(params: Any) -> jax.Array:
            z, _ = made.apply(params, state, x[0], train=True)
            return losses.reduce(losses.softmax_cross_entropy(z, y))

        return made.apply(params, state, x[0], train=False)[0], jax.grad(cost)(params)

    evaluated, gradients = rest(params, state)
    np.testing.assert_allclose(evaluated, twin["evaluated"], rtol=1e-5, atol=2e-6)
    for name, gradient in named_leaves(gradients).items():
        np.testing.assert_allclose(gradient, twin[f"d/{name}"], rtol=1e-5, atol=1e-5)


def test_layers_before_batch_norm_have_no_bias_and_those_before_an_activation_do(key: jax.Array) -> None:
    for place, biased in zip(PLACES, ([False, False, True], [True, True, True]), strict=True):
        params, _ = network(place).init(key)
        assert ["bias" in params["layers"][i] for i in range(3)] == biased


def test_golden_file_is_what_torch_gives() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the golden file stands in for it")
    from golden import make

    for name, value in make.torch_mlp_norm(torch, "before_activation").items():
        with np.load(GOLDEN) as arrays:
            np.testing.assert_allclose(arrays[name], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("running_variance", "factor"), [("biased", 1.0), ("unbiased", 8 / 7)])
def test_running_variance_in_both_conventions(running_variance: str, factor: float, key: jax.Array) -> None:
    layer = BatchNorm(3, momentum=0.8, running_variance=running_variance, rngs=nnx.Rngs(0))
    plain = nnx.BatchNorm(3, momentum=0.8, use_fast_variance=False, rngs=nnx.Rngs(0))
    mean, variance = np.zeros(3), np.ones(3)
    for x in np.asarray(jax.random.normal(key, (4, 2, 4, 3)) * 3 + 1, np.float64):
        y = layer(jnp.asarray(x, jnp.float32))
        np.testing.assert_array_equal(y, plain(jnp.asarray(x, jnp.float32)))
        mean = 0.8 * mean + 0.2 * x.mean((0, 1))
        variance = 0.8 * variance + 0.2 * x.var((0, 1)) * factor
    np.testing.assert_allclose(layer.mean[...], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.var[...], variance, rtol=1e-5)
    if running_variance == "biased":
        np.testing.assert_array_equal(layer.var[...], plain.var[...])


def test_a_mask_counts_in_the_unbiased_variance(key: jax.Array) -> None:
    x = jax.random.normal(key, (8, 3))
    mask = jnp.arange(8)[:, None] < 5
    layer = BatchNorm(3, momentum=0.0, running_variance="unbiased", rngs=nnx.Rngs(0))
    layer(x, mask=mask)
    np.testing.assert_allclose(layer.var[...], np.asarray(x[:5], np.float64).var(0, ddof=1), rtol=1e-5)


def test_gamma_and_beta_can_restore_z(key: jax.Array) -> None:
    z = jax.random.normal(key, (64, 3)) * jnp.array([[0.1, 1, 20]]) + jnp.array([[5.0, -3, 100]])
    made = net.functional(lambda rngs: BatchNorm(3, rngs=rngs))
    _, state = made.init(key)
    values = np.asarray(z, np.float64)
    restoring = {"scale": jnp.sqrt(values.var(0) + 1e-5), "bias": jnp.asarray(values.mean(0), jnp.float32)}
    restoring = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), restoring)
    np.testing.assert_allclose(made.apply(restoring, state, z, train=True)[0], z, rtol=1e-5, atol=1e-4)


def test_the_noise_that_batches_add_falls_with_their_size(key: jax.Array) -> None:
    """One example among random others: its output has a deviation of about sqrt((1 + x^2/2) / n)."""
    layer = net.functional(lambda rngs: BatchNorm(1, rngs=rngs))
    params, state = layer.init(key)

    def outputs(size: int) -> np.ndarray:
        def one(key: jax.Array) -> jax.Array:
            x = jax.random.normal(key, (size, 1)).at[0].set(1.0)
            return layer.apply(params, state, x, train=True)[0][0, 0]

        return np.asarray(jax.jit(jax.vmap(one))(jax.random.split(key, 4000)))

    deviations = [outputs(size).std() for size in (16, 64, 256)]
    np.testing.assert_allclose(deviations, np.sqrt(1.5 / np.array([16, 64, 256])), rtol=0.15)
    evaluated = layer.apply(params, state, jnp.ones((4, 1)), train=False)[0]
    np.testing.assert_allclose(evaluated, 1 / np.sqrt(1 + 1e-5), rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("running", [True, False])
def test_few_bits_come_back_as_they_were_and_are_normalised_in_float32(dtype: Any, running: bool) -> None:
    layer = BatchNorm(2, rngs=nnx.Rngs(0))
    x = (3 + jnp.linspace(-1, 1, 128).reshape(64, 2)).astype(dtype)
    y = layer(x, use_running_average=running)
    whole = BatchNorm(2, rngs=nnx.Rngs(0))
    wanted = whole(x.astype(jnp.float32), use_running_average=running)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, wanted.astype(dtype))
    for name in ("mean", "var"):
        found = getattr(layer, name)[...]
        assert found.dtype == jnp.float32
        np.testing.assert_array_equal(found, getattr(whole, name)[...])
    wide = BatchNorm(2, dtype=jnp.float32, rngs=nnx.Rngs(0))
    assert wide(x, use_running_average=running).dtype == jnp.float32


def test_batch_norm_refuses() -> None:
    rngs = nnx.Rngs(0)
    for momentum in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"'momentum' is .*\[0, 1\)"):
            BatchNorm(3, momentum=momentum, rngs=rngs)
    with pytest.raises(ValueError, match="'biased', 'unbiased'"):
        BatchNorm(3, running_variance="sample", rngs=rngs)
    layer = BatchNorm(3, rngs=rngs)
    with pytest.raises(ShapeError, match="with 3 features"):
        layer(jnp.ones((4, 2)))
    with pytest.raises(ShapeError, match="with 3 features"):
        layer(jnp.ones(3))
    with pytest.raises(ShapeError, match="at least 2 values a feature"):
        layer(jnp.ones((1, 3)))
    with pytest.raises(DtypeError, match="floating"):
        layer(jnp.ones((4, 3), jnp.int32))
    assert layer(jnp.ones((1, 3)), use_running_average=True).shape == (1, 3)
