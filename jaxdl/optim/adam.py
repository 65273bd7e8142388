"""Adam and AdamW."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxdl import _checks, _hyper
from jaxdl.optim import decay
from jaxdl.optim.rate import Rate, Scalar, scale_by_learning_rate

ADAM_FORMS = {"corrected_root": 1e-8, "scaled_rate": 1e-7}


def adam(
    learning_rate: Rate,
    *,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar | None = None,
    form: str = "corrected_root",
) -> optax.GradientTransformation:
    """Adam: ``w <- w - lr * m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + eps)``.

    m and s are the exponentially weighted averages of g and g^2, both starting at 0. ``"scaled_rate"``
    moves the corrections into the rate, so that eps meets the uncorrected root: ``w <- w - lr sqrt(1 -
    beta2^t) / (1 - beta1^t) * m / (sqrt(s) + eps)``.

    Args:
        learning_rate: lr, a number, a traced scalar, or a schedule ``step -> rate``.
        beta1: decay of m, in [0, 1), or a traced scalar.
        beta2: decay of s, in [0, 1), or a traced scalar.
        eps: added to the root, at least 0, or a traced scalar; None: 1e-8, and 1e-7 for ``"scaled_rate"``.
        form: ``"corrected_root"`` or ``"scaled_rate"``.

    Returns:
        An optax transformation.

    Raises:
        ValueError: hyperparameter out of range, or unknown form.

    Example:
        >>> import jax.numpy as jnp
        >>> step = adam(0.1)
        >>> update, _ = step.update(jnp.full(1, 7.0), step.init(jnp.ones(1)))
        >>> round(float(update[0]), 4)
        -0.1

    Reference:
        Kingma and Ba (2015). ``"corrected_root"`` equals ``torch.optim.Adam`` and ``optax.adam``;
        ``"scaled_rate"`` equals ``keras.optimizers.Adam``.
    """
    rate = scale_by_learning_rate(_hyper.rate("adam", learning_rate))
    return optax.chain(_scale("adam", beta1, beta2, eps, form), rate)


def adamw(
    learning_rate: Rate,
    *,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 0.01,
    decayed: str | Callable[[Any], Any] | Any = "weights",
) -> optax.GradientTransformation:
    """Adam with decoupled decay: ``w <- w - lr * (adam(g) + c * w)``; biases and norms are not decayed.

    Args:
        learning_rate: lr, a number, a traced scalar, or a schedule ``step -> rate``.
        beta1: decay of the average of g, in [0, 1), or a traced scalar.
        beta2: decay of the average of g^2, in [0, 1), or a traced scalar.
        eps: added to the corrected root, at least 0, or a traced scalar.
        weight_decay: c, at least 0, or a traced scalar.
        decayed: ``"weights"``: what `decay_mask` chooses; ``"all"``: every parameter, as torch does; or a
            tree of bools like the parameters, or a function that makes one of them.

    Returns:
        An optax transformation.

    Raises:
        ValueError: hyperparameter out of range; ``"weights"`` for a network without any, unless
            parts are frozen.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)}
        >>> rule = adamw(0.1, weight_decay=0.5)
        >>> update, _ = rule.update({"kernel": jnp.zeros((1, 1)), "bias": jnp.zeros(1)},
        ...                         rule.init(params), params)
        >>> {name: round(float(value.sum()), 3) + 0 for name, value in update.items()}
        {'bias': 0.0, 'kernel': -0.05}

    Reference:
        Loshchilov and Hutter (2019). With ``decayed="all"`` equals ``torch.optim.AdamW`` and
        ``optax.adamw``.
    """
    rate = scale_by_learning_rate(_hyper.rate("adamw", learning_rate))
    shrink = decay.weight_decay(_hyper.not_negative("adamw", "weight_decay", weight_decay), decayed=decayed)
    return optax.chain(_scale("adamw", beta1, beta2, eps, "corrected_root"), shrink, rate)


def _scale(op: str, beta1: Any, beta2: Any, eps: Any, form: str) -> optax.GradientTransformation:
    _checks.one_of(op, "form", form, ADAM_FORMS)
    first, second = _hyper.decay(op, "beta1", beta1), _hyper.decay(op, "beta2", beta2)
    eps = _hyper.not_negative(op, "eps", ADAM_FORMS[form] if eps is None else eps)
    plain = optax.scale_by_adam(first, second, eps)
    if form == "corrected_root":
        return plain

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        _, state = plain.update(updates, state, params)
        steps = state.count.astype(jnp.result_type(float))
        factor = jnp.sqrt(1 - second**steps) / (1 - first**steps)

        def scaled(m: jax.Array, s: jax.Array) -> jax.Array:
            return (factor * m / (jnp.sqrt(s) + eps)).astype(m.dtype)

        return jax.tree.map(scaled, state.mu, state.nu), state

    return optax.GradientTransformation(plain.init, update)
