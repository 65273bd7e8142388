"""The contrastive loss over all pairs of a batch."""

from functools import partial

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets
from jaxdl.losses import _pairwise
from jaxdl.losses.similarity import _factor, _positive

PAIR_AVERAGES = ("pairs", "kinds")


def batch_contrastive(
    embeddings: jax.Array,
    labels: jax.Array,
    *,
    margin: float | jax.Array = 1.0,
    factor: float | jax.Array = 1.0,
    average: str = "pairs",
) -> jax.Array:
    """Contrastive losses of all pairs of a batch, ``d^2`` or, of two classes, ``max(margin - d, 0)^2``.

    d is the Euclidean distance. The mean of what is returned is the mean over the pairs of the batch: every
    example has the sum over its own pairs, times ``examples / pairs``. Embeddings that are not finite, and
    in a compiled program a batch of one class alone, make every loss NaN. Memory is that of (n, n) numbers.

    Args:
        embeddings: floating array (n, features), normalised or not; computed in float32 or wider.
        labels: integers (n,).
        margin: distance beyond which other classes are left alone, positive, or a traced scalar.
        factor: factor of the whole, 1, or 1/2 as the paper prints it.
        average: ``"pairs"``, over all of them, few of which are of the same class where there are many
            classes; ``"kinds"``, over those of the same class, plus over the others; one that does not
            occur counts 0.

    Returns:
        Array (n,) of the dtype of the embeddings.

    Raises:
        DtypeError: embeddings that are not floating, or labels that are not integers.
        ShapeError: embeddings that are not (n, features), or labels that are not (n,).
        FormatError: labels that the integers of the device cannot hold.
        ValueError: unknown `average`, a `margin` that is not positive, a `factor` that is not finite, or
            concrete labels of one class alone.

    Example:
        >>> x, y = jnp.array([[0.0, 0.0], [0.0, 0.5], [3.0, 0.0]]), jnp.array([0, 0, 1])
        >>> batch_contrastive(x, y, average="kinds").tolist()
        [0.375, 0.375, 0.0]

    Reference:
        Hadsell, Chopra and LeCun (2006), with factor 1/2; `contrastive` is that of given pairs.
    """
    op = "batch_contrastive"
    _checks.one_of(op, "average", average, PAIR_AVERAGES)
    batch = _pairwise.batch(op, embeddings, labels)
    margin = _positive(op, "margin", margin, batch.embeddings.dtype)
    _factor(op, factor)
    values = _averaged(batch.embeddings, batch.same, batch.other, margin, average=average)
    return (values * jnp.asarray(factor, values.dtype)).astype(batch.dtype)


@partial(jax.jit, static_argnames="average")
def _averaged(
    embeddings: jax.Array, same: jax.Array, other: jax.Array, margin: jax.Array, *, average: str
) -> jax.Array:
    d = _pairwise.table(embeddings, embeddings, "euclidean")
    near = jnp.sum(jnp.where(same, jnp.square(d), 0), 1)
    far = jnp.sum(jnp.where(other, jnp.square(jnp.maximum(margin - d, 0)), 0), 1)
    alike, apart = (jnp.sum(kind, dtype=d.dtype) for kind in (same, other))
    counts = (alike, apart) if average == "kinds" else (alike + apart,) * 2
    shares = near / jnp.maximum(counts[0], 1) + far / jnp.maximum(counts[1], 1)
    return shares * len(d) * _targets.poison((apart > 0) & jnp.all(jnp.isfinite(d)), d.dtype)
