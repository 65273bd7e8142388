"""Attention: what padding may not touch, rows with nothing to attend to, and torch's own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.kernels import attention

BATCH, QUERIES, STEPS, FEATURES = 3, 4, 6, 8
LENGTHS = np.array([6, 3, 0])
MASK = np.arange(STEPS) < LENGTHS[:, None]
W, U, V = (
    jnp.asarray(np.random.default_rng(7).normal(size=shape), jnp.float32) for shape in ((8, 5), (8, 5), 5)
)


def heads(implementation: str) -> Callable[..., attention.Attended]:
    def attended(q: Any, k: Any, v: Any, *, mask: Any) -> attention.Attended:
        return attention.multi_head_attention(q, k, v, num_heads=2, mask=mask, implementation=implementation)

    return attended


KINDS: dict[str, Callable[..., attention.Attended]] = {
    "attend": lambda q, k, v, *, mask: attention.attend(q @ jnp.swapaxes(k, 1, 2), v, mask=mask),
    "additive": lambda q, k, v, *, mask: attention.additive_attention(q, k, v, W, U, V, mask=mask),
    "dot": attention.dot_attention,
    "scaled_dot": attention.scaled_dot_attention,
    "multi_head": heads("plain"),
    "multi_head_xla": heads("xla"),
}


def arrays(padding: float) -> tuple[np.ndarray, ...]:
    """Return query, keys and values, with `padding` in the steps past the lengths."""
    rng = np.random.default_rng(0)
    query = rng.normal(size=(BATCH, QUERIES, FEATURES)).astype(np.float32)
    keys, values = (rng.normal(size=(BATCH, STEPS, FEATURES)).astype(np.float32) for _ in range(2))
    keys[~MASK], values[~MASK] = padding, padding
    return query, keys, values


def program(kind: str) -> Any:
    def cost(query: Any, keys: Any, values: Any) -> tuple[jax.Array, attention.Attended]:
        attended = KINDS[kind](query, keys, values, mask=jnp.asarray(MASK))
        return jnp.sum(jnp.sin(attended.context)), attended

    return jax.jit(jax.value_and_grad(cost, argnums=(0, 1, 2), has_aux=True))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_bit(kind: str) -> None:
    """What stands in padded steps, and the example of length 0, whose weights, context and slopes are 0."""
    paddings = (0.0, 1e4, np.nan) if kind != "attend" else (0.0, 1e4)  # its scores are the caller's
    run = program(kind)
    found = [run(*arrays(padding)) for padding in paddings]
    for other in found[1:]:
        jax.tree.map(np.testing.assert_array_equal, found[0], other)
    (_, first), slopes = found[0]
    masked = np.broadcast_to(
        ~MASK[:, None] if first.weights.ndim == 3 else ~MASK[:, None, None], first.weights.shape
    )
    assert (np.asarray(first.weights)[masked] == 0).all()
    sums = np.asarray(first.weights).sum(-1)
    np.testing.assert_allclose(sums[:2], 1, rtol=1e-6)
    assert (np.asarray(first.context[2]) == 0).all()
    assert all(np.isfinite(slope).all() and (np.asarray(slope[2]) == 0).all() for slope in slopes)
    assert (np.asarray(slopes[1])[~MASK] == 0).all()
    assert (np.asarray(slopes[2])[~MASK] == 0).all()


def test_a_query_that_attends_nothing_may_be_anything() -> None:
    query, keys, values = arrays(0.0)
    mask = np.ones((BATCH, QUERIES, STEPS), bool)
    mask[0, 1] = False

    def cost(query: Any, keys: Any) -> jax.Array:
        return jnp.sum(jnp.sin(attention.additive_attention(query, keys, values, W, U, V, mask=mask).context))

    run = jax.jit(jax.grad(cost, argnums=(0, 1)))
    plain = run(query, keys)
    query[0, 1] = np.nan
    for one, other in zip(plain, run(query, keys), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scores_of_nan_at_masked_steps_are_not_read() -> None:
    scores, values = jnp.array([[[0.0, 0.0, jnp.nan]]]), jnp.array([[[1.0], [3.0], [5.0]]])
    mask = jnp.array([[True, True, False]])
    slope = jax.jit(jax.grad(lambda s: attention.attend(s, values, mask=mask).context.sum()))(scores)
    np.testing.assert_array_equal(slope, [[[-0.5, 0.5, 0.0]]])


def test_an_overflow_is_not_hidden() -> None:
    """Scores of -inf at every attended step are no row without steps: the context is NaN and not 0."""
    scores = jnp.full((1, 1, 3), -jnp.inf)
    mask = jnp.array([[True, True, False]])
    run = jax.jit(lambda scores: attention.attend(scores, jnp.ones((1, 3, 2)), mask=mask).context)
    assert np.isnan(run(scores)).all()
    assert np.isnan(run(jnp.array([[[jnp.nan, 0.0, 0.0]]]))).all()


def test_additive_attention_takes_projected_keys() -> None:
    @jax.jit
    def both(query: Any, keys: Any, values: Any) -> list[jax.Array]:
        offered = ((keys, U), (keys @ U, None))
        found = [attention.additive_attention(query, k, values, W, u, V, mask=MASK) for k, u in offered]
        return [attended.context for attended in found]

    whole, projected = both(*arrays(0.0))
    np.testing.assert_allclose(whole, projected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_implementations_agree(causal: bool) -> None:
    run = jax.jit(partial(attention.multi_head_attention, num_heads=4, mask=MASK, causal=causal, scale=0.7),
                  static_argnames="implementation")  # fmt: skip
    found = [run(*arrays(0.0), implementation=name) for name in ("plain", "xla")]
    np.testing.assert_allclose(found[0].context, found[1].context, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[0].weights, found[1].weights)
    assert not causal or (np.triu(np.asarray(found[0].weights[0, 0]), 1) == 0).all()


def test_float64_is_not_rounded() -> None:
    with jax.enable_x64(True):
        x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 3, 4)))
        with pytest.raises(ValueError, match="jax rounds to float32"):
            attention.multi_head_attention(x, x, x, num_heads=2, implementation="xla")
        assert attention.multi_head_attention(x, x, x, num_heads=2).context.dtype == jnp.float64


@pytest.mark.parametrize("kind", ["masked", "causal", "scaled"])
def test_equals_torch(kind: str) -> None:
    torch = pytest.importorskip(
        "torch", reason="PyTorch is not installed; the float64 oracles stand in for it"
    )
    query, keys, values = arrays(0.0)
    mask = np.random.default_rng(1).random((BATCH, QUERIES, STEPS)) < 0.7
    mask[..., 0] = True
    options: dict[str, Any] = {
        "masked": {"mask": mask},
        "causal": {"causal": True},
        "scaled": {"scale": 0.3},
    }[kind]

    def cost(*given: Any) -> jax.Array:
        return jnp.sum(jnp.sin(attention.multi_head_attention(*given, num_heads=2, **options).context))

    tensors = [torch.tensor(array, requires_grad=True) for array in (query, keys, values)]
    split = [t.reshape(BATCH, -1, 2, FEATURES // 2).transpose(1, 2) for t in tensors]
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *split, attn_mask=torch.tensor(mask)[:, None] if kind == "masked" else None,
        is_causal=kind == "causal", scale=options.get("scale"),
    )  # fmt: skip
    total = theirs.transpose(1, 2).reshape(BATCH, QUERIES, FEATURES).sin().sum()
    total.backward()
    ours, slopes = jax.jit(jax.value_and_grad(cost, argnums=(0, 1, 2)))(query, keys, values)
    np.testing.assert_allclose(ours, total.detach(), rtol=1e-5)
    for slope, tensor in zip(slopes, tensors, strict=True):
        np.testing.assert_allclose(slope, tensor.grad, rtol=1e-4, atol=1e-6)
