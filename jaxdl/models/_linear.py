"""What the linear models share: the fitted model, checks at the door, and the standardised design matrix."""

import dataclasses
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdl import _checks, descent
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LinearModel:
    """A fitted linear model ``f(x) = x . kernel + bias``.

    Attributes:
        kernel: (features,), or (features, outputs).
        bias: (), or (outputs,).
        status: how the fit ended: 0 is converged, `jaxdl.descent.describe` puts it into words. One a
            model, or one an output where the outputs are fitted apart.
        steps: iterations of the fit, shaped as `status`.

    Example:
        >>> LinearModel(jnp.ones(2), jnp.float32(1), jnp.int32(0), jnp.int32(0))(jnp.ones((3, 2))).tolist()
        [3.0, 3.0, 3.0]
    """

    kernel: jax.Array
    bias: jax.Array
    status: jax.Array
    steps: jax.Array

    def __call__(self, inputs: Any) -> jax.Array:
        """Map inputs (batch, features) to outputs (batch,) or (batch, outputs), in at least float32."""
        x = numbers("LinearModel", "inputs", inputs)
        if x.ndim != 2 or x.shape[1] != self.kernel.shape[0]:
            raise ShapeError(
                explain("LinearModel", "inputs", got=f"of shape {x.shape}",
                        expected=f"(batch, {self.kernel.shape[0]})", fix="pass the features of the fit")
            )  # fmt: skip
        return affine(x, self.kernel, self.bias)


Fitted = TypeVar("Fitted", bound=Any)


