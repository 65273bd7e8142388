"""Linear regression: closed form, gradient descent, ridge and lasso penalties, the line of one feature."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl import _checks, descent
from jaxdl.errors import ShapeError, explain
from jaxdl.models import _linear
from jaxdl.models._linear import Design, LinearModel

METHODS = ("closed_form", "descent")


def fit(
    inputs: Any,
    targets: Any,
    *,
    weights: Any = None,
    l2: float | jax.Array = 0.0,
    method: str = "closed_form",
    learning_rate: float | jax.Array = 0.1,
    tolerance: float | jax.Array = 1e-9,
    max_steps: int = 10_000,
) -> LinearModel:
    """Fit ``f(x) = x . w + b`` by the least ``1/(2m) sum (f - y)^2 + l2/(2m) sum w^2``.

    ``"closed_form"`` solves the normal equations through an orthogonal factorisation of the standardised
    features, which neither squares their condition number nor fails when they are collinear: of all
    optima it takes the one of least norm, in units of the features' standard deviations.
    ``"descent"`` is batch gradient descent on the features as they are: scale them first.

    Args:
        inputs: (examples, features); float16 and bfloat16 are widened to float32.
        targets: (examples,), or (examples, outputs), each output fitted alike.
        weights: (examples,), at least 0; 0 is an example that is not there. m is their sum.
        l2: lambda of the penalty, at least 0; the bias has none. May be traced.
        method: ``"closed_form"`` or ``"descent"``.
        learning_rate: of the descent, positive.
        tolerance: of the descent, which ends when a step lowers the cost by less.
        max_steps: of the descent.

    Returns:
        A `LinearModel`; differentiable with respect to data, weights and `l2` in closed form.

    Raises:
        DtypeError: no numbers, or complex ones.
        ShapeError: shapes that do not fit.
        FormatError: data that are not finite, or whose differences the cast to float32 blurs.
        ValueError: a hyperparameter or weights out of range; traced, those give NaN.

    Example:
        >>> model = fit(jnp.array([[0.0], [1.0], [2.0]]), jnp.array([1.0, 3.0, 5.0]))
        >>> round(float(model.kernel[0]), 4), round(float(model.bias), 4)
        (2.0, 1.0)

    Reference:
        Equals scikit-learn's ``LinearRegression`` and ``Ridge(alpha=l2)``.
    """
    op = "linear_regression.fit"
    _linear.check_settings(op, l2, tolerance, max_steps, method, METHODS)
    _linear.positive(op, "learning_rate", learning_rate)
    x, y, w = _linear.examples(op, inputs, targets, weights)
    y = y.astype(x.dtype)
    if method == "descent":
        rates = {"learning_rate": learning_rate, "tolerance": tolerance, "max_steps": max_steps}
        return _linear.poisoned(_descended(x, y, w, l2, **rates), w, l2, tolerance)
    return _linear.poisoned(_solved(x, y, w, l2), w, l2)


@jax.jit
def _solved(x: jax.Array, y: jax.Array, w: jax.Array, l2: Any) -> LinearModel:
    parts = _linear.design(x, w, l2)
    level = lax.stop_gradient(parts.weights @ y)  # kept out of the solve, for accuracy
    rest = y - jnp.broadcast_to(level, y.shape)
    v = _solve(parts, rest) if y.ndim == 1 else jax.vmap(_solve, (None, 1), 1)(parts, rest)
    kernel, bias = parts.restore(v)
    return LinearModel(kernel, bias + level, _linear.failed(v), jnp.int32(0))


def _solve(parts: Design, y: jax.Array) -> jax.Array:
    def gradient(v: jax.Array) -> jax.Array:
        return parts.matrix.T @ (parts.weights * (parts.matrix @ v - y)) + parts.ridge * v

    def solve(_: Any, start: jax.Array) -> jax.Array:
        root = jnp.sqrt(parts.weights)
        rows = jnp.concatenate([root[:, None] * parts.matrix, jnp.diag(jnp.sqrt(parts.ridge))])
        q, r = jnp.linalg.qr(rows)
        u, s, vt = jnp.linalg.svd(r)
        kept = s > max(rows.shape) * jnp.finfo(s.dtype).eps * s[0]
        right = u.T @ (q.T @ jnp.concatenate([root * y, jnp.zeros_like(start)]))
        return jnp.where(jnp.isnan(s), jnp.nan, vt.T @ jnp.where(kept, right / jnp.where(kept, s, 1), 0))

    start = jnp.zeros(parts.matrix.shape[1], parts.matrix.dtype)
    return lax.custom_root(gradient, start, solve, _linear.tangent_solve)


@partial(jax.jit, static_argnames="max_steps")
def _descended(x: jax.Array, y: jax.Array, w: jax.Array, l2: Any, **settings: Any) -> LinearModel:
    def cost(params: dict[str, jax.Array]) -> jax.Array:
        errors = jnp.square(_linear.affine(x, params["kernel"], params["bias"]) - y).reshape(len(y), -1)
        half = w @ jnp.sum(errors, axis=1) / (2 * jnp.sum(w))
        return half + _linear.half_penalty(params["kernel"], l2, w)

    start = {
        "kernel": jnp.zeros((x.shape[1], *y.shape[1:]), x.dtype),
        "bias": jnp.zeros(y.shape[1:], x.dtype),
    }
    end = descent.descend(cost, start, **settings)
    return LinearModel(end.params["kernel"], end.params["bias"], end.status, end.steps)


def lasso(
    inputs: Any,
    targets: Any,
    *,
    l1: float | jax.Array,
    weights: Any = None,
    l2: float | jax.Array = 0.0,
    tolerance: float | jax.Array = 1e-6,
    max_steps: int = 10_000,
) -> LinearModel:
    """Fit by the least ``1/(2m) sum (f - y)^2 + l1/m sum |w| + l2/(2m) sum w^2``, with exact zeros.

    Accelerated proximal gradient steps (FISTA, restarted when it overshoots): a gradient step, then
    ``sign(w) max(|w| - t, 0)``. Subgradients would leave no weight at exactly 0. The features whose weights
    are not 0 are those that the penalty selects.

    Args:
        inputs: (examples, features); float16 and bfloat16 are widened to float32.
        targets: (examples,).
        l1: lambda of the absolute penalty, at least 0; the bias has none. May be traced.
        weights: (examples,), at least 0; m is their sum.
        l2: lambda of the squared penalty, at least 0. May be traced.
        tolerance: the fit ends when no standardised weight moves by more than this share of the largest.
        max_steps: most proximal steps.

    Returns:
        A `LinearModel`, whose status says whether it converged.

    Raises:
        DtypeError: no numbers, or complex ones.
        ShapeError: shapes that do not fit.
        FormatError: data that are not finite, or whose differences the cast to float32 blurs.
        ValueError: a hyperparameter or weights out of range; traced, those give NaN.

    Example:
        >>> x = jnp.array([[1.0, 0.1], [-1.0, 0.1], [1.0, -0.1], [-1.0, -0.1]])
        >>> lasso(x, 3 * x[:, 0], l1=2.0).kernel.round(4).tolist()
        [2.5, 0.0]

    Reference:
        Beck and Teboulle (2009); O'Donoghue and Candes (2015). Equals scikit-learn's ``Lasso(alpha=l1/m)``,
        and with both penalties its ``ElasticNet``.
    """
    op = "linear_regression.lasso"
    _linear.check_settings(op, l2, tolerance, max_steps, "closed_form", METHODS)
    _linear.not_negative(op, "l1", l1)
    x, y, w = _linear.examples(op, inputs, targets, weights)
    if y.ndim != 1:
        raise ShapeError(explain(op, "targets", got=f"of shape {y.shape}", expected=f"({len(x)},)",
                                 fix="jax.vmap it over the outputs"))  # fmt: skip
    y = y.astype(x.dtype)
    parts = _linear.design(x, w, l2)
    level = parts.weights @ y
    gram = (parts.matrix * parts.weights[:, None]).T @ parts.matrix + jnp.diag(parts.ridge)
    moment = parts.matrix.T @ (parts.weights * (y - level))
    threshold = jnp.append(jnp.asarray(l1, x.dtype) / (jnp.sum(w) * parts.scale), 0)
    v, status, steps = _proximal(gram, moment, threshold, tolerance, max_steps)
    kernel, bias = parts.restore(v)
    return _linear.poisoned(LinearModel(kernel, bias + level, status, steps), w, l1, l2, tolerance)


@partial(jax.jit, static_argnames="max_steps")
def _proximal(
    gram: jax.Array, moment: jax.Array, threshold: jax.Array, tolerance: Any, max_steps: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    bound = jnp.linalg.eigvalsh(gram)[-1]

    def step(u: jax.Array) -> jax.Array:
        moved = u - (gram @ u - moment) / bound
        return jnp.sign(moved) * jnp.maximum(jnp.abs(moved) - threshold / bound, 0)

    def advance(carry: Any) -> Any:
        v, u, pace, steps, _ = carry
        new = step(u)
        restart = (u - new) @ (new - v) > 0
        faster = jnp.where(restart, 1, (1 + jnp.sqrt(1 + 4 * pace**2)) / 2)
        ahead = new + jnp.where(restart, 0, (pace - 1) / faster) * (new - v)
        moving = jnp.max(jnp.abs(new - v)) > tolerance * jnp.max(jnp.abs(new))
        return new, ahead, faster, steps + 1, moving | (steps == 0)

    start = jnp.zeros_like(moment)
    carry = (start, start, jnp.ones((), start.dtype), jnp.int32(0), jnp.bool_(True))
    v, *_, steps, moving = lax.while_loop(lambda c: c[4] & (c[3] < max_steps), advance, carry)
    status = jnp.where(moving, descent.OUT_OF_STEPS, _linear.failed(v))
    return v, status.astype(jnp.int32), steps


class Line(NamedTuple):
    """The line ``y = slope x + intercept``."""

    slope: jax.Array
    intercept: jax.Array


def line(x: Any, y: Any, *, weights: Any = None) -> Line:
    """Fit ``y = p x + q`` in closed form: ``p = cov(x, y) / var(x)``, ``q = mean(y) - p mean(x)``.

    Args:
        x: (examples,), the one feature.
        y: (examples,), the targets.
        weights: (examples,), at least 0.

    Returns:
        `Line` of slope p and intercept q; NaN where traced x are all the same.

    Raises:
        DtypeError: no numbers, or complex ones.
        ShapeError: shapes that differ, or are not (examples,).
        FormatError: data that are not finite, or whose differences the cast to float32 blurs.
        ValueError: x that are all the same, or weights out of range.

    Example:
        >>> [float(part) for part in line(jnp.array([0.0, 1.0, 2.0]), jnp.array([1.0, 3.0, 5.0]))]
        [2.0, 1.0]

    Reference:
        Equals ``numpy.polyfit(x, y, 1)``.
    """
    op = "linear_regression.line"
    given = {"x": x, "y": y}
    x, y = _linear.numbers(op, "x", x), _linear.numbers(op, "y", y)
    _checks.same_shape(op, "x", x, "y", y)
    column, y, w = _linear.examples(op, x[:, None] if x.ndim == 1 else x[None, None], y, weights)
    for name, value in given.items():
        _linear.kept(op, name, value, x.dtype, _linear.present(w))
    x, share = column[:, 0], w / jnp.sum(w)
    mean_x, mean_y = share @ x, share @ y
    from_x, from_y = x - mean_x, y - mean_y
    variance = share @ jnp.square(from_x)
    same = jnp.max(jnp.where(w > 0, x, -jnp.inf)) == jnp.min(jnp.where(w > 0, x, jnp.inf))
    if not isinstance(same, jax.core.Tracer) and same:
        raise ValueError(explain(op, "x", got="the same everywhere", expected="at least two different values",
                                 fix="a vertical line has no slope"))  # fmt: skip
    slope = jnp.where(same, jnp.nan, share @ (from_x * from_y) / jnp.where(same, 1, variance))
    return Line(slope, mean_y - slope * mean_x)
