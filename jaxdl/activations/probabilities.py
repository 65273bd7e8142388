"""Softmax, the activation that looks at a whole row."""

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain


def softmax(x: jax.Array, *, axis: int = -1, where: jax.Array | None = None) -> jax.Array:
    """Turn logits into probabilities: ``exp(x_i) / sum_j exp(x_j)`` over the entries that are kept.

    Args:
        x: floating array with at least one axis, such as logits (batch, classes).
        axis: the axis that sums to 1.
        where: boolean mask, broadcastable to the shape of `x`; False entries get exactly 0. A row
            with no True entry is all 0, and so is its gradient.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        DtypeError: `x` is not floating, or `where` is not boolean.
        ShapeError: `x` is a scalar, has no such axis, or `where` does not broadcast to it.

    Example:
        >>> import jax.numpy as jnp
        >>> softmax(jnp.zeros((1, 4)), where=jnp.array([True, True, False, False])).tolist()
        [[0.5, 0.5, 0.0, 0.0]]

    Reference:
        Bridle (1990). Equals ``torch.nn.functional.softmax(x, dim=axis)`` when `where` is None.
    """
    x = _checks.floating("softmax", "x", x)
    _checks.rank_at_least("softmax", "x", x, 1, "such as (batch, classes)")
    axis = _checks.axis_in("softmax", x, axis)
    if where is None:
        return jax.nn.softmax(x, axis=axis)
    mask = _mask_like(where, x)
    # A masked entry is replaced before exp, so that it can send neither inf nor nan backwards.
    kept = jnp.where(mask, x, -jnp.inf)
    top = jax.lax.stop_gradient(jnp.max(kept, axis=axis, keepdims=True))
    top = jnp.where(jnp.any(mask, axis=axis, keepdims=True), top, 0)
    powers = jnp.where(mask, jnp.exp(jnp.where(mask, x - top, 0)), 0)
    total = jnp.sum(powers, axis=axis, keepdims=True)
    return powers / jnp.where(total == 0, 1, total)


def _mask_like(where: jax.Array, x: jax.Array) -> jax.Array:
    mask = _checks.array("softmax", "where", where)
    if mask.dtype != jnp.bool_:
        raise DtypeError(
            explain("softmax", "where", got=f"of dtype {mask.dtype}", expected="bool",
                    fix="where.astype(bool)")
        )  # fmt: skip
    try:
        return jnp.broadcast_to(mask, x.shape)
    except ValueError as error:
        raise ShapeError(
            explain("softmax", "where", got=f"of shape {mask.shape}",
                    expected=f"a shape that broadcasts to {x.shape}",
                    fix="give the mask the shape of x")
        ) from error  # fmt: skip
