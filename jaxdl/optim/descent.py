"""Gradient descent, with and without momentum."""

import optax

from jaxdl import _checks, _hyper
from jaxdl.optim.rate import Rate, Scalar, scale_by_learning_rate

MOMENTUM_FORMS = ("heavy_ball", "average", "velocity")
NESTEROV_FORMS = ("heavy_ball", "velocity")


def sgd(learning_rate: Rate) -> optax.GradientTransformation:
    """Gradient descent: ``w <- w - lr * g``; batch, mini-batch or single-example by what g is taken over.

    Args:
        learning_rate: lr, a number, a traced scalar, or a schedule ``step -> rate``.

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
    return scale_by_learning_rate(_hyper.rate("sgd", learning_rate))


def momentum(
    learning_rate: Rate, *, beta: Scalar = 0.9, form: str = "heavy_ball", debias: bool = False
) -> optax.GradientTransformation:
    """Gradient descent with momentum, in the form of the libraries or of the texts.

    ``"heavy_ball"``: ``v <- beta v + g; w <- w - lr v``. ``"average"``: ``v <- beta v + (1 - beta) g; w <- w
    - lr v``. ``"velocity"``: ``v <- beta v - lr g; w <- w + v``. v starts at 0. For constant beta
    ``average(lr)`` equals ``heavy_ball(lr (1 - beta))``: the average takes ten times smaller steps at beta =
    0.9. ``"velocity"`` is ``"heavy_ball"`` while the rate is constant; under a schedule its velocity keeps
    the rates of earlier steps.

    Args:
        learning_rate: lr, a number, a traced scalar, or a schedule ``step -> rate``.
        beta: decay of the velocity, in [0, 1), or a traced scalar.
        form: ``"heavy_ball"``, ``"average"`` or ``"velocity"``.
        debias: divide the average by ``1 - beta^t`` (bias correction); for ``"average"`` only.

    Returns:
        An optax transformation.

    Raises:
        ValueError: hyperparameter out of range, unknown form, or `debias` without ``"average"``.

    Example:
        >>> import jax.numpy as jnp
        >>> for form in ("heavy_ball", "average"):
        ...     step = momentum(1.0, beta=0.5, form=form)
        ...     print(step.update(jnp.ones(1), step.init(jnp.ones(1)))[0].tolist())
        [-1.0]
        [-0.5]

    Reference:
        Polyak (1964). ``"heavy_ball"`` equals ``torch.optim.SGD(lr, momentum=beta)``; ``"average"``
        ``optax.chain(optax.ema(beta, debias), optax.scale(-lr))``; ``"velocity"``
        ``keras.optimizers.SGD(lr, momentum=beta)``. Torch's `dampening` is none of them.
    """
    _checks.one_of("momentum", "form", form, MOMENTUM_FORMS)
    rate = scale_by_learning_rate(_hyper.rate("momentum", learning_rate))
    decay = _hyper.decay("momentum", "beta", beta)
    if form == "average":
        return optax.chain(optax.ema(decay, debias=debias), rate)
    if debias:
        raise ValueError(
            f"momentum: argument 'debias' is True; expected False for form='{form}'. "
            "Fix: use form='average', the form that has a bias to correct"
        )
    return optax.chain(*_ordered(rate, optax.trace(decay), form))


def nesterov(
    learning_rate: Rate, *, beta: Scalar = 0.9, form: str = "heavy_ball"
) -> optax.GradientTransformation:
    """Nesterov's momentum: ``v <- beta v + g; w <- w - lr (g + beta v)``: a step ahead along v.

    ``"velocity"``: ``v <- beta v - lr g; w <- w + beta v - lr g``, the same while the rate is constant; under
    a schedule its velocity keeps the rates of earlier steps.

    Args:
        learning_rate: lr, a number, a traced scalar, or a schedule ``step -> rate``.
        beta: decay of the velocity, in [0, 1), or a traced scalar.
        form: ``"heavy_ball"`` or ``"velocity"``.

    Returns:
        An optax transformation.

    Raises:
        ValueError: hyperparameter out of range, or unknown form.

    Example:
        >>> import jax.numpy as jnp
        >>> step = nesterov(1.0, beta=0.5)
        >>> step.update(jnp.ones(1), step.init(jnp.ones(1)))[0].tolist()
        [-1.5]

    Reference:
        Nesterov (1983), in the form of Sutskever et al. (2013). ``"heavy_ball"`` equals
        ``torch.optim.SGD(lr, momentum=beta, nesterov=True)`` and ``optax.sgd(lr, beta, nesterov=True)``;
        ``"velocity"`` equals ``keras.optimizers.SGD(lr, momentum=beta, nesterov=True)``.
    """
    _checks.one_of("nesterov", "form", form, NESTEROV_FORMS)
    rate = scale_by_learning_rate(_hyper.rate("nesterov", learning_rate))
    trace = optax.trace(_hyper.decay("nesterov", "beta", beta), nesterov=True)
    return optax.chain(*_ordered(rate, trace, form))


def _ordered(
    rate: optax.GradientTransformation, trace: optax.GradientTransformation, form: str
) -> tuple[optax.GradientTransformation, optax.GradientTransformation]:
    # The forms differ in one thing only: whether the rate is inside the velocity.
    return (rate, trace) if form == "velocity" else (trace, rate)
