"""Distances of every embedding from every other, and what is the same kind within a batch."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.losses.similarity import _distance


class Batch(NamedTuple):
    """Embeddings (n, features) in float32 or wider, and pairs (n, n): of the same kind, of another kind."""

    embeddings: jax.Array
    same: jax.Array
    other: jax.Array
    dtype: Any


def table(first: jax.Array, second: jax.Array, form: str) -> jax.Array:
    """Return distances (n, m) of rows (n, features) and (m, features).

    Differences are squared and summed. ``|a|^2 + |b|^2 - 2 a.b`` would be one product, but it cancels: it is
    wrong by ``eps (|a|^2 + |b|^2)`` however near the two lie. Row by row there are never (n, m, features)
    numbers at once. The gradient of a square, ``2 (a - b)``, forgives the product, and is taken from it; that
    of a distance is computed again from the differences.
    """
    first, second = _checks.single(first), _checks.single(second)

    def rows(first: jax.Array) -> jax.Array:
        return jax.lax.map(jax.checkpoint(lambda row: _distance(row[None], second, form)), first)

    if form != "squared_euclidean":
        return rows(first)
    # Around their middle, since what all have in common would cost digits of the gradient. Of what is finite,
    # since one that is not would spoil the distances of all others.
    middle = jnp.mean(jnp.where(jnp.isfinite(second), second, 0), axis=0, keepdims=True)
    middle = jax.lax.stop_gradient(middle)
    product = _by_product(first - middle, second - middle)
    return jax.lax.stop_gradient(rows(first)) + (product - jax.lax.stop_gradient(product))


def _by_product(first: jax.Array, second: jax.Array) -> jax.Array:
    squares = [jnp.sum(jnp.square(rows), axis=1) for rows in (first, second)]
    return squares[0][:, None] + squares[1][None] - 2 * jnp.matmul(first, second.T)


def batch(op: str, embeddings: Any, labels: Any) -> Batch:
    """Return what the losses of a whole batch are made of, or raise."""
    found = matrix(op, "embeddings", embeddings)
    kinds = kinds_of(op, labels, found)
    if not isinstance(kinds, jax.core.Tracer) and len(np.unique(np.asarray(kinds))) < 2:
        raise ValueError(
            explain(op, "labels", got=f"{int(kinds[0])} alone", expected="at least two classes",
                    fix="draw batches of several classes; of one class there is nothing to tell apart")
        )  # fmt: skip
    same = kinds[:, None] == kinds[None]
    return Batch(_checks.single(found), same & ~jnp.eye(len(kinds), dtype=bool), ~same, found.dtype)


def matrix(op: str, argument: str, value: Any) -> jax.Array:
    """Return floating embeddings (n, features), at least one, or raise."""
    found = _checks.floating(op, argument, value)
    if found.ndim != 2 or 0 in found.shape:
        raise ShapeError(
            explain(op, argument, got=f"of shape {found.shape}", expected="(examples, features), none 0",
                    fix=f"{argument}[None]" if found.ndim < 2 else f"{argument}.reshape(len({argument}), -1)")
        )  # fmt: skip
    return found


def kinds_of(op: str, labels: Any, embeddings: jax.Array) -> jax.Array:
    """Return integer labels, one an embedding, or raise."""
    found = _checks.integer(op, "labels", labels)
    one_each(op, found.shape, embeddings)
    if isinstance(labels, np.ndarray) and (labels.astype(found.dtype) != labels).any():
        raise FormatError(
            explain(op, "labels", got=f"up to {labels.max()}", expected=f"labels that {found.dtype} can hold",
                    fix="labels = np.unique(labels, return_inverse=True)[1]")
        )  # fmt: skip
    return found


def one_each(op: str, shape: tuple[int, ...], embeddings: jax.Array) -> None:
    """Raise `ShapeError` unless labels of that shape are one an embedding."""
    if shape != embeddings.shape[:1]:
        raise ShapeError(
            explain(op, "labels", got=f"of shape {shape}",
                    expected=f"one label an embedding, {embeddings.shape[:1]}",
                    fix="pass as many labels as embeddings")
        )  # fmt: skip
