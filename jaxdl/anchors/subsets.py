"""A balanced subset of anchors for a loss, of fixed shape."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


def sample(key: jax.Array, kinds: Any, *, count: int, positive_fraction: Any) -> jax.Array:
    """Draw anchors for a loss: at most a share of objects, the rest background, without replacement.

    Objects are ``min(floor(count * positive_fraction), objects there)``, background the rest of `count` as
    far as there is any. Every anchor of a kind is as likely as every other.

    Args:
        key: a typed PRNG key.
        kinds: (anchors,) integers of one image: 1 object, 0 background, others never drawn; vmap over images.
        count: how many to draw, at least 1.
        positive_fraction: largest share of objects, in [0, 1]; a number or a traced scalar.

    Returns:
        Weights (anchors,) float32: 1 where drawn, 0 elsewhere.

    Raises:
        DtypeError: kinds that are no integers, or a key that is none.
        ShapeError: kinds that are not (anchors,).
        ValueError: a count below 1, or a share outside [0, 1].

    Example:
        >>> kinds = jnp.array([1, 1, 1, 0, 0, 0, -1])
        >>> from functools import partial
        >>> draw = jax.jit(partial(sample, count=4, positive_fraction=0.25))
        >>> drawn = draw(jax.random.key(0), kinds)
        >>> float(drawn[:3].sum()), float(drawn[3:6].sum()), float(drawn[6])
        (1.0, 3.0, 0.0)

    Reference:
        Ren et al. (2015), section 3.1.3.
    """
    op = "sample"
    key, kinds = _checks.key(op, key), _checks.integer(op, "kinds", kinds)
    if kinds.ndim != 1:
        raise ShapeError(
            explain(op, "kinds", got=f"of shape {kinds.shape}", expected="(anchors,), of one image",
                    fix="one image and one key at a time: jax.vmap over both")
        )  # fmt: skip
    count = _checks.positive_integer(op, "count", count)
    _checks.in_range(op, "positive_fraction", positive_fraction, 0, math.nextafter(1, 2), "[0, 1]")
    share = jnp.asarray(positive_fraction, jnp.float32)
    objects = (kinds == 1).sum()
    most = jnp.minimum(jnp.floor(count * share).astype(jnp.int32), objects)
    rank = _shuffled_rank(key, kinds)
    # Ranks run over the objects first, over the background after them, and over the ignored last.
    background = (kinds == 0) & (rank < objects + count - most)
    drawn = jnp.where(kinds == 1, rank < most, background)
    return jnp.where((share >= 0) & (share <= 1), drawn.astype(jnp.float32), jnp.nan)


def _shuffled_rank(key: jax.Array, kinds: jax.Array) -> jax.Array:
    """Return the place of each anchor where kinds stand in order and the anchors of a kind in any."""
    group = jnp.where(kinds == 1, 0, jnp.where(kinds == 0, 1, 2))
    order = jnp.lexsort((jax.random.bits(key, kinds.shape), group))
    return jnp.zeros(kinds.shape, jnp.int32).at[order].set(jnp.arange(kinds.size, dtype=jnp.int32))
