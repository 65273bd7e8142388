"""Rules that divide each gradient by the root of its squares: AdaGrad and RMSProp."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxdl import _checks, _hyper
from jaxdl.optim.rate import Rate, Scalar, scale_by_learning_rate


def adagrad(
    learning_rate: Rate, *, eps: Scalar = 1e-7, eps_inside: bool = False, start: Scalar = 0.0
) -> optax.GradientTransformation:
    """AdaGrad: ``h <- h + g^2; w <- w - lr g / (sqrt(h) + eps)``, with h starting at `start`.

    With `eps_inside` the root is ``sqrt(h + eps)``.

    Args:
        learning_rate: lr, a number, a traced scalar, or a schedule ``step -> rate``.
        eps: keeps the division finite, at least 0, or a traced scalar.
        eps_inside: add eps to h, under the root, instead of to the root.
        start: h before the first step, at least 0, or a traced scalar.

    Returns:
        An optax transformation.

    Raises:
        ValueError: hyperparameter out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> step = adagrad(1.0)
        >>> state = step.init(jnp.ones(1))
        >>> for _ in range(3):
        ...     update, state = step.update(jnp.full(1, 5.0), state)
        ...     print(round(float(update[0]), 3))
        -1.0
        -0.707
        -0.577

    Reference:
        Duchi, Hazan and Singer (2011). Equals ``torch.optim.Adagrad(lr, eps=eps)``, and with
        ``eps_inside=True, start=0.1`` ``optax.adagrad(lr)``.
    """
    rate = scale_by_learning_rate(_hyper.rate("adagrad", learning_rate))
    _checks.one_of("adagrad", "eps_inside", eps_inside, (True, False))
    eps, start = (_hyper.not_negative("adagrad", n, v) for n, v in (("eps", eps), ("start", start)))

    def outside(g: jax.Array, h: jax.Array) -> jax.Array:
        return g / (jnp.sqrt(h) + eps)

    def inside(g: jax.Array, h: jax.Array) -> jax.Array:
        # optax.scale_by_rss, but for NaN: it makes 0 of an h that is NaN, and of eps where h is 0.
        return g * jnp.where(h <= 0, 0.0 * eps, jax.lax.rsqrt(h + eps))

    def init(params: Any) -> optax.ScaleByRssState:
        return optax.ScaleByRssState(jax.tree.map(lambda p: jnp.full_like(p, start), params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, optax.ScaleByRssState]:
        squares = jax.tree.map(lambda h, g: h + g * g, state.sum_of_squares, updates)
        scaled = jax.tree.map(inside if eps_inside else outside, updates, squares)
        return scaled, optax.ScaleByRssState(squares)

    return optax.chain(optax.GradientTransformation(init, update), rate)


def rmsprop(
    learning_rate: Rate, *, beta: Scalar = 0.9, eps: Scalar = 1e-8, eps_inside: bool = False
) -> optax.GradientTransformation:
    """RMSProp: ``s <- beta s + (1 - beta) g^2; w <- w - lr g / (sqrt(s) + eps)``, with s starting at 0.

    With `eps_inside` the root is ``sqrt(s + eps)``.

    Args:
        learning_rate: lr, a number, a traced scalar, or a schedule ``step -> rate``.
        beta: decay of s, in [0, 1), or a traced scalar; torch starts from 0.99.
        eps: keeps the division finite, at least 0, or a traced scalar.
        eps_inside: add eps to s, under the root, instead of to the root.

    Returns:
        An optax transformation.

    Raises:
        ValueError: hyperparameter out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> step = rmsprop(0.1, beta=0.75)
        >>> update, _ = step.update(jnp.full(1, 7.0), step.init(jnp.ones(1)))
        >>> round(float(update[0]), 4)
        -0.2

    Reference:
        Tieleman and Hinton (2012). Equals ``torch.optim.RMSprop(lr, alpha=beta, eps=eps)`` and
        ``optax.rmsprop(lr, beta, eps, eps_in_sqrt=False)``; ``eps_inside=True`` equals ``optax.rmsprop`` and
        ``keras.optimizers.RMSprop(lr, rho=beta, epsilon=eps)``.
    """
    rate = scale_by_learning_rate(_hyper.rate("rmsprop", learning_rate))
    _checks.one_of("rmsprop", "eps_inside", eps_inside, (True, False))
    decay, eps = _hyper.decay("rmsprop", "beta", beta), _hyper.not_negative("rmsprop", "eps", eps)
    return optax.chain(optax.scale_by_rms(decay, eps, eps_in_sqrt=eps_inside), rate)
