"""The MLP: its count, torch's values and gradients with the same weights, and what its config refuses."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import losses, net
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import MLP, MLPConfig

GOLDEN = Path(__file__).parents[1] / "golden" / "mlp.npz"


def test_classic_has_13002_parameters(key: jax.Array) -> None:
    network = net.functional(lambda rngs: MLP.classic(rngs=rngs))
    params, state = network.init(key)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 13_002
    assert state == {}
    y, _ = network.apply(params, state, jax.random.uniform(key, (5, 28, 28, 1)), train=False)
    assert y.shape == (5, 10)
    assert (y > 0).all()
    assert (y < 1).all()


def test_equals_torch_in_value_and_gradient() -> None:
    with np.load(GOLDEN) as golden:
        twin = dict(golden)
    network = net.functional(lambda rngs: MLP(MLPConfig(sizes=(6, 5, 4, 3)), rngs=rngs))
    params = {"layers": {i: {n: jnp.asarray(twin[f"{i}/{n}"]) for n in ("kernel", "bias")} for i in range(3)}}

    def cost(params: Any) -> Any:
        z, _ = network.apply(params, {}, jnp.asarray(twin["x"]), train=True)
        return losses.reduce(losses.softmax_cross_entropy(z, jnp.asarray(twin["y"], jnp.int32))), z

    gradients, z = jax.grad(cost, has_aux=True)(params)
    np.testing.assert_allclose(z, twin["z"], rtol=1e-5, atol=1e-6)
    for i in range(3):
        for name in ("kernel", "bias"):
            np.testing.assert_allclose(
                gradients["layers"][i][name], twin[f"{i}/d_{name}"], rtol=1e-5, atol=1e-6
            )


def test_zeros_keep_hidden_units_identical(key: jax.Array) -> None:
    config = MLPConfig(sizes=(4, 3, 2), activation="sigmoid", kernel_init="zeros")
    network = net.functional(lambda rngs: MLP(config, rngs=rngs))
    params, _ = network.init(key)
    x, y = jax.random.normal(key, (16, 4)), (jnp.arange(16) % 3 == 0).astype(jnp.int32)

    def cost(params: Any) -> jax.Array:
        return losses.reduce(losses.softmax_cross_entropy(network.apply(params, {}, x, train=True)[0], y))

    for _ in range(5):
        params = jax.tree.map(lambda p, g: p - g, params, jax.grad(cost)(params))
    kernel = params["layers"][0]["kernel"]
    assert np.abs(kernel).max() > 0
    np.testing.assert_array_equal(kernel, jnp.broadcast_to(kernel[:, :1], kernel.shape))


def test_linear_collapse(key: jax.Array) -> None:
    network = net.functional(
        lambda rngs: MLP(MLPConfig(sizes=(4, 8, 8, 2), activation="identity"), rngs=rngs)
    )
    params, _ = network.init(key)
    kernels = [params["layers"][i]["kernel"] for i in range(3)]
    x = jax.random.normal(key, (5, 4))
    product = kernels[0] @ kernels[1] @ kernels[2]
    np.testing.assert_allclose(
        network.apply(params, {}, x, train=False)[0], x @ product, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"sizes": (784,)}, ValueError, "at least inputs and outputs"),
        ({"sizes": (784, 0, 10)}, ValueError, "'sizes' is 0; expected at least 1"),
        ({"sizes": (784, 1.5)}, DtypeError, "a whole number"),
        ({"activation": "rleu"}, ValueError, "'rleu'; expected one of"),
        ({"output": "none"}, ValueError, "'output' is 'none'"),
        ({"dropout": 1.0}, ValueError, r"\[0, 1\)"),
        ({"kernel_init": "xavier"}, ValueError, "'he', 'glorot'"),
        ({"batch_norm": "yes"}, ValueError, "True, False"),
    ],
)
def test_config_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        MLPConfig(**{"sizes": (784, 16, 10), **change})


def test_input_is_checked() -> None:
    model = MLP(MLPConfig(sizes=(4, 2)), rngs=nnx.Rngs(0))
    with pytest.raises(ShapeError, match="expected 4 inputs an example"):
        model(jnp.ones((2, 5)))
    with pytest.raises(ShapeError, match="at least 2 axes"):
        model(jnp.ones(4))
    with pytest.raises(DtypeError, match="floating"):
        model(jnp.ones((2, 4), jnp.uint8))
