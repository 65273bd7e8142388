"""The learning rate: the last element of every rule, which keeps what it used where it can be read."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdl import _hyper
from jaxdl.errors import explain

Scalar = float | jax.Array
Rate = Scalar | Callable[[jax.Array], Any]


class RateState(NamedTuple):
    """The learning rate of the last step, and the number of steps where it follows a schedule, else None."""

    learning_rate: jax.Array
    steps: jax.Array | None


def scale_by_learning_rate(learning_rate: Rate) -> optax.GradientTransformation:
    """Multiply updates by ``-lr``, or by ``-lr(t)``, and keep the rate where `learning_rate` reads it.

    Every rule of this package ends with it; put it at the end of an optax chain of your own.

    Args:
        learning_rate: a number, a traced scalar, or a schedule ``step -> rate`` with steps from 0.

    Returns:
        An optax transformation. A traced rate out of range makes the updates NaN, and so does a schedule at
        the steps where what it returns is negative or not finite. (All hyperparameters of this package do.)

    Raises:
        ValueError: a concrete rate that is negative or not finite.
        ShapeError, TypeError: a schedule that returns no scalar, or cannot be traced.

    Example:
        >>> import jax.numpy as jnp
        >>> step = scale_by_learning_rate(lambda count: 1 / (count + 1.0))
        >>> state, rates = step.init(jnp.ones(1)), []
        >>> for _ in range(4):
        ...     _, state = step.update(jnp.ones(1), state)
        ...     rates.append(round(float(learning_rate(state)), 2))
        >>> rates
        [1.0, 0.5, 0.33, 0.25]

    Reference:
        ``optax.scale_by_learning_rate``, which keeps no rate.
    """
    rate = _hyper.rate("scale_by_learning_rate", learning_rate)

    def at(count: jax.Array | None) -> jax.Array:
        now = jnp.asarray(rate(count) if callable(rate) else rate, jnp.result_type(float))
        return _hyper.poisoned(now, 0, jnp.inf) if callable(rate) else now

    def init(params: Any) -> RateState:
        count = jnp.zeros((), jnp.int32) if callable(rate) else None
        return RateState(at(count), count)

    def update(updates: Any, state: RateState, params: Any = None) -> tuple[Any, RateState]:
        now = at(state.steps)
        after = None if state.steps is None else optax.safe_increment(state.steps)
        return jax.tree.map(lambda g: (-now * g).astype(g.dtype), updates), RateState(now, after)

    return optax.GradientTransformation(init, update)


def learning_rate(step: Any) -> jax.Array:
    """Return the learning rate that the last step used, schedules included; for `train.Spec(record=...)`.

    Args:
        step: a `train.Step`, or the state of an optimizer that ends with `scale_by_learning_rate` (every
            rule of this package does) or is made by ``optax.inject_hyperparams``, however deep it lies in
            chains. Before the first step it is the rate of that step.

    Returns:
        A scalar.

    Raises:
        ValueError: there is no learning rate in it, or more than one.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxdl import optim
        >>> rule = optim.adam(optim.warmup_cosine(0.4, warmup=4, total=10))
        >>> state = rule.init(jnp.ones(2))
        >>> for _ in range(3):
        ...     _, state = rule.update(jnp.ones(2), state)
        >>> round(float(optim.learning_rate(state)), 3)
        0.2

    Reference:
        ``optax.tree.get(state, "learning_rate")`` of a rule under ``optax.inject_hyperparams``.
    """
    found = [_held(part) for part in _parts(getattr(step, "opt_state", step)) if _holds(part)]
    if len(found) != 1:
        raise ValueError(
            explain("learning_rate", "step", got=f"a state with {len(found)} learning rates",
                    expected="the state of one rule",
                    fix="end the chain with optim.scale_by_learning_rate, or pass the state of one rule")
        )  # fmt: skip
    return found[0]


def _holds(part: Any) -> bool:
    injected = getattr(part, "hyperparams", None)
    return isinstance(part, RateState) or (isinstance(injected, dict) and "learning_rate" in injected)


def _held(part: Any) -> jax.Array:
    return part.learning_rate if isinstance(part, RateState) else part.hyperparams["learning_rate"]


def _parts(state: Any) -> list[Any]:
    return jax.tree.leaves(state, is_leaf=_holds)
