"""Prediction by a decision tree: the whole batch goes down a level at a time."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jaxdl.models.decision_tree import DecisionTree

FEW = 8  # once the usual depth is reached, one row in so many is expected to be still on its way


@jax.jit
def leaf_of(tree: "DecisionTree", x: jax.Array) -> jax.Array:
    """Return the leaf of each row, -1 where it holds a NaN.

    A tree is three times as deep as its usual path, and every level costs the same for a whole batch. So the
    few rows that are left after the usual depth are gathered and go on alone; where they are many, all go on.
    """
    rows = jnp.arange(len(x), dtype=jnp.int32)
    node = _down(tree, x, rows, jnp.zeros(len(x), jnp.int32), tree.usual_depth)
    count = jnp.cumsum(jnp.isfinite(_take(tree.threshold, node)), dtype=jnp.int32)
    few, left = -(-len(x) // FEW), tree.depth - tree.usual_depth

    def those_left(node: jax.Array) -> jax.Array:
        # The k-th of them is where their running count comes to k; beyond the last it is some row, unharmed.
        found = jnp.searchsorted(count, jnp.arange(1, few + 1, dtype=jnp.int32))
        row = jnp.minimum(found, len(x) - 1).astype(jnp.int32)
        return node.at[row].set(_down(tree, x, row, node[row], left))

    def all_rows(node: jax.Array) -> jax.Array:
        return _down(tree, x, rows, node, left)

    if len(x):
        node = jax.lax.cond(count[-1] <= few, those_left, all_rows, node)
    return jnp.where(jnp.any(jnp.isnan(x), axis=1), -1, node)


def _take(values: jax.Array, index: Any) -> jax.Array:
    return values.at[index].get(mode="promise_in_bounds")


def _down(
    tree: "DecisionTree", x: jax.Array, rows: jax.Array, node: jax.Array, levels: jax.Array
) -> jax.Array:
    def ask(_: int, node: jax.Array) -> jax.Array:
        right = _take(x, (rows, _take(tree.feature, node))) > _take(tree.threshold, node)
        return _take(tree.left, node) + right.astype(jnp.int32)

    return jax.lax.fori_loop(0, levels, ask, node)


@jax.jit
def probabilities(tree: "DecisionTree", x: jax.Array) -> jax.Array:
    """Return the shares of the classes in each row's leaf."""
    leaf = leaf_of(tree, x)
    total = jnp.sum(tree.counts, axis=1, keepdims=True)
    shares = tree.counts / jnp.where(total == 0, 1, total)
    return jnp.where(leaf[:, None] < 0, jnp.nan, shares[leaf])


@jax.jit
def labels(tree: "DecisionTree", x: jax.Array) -> jax.Array:
    """Return the likeliest class of each row's leaf, -1 where there is none."""
    leaf = leaf_of(tree, x)
    known = jnp.all(jnp.isfinite(tree.counts), axis=1)
    best = jnp.where(known, jnp.argmax(tree.counts, axis=1), -1).astype(jnp.int32)
    return jnp.where(leaf < 0, -1, best[leaf])
