"""What every attention of `attention.py` is made of: masked softmax, cleaning of padding, checks."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._words import words as words


def softmax(scores: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Return the softmax along the last axis, 0 where the mask is False, all 0 where a row of it is."""
    if mask is None:
        return jax.nn.softmax(scores, axis=-1)
    mask = jnp.broadcast_to(mask, scores.shape)
    top = lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True, where=mask, initial=-jnp.inf))
    powers = jnp.exp(jnp.where(mask, scores - jnp.where(top == -jnp.inf, 0, top), -jnp.inf))
    # Asked of the mask: a sum of 0 over attended steps is an overflow, and has to become NaN.
    total = jnp.where(mask.any(-1, keepdims=True), powers.sum(-1, keepdims=True), 1)
    return powers / total


def cleaned(
    query: jax.Array, keys: jax.Array, values: jax.Array, mask: jax.Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Put 0 where no query looks and where a query looks nowhere: a NaN would come through as 0 x NaN."""
    if mask is None:
        return query, keys, values
    mask = mask.any(1) if mask.ndim == 4 else mask
    asking, seen = mask.any(2)[..., None], mask.any(1)[..., None]
    return jnp.where(asking, query, 0), jnp.where(seen, keys, 0), jnp.where(seen, values, 0)


def product(subscripts: str, a: jax.Array, b: jax.Array) -> jax.Array:
    """Return the einsum of two arrays, in float32 where theirs is narrower."""
    wide = a.dtype if a.dtype.itemsize >= 4 else jnp.float32
    return jnp.einsum(subscripts, a, b, preferred_element_type=wide)


def check_arrays(op: str, query: Any, keys: Any, values: Any) -> None:
    """Raise unless these are (batch, queries, features), (batch, steps, features) and (batch, steps, any)."""
    axes = {"query": "(batch, queries, features)", "keys": "(batch, steps, features)",
            "values": "(batch, steps, features)"}  # fmt: skip
    for (name, expected), array in zip(axes.items(), (query, keys, values)):
        check_floating(op, name, array)
        if array.ndim != 3:
            fix = f"{name}[:, None]" if name == "query" and array.ndim == 2 else f"{expected}, batch first"
            raise ValueError(words(op, name, f"of shape {array.shape}", expected, fix))
        same_dtype(op, name, array, query)
    if keys.shape[0] != query.shape[0]:
        expected = f"the batch of 'query', {query.shape[0]}, first"
        raise ValueError(words(op, "keys", f"of shape {keys.shape}", expected, "one sequence a query"))
    if keys.shape[1] == 0:
        raise ValueError(words(op, "keys", f"of shape {keys.shape}", "at least one step", "leave it out"))
    if values.shape[:2] != keys.shape[:2]:
        expected = f"(batch, steps) of 'keys', {keys.shape[:2]}, in front"
        raise ValueError(words(op, "values", f"of shape {values.shape}", expected, "one value a key"))


def check_floating(op: str, name: str, array: Any) -> None:
    """Raise `TypeError` unless it is a floating array."""
    if not jnp.issubdtype(getattr(array, "dtype", "int32"), jnp.floating):
        got = f"of dtype {array.dtype}" if hasattr(array, "dtype") else f"a {type(array).__name__}"
        fix = f"jnp.asarray({name}, jnp.float32)"
        raise TypeError(words(op, name, got, "a floating array", fix))


def same_dtype(op: str, name: str, array: Any, other: Any, *, of: str = "query") -> None:
    """Raise `TypeError` unless both have one dtype."""
    if array.dtype != other.dtype:
        expected, fix = f"the dtype of '{of}', {other.dtype}", f"{name}.astype({of}.dtype)"
        raise TypeError(words(op, name, f"of dtype {array.dtype}", expected, fix))


def check_features(op: str, query: jax.Array, keys: jax.Array) -> None:
    """Raise `ValueError` unless queries and keys can be multiplied."""
    if query.shape[-1] != keys.shape[-1]:
        raise ValueError(
            words(op, "keys", f"of {keys.shape[-1]} features",
                  f"the {query.shape[-1]} of 'query'", "project one of them, or additive_attention")
        )  # fmt: skip


def checked_mask(
    op: str, mask: Any, query: jax.Array, keys: jax.Array, *, heads: int = 0
) -> jax.Array | None:
    """Return the mask with the axes (batch, [heads,] queries, steps), of which all but the last may be 1."""
    if mask is None:
        return None
    if getattr(mask, "dtype", None) != jnp.bool_:
        got = f"of dtype {mask.dtype}" if hasattr(mask, "dtype") else f"a {type(mask).__name__}"
        raise TypeError(words(op, "mask", got, "a boolean array, True where attended", "mask != 0"))
    mask = jnp.asarray(mask)
    batch, queries, steps = *query.shape[:2], keys.shape[1]
    wanted = {2: (batch, steps), 3: (batch, queries, steps)}
    if heads:
        wanted[4] = (batch, heads, queries, steps)
    shape = wanted.get(mask.ndim, ())
    fits = all(size in (1, whole) for size, whole in zip(mask.shape[:-1], shape[:-1]))
    if not shape or not fits or mask.shape[-1] != steps:
        expected = " or ".join(map(str, wanted.values())) + ", where any axis but the last may be 1"
        raise ValueError(words(op, "mask", f"of shape {mask.shape}", expected, "mask[None] for all examples"))
    return mask[:, None] if mask.ndim == 2 else mask
