"""Which loss and which output activation a task asks for."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxdl import _checks, losses
from jaxdl.activations import elementwise, rectifiers
from jaxdl.activations.probabilities import softmax

TASKS = ("regression", "non_negative_regression", "binary", "multi_class", "multi_label")


class Output(NamedTuple):
    """The end of a network.

    Attributes:
        loss: ``loss(outputs, targets) -> (batch,)`` of the outputs of the last layer *before* the
            activation (logits, where the task classifies).
        activation: turns these outputs into predictions or probabilities.
    """

    loss: Callable[[jax.Array, jax.Array], jax.Array]
    activation: Callable[[jax.Array], jax.Array]


def output_for(task: str) -> Output:
    """Choose loss and output activation, ``(loss, activation)``, by the name of the task.

    ========================  ============================  ==========  =============================
    task                      loss of the raw outputs z     activation  targets
    ========================  ============================  ==========  =============================
    regression                squared_error                 identity    floating, as z
    non_negative_regression   non_negative_squared_error    relu        floating, as z, at least 0
    binary                    binary_cross_entropy          sigmoid     0 or 1, as z
    multi_class               softmax_cross_entropy         softmax     class numbers or one-hot rows
    multi_label               multi_label_cross_entropy     sigmoid     0 or 1, as z
    ========================  ============================  ==========  =============================

    Every loss receives what the last layer gives, before the activation: logits keep their digits where
    probabilities round to 0 or 1. The loss of non-negative regression rectifies z itself. So the network
    ends in a linear layer, and the activation is applied to its outputs when it predicts.

    Args:
        task: one of the names above.

    Returns:
        The `Output`.

    Raises:
        ValueError: unknown task.

    Example:
        >>> import jax.numpy as jnp
        >>> loss, activation = output_for("binary")
        >>> z = jnp.array([0.0, 1e4])
        >>> activation(z).tolist(), loss(z, jnp.array([1, 1])).round(4).tolist()
        ([0.5, 1.0], [0.6930999755859375, 0.0])

    Reference:
        The canonical links of generalised linear models: Bishop (2006), section 4.3.6.
    """
    _checks.one_of("output_for", "task", task, TASKS)
    return {
        "regression": Output(losses.squared_error, elementwise.identity),
        "non_negative_regression": Output(losses.non_negative_squared_error, rectifiers.relu),
        "binary": Output(losses.binary_cross_entropy, elementwise.sigmoid),
        "multi_class": Output(losses.softmax_cross_entropy, softmax),
        "multi_label": Output(losses.multi_label_cross_entropy, elementwise.sigmoid),
    }[task]
