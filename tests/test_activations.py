"""Activations: derivatives at the kinks, low precision, the learnt slope, and the choice by task."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import activations, losses, net, train
from jaxdl.errors import ShapeError
from jaxdl.layers import PReLU
from jaxdl.optim import sgd

ELEMENTWISE = {
    name: getattr(activations, name)
    for name in (
        "identity",
        "leaky_relu",
        "relu",
        "scaled_tanh",
        "sigmoid",
        "softsign",
        "step",
        "swish",
        "tanh",
    )
}


def slope_at(function: Any, x: float) -> float:
    return float(jax.grad(function)(jnp.float32(x)))


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0])
def test_step_has_no_slope_anywhere(at_zero: float) -> None:
    x = jnp.array([-3.0, -1e-30, 0.0, 1e-30, 3.0])
    gradient = jax.grad(lambda x: activations.step(x, at_zero=at_zero).sum())(x)
    np.testing.assert_array_equal(gradient, 0)
    np.testing.assert_array_equal(activations.step(x, at_zero=at_zero), jnp.heaviside(x, at_zero))
    assert np.isnan(activations.step(jnp.array(jnp.nan)))


def test_slopes_at_zero_are_those_of_torch() -> None:
    # torch.autograd gives 0, 0.3 and 0.25 here, live below.
    assert slope_at(activations.relu, 0) == 0
    assert slope_at(lambda x: activations.leaky_relu(x, slope=0.3), 0) == pytest.approx(0.3)
    assert slope_at(lambda x: activations.prelu(x, jnp.float32(0.25)), 0) == 0.25


def test_slopes_at_zero_live() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the figures are written above")
    x, functional = torch.zeros(3, requires_grad=True), torch.nn.functional
    parts = functional.relu(x[0]) + functional.leaky_relu(x[1], 0.3)
    (parts + functional.prelu(x[2:], torch.tensor([0.25])).sum()).backward()
    np.testing.assert_allclose(x.grad, [0, 0.3, 0.25])


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_low_precision_equals_float32_and_has_finite_slopes(name: str, dtype: str) -> None:
    x = jnp.array([-6e4, -300.0, -2.0, 0.0, 0.5, 300.0, 6e4], dtype)
    function = ELEMENTWISE[name]
    value, slopes = function(x), jax.vmap(jax.grad(function))(x)
    assert value.dtype == slopes.dtype == jnp.dtype(dtype)
    wide = x.astype("float32")
    np.testing.assert_allclose(value.astype("float32"), function(wide), rtol=2e-2, atol=1e-6)
    np.testing.assert_allclose(
        slopes.astype("float32"), jax.vmap(jax.grad(function))(wide), rtol=3e-2, atol=1e-6
    )


def test_softsign_keeps_the_digits_of_its_slope() -> None:
    x = np.array([-1e6, -50.0, 0.0, 3.0, 1e10])
    got = jax.vmap(jax.grad(activations.softsign))(jnp.float32(x))
    np.testing.assert_allclose(got, 1 / (1 + np.abs(x)) ** 2, rtol=1e-6)
    second = jax.vmap(jax.grad(jax.grad(activations.softsign)))(jnp.float32(x))
    np.testing.assert_allclose(second, -2 * np.sign(x) / (1 + np.abs(x)) ** 3, rtol=1e-6, atol=1e-37)


def test_a_row_that_is_wholly_masked_is_zero() -> None:
    z, inside = jnp.array([[1e4, 3.0, 1.0], [0.0, 2.0, 4.0]]), jnp.array([[False] * 3, [True, False, True]])
    np.testing.assert_array_equal(activations.softmax(z, where=inside)[0], 0.0)
    np.testing.assert_allclose(activations.softmax(z, where=inside).sum(1), [0, 1])
    slope = jax.grad(lambda z: activations.softmax(z, where=inside)[:, 0].sum())(z)
    assert np.isfinite(slope).all()
    assert not slope[0].any()


def test_relatives() -> None:
    x = jnp.linspace(-5, 5, 41)
    np.testing.assert_allclose(activations.tanh(x), 2 * activations.sigmoid(2 * x) - 1, atol=1e-6)
    np.testing.assert_allclose(activations.swish(x, beta=0.0), x / 2)
    np.testing.assert_allclose(activations.swish(x, beta=1e3), activations.relu(x), atol=1e-6)
    np.testing.assert_array_equal(activations.leaky_relu(x, slope=0.0), activations.relu(x))
    np.testing.assert_array_equal(activations.leaky_relu(x, slope=1.0), activations.identity(x))
    np.testing.assert_array_equal(activations.prelu(x, jnp.float32(0.01)), activations.leaky_relu(x))


def test_traced_hyperparameters_are_swept() -> None:
    x = jnp.array([-2.0, 0.0, 2.0])
    leaky = jax.jit(jax.vmap(lambda v: activations.leaky_relu(x, slope=v)))(jnp.array([0.0, 0.5]))
    np.testing.assert_array_equal(leaky, [[0, 0, 2], [-1, 0, 2]])
    stepped = jax.jit(jax.vmap(lambda v: activations.step(x, at_zero=v)))(jnp.array([0.0, 0.5]))
    np.testing.assert_array_equal(stepped, [[0, 0, 1], [0, 0.5, 1]])


@pytest.mark.parametrize("features", [None, 3])
def test_prelu_layer_learns_its_slopes(features: int | None) -> None:
    slopes = np.array([0.1, 0.5, 0.9]) if features else 0.5
    network = net.functional(lambda rngs: PReLU(features, rngs=rngs))
    params, _ = network.init(jax.random.key(0))
    np.testing.assert_array_equal(params["slope"], np.full(np.shape(slopes), 0.25))
    x = jax.random.normal(jax.random.key(1), (64, 3))
    y = jnp.where(x > 0, x, x * jnp.asarray(slopes, jnp.float32).reshape(1, -1))
    spec = train.Spec(epochs=60, batch_size=32)
    run = jax.jit(train.make_train(network, losses.squared_error, sgd(1.0), spec))
    found = run(jax.random.key(0), jax.random.key(1), train.Arrays(x, y), {}).params["slope"]
    np.testing.assert_allclose(found, slopes, atol=1e-4)


def test_prelu_layer_refuses() -> None:
    with pytest.raises(ShapeError, match=r"expected \(..., 4\)"):
        PReLU(4, rngs=nnx.Rngs(0))(jnp.ones((2, 3)))
    for bad in ({"num_features": 0}, {"start": float("nan")}):
        with pytest.raises(ValueError, match="expected"):
            PReLU(**bad, rngs=nnx.Rngs(0))


CONCRETE = {
    "regression": (jnp.array([[-1.0, 2.0]]), jnp.array([[-1.0, 2.0]])),
    "non_negative_regression": (jnp.array([[-1.0, 2.0]]), jnp.array([[0.0, 2.0]])),
    "binary": (jnp.array([-90.0, 90.0]), jnp.array([0, 1])),
    "multi_class": (jnp.array([[0.0, 90.0, 0.0]]), jnp.array([1])),
    "multi_label": (jnp.array([[-90.0, 90.0]]), jnp.array([[0, 1]])),
}


@pytest.mark.parametrize("task", activations.TASKS)
def test_the_loss_of_a_task_is_0_where_its_activation_hits_the_target(task: str) -> None:
    loss, activation = activations.output_for(task)
    outputs, targets = CONCRETE[task]
    np.testing.assert_allclose(loss(outputs, targets), 0, atol=1e-6)
    predicted = activation(outputs)
    wanted = jax.nn.one_hot(targets, 3) if task == "multi_class" else targets
    np.testing.assert_allclose(predicted, wanted, atol=1e-6)
    assert loss(outputs, targets).shape == outputs.shape[:1]
    assert (np.asarray(loss(-outputs + 0.5, targets)) > 0).any()


def test_the_gradient_of_a_canonical_link_is_prediction_less_target() -> None:
    z = jnp.array([[0.3, -1.2, 2.0]])
    targets = {
        "binary": jnp.array([[1, 0, 1]]),
        "multi_class": jnp.array([2]),
        "multi_label": jnp.array([[1, 0, 1]]),
        "regression": jnp.array([[1.0, 0.0, 1.0]]),
    }
    for task, y in targets.items():
        loss, activation = activations.output_for(task)
        gradient = jax.grad(lambda z, loss=loss, y=y: loss(z, y).sum())(z)
        rows = jax.nn.one_hot(y, 3) if task == "multi_class" else y
        factor = {"binary": 1 / 3, "regression": 2 / 3}.get(task, 1)
        np.testing.assert_allclose(gradient, factor * (activation(z) - rows), rtol=1e-5, atol=1e-6)
