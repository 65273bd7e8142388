"""The layer-error recursion: `jax.grad`, the printed output errors, torch, and the parameters of an MLP."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import activations, backprop, losses, net
from jaxdl.models import MLP, MLPConfig

Parameters = list[tuple[jax.Array, jax.Array]]


def drawn(sizes: tuple[int, ...], seed: int = 0) -> tuple[Parameters, jax.Array]:
    rng = np.random.default_rng(seed)
    params = [
        (jnp.asarray(rng.normal(size=(m, n))), jnp.asarray(rng.normal(size=n)))
        for m, n in itertools.pairwise(sizes)
    ]
    return params, jnp.asarray(rng.normal(size=(7, sizes[0])))


def forward(params: Parameters, x: jax.Array, g: Any, last: Any) -> jax.Array:
    for w, b in params[:-1]:
        x = g(x @ w + b[None])
    return last(x @ params[-1][0] + params[-1][1][None])


@pytest.mark.parametrize("sizes", [(4, 3), (4, 5, 3), (4, 6, 6, 5, 4, 3)])
@pytest.mark.parametrize(
    ("activation", "output", "loss"),
    [
        (activations.sigmoid, activations.sigmoid, losses.squared_error),
        (jnp.tanh, None, losses.softmax_cross_entropy),
        (activations.relu, activations.softmax, lambda a, y: losses.squared_error(a, y, outputs="sum")),
        (activations.softmax, None, losses.squared_error),
    ],
    ids=["sigmoid", "cross_entropy", "softmax_output", "softmax_hidden"],
)
def test_equals_jax_grad(sizes: tuple[int, ...], activation: Any, output: Any, loss: Any) -> None:
    with jax.enable_x64(True):
        params, x = drawn(sizes)
        y = activations.softmax(jnp.asarray(np.random.default_rng(1).normal(size=(7, 3))))

        def cost(params: Parameters) -> jax.Array:
            return losses.reduce(loss(forward(params, x, activation, output or (lambda z: z)), y))

        options = {"activation": activation, "output": output, "loss": loss}
        wanted, gradients = jax.jit(jax.value_and_grad(cost))(params)
        passed = jax.jit(partial(backprop.backpropagation, **options))(params, x, y)
        np.testing.assert_allclose(passed.cost, wanted, rtol=1e-13)
        for got, gradient in zip(jax.tree.leaves(passed.gradients), jax.tree.leaves(gradients), strict=True):
            np.testing.assert_allclose(got, gradient, rtol=1e-11, atol=1e-15)
            assert np.abs(gradient).max() > 0


@pytest.mark.parametrize(
    ("output", "loss", "reduction", "formula"),
    [
        # (a - y) * g'(z), the form of the texts: C = 1/2 sum_k (a_k - y_k)^2, summed over examples.
        (
            activations.sigmoid,
            lambda a, y: losses.squared_error(a, y, outputs="sum", factor=0.5),
            "sum",
            lambda z, a, y: (a - y) * a * (1 - a),
        ),
        # Softmax and cross-entropy cancel to a - y.
        (
            None,
            losses.softmax_cross_entropy,
            "mean",
            lambda z, a, y: (np.exp(z) / np.exp(z).sum(1, keepdims=True) - y) / len(y),
        ),
    ],
    ids=["squared_error", "cross_entropy"],
)
def test_errors_are_the_printed_recursion(
    output: Any, loss: Any, reduction: str, formula: Callable[..., np.ndarray]
) -> None:
    with jax.enable_x64(True):
        params, x = drawn((4, 5, 6, 3))
        y = np.eye(3)[np.arange(7) % 3]
        passed = backprop.backpropagation(
            params, x, jnp.asarray(y), output=output, loss=loss, reduction=reduction
        )
        (w2, w3), z = (
            (np.asarray(params[1][0]), np.asarray(params[2][0])),
            list(map(np.asarray, passed.weighted_inputs)),
        )
        a = [1 / (1 + np.exp(-value)) for value in z]
        deltas = [np.zeros(0), np.zeros(0), formula(z[2], a[2], y)]
        for layer, w in ((1, w3), (0, w2)):
            deltas[layer] = (deltas[layer + 1] @ w.T) * a[layer] * (1 - a[layer])
        before = [np.asarray(x), a[0], a[1]]
        for layer in range(3):
            np.testing.assert_allclose(passed.errors[layer], deltas[layer], rtol=1e-10, atol=1e-14)
            dw, db = passed.gradients[layer]
            np.testing.assert_allclose(dw, before[layer].T @ deltas[layer], rtol=1e-10, atol=1e-14)
            np.testing.assert_allclose(db, deltas[layer].sum(0), rtol=1e-10, atol=1e-14)


def test_equals_the_gradient_of_a_model(key: jax.Array) -> None:
    config = MLPConfig(sizes=(6, 5, 4, 3), activation="relu")
    network = net.functional(lambda rngs: MLP(config, rngs=rngs))
    params, state = jax.jit(network.init)(key)
    x, y = jax.random.normal(key, (8, 6)), jnp.arange(8) % 3

    def cost(params: Any) -> jax.Array:
        z = network.apply(params, state, x, train=True)[0]
        return losses.reduce(losses.softmax_cross_entropy(z, y))

    wanted = jax.jit(jax.grad(cost))(params)["layers"]
    pairs = [(params["layers"][i]["kernel"], params["layers"][i]["bias"]) for i in range(3)]
    options = {"activation": activations.relu, "loss": losses.softmax_cross_entropy}
    passed = jax.jit(partial(backprop.backpropagation, **options))(pairs, x, y)
    for index, (dw, db) in enumerate(passed.gradients):
        np.testing.assert_allclose(dw, wanted[index]["kernel"], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(db, wanted[index]["bias"], rtol=1e-5, atol=1e-7)


def test_layouts_are_transposes() -> None:
    params, x = drawn((4, 5, 3))
    y = jnp.ones((7, 3))
    turned = [(w.T, b) for w, b in params]
    first = backprop.backpropagation(params, x, y)
    last = backprop.backpropagation(turned, x, y, layout="outputs_first")
    for (dw, db), (dw_turned, db_turned) in zip(first.gradients, last.gradients, strict=True):
        np.testing.assert_array_equal(dw, dw_turned.T)
        np.testing.assert_array_equal(db, db_turned)


def test_equals_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; jax.grad stands in for it")
    params, x = drawn((4, 5, 3))
    y = np.eye(3, dtype=np.float32)[np.arange(7) % 3]
    tensors = [
        tuple(torch.tensor(np.asarray(part), requires_grad=True) for part in layer) for layer in params
    ]
    a = torch.tensor(np.asarray(x))
    for w, b in tensors:
        a = torch.sigmoid(a @ w + b)
    torch.nn.MSELoss()(a, torch.tensor(y)).backward()
    passed = backprop.backpropagation(params, x, jnp.asarray(y), output=activations.sigmoid)
    for (dw, db), (w, b) in zip(passed.gradients, tensors, strict=True):
        np.testing.assert_allclose(dw, w.grad, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(db, b.grad, rtol=1e-5, atol=1e-7)


def test_mean_of_example_gradients_is_the_batch_gradient() -> None:
    with jax.enable_x64(True):
        params, x = drawn((4, 5, 3))
        y = jnp.asarray(np.random.default_rng(1).normal(size=(7, 3)))

        def gradients(x: jax.Array, y: jax.Array) -> Any:
            return backprop.backpropagation(params, x, y).gradients

        batch = gradients(x, y)
        single = jax.jit(jax.vmap(gradients))(x[:, None], y[:, None])
        for whole, parts in zip(jax.tree.leaves(batch), jax.tree.leaves(single), strict=True):
            assert np.std(parts, axis=0).max() > 0
            np.testing.assert_allclose(np.mean(parts, axis=0), whole, rtol=1e-12, atol=1e-15)
