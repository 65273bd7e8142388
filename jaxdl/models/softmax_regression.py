"""Softmax regression: one linear unit a class, for classes of which each example has one."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks, descent, losses
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain
from jaxdl.models import _linear, _newton
from jaxdl.models._linear import LinearModel

METHODS = ("newton", "descent")


def fit(
    inputs: Any,
    targets: Any,
    *,
    classes: int | None = None,
    weights: Any = None,
    l2: float | jax.Array = 0.0,
    method: str = "newton",
    learning_rate: float | jax.Array = 0.5,
    tolerance: float | jax.Array = 1e-6,
    max_steps: int | None = None,
) -> LinearModel:
    """Fit the logits ``x . W + b`` by the least mean softmax cross-entropy ``+ l2/(2m) sum W^2``.

    Adding the same vector to the weights of every class changes no probability: of all optima this is the one
    whose kernels and biases sum to 0 over the classes. Newton's matrix has (features + 1) * classes rows:
    beyond a few thousand take ``"descent"``, batch gradient descent on the features as they are.

    Args:
        inputs: (examples, features); float16 and bfloat16 are widened to float32.
        targets: (examples,) integers, class numbers.
        classes: how many classes; None reads it off the targets, which must then not be traced.
        weights: (examples,), at least 0; 0 is an example that is not there. m is their sum.
        l2: lambda of the penalty, at least 0; the biases have none. May be traced.
        method: ``"newton"`` or ``"descent"``.
        learning_rate: of the descent, positive.
        tolerance: Newton ends when no standardised weight moves by more than this share of the largest, the
            descent when a step lowers the cost by less.
        max_steps: most steps; None is 50 for Newton, 10,000 for the descent.

    Returns:
        A `LinearModel` of logits (batch, classes); its status reports classes that hyperplanes separate
        without a penalty, and classes without an example. By Newton it is differentiable with respect to
        data, weights and `l2`.

    Raises:
        DtypeError: targets that are no integers, or complex inputs.
        ShapeError: shapes that do not fit.
        FormatError: inputs that are not finite, or blurred by the cast to float32, or targets outside
            [0, classes); traced, those give NaN.
        ValueError: a hyperparameter or weights out of range, or `classes` unknown; traced hyperparameters
            and weights out of range give NaN.

    Example:
        >>> x = jnp.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> model = fit(x, jnp.array([0, 0, 1, 1, 2, 2]), l2=0.1)
        >>> jnp.argmax(model(x), axis=1).tolist()
        [0, 0, 1, 1, 2, 2]

    Reference:
        Equals scikit-learn's ``LogisticRegression(C=1/l2)`` of more than two classes.
    """
    op = "softmax_regression.fit"
    max_steps = (50 if method == "newton" else 10_000) if max_steps is None else max_steps
    _linear.check_settings(op, l2, tolerance, max_steps, method, METHODS)
    _linear.positive(op, "learning_rate", learning_rate)
    x, y, w = _linear.examples(op, inputs, targets, weights)
    classes = _classes(op, y, classes)
    if method == "descent":
        model = _descended(x, y, w, l2, learning_rate, tolerance, max_steps=max_steps, classes=classes)
    else:
        model = _fitted(x, y, w, l2, tolerance, max_steps=max_steps, classes=classes)
    return _linear.poisoned(model, w, l2, tolerance)


def _classes(op: str, y: jax.Array, classes: int | None) -> int:
    _checks.integer(op, "targets", y)
    if y.ndim != 1:
        raise ShapeError(explain(op, "targets", got=f"of shape {y.shape}", expected=f"({len(y)},)",
                                 fix="jnp.argmax(targets, axis=1) of one-hot rows"))  # fmt: skip
    traced = isinstance(y, jax.core.Tracer)
    if classes is None and traced:
        raise DtypeError(explain(op, "classes", got="None, with traced targets", expected="a whole number",
                                 fix="classes=10"))  # fmt: skip
    count = _checks.positive_integer(
        op, "classes", int(np.max(y)) + 1 if classes is None else classes, least=2
    )
    if not traced and (np.min(y) < 0 or np.max(y) >= count):
        raise FormatError(explain(op, "targets", got=f"from {np.min(y)} to {np.max(y)}",
                                  expected=f"class numbers in [0, {count})",
                                  fix="count the classes from 0"))  # fmt: skip
    return count


@partial(jax.jit, static_argnames=("max_steps", "classes"))
def _fitted(
    x: jax.Array, y: jax.Array, w: jax.Array, l2: Any, tolerance: Any, *, max_steps: int, classes: int
) -> LinearModel:
    parts = _linear.design(x, w, l2)
    width = parts.matrix.shape[1]

    def logits(v: jax.Array) -> jax.Array:
        return parts.matrix @ v.reshape(classes, width).T

    def cost(v: jax.Array) -> jax.Array:
        data = parts.weights @ losses.softmax_cross_entropy(logits(v), y)
        return data + jnp.sum(parts.ridge[None] * jnp.square(v.reshape(classes, width))) / 2

    def hessian(v: jax.Array) -> jax.Array:
        """Blocks of classes k, l: ``X^T diag(w p_k (delta_kl - p_l)) X``, the first term on the diagonal."""
        p, rows = jax.nn.softmax(logits(v)), parts.matrix[:, None, :]
        flat = (jnp.sqrt(parts.weights)[:, None, None] * p[:, :, None] * rows).reshape(len(x), -1)
        own = (parts.weights[:, None, None] * p[:, :, None] * rows).reshape(len(x), -1).T @ parts.matrix
        own = own.reshape(classes, width, width) + jnp.diag(parts.ridge)[None]
        # The mean over classes has no curvature of its own: pinned, it stays 0.
        pinned = jnp.kron(jnp.full((classes, classes), 1 / classes, x.dtype), jnp.eye(width, dtype=x.dtype))
        return jax.scipy.linalg.block_diag(*own) + pinned - flat.T @ flat

    def hopeless(v: jax.Array, step: jax.Array) -> jax.Array:
        return _no_optimum(logits(v), logits(step), y, parts.weights, l2)

    start = jnp.zeros(classes * width, x.dtype)
    v, status, steps = _newton.minimise(
        cost, hessian, start, hopeless, tolerance=tolerance, max_steps=max_steps
    )
    v = v.reshape(classes, width)
    return LinearModel(*parts.restore((v - jnp.mean(v, axis=0, keepdims=True)).T), status, steps)


def _no_optimum(z: jax.Array, step: jax.Array, y: jax.Array, weights: jax.Array, l2: Any) -> jax.Array:
    """Return the status that proves there is no finite optimum, or -1."""
    own = jnp.arange(z.shape[1])[None] == y[:, None]
    absent = ~jnp.any(own & (weights > 0)[:, None], axis=0)
    there = ~own & (weights > 0)[:, None]
    ahead, moved = (jnp.sum(jnp.where(own, a, 0), axis=1, keepdims=True) - a for a in (z, step))
    separable = _newton.separable(ahead, moved, there) & (jnp.asarray(l2) == 0)
    return jnp.where(jnp.any(absent), descent.ONE_CLASS, jnp.where(separable, descent.SEPARABLE, -1))


@partial(jax.jit, static_argnames=("max_steps", "classes"))
def _descended(
    x: jax.Array,
    y: jax.Array,
    w: jax.Array,
    l2: Any,
    rate: Any,
    tolerance: Any,
    *,
    max_steps: int,
    classes: int,
) -> LinearModel:
    def cost(params: dict[str, jax.Array]) -> jax.Array:
        values = losses.softmax_cross_entropy(_linear.affine(x, params["kernel"], params["bias"]), y)
        return w @ values / jnp.sum(w) + _linear.half_penalty(params["kernel"], l2, w)

    start = {"kernel": jnp.zeros((x.shape[1], classes), x.dtype), "bias": jnp.zeros(classes, x.dtype)}
    end = descent.descend(cost, start, learning_rate=rate, tolerance=tolerance, max_steps=max_steps)
    kernel, bias = end.params["kernel"], end.params["bias"]
    z = _linear.affine(x, kernel, bias)
    proof = _no_optimum(z, jnp.zeros_like(z), y, w, l2)
    return LinearModel(kernel, bias, _linear.proven(end.status, proof), end.steps)
