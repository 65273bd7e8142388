"""Rows of `jaxdl.kernels.attention`."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles

from jaxdl.kernels import attention
from rows.common import EXTREME, Bad, Call, Op

QUERY, KEYS, NEEDED = jnp.ones((2, 3, 4)), jnp.ones((2, 5, 4)), jnp.ones((4, 6))
SCORER = (NEEDED, NEEDED, jnp.ones(6))
MASK = np.array([[[1, 1, 0, 0, 1], [0, 1, 1, 0, 0], [1, 0, 1, 0, 1]], np.zeros((3, 5))]).astype(bool)
MASK[1, 0] = True
HUGE = tuple(np.full((2, 2, 7), level, np.float32) for level in (1e4, -1e4, 0.0))
LEVELS = (np.resize(EXTREME, (2, 2, 7)), *HUGE)


def sequences(*rest: tuple[int, ...]) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    """Draw query, keys, values and further arrays."""
    shapes = ((2, 3, 4), (2, 5, 4), (2, 5, 4), *rest)
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


def weighted(scores: np.ndarray, values: np.ndarray, mask: Any = None) -> np.ndarray:
    """Return the context, example by example and query by query."""
    weights = oracles.softmax(scores, None if mask is None else np.broadcast_to(mask, scores.shape))
    return np.stack([w @ v for w, v in zip(weights, values)])


def products(query: np.ndarray, keys: np.ndarray, scale: float) -> np.ndarray:
    return np.stack([q @ k.T for q, k in zip(query, keys)]) * scale


def additive_scores(query: Any, keys: Any, w: Any, u: Any, v: Any) -> np.ndarray:
    out = np.zeros((*query.shape[:2], keys.shape[1]))
    for b, q, s in np.ndindex(out.shape):
        out[b, q, s] = v @ np.tanh(query[b, q] @ w + keys[b, s] @ u)
    return out


def by_heads(query: Any, keys: Any, values: Any, mask: Any) -> np.ndarray:
    """Two heads, one after the other."""
    shares = [[np.split(array, 2, axis=-1)[head] for array in (query, keys, values)] for head in (0, 1)]
    scale = 1 / math.sqrt(query.shape[-1] // 2)
    return np.concatenate([weighted(products(q, k, scale), v, mask) for q, k, v in shares], axis=-1)


def context(function: Callable[..., attention.Attended], **bound: Any) -> Callable[..., jax.Array]:
    return lambda *arrays, **options: function(*arrays, **(bound | options)).context


SHAPES_BAD: tuple[Bad, ...] = (
    ((QUERY[:, 0], KEYS, KEYS), {}, ValueError, r"'query' is of shape \(2, 4\); expected \(batch, queries"),
    ((QUERY, KEYS[:1], KEYS[:1]), {}, ValueError, "expected the batch of 'query', 2, first"),
    ((QUERY, KEYS, KEYS[:, :4]), {}, ValueError, r"expected \(batch, steps\) of 'keys', \(2, 5\)"),
    ((QUERY, KEYS[:, :0], KEYS[:, :0]), {}, ValueError, "expected at least one step"),
    ((QUERY.astype(jnp.int32), KEYS, KEYS), {}, TypeError, "of dtype int32; expected a floating array"),
    ((QUERY, KEYS, KEYS.astype(jnp.bfloat16)), {}, TypeError, "expected the dtype of 'query', float32"),
    (([[1.0]], KEYS, KEYS), {}, TypeError, "'query' is a list"),
    ((QUERY, KEYS, KEYS), {"mask": jnp.ones((2, 5))}, TypeError, "expected a boolean array, True where"),
    ((QUERY, KEYS, KEYS), {"mask": jnp.ones(5, bool)}, ValueError, r"'mask' is of shape \(5,\)"),
    ((QUERY, KEYS, KEYS), {"mask": jnp.ones((3, 5), bool)}, ValueError, r"expected \(2, 5\) or \(2, 3, 5\)"),
    ((QUERY, KEYS, KEYS), {"mask": jnp.ones((2, 1), bool)}, ValueError, "any axis but the last may be 1"),
)
DOT_BAD: tuple[Bad, ...] = (
    *SHAPES_BAD,
    ((QUERY[..., :3], KEYS, KEYS), {}, ValueError, "'keys' is of 4 features; expected the 3 of 'query'"),
)
SCALE_BAD: tuple[Bad, ...] = (
    ((QUERY, KEYS, KEYS), {"scale": float("nan")}, ValueError, "'scale' is nan"),
    ((QUERY, KEYS, KEYS), {"scale": "a"}, TypeError, "'scale' is 'a'; expected a number"),
)
ADDITIVE_BAD: tuple[Bad, ...] = (
    *(((*args, *SCORER), *rest) for args, *rest in SHAPES_BAD),  # type: ignore[misc]
    ((QUERY, KEYS, KEYS, NEEDED.T, NEEDED, jnp.ones(6)), {}, ValueError, r"'query_weight' is of shape"),
    ((QUERY, KEYS, KEYS, NEEDED, NEEDED, jnp.ones(5)), {}, ValueError, r"expected \(4, 5\)"),
    ((QUERY, KEYS, KEYS, NEEDED, NEEDED, NEEDED), {}, ValueError, "at least one unit"),
    ((QUERY, KEYS, KEYS, NEEDED, None, jnp.ones(6)), {}, ValueError, "6 units, those of 'vector'"),
    ((QUERY, KEYS, KEYS, NEEDED, NEEDED, [1.0]), {}, TypeError, "'vector' is a list"),
)
HEADS_BAD: tuple[Bad, ...] = (
    *DOT_BAD, *SCALE_BAD,
    ((QUERY, KEYS, KEYS), {"num_heads": 3}, ValueError, "'query' is of 4 features; expected a multiple of"),
    ((QUERY, KEYS, KEYS), {"num_heads": 0}, ValueError, "'num_heads' is 0"),
    ((QUERY, KEYS, KEYS[..., :3]), {}, ValueError, "'values' is of 3 features"),
    ((QUERY, KEYS, KEYS), {"mask": jnp.ones((2, 3, 3, 5), bool)}, ValueError, r"or \(2, 2, 3, 5\)"),
    ((QUERY, KEYS, KEYS), {"implementation": "flash"}, ValueError, "expected None or one of"),
    ((QUERY, KEYS, KEYS[..., :2]), {"implementation": "xla"}, ValueError, "values as wide as keys"),
)  # fmt: skip
HEADS: dict[str, Any] = {"num_heads": 2, "mask": jnp.asarray(MASK)}
OPS: tuple[Op, ...] = (
    Op(
        "kernels.attention.attend", context(attention.attend, mask=jnp.asarray(MASK)),
        lambda rng: (rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 5, 4))),
        lambda scores, values: weighted(scores, values, MASK),
        (
            ((jnp.ones((2, 5)), KEYS), {"mask": None}, ValueError, r"expected \(batch, queries, steps\)"),
            ((jnp.ones((2, 3, 4)), KEYS), {}, ValueError, r"\(2, 4\) those of 'scores'"),
            ((jnp.ones((2, 3, 5)), KEYS[:1]), {}, ValueError, r"'values' is of shape \(1, 5, 4\)"),
            ((jnp.ones((2, 3, 5)), KEYS[0]), {}, ValueError, r"'values' is of shape \(5, 4\)"),
            ((jnp.ones((2, 3, 0)), KEYS[:, :0]), {}, ValueError, "at least one"),
            ((jnp.ones((2, 3, 5)), KEYS.astype(jnp.bfloat16)), {}, TypeError, "dtype of 'scores'"),
            ((jnp.ones((2, 3, 5), bool), KEYS), {}, TypeError, "of dtype bool; expected a floating array"),
            ((jnp.ones((2, 3, 5)), KEYS), {"mask": jnp.ones((2, 4), bool)}, ValueError, "'mask' is of shape"),
        ),
        differentiable=(0, 1), batched=False, length=5,
        extremes=tuple((np.resize(level, (2, 3, 5)), np.resize(level, (2, 5, 2))) for level in LEVELS),
    ),
    Op(
        "kernels.attention.additive_attention", context(attention.additive_attention),
        sequences((4, 6), (4, 6), (6,)),
        lambda q, k, values, w, u, v: weighted(additive_scores(q, k, w, u, v), values),
        ADDITIVE_BAD, differentiable=(0, 1, 2, 3, 4, 5), batched=False, length=12,
        extremes=tuple(
            (level, level, level, np.ones((7, 3), np.float32), np.ones((7, 3), np.float32), np.full(3, 1e4))
            for level in LEVELS
        ),
    ),
    Op(
        "kernels.attention.dot_attention", context(attention.dot_attention), sequences(),
        lambda query, keys, values: weighted(products(query, keys, 1.0), values), DOT_BAD,
        differentiable=(0, 1, 2), batched=False, length=9, extremes=tuple((x, x, x) for x in LEVELS),
    ),
    Op(
        "kernels.attention.scaled_dot_attention",
        context(attention.scaled_dot_attention, mask=jnp.asarray(MASK.any(1))), sequences(),
        lambda query, keys, values: weighted(
            products(query, keys, 1 / math.sqrt(query.shape[-1])), values, MASK.any(1)[:, None]
        ),
        (*DOT_BAD, *SCALE_BAD),
        differentiable=(0, 1, 2), batched=False, length=9,
        extremes=tuple((np.resize(x, (2, 2, 7)), *(np.resize(x, (2, 5, 7)),) * 2) for x in LEVELS),
    ),
    Op(
        "kernels.attention.multi_head_attention", context(attention.multi_head_attention, **HEADS),
        sequences(), lambda *arrays: by_heads(*arrays, MASK), HEADS_BAD,
        differentiable=(0, 1, 2), batched=False, length=9,
        extremes=tuple((np.resize(x, (2, 3, 4)), *(np.resize(x, (2, 5, 4)),) * 2) for x in LEVELS),
    ),
)  # fmt: skip
CALLS: tuple[Call, ...] = ()
