"""The update rules: each returns an optax transformation."""

from typing import Any

import jax
import optax

from jaxdl import _checks

Scalar = float | jax.Array
MOMENTUM_FORMS = ("heavy_ball", "average")


def sgd(learning_rate: Scalar) -> optax.GradientTransformation:
    """Gradient descent: ``w <- w - lr * g``; batch, mini-batch or single-example by what g is taken over.

    Args:
        learning_rate: lr, a positive number or a traced scalar.

    Returns:
        An optax transformation.

    Raises:
        ValueError: a Python `learning_rate` that is negative or not finite.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> step, state = sgd(0.5), sgd(0.5).init(jnp.ones(1))
        >>> optax.apply_updates(jnp.ones(1), step.update(jnp.ones(1), state)[0]).tolist()
        [0.5]

    Reference:
        Equals ``torch.optim.SGD(lr)`` and ``optax.sgd``.
    """
    return optax.sgd(_rate("sgd", learning_rate))


def momentum(
    learning_rate: Scalar, *, beta: Scalar = 0.9, form: str = "heavy_ball", debias: bool = False
) -> optax.GradientTransformation:
    """Gradient descent with momentum, in the form of the libraries or of the texts.

    ``"heavy_ball"``: ``v <- beta v + g``; ``"average"``: ``v <- beta v + (1 - beta) g``; then
    ``w <- w - lr v`` with v starting at 0. For constant beta ``average(lr)`` equals
    ``heavy_ball(lr (1 - beta))``: the average takes ten times smaller steps at beta = 0.9.

    Args:
        learning_rate: lr, a positive number or a traced scalar.
        beta: decay of the velocity, in [0, 1), or a traced scalar.
        form: ``"heavy_ball"`` or ``"average"``.
        debias: divide the average by ``1 - beta^t`` (bias correction); for ``"average"`` only.

    Returns:
        An optax transformation.

    Raises:
        ValueError: hyperparameter out of range, unknown form, or `debias` with ``"heavy_ball"``.

    Example:
        >>> import jax.numpy as jnp
        >>> for form in ("heavy_ball", "average"):
        ...     step = momentum(1.0, beta=0.5, form=form)
        ...     print(step.update(jnp.ones(1), step.init(jnp.ones(1)))[0].tolist())
        [-1.0]
        [-0.5]

    Reference:
        ``"heavy_ball"`` equals ``torch.optim.SGD(lr, momentum=beta)``; ``"average"`` equals
        ``optax.chain(optax.ema(beta, debias), optax.scale(-lr))``. Torch's `dampening` is neither.
    """
    _checks.one_of("momentum", "form", form, MOMENTUM_FORMS)
    rate, decay = _rate("momentum", learning_rate), _decay("momentum", "beta", beta)
    if form == "average":
        return optax.chain(optax.ema(decay, debias=debias), optax.scale_by_learning_rate(rate))
    if debias:
        raise ValueError(
            "momentum: argument 'debias' is True; expected False for form='heavy_ball'. "
            "Fix: use form='average', the form that has a bias to correct"
        )
    return optax.sgd(rate, momentum=decay)


def adam(
    learning_rate: Scalar, *, beta1: Scalar = 0.9, beta2: Scalar = 0.999, eps: Scalar = 1e-8
) -> optax.GradientTransformation:
    """Adam: ``w <- w - lr * m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + eps)``.

    m and s are the exponentially weighted averages of g and g^2, both starting at 0.

    Args:
        learning_rate: lr, a positive number or a traced scalar.
        beta1: decay of m, in [0, 1), or a traced scalar.
        beta2: decay of s, in [0, 1), or a traced scalar.
        eps: added to the corrected root, positive, or a traced scalar.

    Returns:
        An optax transformation.

    Raises:
        ValueError: hyperparameter out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> step = adam(0.1)
        >>> update, _ = step.update(jnp.full(1, 7.0), step.init(jnp.ones(1)))
        >>> round(float(update[0]), 4)
        -0.1

    Reference:
        Kingma and Ba (2015). Equals ``torch.optim.Adam`` and ``optax.adam``.
    """
    _checks.in_range("adam", "eps", eps, 0, float("inf"), "[0, inf)")
    first, second = _decay("adam", "beta1", beta1), _decay("adam", "beta2", beta2)
    return optax.adam(_rate("adam", learning_rate), b1=first, b2=second, eps=eps)


def _rate(op: str, value: Any) -> Any:
    _checks.in_range(op, "learning_rate", value, 0, float("inf"), "[0, inf)")
    return value


def _decay(op: str, name: str, value: Any) -> Any:
    _checks.in_range(op, name, value, 0, 1, "[0, 1)")
    return value
