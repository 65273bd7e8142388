"""The loss of a network whose outputs are distances to the codes of the classes."""

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.losses.classification import softmax_cross_entropy


def maximum_a_posteriori(
    scores: jax.Array, labels: jax.Array, *, rubbish: float | jax.Array = 1.0
) -> jax.Array:
    """Distance of the label, in competition with the others: ``y_label + log(e^-j + sum_k e^-y_k)``.

    y are the distances to the codes of the classes, and the scores are -y. The sum pushes the other codes
    away, so that not all classes collapse into one point; j, the distance of a class of rubbish that no
    example belongs to, keeps it from pushing away what is further than j already. With j infinite it is
    the cross-entropy of a softmax of the scores. Integer labels outside [0, classes) make the loss *and* the
    gradient of their own example NaN.

    Args:
        scores: floating array (..., classes): minus the distances, as `models.LeNet5.original` gives them.
        labels: integers (...), class numbers.
        rubbish: j, not negative; a number or a traced scalar.

    Returns:
        Array (...) of per-example losses.

    Raises:
        DtypeError: `scores` is not floating, or `labels` are no integers.
        ShapeError: `scores` has no class, or `labels` is not one label an example.
        ValueError: `rubbish` is negative.

    Example:
        >>> maximum_a_posteriori(jnp.array([[-0.0, -8.0]]), jnp.array([0])).round(3).tolist()
        [0.3140000104904175]

    Reference:
        LeCun, Bottou, Bengio and Haffner (1998), equation 9.
    """
    op = "maximum_a_posteriori"
    scores = _checks.floating(op, "scores", scores)
    labels = _checks.widened(_checks.integer(op, "labels", labels))
    if scores.ndim == 0 or scores.shape[-1] == 0 or labels.shape != scores.shape[:-1]:
        raise ShapeError(
            explain(op, "labels", got=f"of shape {labels.shape} for scores {scores.shape}",
                    expected="labels (...) and scores (..., classes), at least one class",
                    fix="give one label an example")
        )  # fmt: skip
    _checks.in_range(op, "rubbish", rubbish, 0, float("inf"), "[0, inf)")
    level = jnp.asarray(rubbish, scores.dtype)
    if level.ndim:
        raise DtypeError(explain(op, "rubbish", got=f"of shape {level.shape}", expected="one number",
                                 fix="rubbish=1.0"))  # fmt: skip
    column = jnp.broadcast_to(-level, (*labels.shape, 1))
    losses = softmax_cross_entropy(jnp.concatenate([scores, column], axis=-1), labels)
    # The class of rubbish is nobody's label.
    legal = _targets.within(labels, 0, scores.shape[-1] - 1, scores.dtype)
    return losses * legal * _targets.within(level, 0, float("inf"), scores.dtype)
