"""Attention layers: torch's own of several heads, padding, and what they refuse."""

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import layers, net
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.kernels import attention
from jaxdl.layers import _window

GOLDEN = Path(__file__).parents[1] / "golden" / "attention.npz"
QUERY, KEYS = jnp.ones((2, 3, 4)), jnp.ones((2, 5, 6))
MASK = np.arange(5) < np.array([[5], [3]])
MAKERS: dict[str, Any] = {
    "additive": lambda rngs: layers.AdditiveAttention(4, 6, 5, rngs=rngs),
    "multi_head": lambda rngs: layers.MultiHeadAttention(4, 2, key_features=6, rngs=rngs),
}


class Asking(nnx.Module):
    """Puts a layer of several arguments behind one."""

    def __init__(self, kind: str, rngs: nnx.Rngs) -> None:
        self.inner = MAKERS[kind](rngs)

    def __call__(self, x: Any) -> Any:
        return self.inner(x["query"], x["keys"], mask=x["mask"])


@functools.cache
def made(kind: str) -> Any:
    return MAKERS[kind](nnx.Rngs(0))


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as stored:
        return dict(stored)


def test_several_heads_equal_torch(golden: dict[str, np.ndarray]) -> None:
    """Outputs, weights, and the gradients of inputs and parameters, with a mask of padded steps."""

    def make(rngs: nnx.Rngs) -> nnx.Module:
        return layers.MultiHeadAttention(8, 2, key_features=6, value_features=5, rngs=rngs)

    module = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    graph, _ = nnx.split(module)
    params = {
        name: {part: jnp.asarray(golden[f"{name}/{part}"]) for part in ("kernel", "bias")}
        for name in ("query", "key", "value", "out")
    }

    def cost(params: Any, inputs: tuple[jax.Array, ...]) -> tuple[jax.Array, Any]:
        state = nnx.state(module)
        nnx.replace_by_pure_dict(state, params)
        attended = nnx.merge(graph, state)(*inputs, mask=golden["mask"])
        return jnp.sum(jnp.sin(attended.context)), attended

    inputs = tuple(jnp.asarray(golden[f"inputs/{i}"]) for i in range(3))
    run = jax.jit(jax.value_and_grad(cost, argnums=(0, 1), has_aux=True))
    (_, attended), (slopes, moved) = run(params, inputs)
    np.testing.assert_allclose(attended.context, golden["context"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(attended.weights, golden["weights"], rtol=1e-5, atol=1e-6)
    for i, slope in enumerate(moved):
        np.testing.assert_allclose(slope, golden[f"d/inputs/{i}"], rtol=1e-4, atol=1e-5)
    for name, parts in slopes.items():
        for part, slope in parts.items():
            np.testing.assert_allclose(slope, golden[f"d/{name}/{part}"], rtol=1e-4, atol=1e-5)


def test_the_golden_file_is_what_torch_gives(golden: dict[str, np.ndarray]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the golden file stands in for it")
    from golden import attention as oracle

    for name, value in oracle.torch_heads(torch).items():
        np.testing.assert_allclose(golden[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", MAKERS)
def test_padding_changes_no_bit(kind: str) -> None:
    made = net.functional(lambda rngs: Asking(kind, rngs))
    params, state = made.init(jax.random.key(0))
    rng = np.random.default_rng(0)
    query, keys = (rng.normal(size=shape).astype(np.float32) for shape in ((2, 3, 4), (2, 5, 6)))

    @jax.jit
    @jax.grad
    def slopes(params: Any, keys: Any) -> jax.Array:
        x = {"query": query, "keys": keys, "mask": MASK}
        return jnp.sum(jnp.sin(made.apply(params, state, x, train=False)[0].context))

    found = [slopes(params, np.where(MASK[..., None], keys, padding)) for padding in (0.0, 1e4, np.nan)]
    for other in found[1:]:
        jax.tree.map(np.testing.assert_array_equal, found[0], other)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found[0]))
    trained = {"additive": ("vector", "key_kernel"), "multi_head": ("out", "value")}[kind]
    assert all(leaf.any() for name in trained for leaf in jax.tree.leaves(found[0]["inner"][name]))


AHEAD = np.tri(3, 3, -1, dtype=bool)[None]
FROM = np.arange(3) >= np.array([[0], [2]])
UPTO = np.arange(3) < np.array([[3], [1]])


@pytest.mark.parametrize(
    ("causal", "steps", "mask", "inside"),
    [
        (True, 5, None, [[True] * 3 + [False] * 2] * 2),
        (True, None, FROM, FROM),
        (True, None, UPTO, UPTO),
        (False, None, UPTO, UPTO),
        (False, None, np.stack([UPTO] * 2, 1)[:, :, None], UPTO),
        (False, None, UPTO[:, None] & UPTO[:, :, None], UPTO),
    ],
    ids=["more steps than queries", "left", "causal and padded", "padded", "heads", "rows"],
)
def test_several_heads_and_steps_that_nobody_looks_at(
    causal: bool, steps: int | None, mask: Any, inside: Any
) -> None:
    """NaN there, in the keys, or in self-attention in the query too: the gradients by a bit."""
    graph, start = nnx.split(layers.MultiHeadAttention(4, 2, causal=causal, rngs=nnx.Rngs(0)))
    rng = np.random.default_rng(0)
    x, keys = (rng.normal(size=(2, size, 4)).astype(np.float32) for size in (3, steps or 3))

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def slopes(state: Any, filled: Any) -> Any:
        args = (filled,) if steps is None else (x, filled)
        attended = nnx.merge(graph, state)(*args, mask=mask)
        return jnp.sum(jnp.cos(attended.context)), attended

    fills = [slopes(start, np.where(np.asarray(inside)[..., None], keys, fill)) for fill in (0.0, np.nan)]
    jax.tree.map(np.testing.assert_array_equal, *fills)
    gradients, attended = fills[0]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(fills[0]))
    assert all(leaf.any() for leaf in jax.tree.leaves(gradients["out"]))
    if steps is None:
        assert not np.asarray(attended.context)[~np.asarray(inside)].any()


def test_a_query_whose_step_nobody_attends_may_ask() -> None:
    """Steps that look at earlier ones alone: the last is seen by none, and looks at all others."""
    layer = layers.MultiHeadAttention(4, 2, rngs=nnx.Rngs(0))
    layer.out.bias[...] = jnp.ones(4)
    context, weights = layer(QUERY, mask=AHEAD)
    np.testing.assert_allclose(weights[0, 0], [[0, 0, 0], [1, 0, 0], [0.5, 0.5, 0]], rtol=1e-6)
    assert not np.asarray(context)[:, 0].any()
    assert np.asarray(context)[:, 2].any()


def test_keys_projected_once() -> None:
    layer = made("additive")
    direct = layer(QUERY, KEYS, mask=MASK)
    once = layer(QUERY, layer.project(KEYS), KEYS, mask=MASK, projected=True)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), direct, once)
    keys = np.random.default_rng(0).normal(size=KEYS.shape).astype(np.float32)

    def slope(kernel: jax.Array, fill: float) -> jax.Array:
        graph, state = nnx.split(layer)
        state["key_kernel"] = state["key_kernel"].replace(kernel)
        twin, filled = nnx.merge(graph, state), jnp.where(MASK[..., None], keys, fill)
        found = twin(QUERY, twin.project(filled, mask=MASK), filled, mask=MASK, projected=True)
        return jnp.sum(jnp.sin(found.weights))

    plain, odd = (jax.grad(slope)(layer.key_kernel[...], fill) for fill in (0.0, jnp.nan))
    np.testing.assert_array_equal(plain, odd)
    assert plain.any()
    with pytest.raises(ShapeError, match=r"'mask' is of shape \(2, 4\)"):
        layer.project(KEYS, mask=MASK[:, :4])
    with pytest.raises(ValueError, match="expected values beside projected keys"):
        layer(QUERY, layer.project(KEYS), projected=True)
    with pytest.raises(ShapeError, match=r"expected \(batch, steps, 6\)"):
        layer.project(QUERY)


