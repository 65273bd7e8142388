"""Losses of sequences: sums over the steps that count, one value per sequence."""

import jax
import jax.numpy as jnp

from jaxdl import _checks, _sequences, _targets
from jaxdl.errors import ShapeError, explain
from jaxdl.losses.binary import binary_cross_entropy
from jaxdl.losses.classification import softmax_cross_entropy


def sequence_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    *,
    lengths: jax.Array | None = None,
    padding: int | None = None,
) -> jax.Array:
    """Cross-entropy of a sequence: ``L = sum_t L_t``, the softmax cross-entropy of each step that counts.

    A step counts when it lies within the length of its sequence and its label is not the padding. What
    stands in the other steps, NaN included, changes neither the loss nor a gradient by a bit; a sequence
    in which no step counts has loss 0 and gradient 0. A label outside [0, classes) at a step that counts,
    or a traced length outside [0, time], makes loss *and* gradient of its own sequence NaN.

    Args:
        logits: floating array (batch, time, classes), before any softmax; without `lengths` any leading axes.
        labels: integers (batch, time), class numbers.
        lengths: integers (batch,), how many steps of each sequence count, the first ones; None: all.
        padding: the label of steps that do not count, such as 0 for the tokens of `jaxdl.data.pad`; None:
            every label is a class.

    Returns:
        Array (batch,) in nats, a sum over steps. The mean over the steps of a whole batch is
        ``reduce(losses, weights=lengths.astype(float), weighted=True)``.

    Raises:
        DtypeError: `logits` is not floating, or `labels`, `lengths` or `padding` are not integers.
        ShapeError: the shapes do not fit.
        ValueError: a length outside [0, time].

    Example:
        >>> import jax.numpy as jnp
        >>> z = jnp.zeros((2, 3, 4)).at[0, 2].set(jnp.nan)
        >>> sequence_cross_entropy(z, jnp.array([[1, 2, 0], [3, 3, 3]]), padding=0).round(4).tolist()
        [2.772599935531616, 4.158899784088135]

    Reference:
        Equals ``torch.nn.functional.cross_entropy(ignore_index=padding, reduction="none")``, summed over
        the steps.
    """
    op = "sequence_cross_entropy"
    logits = _checks.floating(op, "logits", logits)
    _checks.rank_at_least(op, "logits", logits, 2, "(batch, time, classes)")
    labels = _checks.widened(_checks.integer(op, "labels", labels))
    if labels.shape != logits.shape[:-1]:
        raise ShapeError(
            explain(op, "labels", got=f"of shape {labels.shape}",
                    expected=f"one label a step, {logits.shape[:-1]}", fix="give each step its label")
        )  # fmt: skip
    mask, valid = _sequences.inside(op, labels.shape, lengths=lengths, labels=labels, padding=padding)
    # Taken out before the loss: a NaN behind a mask comes back in its gradient.
    logits, labels = jnp.where(mask[..., None], logits, 0), jnp.where(mask, labels, 0)
    valid = valid & jnp.all((labels >= 0) & (labels < logits.shape[-1]), axis=-1)
    return _sequences.total(softmax_cross_entropy(logits, labels), mask, valid)


def sequence_binary_cross_entropy(
    logits: jax.Array, targets: jax.Array, *, lengths: jax.Array | None = None
) -> jax.Array:
    """Binary cross-entropy of a sequence: ``sum_t -y_t log a_t - (1 - y_t) log(1 - a_t)``, a = sigmoid(z).

    A yes or no a step, as for tagging which words are names. Several outputs a step are summed too. What
    stands in padded steps changes nothing by a bit; a sequence of length 0 has loss 0 and gradient 0. A
    target outside [0, 1] at a step that counts, or a traced length outside [0, time], makes loss *and*
    gradient of its own sequence NaN.

    Args:
        logits: floating array (batch, time), or (batch, time, outputs), the z before the sigmoid.
        targets: the y, of exactly the same shape: 0 or 1 as integers, booleans or floats, or probabilities.
        lengths: integers (batch,), how many steps of each sequence count, the first ones; None: all.

    Returns:
        Array (batch,) in nats, a sum over steps and outputs.

    Raises:
        DtypeError: `logits` is not floating, `targets` are not numbers, or `lengths` are not integers.
        ShapeError: the shapes do not fit.
        ValueError: a length outside [0, time].

    Example:
        >>> import jax.numpy as jnp
        >>> names = jnp.array([[1, 1, 0], [0, 1, 0]])
        >>> found = sequence_binary_cross_entropy(jnp.zeros((2, 3)), names, lengths=jnp.array([3, 2]))
        >>> [round(float(value), 4) for value in found]
        [2.0794, 1.3863]

    Reference:
        Equals ``torch.nn.BCEWithLogitsLoss(reduction="none")``, summed over the steps.
    """
    op = "sequence_binary_cross_entropy"
    logits = _checks.floating(op, "logits", logits)
    _checks.rank_at_least(op, "logits", logits, 2, "(batch, time, ...)")
    targets = _targets.zero_to_one(op, "targets", targets)
    _checks.same_shape(op, "logits", logits, "targets", targets)
    mask, valid = _sequences.inside(op, logits.shape[:2], lengths=lengths)
    here = mask.reshape(mask.shape + (1,) * (logits.ndim - 2))
    logits, targets = jnp.where(here, logits, 0), jnp.where(here, targets, 0)
    steps = binary_cross_entropy(logits.reshape(-1), targets.reshape(-1)).reshape(*mask.shape, -1)
    within = jnp.all((targets >= 0) & (targets <= 1), axis=tuple(range(1, targets.ndim)))
    return _sequences.total(jnp.sum(steps, axis=-1), mask, valid & within)
