"""Distances of embeddings from each other, and embeddings of length 1."""

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.losses import DISTANCES, _pairwise


def distances(first: jax.Array, second: jax.Array, *, form: str = "euclidean") -> jax.Array:
    """Distances ``|a_i - b_j|`` of every two embeddings, or their squares; the gradient at 0 is 0.

    Differences are squared and summed, in float32 or wider: nothing cancels, where the quicker
    ``|a|^2 + |b|^2 - 2 a.b`` loses all digits of two that are near each other. Memory is that of (n, m)
    numbers.

    Args:
        first: floating array (n, features).
        second: floating array (m, features).
        form: ``"euclidean"`` or ``"squared_euclidean"``. Of embeddings of length 1 the square is
            ``2 - 2 cos`` of the angle between them.

    Returns:
        Array (n, m) of float32 or wider, since squares overflow half floats; NaN where an embedding is.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: embeddings that are not (examples, features), or not of as many features.
        ValueError: unknown `form`.

    Example:
        >>> distances(jnp.array([[0.0, 0.0], [3.0, 0.0]]), jnp.array([[3.0, 4.0]])).tolist()
        [[5.0], [4.0]]

    Reference:
        Equals ``sklearn.metrics.pairwise_distances``, and ``torch.cdist`` without its product.
    """
    op = "distances"
    first, second = _pairwise.matrix(op, "first", first), _pairwise.matrix(op, "second", second)
    _checks.one_of(op, "form", form, DISTANCES)
    if first.shape[1] != second.shape[1]:
        raise ShapeError(
            explain(op, "second", got=f"of shape {second.shape}", expected=f"(m, {first.shape[1]})",
                    fix="embed both by the same network")
        )  # fmt: skip
    return _pairwise.table(first, second, form)


def normalise(embeddings: jax.Array) -> jax.Array:
    """Bring embeddings to length 1: ``x / |x|``, and 0 to 0 with gradient 0.

    Args:
        embeddings: floating array (..., features).

    Returns:
        Array (..., features) of the same dtype, without overflow or underflow on the way.

    Raises:
        DtypeError: `embeddings` are not floating.
        ShapeError: `embeddings` are a scalar, or have no features.

    Example:
        >>> normalise(jnp.array([[3.0, 4.0], [0.0, 0.0]])).round(1).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]

    Reference:
        Equals ``torch.nn.functional.normalize``, but for vectors shorter than its eps of 1e-12.
    """
    x = _checks.floating("normalise", "embeddings", embeddings)
    _checks.rank_at_least("normalise", "embeddings", x, 1, "(..., features)")
    if not x.shape[-1]:
        raise ShapeError(
            explain("normalise", "embeddings", got=f"of shape {x.shape}", expected="(..., features), none 0",
                    fix="pass embeddings that have features")
        )  # fmt: skip
    return _normalised(_checks.single(x)).astype(x.dtype)


@jax.jit
def _normalised(x: jax.Array) -> jax.Array:
    # Divided by the largest first, since squares overflow from 1e19 on and vanish below 1e-23.
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1, keepdims=True, initial=0))
    nothing = largest < jnp.finfo(x.dtype).tiny
    scaled = x / jnp.where(nothing, 1, largest)
    squares = jnp.sum(jnp.square(scaled), axis=-1, keepdims=True)
    return jnp.where(nothing, 0, scaled / jnp.sqrt(jnp.where(nothing, 1, squares)))
