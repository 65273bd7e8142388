"""The functional contract: plain dicts, jit, grad, vmap over seeds, scan, dropout, batch norm, errors."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from jaxdl import net
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.kernels import conv
from jaxdl.models import MLP, MLPConfig

CONFIG = MLPConfig(sizes=(6, 5, 4, 3), dropout="dropout", batch_norm=True)
HYPER = {"dropout": 0.5}
X = jnp.asarray(np.random.default_rng(0).normal(size=(8, 6)), jnp.float32)


class LinenMLP(linen.Module):
    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = linen.BatchNorm(use_running_average=not train, use_fast_variance=False)(linen.Dense(5)(x))
        return linen.Dense(3)(linen.Dropout(0.5, deterministic=not train)(linen.relu(x)))


@pytest.fixture(scope="module")
def both() -> dict[str, net.Net]:
    return {
        "nnx": net.functional(lambda rngs: MLP(CONFIG, rngs=rngs)),
        "linen": net.from_linen(LinenMLP(), X),
    }


@pytest.mark.parametrize("kind", ["nnx", "linen"])
def test_jit_grad_vmap_and_scan(both: dict[str, net.Net], kind: str) -> None:
    network, traces = both[kind], 0

    def train(key: jax.Array, rate: jax.Array) -> tuple[Any, Any, jax.Array]:
        nonlocal traces
        traces += 1
        params, state = network.init(key)

        def cost(params: Any, state: Any, key: jax.Array) -> Any:
            y, state = network.apply(params, state, X, train=True, key=key, hyper=HYPER)
            return jnp.mean(y**2), state

        def step(carry: Any, key: jax.Array) -> Any:
            (value, state), grads = jax.value_and_grad(cost, has_aux=True)(*carry, key)
            return (jax.tree.map(lambda p, g: p - rate * g, carry[0], grads), state), value

        (params, state), values = jax.lax.scan(step, (params, state), jax.random.split(key, 20))
        return params, state, values

    sweep = jax.jit(jax.vmap(train))
    for seed in (0, 1):
        params, state, values = sweep(jax.random.split(jax.random.key(seed), 3), jnp.full(3, 0.1))
    assert traces == 1
    assert values.shape == (3, 20)
    assert (values[:, -5:].mean(1) < values[:, :5].mean(1)).all()
    for tree in (params, state):
        assert all(type(node) is dict for node in _nodes(tree))
        assert all(leaf.shape[0] == 3 for leaf in jax.tree.leaves(tree))
    means = [leaf for leaf in jax.tree.leaves(state) if leaf.ndim == 2]
    assert means
    assert any(np.abs(leaf).max() > 1e-3 for leaf in means)


def _nodes(tree: Any) -> list[Any]:
    return [tree, *(n for v in tree.values() if isinstance(v, dict) for n in _nodes(v))]


@pytest.mark.parametrize("kind", ["nnx", "linen"])
def test_evaluation_is_deterministic_and_leaves_the_state(
    both: dict[str, net.Net], kind: str, key: jax.Array
) -> None:
    network = both[kind]
    params, state = network.init(key)
    first, after = network.apply(params, state, X, train=False)
    second, _ = network.apply(params, state, X, train=False, key=jax.random.key(7))
    np.testing.assert_array_equal(first, second)
    jax.tree.map(np.testing.assert_array_equal, state, after)


def test_key_decides_dropout(both: dict[str, net.Net], key: jax.Array) -> None:
    params, state = both["nnx"].init(key)

    def run(seed: int) -> jax.Array:
        return both["nnx"].apply(params, state, X, train=True, key=jax.random.key(seed), hyper=HYPER)[0]

    np.testing.assert_array_equal(run(1), run(1))
    assert (run(1) != run(2)).any()


def test_same_seed_same_parameters(both: dict[str, net.Net]) -> None:
    for network in both.values():
        trees = [network.init(jax.random.key(seed))[0] for seed in (3, 3, 4)]
        jax.tree.map(np.testing.assert_array_equal, trees[0], trees[1])
        assert any((a != b).any() for a, b in zip(jax.tree.leaves(trees[0]), jax.tree.leaves(trees[2])))


class Keeps(nnx.Module):
    """Keeps its Rngs, shares a layer, and draws in evaluation too."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(6, 6, rngs=rngs)
        self.second = self.first
        self.rngs = rngs

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.second(self.first(x)) + jax.random.normal(self.rngs.noise(), x.shape)


