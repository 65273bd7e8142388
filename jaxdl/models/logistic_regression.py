"""Logistic regression: one linear unit for two classes, or one a label for labels that go together."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import descent, losses
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.models import _linear, _newton
from jaxdl.models._linear import LinearModel

METHODS = ("newton", "descent")


def fit(
    inputs: Any,
    targets: Any,
    *,
    weights: Any = None,
    class_weights: Any = None,
    l2: float | jax.Array = 0.0,
    method: str = "newton",
    learning_rate: float | jax.Array = 0.5,
    tolerance: float | jax.Array = 1e-6,
    max_steps: int | None = None,
) -> LinearModel:
    """Fit the logits ``x . w + b`` by the least mean cross-entropy ``+ l2/(2m) sum w^2``.

    ``"newton"`` is iteratively reweighted least squares with a line search, on features standardised
    inside; ``"descent"`` is batch gradient descent on the features as they are: scale them first.
    Where a hyperplane separates the classes, examples on it aside, and there is no penalty, no optimum
    exists: Newton stops there, and the status says so. The descent sees it where no example is aside.

    Args:
        inputs: (examples, features); float16 and bfloat16 are widened to float32.
        targets: (examples,) of 0 and 1, or probabilities; or (examples, labels), multi-label: one
            independent model a label.
        weights: (examples,), at least 0; 0 is an example that is not there. m is their sum.
        class_weights: (2,), factors of the weights of targets 0 and 1, or None.
        l2: lambda of the penalty, at least 0; the bias has none. May be traced.
        method: ``"newton"`` or ``"descent"``.
        learning_rate: of the descent, positive.
        tolerance: Newton ends when no standardised weight moves by more than this share of the largest, the
            descent when a step lowers the cost by less.
        max_steps: most steps; None is 50 for Newton, 10,000 for the descent.

    Returns:
        A `LinearModel` of logits; status and steps are (labels,) for multi-label targets. By Newton
        it is differentiable with respect to data, weights and `l2`.

    Raises:
        DtypeError: no numbers, or complex ones.
        ShapeError: shapes that do not fit.
        FormatError: data that are not finite, or blurred by the cast to float32, or targets outside
            [0, 1]; traced, those give NaN.
        ValueError: a hyperparameter or weights out of range; traced, those give NaN.

    Example:
        >>> x, y = jnp.array([[0.0], [1.0], [2.0], [3.0]]), jnp.array([0, 1, 0, 1])
        >>> model = fit(x, y, l2=1.0)
        >>> (model(x) > 0).tolist(), descent.describe(model.status)
        ([False, False, True, True], 'converged')
        >>> descent.describe(fit(x, jnp.array([0, 0, 1, 1])).status)
        'separable: without a penalty no finite optimum exists, so pass l2 > 0'

    Reference:
        Equals scikit-learn's ``LogisticRegression(C=1/l2)``, its `class_weight` and `sample_weight`
        included, and for several labels its ``MultiOutputClassifier``.
    """
    op = "logistic_regression.fit"
    max_steps = (50 if method == "newton" else 10_000) if max_steps is None else max_steps
    _linear.check_settings(op, l2, tolerance, max_steps, method, METHODS)
    _linear.positive(op, "learning_rate", learning_rate)
    x, y, w = _linear.examples(op, inputs, targets, weights)
    if not isinstance(y, jax.core.Tracer) and (np.min(y) < 0 or np.max(y) > 1):
        raise FormatError(explain(op, "targets", got=f"from {np.min(y)} to {np.max(y)}",
                                  expected="0 and 1", fix="(labels == positive).astype(int)"))  # fmt: skip
    factors = _class_weights(op, class_weights, 2, x.dtype)
    settings = {"tolerance": tolerance, "max_steps": max_steps}

    def one(y: jax.Array) -> LinearModel:
        scaled = w * (factors[0] + (factors[1] - factors[0]) * y)
        if method == "descent":
            return _descended(x, y, scaled, l2, learning_rate=learning_rate, **settings)
        return _fitted(x, y, scaled, l2, **settings)

    y = y.astype(x.dtype)
    many = jax.vmap(one, 1, LinearModel(1, 0, 0, 0))  # type: ignore[arg-type]
    model = one(y) if y.ndim == 1 else many(y)
    return _linear.poisoned(model, w, l2, tolerance, factors)


def _class_weights(op: str, value: Any, classes: int, dtype: Any) -> jax.Array:
    if value is None:
        return jnp.ones(classes, dtype)
    found = _linear.numbers(op, "class_weights", value).astype(dtype)
    if found.shape != (classes,):
        raise ShapeError(explain(op, "class_weights", got=f"of shape {found.shape}",
                                 expected=f"({classes},)", fix="give one factor a class"))  # fmt: skip
    if not isinstance(found, jax.core.Tracer) and not (np.min(found) >= 0 and np.isfinite(found).all()):
        raise ValueError(explain(op, "class_weights", got="negative or not finite", expected="factors >= 0",
                                 fix="class_weights=None weighs the classes alike"))  # fmt: skip
    return found


@partial(jax.jit, static_argnames="max_steps")
def _fitted(x: jax.Array, y: jax.Array, w: jax.Array, l2: Any, **settings: Any) -> LinearModel:
    parts = _linear.design(x, w, l2)

    def cost(v: jax.Array) -> jax.Array:
        data = parts.weights @ losses.binary_cross_entropy(parts.matrix @ v, y)
        return data + jnp.sum(parts.ridge * jnp.square(v)) / 2

    def hessian(v: jax.Array) -> jax.Array:
        z = parts.matrix @ v
        curvature = parts.weights * jax.nn.sigmoid(z) * jax.nn.sigmoid(-z)
        return (parts.matrix.T * curvature[None]) @ parts.matrix + jnp.diag(parts.ridge)

    def hopeless(v: jax.Array, step: jax.Array) -> jax.Array:
        return _no_optimum(parts.matrix @ v, parts.matrix @ step, y, parts.weights, l2)

    start = jnp.zeros(parts.matrix.shape[1], x.dtype)
    v, status, steps = _newton.minimise(cost, hessian, start, hopeless, **settings)
    return LinearModel(*parts.restore(v), status, steps)


def _no_optimum(z: jax.Array, step: jax.Array, y: jax.Array, weights: jax.Array, l2: Any) -> jax.Array:
    """Return the status that proves there is no finite optimum, or -1."""
    present = weights > 0
    alone = (jnp.where(present, y, 0) == 0).all() | (jnp.where(present, y, 1) == 1).all()
    # A target between 0 and 1 holds its logit finite on either side.
    ahead, moved = (jnp.where(y == 1, a, jnp.where(y == 0, -a, -jnp.abs(a))) for a in (z, step))
    separable = _newton.separable(ahead, moved, present) & (jnp.asarray(l2) == 0)
    return jnp.where(alone, descent.ONE_CLASS, jnp.where(separable, descent.SEPARABLE, -1))


@partial(jax.jit, static_argnames="max_steps")
def _descended(x: jax.Array, y: jax.Array, w: jax.Array, l2: Any, **settings: Any) -> LinearModel:
    def cost(params: dict[str, jax.Array]) -> jax.Array:
        values = losses.binary_cross_entropy(x @ params["kernel"] + params["bias"], y)
        return w @ values / jnp.sum(w) + _linear.half_penalty(params["kernel"], l2, w)

    start = {"kernel": jnp.zeros(x.shape[1], x.dtype), "bias": jnp.zeros((), x.dtype)}
    end = descent.descend(cost, start, **settings)
    kernel, bias = end.params["kernel"], end.params["bias"]
    z = x @ kernel + bias
    proof = _no_optimum(z, jnp.zeros_like(z), y, w, l2)
    return LinearModel(kernel, bias, _linear.proven(end.status, proof), end.steps)