@pytest.mark.parametrize("option", [{"implementation": "flash"}, {"scale": float("nan")}])
def test_what_a_kernel_says_of_an_option_is_no_matter_of_shapes(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"'{next(iter(option))}' is") as caught, _window.named_errors():
        attention.multi_head_attention(QUERY, QUERY, QUERY, num_heads=2, **option)
    assert type(caught.value) is ValueError


def test_an_overflow_poisons_and_an_empty_sequence_is_zero() -> None:
    layer = layers.DotAttention(scaled=False)
    empty = layer(QUERY, KEYS[..., :4], mask=jnp.zeros((2, 5), bool))
    assert not np.asarray(empty.context).any()
    assert np.isnan(layer(1e30 * QUERY, 1e30 * KEYS[..., :4]).context).all()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda r: layers.AdditiveAttention(0, 6, 5, rngs=r), ValueError, "'query_features' is 0"),
        (lambda r: layers.AdditiveAttention(4, 6, 2.5, rngs=r), DtypeError, "'units' is 2.5"),
        (lambda r: layers.DotAttention(scaled=2.0), ValueError, "'scaled' is 2.0"),
        (lambda r: layers.MultiHeadAttention(6, 4, rngs=r), ValueError, "Fix: features=8"),
        (lambda r: layers.MultiHeadAttention(6, 0, rngs=r), ValueError, "'num_heads' is 0"),
        (lambda r: layers.MultiHeadAttention(6, 2, causal="no", rngs=r), ValueError, "'causal' is 'no'"),
        (lambda r: layers.MultiHeadAttention(6, 2, use_bias="no", rngs=r), ValueError, "'use_bias' is 'no'"),
        (lambda r: layers.MultiHeadAttention(6, 2, implementation="fast", rngs=r), ValueError, "'fast'"),
        (
            lambda r: layers.MultiHeadAttention(6, 2, key_features=0, rngs=r),
            ValueError,
            "'key_features' is 0",
        ),
    ],
)
def test_constructors_refuse(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make(nnx.Rngs(0))


@pytest.mark.parametrize(
    ("kind", "args", "mask", "error", "words"),
    [
        ("additive", (QUERY[0], KEYS), None, ShapeError, r"'query' is of shape \(3, 4\)"),
        ("additive", (QUERY, KEYS[..., :5]), None, ShapeError, "'key_weight' is of shape"),
        ("additive", (QUERY, KEYS), jnp.ones((2, 4), bool), ShapeError, r"'mask' is of shape \(2, 4\)"),
        ("additive", (QUERY, KEYS), jnp.ones((2, 5)), DtypeError, "expected a boolean array"),
        ("multi_head", (QUERY, KEYS[..., :5]), None, ShapeError, r"expected \(batch, steps, 6\)"),
        ("multi_head", (QUERY, KEYS.astype(int)), None, DtypeError, "of dtype int32"),
        ("multi_head", (QUERY, KEYS), jnp.ones((2, 3, 3, 5), bool), ShapeError, r"or \(2, 2, 3, 5\)"),
        ("multi_head", (QUERY, KEYS[:1]), None, ShapeError, "expected the batch of 'query'"),
    ],
)
def test_inputs_are_checked(kind: str, args: Any, mask: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        made(kind)(*args, mask=mask)
    with pytest.raises(ShapeError, match="expected the 4 of 'query'"):
        layers.DotAttention()(QUERY, KEYS)