def test_module_that_shares_layers_and_keeps_its_rngs(key: jax.Array) -> None:
    network = net.functional(Keeps)
    params, state = network.init(key)
    assert sorted(params) == ["first"]
    assert state == {}
    y, _ = network.apply(params, state, X, train=False, key=key)
    assert y.shape == X.shape
    with pytest.raises(DtypeError, match="the network draws numbers"):
        network.apply(params, state, X, train=False)


def test_bare_pair(key: jax.Array) -> None:
    pair = net.from_pair(lambda key: {"w": jax.random.normal(key, (6, 2))}, lambda params, x: x @ params["w"])
    params, state = pair.init(key)
    y, after = jax.jit(lambda p: pair.apply(p, state, X, train=True))(params)
    np.testing.assert_allclose(y, X @ params["w"], rtol=1e-6)
    assert state == after == {}


BAD: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("no key", {"key": None}, DtypeError, "the network draws numbers"),
    ("raw key", {"key": np.zeros(2, np.uint32)}, DtypeError, r"jax.random.key\(seed\)"),
    ("train=1", {"train": 1}, DtypeError, "True or False"),
    ("no hyper", {"hyper": None}, ValueError, "without 'dropout'"),
    ("rate 1", {"hyper": {"dropout": 1.0}}, ValueError, r"\[0, 1\)"),
    ("other params", {"params": {}}, ShapeError, "'layers/0/kernel' missing"),
    ("other state", {"state": {"extra": jnp.ones(1)}}, ShapeError, "state"),
    ("width", {"x": X[:, :5]}, ShapeError, "5 inputs an example; expected 6"),
    ("integers", {"x": jnp.ones((8, 6), jnp.int32)}, DtypeError, "floating"),
]