def affine(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Return ``x . kernel + bias``, (batch,) or (batch, outputs)."""
    z = x @ kernel
    return z + jnp.broadcast_to(bias, z.shape)


def numbers(op: str, name: str, value: Any) -> jax.Array:
    """Return `value` as a floating array; integers, and float16 or bfloat16, become float32."""
    found = real(op, name, value)
    wide = jnp.issubdtype(found.dtype, jnp.floating) and found.dtype.itemsize >= 4
    return found if wide else found.astype(jnp.float32)


def real(op: str, name: str, value: Any) -> jax.Array:
    """Return `value` as an array, or raise `DtypeError` when its numbers are complex."""
    found = _checks.array(op, name, unwrapped(value))
    if jnp.issubdtype(found.dtype, jnp.complexfloating):
        raise DtypeError(explain(op, name, got=f"of dtype {found.dtype}", expected="real numbers",
                                 fix=f"{name}.real, or its parts as two features"))  # fmt: skip
    return found


def unwrapped(value: Any) -> Any:
    """Return whole numbers on the host as floating ones where the cast to int32 would wrap them around."""
    whole = isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iu"
    if whole and value.size and (np.min(value) < -(2**31) or np.max(value) >= 2**31):
        return value.astype(np.float64)
    return value


def examples(op: str, inputs: Any, targets: Any, weights: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Check inputs (examples, features), targets (examples, ...) and weights (examples,)."""
    x, y = numbers(op, "inputs", inputs), real(op, "targets", targets)
    if x.ndim != 2 or 0 in x.shape:
        raise ShapeError(explain(op, "inputs", got=f"of shape {x.shape}",
                                 expected="(examples, features), neither of them 0",
                                 fix="inputs.reshape(len(inputs), -1)"))  # fmt: skip
    w = jnp.ones(len(x), x.dtype) if weights is None else numbers(op, "weights", weights).astype(x.dtype)
    if y.ndim not in (1, 2) or len(y) != len(x):
        raise ShapeError(explain(op, "targets", got=f"of shape {y.shape}",
                                 expected=f"({len(x)},) or ({len(x)}, outputs)",
                                 fix="give one target an example"))  # fmt: skip
    if w.shape != (len(x),):
        raise ShapeError(explain(op, "weights", got=f"of shape {w.shape}", expected=f"({len(x)},)",
                                 fix="give one weight an example"))  # fmt: skip
    finite(op, "inputs", x)
    finite(op, "targets", y)
    finite(op, "weights", w)
    kept(op, "inputs", inputs, x.dtype, present(w))
    kept(op, "targets", targets, x.dtype, present(w))
    if not isinstance(w, jax.core.Tracer) and (np.min(w) < 0 or np.max(w) == 0):
        raise ValueError(explain(op, "weights", got="negative, or all zero",
                                 expected="weights >= 0, one of them positive",
                                 fix="weights=None weighs all alike"))  # fmt: skip
    return x, y, w


def finite(op: str, name: str, value: jax.Array) -> None:
    """Raise `FormatError` when concrete data are not finite; traced values pass, and give NaN."""
    if not isinstance(value, jax.core.Tracer) and not np.isfinite(value).all():
        raise FormatError(explain(op, name, got="not finite", expected="finite numbers",
                                  fix="drop or fill in those rows"))  # fmt: skip


def present(weights: jax.Array) -> np.ndarray:
    """Tell which examples are there, all of them where the weights are traced."""
    traced = isinstance(weights, jax.core.Tracer)
    return np.ones(len(weights), bool) if traced else np.asarray(weights) > 0


def kept(op: str, name: str, value: Any, dtype: Any, there: np.ndarray) -> None:
    """Raise `FormatError` when the cast of concrete `value` to `dtype` blurs how its examples differ."""
    if isinstance(value, jax.core.Tracer) or np.asarray(value).dtype == dtype:
        return
    rows = np.asarray(value).astype(np.float64)[there]
    if not len(rows):
        return
    blur = np.abs(rows.astype(dtype).astype(np.float64) - rows).max(axis=0)
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    # What float64 itself rounds is a constant.
    if np.any((blur > 1e-3 * spread) & (spread > 1e-12 * np.abs(centre))):
        raise FormatError(explain(op, name, got=f"blurred by the cast to {jnp.dtype(dtype).name}",
                                  expected="a spread well above the rounding of the values",
                                  fix="subtract the mean first"))  # fmt: skip


def one_number(op: str, name: str, value: Any) -> None:
    """Raise `ShapeError` when a setting, traced or not, is no single number."""
    if np.ndim(value) != 0:
        raise ShapeError(explain(op, name, got=f"of shape {np.shape(value)}", expected="one number",
                                 fix=f"jax.vmap the fit over {name}"))  # fmt: skip


def not_negative(op: str, name: str, value: Any) -> None:
    """Check a setting that is one number of at least 0."""
    one_number(op, name, value)
    _checks.in_range(op, name, value, 0, np.inf, "[0, inf)")


def positive(op: str, name: str, value: Any) -> None:
    """Check a setting that is one number above 0."""
    one_number(op, name, value)
    _checks.in_range(op, name, value, 1e-30, np.inf, "(0, inf)")


def poisoned(model: Fitted, weights: Any, *settings: Any) -> Fitted:
    """Make a fit NaN, and its status not finite, where traced weights or settings are out of range."""
    if not any(isinstance(value, jax.core.Tracer) for value in (weights, *settings)):
        return model
    sound = jnp.all(weights >= 0) & jnp.any(weights > 0)
    for value in settings:
        sound = sound & jnp.all((value >= 0) & (value < jnp.inf))
    return dataclasses.replace(
        model,
        kernel=jnp.where(sound, model.kernel, jnp.nan),
        bias=jnp.where(sound, model.bias, jnp.nan),
        status=jnp.where(sound, model.status, descent.NOT_FINITE).astype(jnp.int32),
    )


def check_settings(op: str, l2: Any, tolerance: Any, max_steps: Any, method: str, methods: Any) -> None:
    """Check what every fit takes."""
    not_negative(op, "l2", l2)
    not_negative(op, "tolerance", tolerance)
    _checks.positive_integer(op, "max_steps", max_steps)
    _checks.one_of(op, "method", method, methods)


class Design(NamedTuple):
    """Standardised features and a column of ones, so that float32 suffices whatever the units are.

    Attributes:
        matrix: (examples, features + 1).
        mean: (features,), subtracted.
        scale: (features,), divided by; 1 for constant features, whose columns are 0.
        ridge: (features + 1,), l2 / (m scale^2): the penalty is on the kernel of the *given* units.
        weights: (examples,), divided by their sum.
    """

    matrix: jax.Array
    mean: jax.Array
    scale: jax.Array
    ridge: jax.Array
    weights: jax.Array

    def restore(self, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Turn coefficients (features + 1, ...) of the design into kernel and bias of the given units."""
        kernel = v[:-1] / self.scale.reshape(-1, *(1,) * (v.ndim - 1))
        return kernel, v[-1] - jnp.tensordot(self.mean, kernel, 1)


def design(inputs: jax.Array, weights: jax.Array, l2: Any) -> Design:
    """Standardise the features under the weights. Mean and scale only change coordinates: no gradient."""
    total = jnp.sum(weights)
    share = weights / total
    fixed, portion = lax.stop_gradient((inputs, share))
    mean = portion @ fixed
    centred = fixed - mean[None]
    # In two passes, so that a large mean does not drown the deviations.
    mean = mean + portion @ centred
    there = portion[:, None] > 0
    high = jnp.max(jnp.where(there, fixed, -jnp.inf), axis=0)
    low = jnp.min(jnp.where(there, fixed, jnp.inf), axis=0)
    constant = high == low
    # Divided by the range before they are squared, deviations neither overflow nor vanish.
    width = jnp.where(constant, 1, high - low)
    scale = jnp.where(constant, 1, width * jnp.sqrt(portion @ jnp.square((fixed - mean[None]) / width[None])))
    columns = jnp.where(constant[None], 0, (inputs - mean[None]) / scale[None])
    matrix = jnp.concatenate([columns, jnp.ones((len(inputs), 1), inputs.dtype)], axis=1)
    square = jnp.maximum(jnp.square(scale), jnp.finfo(inputs.dtype).tiny)
    ridge = jnp.append(jnp.asarray(l2, inputs.dtype) / (total * square), 0)
    return Design(matrix, mean, scale, ridge, share)


def half_penalty(kernel: jax.Array, l2: Any, weights: jax.Array) -> jax.Array:
    """Return ``l2 / (2m) sum w^2`` with m the sum of the weights."""
    return jnp.asarray(l2, kernel.dtype) / (2 * jnp.sum(weights)) * jnp.sum(jnp.square(kernel))


def tangent_solve(linear: Any, target: jax.Array) -> jax.Array:
    """Solve ``linear(x) = target`` for the derivative of an optimum: implicit differentiation."""
    matrix = jax.vmap(linear, out_axes=1)(jnp.eye(target.size, dtype=target.dtype))
    return jnp.linalg.pinv(matrix, rtol=target.size * float(jnp.finfo(target.dtype).eps)) @ target


def failed(v: jax.Array) -> jax.Array:
    """Return the status of a closed form: converged, or not finite."""
    return jnp.where(jnp.isfinite(v).all(), descent.CONVERGED, descent.NOT_FINITE).astype(jnp.int32)


def proven(status: jax.Array, proof: jax.Array) -> jax.Array:
    """Put the proof that there is no optimum, where there is one, in place of how a descent ended."""
    sane = (status == descent.CONVERGED) | (status == descent.OUT_OF_STEPS)
    return jnp.where(sane & (proof >= 0), proof, status)
