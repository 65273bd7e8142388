"""Norms of gradients and updates: to be recorded, and to be clipped by."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxdl import _hyper
from jaxdl.optim.rate import Scalar


def gradient_norm(step: Any) -> jax.Array:
    """Return the Euclidean norm of all gradients together, ``sqrt(sum g^2)``; for `train.Spec(record=...)`.

    Args:
        step: a `train.Step`, or a tree of gradients. Of a step, the gradients are those before clipping.

    Returns:
        A scalar.

    Raises:
        DtypeError: a leaf is no array.

    Example:
        >>> import jax.numpy as jnp
        >>> float(gradient_norm({"w": jnp.array([3.0]), "b": jnp.array(4.0)}))
        5.0

    Reference:
        Equals ``optax.tree.norm``.
    """
    return optax.tree.norm(_hyper.arrays("gradient_norm", "step", getattr(step, "gradients", step)))


def update_norm(step: Any) -> jax.Array:
    """Return the Euclidean norm of what is added to all parameters together; for `train.Spec(record=...)`.

    Args:
        step: a `train.Step`, or a tree of updates.

    Returns:
        A scalar.

    Raises:
        DtypeError: a leaf is no array.

    Example:
        >>> import jax.numpy as jnp
        >>> float(update_norm({"w": jnp.array([3.0]), "b": jnp.array(4.0)}))
        5.0

    Reference:
        Equals ``optax.tree.norm``.
    """
    return optax.tree.norm(_hyper.arrays("update_norm", "step", getattr(step, "updates", step)))


def clip_by_global_norm(max_norm: Scalar) -> optax.GradientTransformation:
    """Shorten the gradient to a largest length: ``g <- g * min(1, max_norm / ||g||)``, over all leaves.

    Args:
        max_norm: the largest norm, positive, or a traced scalar.

    Returns:
        An optax transformation, to be chained before a rule. Where the norm is not finite (an overflow
        of the squares included, from 1.8e19 in float32) the updates are NaN, never 0 in silence.

    Raises:
        ValueError: a concrete `max_norm` that is not positive.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from jaxdl import optim
        >>> rule = optax.chain(clip_by_global_norm(1.0), optim.sgd(1.0))
        >>> update, _ = rule.update(jnp.array([3.0, 4.0]), rule.init(jnp.ones(2)))
        >>> [round(float(u), 2) for u in update]
        [-0.6, -0.8]

    Reference:
        Pascanu, Mikolov and Bengio (2013). Equals ``optax.clip_by_global_norm``;
        ``torch.nn.utils.clip_grad_norm_`` divides by ``||g|| + 1e-6``.
    """
    max_norm = _hyper.positive("clip_by_global_norm", "max_norm", max_norm)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        norm = optax.tree.norm(updates)
        factor = jnp.where(jnp.isfinite(norm), jnp.minimum(1.0, max_norm / norm), jnp.nan)
        return jax.tree.map(lambda g: (factor * g).astype(g.dtype), updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