@pytest.mark.parametrize(("change", "error", "words"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_input_is_named(
    both: dict[str, net.Net], change: dict[str, Any], error: type[Exception], words: str, key: jax.Array
) -> None:
    params, state = both["nnx"].init(key)
    call: dict[str, Any] = {
        "params": params,
        "state": state,
        "x": X,
        "train": True,
        "key": key,
        "hyper": HYPER,
    }
    call |= change
    with pytest.raises(error, match=words) as caught:
        both["nnx"].apply(call.pop("params"), call.pop("state"), call.pop("x"), **call)
    assert "Fix: " in str(caught.value)


def test_shape_of_a_parameter_is_named(both: dict[str, net.Net], key: jax.Array) -> None:
    params, state = both["nnx"].init(key)
    params["layers"][2]["bias"] = jnp.zeros(7)
    with pytest.raises(ShapeError, match=r"params\['layers/2/bias'\]' is of shape \(7,\); expected \(3,\)"):
        both["nnx"].apply(params, state, X, train=False)


def test_makers_refuse_what_they_do_not_take() -> None:
    for call, words in (
        (lambda: net.functional(lambda rngs: jnp.ones(3)), "returns an nnx.Module"),
        (lambda: net.from_linen(nnx.Linear, X), "flax.linen.Module"),
        (lambda: net.from_pair(None, None), "expected a function"),
    ):
        with pytest.raises(TypeError, match=words):
            call()
    with pytest.raises(DtypeError, match="typed PRNG key"):
        net.functional(lambda rngs: MLP(CONFIG, rngs=rngs)).init(0)


class BiasBeforeNorm(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(6, 4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(self.dense(x))


def test_summary() -> None:
    table = net.summary(net.functional(lambda rngs: MLP.classic(rngs=rngs)), jnp.ones((32, 28, 28, 1)))
    assert (table.count, table.macs, table.bytes, table.warnings) == (13_002, 12_960, 52_008, ())
    assert "layers/0/kernel  (784, 16)  float32  12,544  50,176" in str(table)
    warned = net.summary(net.functional(BiasBeforeNorm), X)
    assert [w.split()[0] for w in warned.warnings] == ["'dense/bias'"]
    assert "use_bias=False" in str(warned)
    assert {row.path: row.trained for row in warned.rows}["norm/mean"] is False


def test_summary_counts_convolutions_and_scans() -> None:
    kernel = jnp.ones((3, 3, 2, 8))

    def convolve(params: Any, x: jax.Array) -> jax.Array:
        dims = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x, params["k"], (1, 1), "SAME", dimension_numbers=dims)
        return jax.lax.scan(lambda c, _: (c @ params["w"], None), y.reshape(len(y), -1), length=5)[0]

    params = {"k": kernel, "w": jnp.ones((128, 128))}
    table = net.summary(net.from_pair(lambda key: params, convolve), jnp.ones((2, 4, 4, 2)))
    assert table.macs == 16 * 8 * 9 * 2 + 5 * 128 * 128


IMAGE = ("NHWC", "HWIO", "NHWC")


@pytest.mark.parametrize(
    ("kernel", "options", "macs"),
    [
        ((3, 3, 6, 8), {}, 12 * 10 * 8 * 9 * 6),
        ((3, 3, 2, 9), {"feature_group_count": 3}, 12 * 10 * 9 * 9 * 2),
        ((3, 3, 6, 8), {"rhs_dilation": (2, 3)}, 12 * 10 * 8 * 9 * 6),
        ((5, 3, 6, 8), {"window_strides": (2, 3)}, 6 * 4 * 8 * 15 * 6),
        ((3, 3, 6, 8), {"padding": "VALID"}, 10 * 8 * 8 * 9 * 6),
        # As many as the convolution of stride (2, 3) that it transposes, whatever is cut away.
        ((3, 3, 6, 8), {"lhs_dilation": (2, 3), "padding": ((2, 2), (2, 2))}, 12 * 10 * 8 * 9 * 6),
        ((3, 3, 6, 8), {"lhs_dilation": (2, 1), "padding": ((2, 1), (1, 1))}, 12 * 10 * 8 * 9 * 6),
        (
            (3, 3, 6, 8),
            {"lhs_dilation": (1, 2), "window_strides": (1, 4), "padding": ((1, 1), (1, 1))},
            12 * 5 * 8 * 9 * 6,
        ),
    ],
)
def test_summary_counts_every_kind_of_convolution(kernel: Any, options: dict[str, Any], macs: int) -> None:
    def convolve(params: Any, x: jax.Array) -> jax.Array:
        given = {"window_strides": (1, 1), "padding": "SAME"} | options
        return conv.conv_general_dilated(x, params["k"], dimension_numbers=IMAGE, **given)

    made = net.from_pair(lambda key: {"k": jnp.ones(kernel)}, convolve)
    assert net.summary(made, jax.ShapeDtypeStruct((3, 12, 10, 6), "float32")).macs == macs


def test_summary_counts_the_gradient_of_a_convolution_once() -> None:
    """The kernel's gradient swaps batch and features, the input's dilates: each is the forward's count."""
    params = {"k": jnp.ones((3, 3, 4, 8))}

    def gradients(params: Any, x: jax.Array) -> Any:
        def total(kernel: jax.Array, x: jax.Array) -> jax.Array:
            return jnp.sum(jnp.sin(jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME",
                                                                dimension_numbers=IMAGE)))  # fmt: skip

        return jax.grad(total, argnums=(0, 1))(params["k"], x)[1]

    made = net.from_pair(lambda key: params, gradients)
    forward = 4 * 4 * 8 * 9 * 4
    assert net.summary(made, jax.ShapeDtypeStruct((1, 8, 8, 4), "float32")).macs == 3 * forward


@pytest.mark.parametrize("implementation", conv.IMPLEMENTATIONS)
def test_summary_counts_the_convolution_whatever_formulation_runs(implementation: str) -> None:
    def convolve(params: Any, x: jax.Array) -> jax.Array:
        return conv.conv_general_dilated(x, params["k"], (1, 1), "SAME", dimension_numbers=IMAGE)

    made = net.from_pair(lambda key: {"k": jnp.ones((3, 3, 2, 8))}, convolve)
    with conv.using(implementation):
        assert net.summary(made, jax.ShapeDtypeStruct((1, 4, 4, 2), "float32")).macs == 16 * 8 * 9 * 2


def test_linen_errors_are_ours() -> None:
    made = net.from_linen(LinenMLP(), X)
    params, state = made.init(jax.random.key(0))
    with pytest.raises(DtypeError, match="expected a key, as the network draws numbers"):
        made.apply(params, state, X, train=True)
    less = {**params, "Dense_1": {"kernel": params["Dense_1"]["kernel"]}}
    with pytest.raises(ShapeError, match="'Dense_1/bias' missing"):
        made.apply(less, state, X, train=False)
    with pytest.raises(ShapeError, match=r"argument 'state' is a tree with .* missing"):
        made.apply(params, {}, X, train=False)
