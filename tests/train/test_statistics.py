"""Exact statistics against float64 NumPy, layer by layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import layers, net, scaling, train
from jaxdl.errors import FormatError, ShapeError
from jaxdl.models import MLP, MLPConfig

CONFIG = MLPConfig(sizes=(6, 5, 4, 3), activation="sigmoid", batch_norm=True, dropout=0.5)
NET = net.functional(lambda rngs: MLP(CONFIG, rngs=rngs))
X = np.random.default_rng(0).normal(size=(103, 6)) * 3 + 2


def shaken() -> tuple[net.Tree, net.Tree]:
    """Return parameters with gamma and beta away from 1 and 0."""
    params, state = NET.init(jax.random.key(0))
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [leaf + 0.3 * jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves)]
    return jax.tree.unflatten(structure, moved), state


def by_hand(params: net.Tree, x: np.ndarray) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    found, a = [], np.asarray(x, np.float64)
    weights = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    for i in range(2):
        z = a @ weights["layers"][i]["kernel"]
        found.append((z.mean(0), z.var(0)))
        z = (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5)
        a = 1 / (1 + np.exp(-(z * weights["norms"][i]["scale"] + weights["norms"][i]["bias"])))
    return found, a @ weights["layers"][2]["kernel"] + weights["layers"][2]["bias"]


@pytest.mark.parametrize("batch_size", [10, 64, 103, 1000])
def test_layer_by_layer_for_every_batch_size(batch_size: int) -> None:
    params, state = shaken()
    exact = train.exact_statistics(NET, params, state, X, batch_size=batch_size)
    wanted, outputs = by_hand(params, np.asarray(X, np.float32))
    for i, (mean, variance) in enumerate(wanted):
        np.testing.assert_allclose(exact["norms"][i]["mean"], mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(exact["norms"][i]["var"], variance, rtol=1e-4)
    np.testing.assert_allclose(train.predict(NET, params, exact, X), outputs, rtol=1e-4, atol=1e-4)


def test_a_large_mean_does_not_drown_the_variance() -> None:
    made = net.functional(lambda rngs: layers.BatchNorm(2, rngs=rngs))
    params, state = made.init(jax.random.key(0))
    x = (np.random.default_rng(1).normal(size=(500, 2)) + 1e4).astype(np.float32)
    exact = train.exact_statistics(made, params, state, x, batch_size=32)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(exact["mean"], wide.mean(0), rtol=1e-6)
    np.testing.assert_allclose(exact["var"], wide.var(0), rtol=1e-3)


def test_inputs_are_scaled_and_images_have_axes() -> None:
    made = net.functional(lambda rngs: layers.BatchNorm(2, rngs=rngs))
    params, state = made.init(jax.random.key(0))
    images = np.random.default_rng(2).integers(0, 256, (9, 4, 3, 2)).astype(np.uint8)
    exact = train.exact_statistics(made, params, state, images, batch_size=4, scaling=scaling.pixels())
    np.testing.assert_allclose(exact["mean"], images.mean((0, 1, 2)) / 255, rtol=1e-5)
    np.testing.assert_allclose(exact["var"], images.var((0, 1, 2)) / 255**2, rtol=1e-5)


def test_refuses() -> None:
    params, state = shaken()
    plain = net.functional(lambda rngs: MLP(MLPConfig(sizes=(6, 3)), rngs=rngs))
    flax = net.functional(lambda rngs: nnx.BatchNorm(6, rngs=rngs))
    for other in (plain, flax):
        with pytest.raises(ValueError, match="without a batch norm that can be measured"):
            train.exact_statistics(other, *other.init(jax.random.key(0)), X)
    with pytest.raises(ValueError, match="'batch_size' is 0"):
        train.exact_statistics(NET, params, state, X, batch_size=0)
    with pytest.raises(ShapeError, match="at least one example"):
        train.exact_statistics(NET, params, state, X[:0])
    with pytest.raises(ShapeError, match="expected 6 inputs"):
        train.exact_statistics(NET, params, state, jnp.ones((4, 5)))
    with pytest.raises(FormatError, match="finite"):
        train.exact_statistics(NET, params, state, X * np.nan)
    with pytest.raises(TypeError, match=r"a jaxdl.net.Net"):
        train.exact_statistics(MLP(CONFIG, rngs=nnx.Rngs(0)), params, state, X)  # type: ignore[arg-type]
