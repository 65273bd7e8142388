"""The computation graph: values, derivatives that are those of `jax.grad`, and what is one node."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import activations, graph, losses, net
from jaxdl.models import MLP, MLPConfig


def test_a_worked_example() -> None:
    # e = (a + b) (b + 1) at a = 2, b = 1.
    shown = graph.show(lambda a, b: (a + b) * (b + 1.0), 2.0, 1.0)
    assert [(n.name, n.formula, float(n.value), float(n.derivative)) for n in shown.nodes] == [
        ("a", "input", 2, 2),
        ("b", "input", 1, 5),
        ("v1", "add(a, b)", 3, 2),
        ("v2", "add(b, 1)", 2, 3),
        ("v3", "mul(v1, v2)", 6, 1),
    ]
    assert shown.output == "v3"
    assert shown["v2"].inputs == ("b", "1")
    assert str(shown).splitlines()[-1].split() == ["v3", "mul(v1,", "v2)", "6", "1"]
    with pytest.raises(KeyError, match="no node 'v9'; there are a, b"):
        shown["v9"]


def network_cost(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    hidden = activations.relu(x @ params["w"][0])
    return losses.reduce(losses.softmax_cross_entropy(hidden @ params["w"][1], y))


def composed(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    z = jax.nn.softmax(jnp.tanh(x @ params["w"][0]))
    return jnp.sum(jax.nn.silu(z)) + jnp.linalg.norm(jnp.where(z > 0.3, z, 0.5)) * jnp.mean(y * 1.5)


@pytest.mark.parametrize("expand", graph.EXPAND)
@pytest.mark.parametrize("f", [network_cost, composed])
def test_derivatives_at_the_inputs_are_those_of_grad(f: Any, expand: str) -> None:
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        params = {"w": [jnp.asarray(rng.normal(size=(2, 3))), jnp.asarray(rng.normal(size=(3, 2)))]}
        x, y = jnp.asarray(rng.normal(size=(4, 2))), jnp.arange(4) % 2
        shown = graph.show(f, params, x, y, expand=expand)
        d_params, d_x = jax.jit(jax.grad(f, (0, 1)))(params, x, y)
        for name, wanted in (
            ("params/w/0", d_params["w"][0]), ("params/w/1", d_params["w"][1]), ("x", d_x),
        ):  # fmt: skip
            np.testing.assert_allclose(shown[name].derivative, wanted, rtol=1e-13, atol=1e-16)
        np.testing.assert_allclose(shown[shown.output].value, f(params, x, y), rtol=1e-14)
        assert shown["y"].derivative is None
        assert shown["y"].derivative_text == "-"
        assert float(shown[shown.output].derivative) == 1


def test_derivatives_between_are_the_adjoints() -> None:
    def f(x: jax.Array, w: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(jnp.tanh(w @ x)))

    w, x = jnp.array([[1.0, 2.0], [3.0, -1.0]]), jnp.array([0.3, 0.1])
    shown = graph.show(f, x, w)
    assert [node.name for node in shown.nodes[:2]] == ["x", "w"]
    np.testing.assert_array_equal(shown["w"].value, w)
    z = np.asarray(w @ x)
    by_operation = {node.operation: node for node in shown.nodes}
    np.testing.assert_allclose(by_operation["tanh"].derivative, 2 * np.tanh(z), rtol=1e-6)
    np.testing.assert_allclose(
        by_operation["dot_general"].derivative, 2 * np.tanh(z) / np.cosh(z) ** 2, rtol=1e-6
    )


def operations(shown: graph.Graph) -> list[str]:
    return [node.operation for node in shown.nodes]


def test_named_functions_are_opened_or_not() -> None:
    def f(x: jax.Array) -> jax.Array:
        return activations.relu(x) * jax.nn.silu(x)

    assert operations(graph.show(f, 1.5, expand="none")) == ["input", "relu", "silu", "mul"]
    assert operations(graph.show(f, 1.5)) == ["input", "relu", "logistic", "mul", "mul"]
    assert operations(graph.show(f, 1.5, expand="all")) == ["input", "max", "logistic", "mul", "mul"]


def test_a_rule_of_its_own_is_kept_or_refused() -> None:
    # The derivative of max(x, 0) at 0 is 1/2 by its operations, and 0 by the rule of relu.
    shown = graph.show(lambda x: activations.relu(x) + x, 0.0)
    assert float(shown["x"].derivative) == 1
    with pytest.raises(ValueError, match="Fix: expand='calls'"):
        graph.show(lambda x: activations.relu(x) + x, 0.0, expand="all")


def test_control_flow_is_one_node() -> None:
    def looped(x: jax.Array) -> jax.Array:
        y = jax.lax.fori_loop(0, 3, lambda i, c: c * x, x)
        y = jax.lax.cond(y > 1, jnp.sin, jnp.cos, y)
        return jax.lax.scan(lambda c, t: (c + t * x, c), y, jnp.arange(3.0))[0]

    shown = graph.show(looped, 1.2)
    assert [n for n in operations(shown) if n in ("scan", "cond")] == ["scan", "cond", "scan"]
    np.testing.assert_allclose(shown["x"].derivative, jax.grad(looped)(1.2), rtol=1e-6)
    (several,) = [
        node for node in shown.nodes if isinstance(node.value, tuple) and len(node.value[-1].shape) == 1
    ]
    np.testing.assert_allclose(several.derivative[0], 1.0)
    assert "; " in several.value_text


@pytest.mark.parametrize("expand", graph.EXPAND)
def test_a_while_loop_is_one_node(expand: str) -> None:
    @jax.jit
    def doubled(x: jax.Array) -> jax.Array:
        return jax.lax.while_loop(lambda c: c < 100, lambda c: 2 * c, x)

    shown = graph.show(lambda x: doubled(x) ** 2, 3.0, expand=expand)
    assert operations(shown)[1] == ("doubled" if expand == "none" else "while")
    np.testing.assert_allclose(shown["x"].derivative, 2 * (3 * 64) * 64)


def test_a_function_that_is_called_twice() -> None:
    square = jax.jit(lambda x, y: x * y)
    shown = graph.show(lambda x: square(square(x, x), 3.0) + square(2.0, x), 5.0)
    assert float(shown[shown.output].value) == 85
    assert float(shown["x"].derivative) == 32


def test_constants_and_large_arrays() -> None:
    table = jnp.arange(12.0).reshape(3, 4)
    shown = graph.show(lambda x: jnp.sum(table * x), jnp.ones((3, 4)))
    assert operations(shown) == ["input", "constant", "mul", "reduce_sum[axes=(0,1)]"]
    np.testing.assert_array_equal(shown["c1"].derivative, jnp.ones((3, 4)))
    assert shown["x"].derivative_text == "(3, 4), norm 22.4944"
    assert shown["x"].value_text == "(3, 4), norm 3.4641"


def test_random_numbers_inside(key: jax.Array) -> None:
    shown = graph.show(lambda x: jnp.sum(x * jax.random.uniform(key, (2,))), 2.0)
    drawn = jax.random.uniform(key, (2,))
    np.testing.assert_allclose(shown["x"].derivative, drawn.sum(), rtol=1e-6)
    assert "key" in str(shown)


def test_outputs_that_are_inputs_or_constant() -> None:
    assert float(graph.show(lambda x: x, 2.0)["x"].derivative) == 1
    flat = graph.show(lambda x: 3.0, 2.0)
    assert flat.output == "3"
    assert float(flat["x"].derivative) == 0


def test_a_small_model_is_shown(key: jax.Array) -> None:
    network = net.functional(lambda rngs: MLP(MLPConfig(sizes=(2, 3, 1)), rngs=rngs))
    params, state = network.init(key)
    shown = graph.show(lambda params, x: jnp.sum(network.apply(params, state, x, train=False)[0]), params,
                       jnp.ones((1, 2)))  # fmt: skip
    wanted = jax.grad(lambda p: jnp.sum(network.apply(p, state, jnp.ones((1, 2)), train=False)[0]))(params)
    np.testing.assert_allclose(
        shown["params/layers/1/kernel"].derivative, wanted["layers"][1]["kernel"], rtol=1e-6
    )
    assert "relu" in operations(shown)


def test_traced_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="'x' is traced; expected known numbers"):
        jax.jit(lambda a: graph.show(lambda x: x, a).nodes[0].value)(1.0)
