"""One token from the logits of one step."""

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl import _checks
from jaxdl.sampling._steps import BROKEN, at_most, floating_logits, whole


def greedy(logits: jax.Array) -> jax.Array:
    """Choose the most likely token: ``argmax_k z_k``, ties to the lower one.

    Args:
        logits: floating array (..., classes).

    Returns:
        int32 array (...); -1 where the logits hold NaN, or their largest is infinite.

    Raises:
        DtypeError: `logits` is not floating.
        ShapeError: it has no classes.

    Example:
        >>> greedy(jnp.array([[0.0, 3.0, 1.0], [0.0, jnp.nan, 1.0]])).tolist()
        [1, -1]
    """
    logits = floating_logits("greedy", logits)
    return jnp.where(whole(logits), jnp.argmax(logits, axis=-1), BROKEN).astype(jnp.int32)


def sample(
    key: jax.Array, logits: jax.Array, *, temperature: float | jax.Array = 1.0, top_k: int | None = None
) -> jax.Array:
    """Draw tokens: ``P(k) = exp(z_k / T) / sum_j exp(z_j / T)``, over all classes or the `top_k` likeliest.

    A temperature T below 1 sharpens the distribution, and 0 is the argmax; one above 1 flattens it. With
    ``top_k=1`` it is the argmax at every temperature.

    Args:
        key: random key.
        logits: floating array (..., classes); classes of -inf are never drawn.
        temperature: T, in [0, inf); a number or a traced scalar.
        top_k: how many classes are drawn from, ties to the lower ones; None: all.

    Returns:
        int32 array (...); -1 where the logits hold NaN, their largest is infinite, or a traced temperature
        is out of range.

    Raises:
        DtypeError: no typed key, `logits` not floating, or `top_k` no whole number.
        ShapeError: the logits have no classes.
        ValueError: a temperature or `top_k` out of range.

    Example:
        >>> z = jnp.log(jnp.array([0.1, 0.6, 0.3]))
        >>> many = jnp.broadcast_to(z, (3000, 3))
        >>> draws = jax.jit(lambda key: sample(key, many, top_k=2))(jax.random.key(0)).tolist()
        >>> [round(draws.count(k) / 3000, 1) for k in range(3)]
        [0.0, 0.7, 0.3]

    Reference:
        Fan, Lewis and Dauphin (2018) for the top k.
    """
    op, key = "sample", _checks.key("sample", key)
    logits = floating_logits(op, logits)
    _checks.in_range(op, "temperature", temperature, 0, float("inf"), "[0, inf)")
    values, classes = logits, None
    if top_k is not None:
        values, classes = lax.top_k(logits, at_most(op, "top_k", top_k, logits.shape[-1]))
    heat = jnp.asarray(temperature, values.dtype)
    # Shifted first: what is divided is not positive, and cannot overflow at a low temperature.
    shifted = values - jnp.max(values, axis=-1, keepdims=True)
    drawn = jax.random.categorical(key, shifted / jnp.where(heat > 0, heat, jnp.ones_like(heat)))
    chosen = jnp.where(heat > 0, drawn, jnp.argmax(values, axis=-1))
    if classes is not None:
        chosen = jnp.take_along_axis(classes, chosen[..., None], axis=-1)[..., 0]
    good = whole(logits) & (heat >= 0) & jnp.isfinite(heat)
    return jnp.where(good, chosen, BROKEN).astype(jnp.int32)
