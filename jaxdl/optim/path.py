"""The path that a rule takes over a cost."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain


def trajectory(
    cost: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    rule: optax.GradientTransformation,
    *,
    steps: int,
) -> jax.Array:
    """Follow a rule down a cost from a point: ``w_{t+1} = w_t + rule(grad cost(w_t))``, all in one scan.

    Args:
        cost: ``cost(w) -> scalar``, traceable.
        start: w_0, floating, of any shape.
        rule: an optax transformation.
        steps: number of steps, at least 1.

    Returns:
        (steps + 1, *shape of w): w_0 first.

    Raises:
        DtypeError: `start` is not floating, or `rule` no transformation.
        ShapeError, ValueError: `cost` returns no scalar, or `steps` is below 1.

    Example:
        >>> from jaxdl import optim
        >>> trajectory(lambda w: jnp.sum(w**2), jnp.ones(1), optim.sgd(0.25), steps=3).ravel().tolist()
        [1.0, 0.5, 0.25, 0.125]
    """
    start = _checks.floating("trajectory", "start", start)
    _checks.positive_integer("trajectory", "steps", steps)
    if not isinstance(rule, optax.GradientTransformation):
        raise DtypeError(
            explain("trajectory", "rule", got=f"a {type(rule).__name__}", expected="an optax transformation",
                    fix="optim.sgd(0.1)")
        )  # fmt: skip
    if (found := jax.eval_shape(cost, start)).shape != ():
        raise ShapeError(
            explain("trajectory", "cost", got=f"a function that returns shape {found.shape}",
                    expected="a scalar", fix="lambda w: jnp.sum(...)")
        )  # fmt: skip

    def step(carry: Any, _: None) -> tuple[Any, jax.Array]:
        w, state = carry
        updates, state = rule.update(jax.grad(cost)(w), state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    _, path = jax.lax.scan(step, (start, rule.init(start)), length=steps)
    return jnp.concatenate([start[None], path])
