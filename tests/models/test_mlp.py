"""The MLP: its count, torch's values and gradients, what its options do and what its config refuses."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import losses, net, optim, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import MLP, MLPConfig
from jaxdl.models.mlp import ACTIVATIONS, INITIALIZERS

GOLDEN = Path(__file__).parents[1] / "golden" / "mlp.npz"


def network(**options: Any) -> net.Net:
    config = MLPConfig(**options)
    return net.functional(lambda rngs: MLP(config, rngs=rngs))


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


def test_a_linear_network_reaches_the_least_squares_solution() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = (x @ rng.normal(size=(3, 2)) + [1.0, -2.0] + 0.3 * rng.normal(size=(60, 2))).astype(np.float32)
    deep = network(sizes=(3, 6, 2), activation="identity")
    fitted = train.fit(deep, (x, y), loss=losses.squared_error, optimizer=optim.momentum(0.1), epochs=600,
                       batch_size=60, progress="off")  # fmt: skip
    design = np.concatenate([x, np.ones((60, 1))], axis=1).astype(np.float64)
    solution = np.linalg.lstsq(design, y.astype(np.float64), rcond=None)[0]
    first, second = (fitted.params["layers"][i] for i in range(2))
    np.testing.assert_allclose(first["kernel"] @ second["kernel"], solution[:3], atol=1e-4)
    np.testing.assert_allclose(first["bias"] @ second["kernel"] + second["bias"], solution[3], atol=1e-4)
    np.testing.assert_allclose(fitted.predict(x), design @ solution, atol=3e-4)


def test_penalties_by_layer_in_training() -> None:
    """Strengths are traced: one program, vmapped; each layer shrinks by its own alone."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 4)).astype(np.float32), rng.integers(0, 3, 40).astype(np.int32)
    data = train.Arrays(jnp.asarray(x), jnp.asarray(y))
    made = network(sizes=(4, 8, 3), activation="tanh")

    def penalty(params: Any, hyper: Any) -> jax.Array:
        square = losses.l2_penalty(params, {"layers/0": hyper["first"], "layers/1": 0.0})
        return square + losses.l1_penalty(params, {"layers/1": hyper["second"]})

    spec = train.Spec(epochs=1, batch_size=40, shuffle="none")
    run = train.make_train(
        made, losses.softmax_cross_entropy, lambda hyper: optim.sgd(0.1), spec, penalty=penalty
    )
    hyper = {"first": jnp.array([0.0, 0.3, 0.0]), "second": jnp.array([0.0, 0.0, 0.2])}
    key = jax.random.key(0)
    params = jax.jit(jax.vmap(run, in_axes=(None, None, None, 0)))(key, key, data, hyper).params["layers"]
    start = made.init(jax.random.split(key)[0])[0]["layers"]
    kernels = [params[i]["kernel"] for i in range(2)]
    np.testing.assert_allclose(kernels[0][1] - kernels[0][0], -0.1 * 0.3 * start[0]["kernel"], atol=1e-6)
    np.testing.assert_allclose(
        kernels[1][2] - kernels[1][0], -0.1 * 0.2 * np.sign(start[1]["kernel"]), atol=1e-6
    )
    np.testing.assert_array_equal(kernels[1][1], kernels[1][0])
    np.testing.assert_array_equal(kernels[0][2], kernels[0][0])
    for part in range(2):
        np.testing.assert_array_equal(params[part]["bias"][1], params[part]["bias"][0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_in_the_middle_and_at_the_end(activation: str, key: jax.Array) -> None:
    made = network(sizes=(4, 6, 3), activation=activation, output=activation)
    params, state = made.init(key)
    y, _ = made.apply(params, state, jax.random.normal(key, (5, 4)), train=False)
    assert y.shape == (5, 3)
    assert np.isfinite(y).all()
    assert ("activations" in params) == (activation == "prelu")
    kinds = [output.kind for output in made.trace(params, state, jnp.ones((5, 4)), train=False).values()]
    assert kinds == ["Linear", "PReLU" if activation == "prelu" else activation] * 2


@pytest.mark.parametrize(
    ("kernel_init", "variance"),
    [
        ("zeros", 0), ("normal", 1e-4), ("uniform", 0.05**2 / 3), ("lecun", 1 / 300), ("he", 2 / 300),
        ("glorot", 2 / 800), ("orthogonal", 1 / 500), ("torch", 1 / 900), (1.0, 1.0), (0.3, 0.09),
        ("he_uniform", 2 / 300), ("lecun_truncated", 1 / 300), ("glorot_uniform", 2 / 800), (None, 2 / 300),
    ],
)  # fmt: skip
def test_initial_weights_have_the_variance_of_the_name(
    kernel_init: Any, variance: float, key: jax.Array
) -> None:
    params, _ = network(sizes=(300, 500), kernel_init=kernel_init, bias_init="torch").init(key)
    kernel, bias = params["layers"][0]["kernel"], params["layers"][0]["bias"]
    assert float(kernel.var()) == pytest.approx(variance, rel=0.02)
    assert float(bias.var() * 900) == pytest.approx(1, rel=0.15)
    assert kernel_init is None or isinstance(kernel_init, float) or kernel_init in INITIALIZERS


@pytest.mark.parametrize("options", [{}, {"bias_init": "zeros"}, {"bias_init": "torch"}], ids=str)
def test_biases_begin_at_zero_unless_they_are_torchs(options: dict[str, Any], key: jax.Array) -> None:
    params, _ = network(sizes=(9, 200), **options).init(key)
    peak = float(jnp.abs(params["layers"][0]["bias"]).max())
    assert (0.32 < peak <= 1 / 3) if options.get("bias_init") == "torch" else peak == 0


def test_dropout_scaled_in_evaluation(key: jax.Array) -> None:
    options = {"sizes": (4, 64, 2), "dropout": 0.4}
    plain, scaled = (network(**options, dropout_scale=scale) for scale in ("training", "evaluation"))
    params, state = plain.init(key)
    params["layers"][1]["bias"] = jnp.array([1.0, 2.0])
    x = jax.random.normal(key, (5, 4))
    full, less = (made.apply(params, state, x, train=False)[0] for made in (plain, scaled))
    bias = params["layers"][1]["bias"][None]
    np.testing.assert_allclose((full - bias) * 0.6, less - bias, rtol=1e-5, atol=1e-6)


def test_a_config_survives_its_file(tmp_path: Path) -> None:
    config = MLPConfig(
        sizes=(4, 5, 2), activation="prelu", kernel_init=0.5, bias_init="torch", batch_norm=True,
        norm_place="after_activation", norm_variance="unbiased", norm_momentum=0, dropout_scale="evaluation",
    )  # fmt: skip
    made = net.functional(lambda rngs: MLP(config, rngs=rngs))
    x = np.random.default_rng(0).normal(size=(8, 4))
    fitted = train.fit(made, (x, np.arange(8) % 2), loss=losses.softmax_cross_entropy,
                       optimizer=optim.sgd(0.1), epochs=2, batch_size=4, progress="off")  # fmt: skip
    loaded = train.load(train.save(tmp_path / "m.safetensors", fitted))
    assert loaded.config == config
    np.testing.assert_array_equal(loaded.predict(x), fitted.predict(x))


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
        ({"kernel_init": -1.0}, ValueError, r"\[0, inf\)"),
        ({"kernel_init": [1.0]}, DtypeError, "expected a number"),
        ({"bias_init": "ones"}, ValueError, "'zeros', 'torch'"),
        ({"batch_norm": "yes"}, ValueError, "True, False"),
        ({"norm_place": "z"}, ValueError, "'before_activation', 'after_activation'"),
        ({"norm_momentum": 1.0}, ValueError, r"'norm_momentum' is 1.0; expected \[0, 1\)"),
        ({"norm_momentum": "0.9"}, DtypeError, "expected a number"),
        ({"norm_epsilon": -1e-5}, ValueError, "norm_epsilon"),
        ({"norm_variance": "sample"}, ValueError, "'biased', 'unbiased'"),
        ({"dropout_scale": "test"}, ValueError, "'training', 'evaluation'"),
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
