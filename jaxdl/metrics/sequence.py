"""Metrics of sequences, one value per sequence: what stands in steps that do not count is not looked at."""

import jax
import jax.numpy as jnp

from jaxdl import _checks, _sequences
from jaxdl.errors import ShapeError, explain


def sequence_accuracy(
    outputs: jax.Array,
    labels: jax.Array,
    *,
    lengths: jax.Array | None = None,
    padding: int | None = None,
) -> jax.Array:
    """Share of the steps of a sequence that are right, among those that count.

    A step counts when it lies within the length of its sequence and its label is not the padding. A
    sequence in which no step counts has no such share, and is NaN. The mean over a batch weighs
    sequences alike, not steps.

    Args:
        outputs: floating array (batch, time, classes), of which the largest decides, ties to the lower
            class, NaN never right; or integers (batch, time), the classes that were decided for.
        labels: integers (batch, time).
        lengths: integers (batch,), how many steps of each sequence count, the first ones; None: all.
        padding: the label of steps that do not count, or None.

    Returns:
        Array (batch,) in [0, 1], float32 or wider.

    Raises:
        DtypeError: `labels`, `lengths` or `padding` are not integers.
        ShapeError: the shapes do not fit.
        ValueError: a length outside [0, time].

    Example:
        >>> import jax.numpy as jnp
        >>> said, true = jnp.array([[5, 6, 0], [5, 7, 9]]), jnp.array([[5, 8, 0], [5, 7, 9]])
        >>> sequence_accuracy(said, true, padding=0).tolist()
        [0.5, 1.0]
    """
    right, mask, possible = _right("sequence_accuracy", outputs, labels, lengths, padding)
    count = jnp.sum(mask, axis=-1)
    given = jnp.asarray(outputs).dtype
    wide = given if given in (jnp.float32, jnp.float64) else jnp.float32
    share = jnp.sum(right & mask, axis=-1).astype(wide) / jnp.maximum(count, 1).astype(wide)
    return jnp.where(possible & (count > 0), share, jnp.nan)


def exact_match(
    outputs: jax.Array,
    labels: jax.Array,
    *,
    lengths: jax.Array | None = None,
    padding: int | None = None,
) -> jax.Array:
    """Tell which sequences are right in every step that counts: 1, else 0.

    Args:
        outputs: floating array (batch, time, classes), or integers (batch, time); see `sequence_accuracy`.
        labels: integers (batch, time).
        lengths: integers (batch,), how many steps of each sequence count, the first ones; None: all.
        padding: the label of steps that do not count, or None.

    Returns:
        float32 array (batch,) of zeros and ones; NaN where no step counts.

    Raises:
        DtypeError: `labels`, `lengths` or `padding` are not integers.
        ShapeError: the shapes do not fit.
        ValueError: a length outside [0, time].

    Example:
        >>> import jax.numpy as jnp
        >>> said, true = jnp.array([[5, 6, 3], [5, 7, 9]]), jnp.array([[5, 8, 0], [5, 7, 0]])
        >>> exact_match(said, true, padding=0).tolist()
        [0.0, 1.0]
    """
    right, mask, possible = _right("exact_match", outputs, labels, lengths, padding)
    every = jnp.all(right | ~mask, axis=-1).astype(jnp.float32)
    return jnp.where(possible & jnp.any(mask, axis=-1), every, jnp.nan)


def _right(
    op: str, outputs: jax.Array, labels: jax.Array, lengths: jax.Array | None, padding: int | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return which steps are right, which count, and which sequences have a possible length."""
    outputs = _checks.widened(_checks.array(op, "outputs", outputs))
    labels = _checks.widened(_checks.integer(op, "labels", labels))
    _checks.rank_at_least(op, "labels", labels, 1, "(batch, time)")
    logits = jnp.issubdtype(outputs.dtype, jnp.floating)
    if labels.shape != (outputs.shape[:-1] if logits else outputs.shape):
        raise ShapeError(
            explain(op, "labels", got=f"of shape {labels.shape} for outputs {outputs.shape}",
                    expected="one label a step", fix="floating outputs are (batch, time, classes), "
                    "integers (batch, time)")
        )  # fmt: skip
    decided = outputs
    if logits:
        known = ~jnp.any(jnp.isnan(outputs), axis=-1)
        decided = jnp.where(known, jnp.argmax(outputs, axis=-1), -1)
    right = (decided.astype(labels.dtype) == labels) & (labels >= 0)
    mask, possible = _sequences.inside(op, labels.shape, lengths=lengths, labels=labels, padding=padding)
    return right, mask, possible
