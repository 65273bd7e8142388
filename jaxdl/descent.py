"""Gradient descent with its own convergence test, compiled as one loop that says how it ended."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain

CONVERGED, OUT_OF_STEPS, DIVERGING, NOT_FINITE, SEPARABLE, ONE_CLASS = range(6)
WORDS = (
    "converged",
    "out of steps",
    "diverging: the cost rises, so lower the learning rate",
    "not finite: the cost left the finite numbers",
    "separable: without a penalty no finite optimum exists, so pass l2 > 0",
    "a class has no example: its bias has no finite optimum",
)


class Descent(NamedTuple):
    """Where a descent ended.

    Attributes:
        params: the parameters that it reached.
        cost: their cost.
        steps: updates taken.
        status: how it ended, a number that `describe` puts into words; 0 is converged.
    """

    params: Any
    cost: jax.Array
    steps: jax.Array
    status: jax.Array


class _Carry(NamedTuple):
    params: Any
    opt_state: Any
    cost: jax.Array
    gradients: Any
    steps: jax.Array
    rises: jax.Array
    status: jax.Array


RUNNING = -1


def describe(status: Any) -> Any:
    """Put a status, or an array of them, into words.

    Args:
        status: integer array (...) of statuses, as `descend` and the fits of `jaxdl.models` return them.

    Returns:
        A string, or nested lists of strings of the shape of `status`.

    Raises:
        DtypeError: `status` holds no integers, or is traced.
        ValueError: a number that is no status.

    Example:
        >>> describe(jnp.array([0, 1]))
        ['converged', 'out of steps']
    """
    if isinstance(status, jax.core.Tracer):
        raise DtypeError(explain("describe", "status", got="traced", expected="numbers on the host",
                                 fix="return the status from the compiled function first"))  # fmt: skip
    codes = np.asarray(_checks.integer("describe", "status", status))
    if ((codes < 0) | (codes >= len(WORDS))).any():
        raise ValueError(
            explain("describe", "status", got=codes.tolist(), expected=f"numbers from 0 to {len(WORDS) - 1}",
                    fix="pass the status that a fit returned")
        )  # fmt: skip
    return np.array(WORDS, dtype=object)[codes].tolist() if codes.ndim else WORDS[int(codes)]


def descend(
    cost: Callable[[Any], jax.Array],
    params: Any,
    *,
    learning_rate: float | jax.Array | None = None,
    optimizer: optax.GradientTransformation | None = None,
    tolerance: float | jax.Array = 1e-6,
    max_steps: int = 10_000,
    patience: int = 1,
) -> Descent:
    """Descend ``w <- w - lr * grad cost(w)`` until a step lowers the cost by less than `tolerance`.

    The loop is compiled. It ends as *converged*; as *diverging*, when the cost rose by more than `tolerance`
    and its own rounding in `patience` steps in a row; as *not finite*; or as *out of steps*. Under
    `jax.vmap`, over learning rates say, each member ends by itself. Reverse differentiation through the
    loop is refused by JAX.

    Args:
        cost: ``cost(params) -> scalar``, differentiable.
        params: pytree of floating arrays, the start.
        learning_rate: lr, positive, for plain gradient descent; may be traced: 0 or less then ends as
            *not finite*, with NaN, for it never moves downhill. Give this or `optimizer`.
        optimizer: an optax transformation, such as ``jaxdl.optim.adam(0.1)``.
        tolerance: the eps of the convergence test, in units of the cost; may be traced.
        max_steps: most updates.
        patience: rises in a row that count as diverging; momentum and Adam need more than 1.

    Returns:
        A `Descent`; `describe` puts its status into words.

    Raises:
        DtypeError: parameters that are not floating, `cost` no function.
        ShapeError: a cost that is no scalar.
        ValueError: both or none of `learning_rate` and `optimizer`; numbers out of range.

    Example:
        >>> runs = jax.vmap(lambda rate: descend(lambda w: w * w, jnp.float32(1), learning_rate=rate))
        >>> describe(runs(jnp.array([0.1, 1.5])).status)
        ['converged', 'diverging: the cost rises, so lower the learning rate']
    """
    rule = _rule(learning_rate, optimizer)
    params = _check(cost, params, tolerance, max_steps, patience)
    evaluate = jax.value_and_grad(cost)

    def advance(carry: _Carry) -> _Carry:
        updates, opt_state = rule.update(carry.gradients, carry.opt_state, carry.params)
        moved = optax.apply_updates(carry.params, updates)
        value, gradients = evaluate(moved)
        noise = jnp.maximum(tolerance, 4 * jnp.finfo(value.dtype).eps * jnp.abs(value))
        fall = carry.cost - value
        rises = jnp.where(fall < -noise, carry.rises + 1, 0)
        status = jnp.where((rises == 0) & (fall < tolerance), CONVERGED, RUNNING)
        status = jnp.where(rises >= patience, DIVERGING, status)
        status = jnp.where(jnp.isfinite(value), status, NOT_FINITE).astype(jnp.int32)
        return _Carry(moved, opt_state, value, gradients, carry.steps + 1, rises, status)

    value, gradients = evaluate(params)
    first = jnp.where(jnp.isfinite(value), RUNNING, NOT_FINITE).astype(jnp.int32)
    start = _Carry(params, rule.init(params), value, gradients, jnp.int32(0), jnp.int32(0), first)
    end = lax.while_loop(lambda c: (c.status == RUNNING) & (c.steps < max_steps), advance, start)
    status = jnp.where(end.status == RUNNING, OUT_OF_STEPS, end.status)
    return Descent(end.params, end.cost, end.steps, status)


def _rule(learning_rate: Any, optimizer: Any) -> optax.GradientTransformation:
    if (learning_rate is None) == (optimizer is None):
        raise ValueError(
            explain("descend", "learning_rate", got=f"{learning_rate!r}, with optimizer={optimizer!r}",
                    expected="exactly one of the two",
                    fix="learning_rate=0.1, or optimizer=jaxdl.optim.adam(0.1)")
        )  # fmt: skip
    if learning_rate is not None:
        _checks.in_range("descend", "learning_rate", learning_rate, 1e-30, np.inf, "(0, inf)")
        if isinstance(learning_rate, jax.core.Tracer):
            learning_rate = jnp.where(learning_rate > 0, learning_rate, jnp.nan)
        return optax.sgd(learning_rate)
    if not isinstance(optimizer, optax.GradientTransformation):
        raise DtypeError(
            explain("descend", "optimizer", got=f"a {type(optimizer).__name__}",
                    expected="an optax transformation", fix="optimizer=jaxdl.optim.adam(0.1)")
        )  # fmt: skip
    return optimizer


def _check(cost: Any, params: Any, tolerance: Any, max_steps: Any, patience: Any) -> Any:
    _checks.in_range("descend", "tolerance", tolerance, 0, np.inf, "[0, inf)")
    _checks.positive_integer("descend", "max_steps", max_steps)
    _checks.positive_integer("descend", "patience", patience)
    if not callable(cost):
        raise DtypeError(explain("descend", "cost", got=f"a {type(cost).__name__}", expected="a function",
                                 fix="cost=lambda params: ..."))  # fmt: skip
    params = jax.tree.map(lambda leaf: _checks.floating("descend", "params", leaf), params)
    if not jax.tree.leaves(params):
        raise ShapeError(explain("descend", "params", got="empty", expected="at least one array",
                                 fix="pass the parameters to start from"))  # fmt: skip
    value = jax.eval_shape(cost, params)
    if getattr(value, "shape", None) != ():
        raise ShapeError(
            explain("descend", "cost", got=f"a function that returns {value}", expected="a scalar",
                    fix="reduce it: jaxdl.losses.reduce(values)")
        )  # fmt: skip
    return params
