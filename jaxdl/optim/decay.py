"""Weight decay, and which parameters it is for."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from jaxdl import _hyper, _trees
from jaxdl.errors import explain
from jaxdl.losses import is_weight
from jaxdl.optim.rate import Scalar


def decay_mask(params: Any) -> Any:
    """Choose what weight decay is for: True for weights, False for biases and the parameters of norms.

    A weight has the name of one, by `losses.is_weight` as for penalties, and at least two axes: a norm whose
    scale is called "weight" is known by its one axis. Weights of one axis, such as the w of a linear model,
    are penalised but not decayed, unless by ``decayed="all"`` or a tree of bools.

    Args:
        params: a tree of parameters, or of their gradients.

    Returns:
        A tree of bools like `params`.

    Raises:
        DtypeError: a leaf is no array.

    Example:
        >>> import jax.numpy as jnp
        >>> decay_mask({"dense": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)},
        ...             "norm": {"scale": jnp.ones(2)}})
        {'dense': {'bias': False, 'kernel': True}, 'norm': {'scale': False}}
    """
    chosen = [
        is_weight(name, leaf) and leaf.ndim >= 2
        for name, leaf in _trees.named_leaves(_hyper.arrays("decay_mask", "params", params)).items()
    ]
    return jax.tree.unflatten(jax.tree.structure(params), chosen)


def weight_decay(
    strength: Scalar, *, decayed: str | Callable[[Any], Any] | Any = "weights"
) -> optax.GradientTransformation:
    """Add ``c * w`` to the updates: before a rule it is coupled decay (an L2 penalty), after it decoupled.

    Args:
        strength: c, at least 0, or a traced scalar. Coupled, it is the gradient of ``c/2 * sum w^2``.
        decayed: ``"weights"``: what `decay_mask` chooses; ``"all"``: every parameter; or a tree of bools like
            the parameters, or a function that makes one of them.

    Returns:
        An optax transformation, to be chained before the learning rate is applied.

    Raises:
        ValueError: `strength` out of range, unknown `decayed`; when the state is made, ``"weights"`` for
            parameters among which there is none, unless some are frozen.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from jaxdl import optim
        >>> rule = optax.chain(weight_decay(0.1), optim.sgd(1.0))
        >>> w = jnp.ones((1, 1))
        >>> round(float(rule.update(jnp.ones((1, 1)), rule.init(w), w)[0][0, 0]), 3)
        -1.1

    Reference:
        ``torch.optim.SGD(lr, weight_decay=c)`` equals ``optax.chain(weight_decay(c, decayed="all"),
        sgd(lr))``: torch decays biases too.
    """
    strength = _hyper.not_negative("weight_decay", "strength", strength)
    return optax.add_decayed_weights(strength, mask=_mask(decayed))


def _mask(decayed: Any) -> Any:
    if isinstance(decayed, str | None):
        named = {"weights": _weights, "all": None}
        if decayed not in named:
            raise ValueError(
                explain("weight_decay", "decayed", got=repr(decayed),
                        expected="'weights', 'all', a tree of bools or a function", fix="decayed='weights'")
            )  # fmt: skip
        return named[decayed]
    if not callable(decayed) and not all(isinstance(leaf, bool) for leaf in jax.tree.leaves(decayed)):
        raise TypeError(
            explain("weight_decay", "decayed", got=f"a {type(decayed).__name__}", expected="a tree of bools",
                    fix="decayed=optim.decay_mask(params)")
        )  # fmt: skip
    return decayed


def _weights(params: Any) -> Any:
    mask = decay_mask(params)
    leaves = jax.tree.leaves(mask)
    # Where parts are frozen, the weights may be among them: training biases alone is no mistake.
    if leaves and not any(leaves) and not _partly_masked(params):
        raise ValueError(
            explain("weight_decay", "decayed", got="'weights', for parameters without any weight",
                    expected="a parameter of two axes or more that losses.is_weight accepts",
                    fix="decayed='all', or no weight decay")
        )  # fmt: skip
    return mask


def _partly_masked(params: Any) -> bool:
    return any(
        isinstance(leaf, optax.MaskedNode)
        for leaf in jax.tree.leaves(params, is_leaf=lambda part: isinstance(part, optax.MaskedNode))
    )
