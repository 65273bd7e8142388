"""The loss of networks that answer at several depths in training."""

import math

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets
from jaxdl.errors import DtypeError, explain
from jaxdl.losses._heads import WithAuxiliary
from jaxdl.losses.classification import softmax_cross_entropy


def auxiliary_cross_entropy(
    outputs: WithAuxiliary | jax.Array, labels: jax.Array, *, weight: float | jax.Array = 0.3
) -> jax.Array:
    """Cross-entropy of a softmax and of its auxiliary heads: ``L(z, y) + weight sum_h L(z_h, y)``.

    Logits alone, as a network with auxiliary heads returns them in evaluation, have the first term only: a
    validation loss is that of the main head.

    Args:
        outputs: a `WithAuxiliary` of logits (..., classes), or the logits.
        labels: integers (...) or rows (..., classes), as in `softmax_cross_entropy`.
        weight: of each auxiliary head, at least 0; a number or a traced scalar, which below 0 gives NaN.

    Returns:
        Array (...) of per-example losses in nats.

    Raises:
        DtypeError: logits that are no floating arrays, or labels of a dtype that does not fit their shape.
        ShapeError: logits of a head, or labels, that do not fit the main logits.
        ValueError: a weight below 0.

    Example:
        >>> import jax.numpy as jnp
        >>> z = jnp.zeros((1, 2))
        >>> auxiliary_cross_entropy(WithAuxiliary(z, (z, z)), jnp.array([1])).round(4).tolist()
        [1.1089999675750732]
        >>> auxiliary_cross_entropy(z, jnp.array([1])).round(4).tolist()
        [0.6930999755859375]

    Reference:
        Szegedy et al. (2015), who weigh each of two heads by 0.3.
    """
    op = "auxiliary_cross_entropy"
    _checks.in_range(op, "weight", weight, 0, math.inf, "[0, inf)")
    if not isinstance(outputs, WithAuxiliary):
        return softmax_cross_entropy(outputs, labels)
    if not isinstance(outputs.auxiliary, tuple | list):
        raise DtypeError(
            explain(op, "outputs.auxiliary", got=f"a {type(outputs.auxiliary).__name__}",
                    expected="a tuple of logits, one a head", fix="WithAuxiliary(main, (head,))")
        )  # fmt: skip
    main = _checks.floating(op, "outputs.main", outputs.main)
    values = softmax_cross_entropy(main, labels)
    share = jnp.asarray(weight, values.dtype)
    share = share * _targets.within(share, 0, math.inf, values.dtype)
    for number, head in enumerate(outputs.auxiliary):
        logits = _checks.floating(op, f"outputs.auxiliary[{number}]", head)
        _checks.same_shape(op, "outputs.main", main, f"outputs.auxiliary[{number}]", logits)
        values = values + share * softmax_cross_entropy(logits, labels)
    return values
