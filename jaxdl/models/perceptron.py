"""The perceptron: one unit that fires, the gates it can be and learn, and XOR, which takes two layers."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdl import _checks, descent
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.models import _linear

GATES = {"AND": ((1.0, 1.0), -1.5), "NAND": ((-1.0, -1.0), 1.5), "OR": ((1.0, 1.0), -0.5)}
BOUNDARIES = ("mistake", "class_0")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Perceptron:
    """A unit that fires, 1 instead of 0, where ``x . kernel + bias > 0``.

    Attributes:
        kernel: (features,).
        bias: ().
        status: 0 when an epoch passed without a mistake, else out of steps: see `jaxdl.descent.describe`.
        steps: epochs that the learning took, the last one without a mistake.

    Example:
        >>> gate("AND")(jnp.array([[0, 1], [1, 1]])).tolist()
        [0.0, 1.0]
    """

    kernel: jax.Array
    bias: jax.Array
    status: jax.Array
    steps: jax.Array

    def __call__(self, inputs: Any) -> jax.Array:
        """Map inputs (batch, features) to (batch,) of 0 and 1; what is not a number stays NaN."""
        z = _linear.LinearModel(self.kernel, self.bias, self.status, self.steps)(inputs)
        return jnp.where(jnp.isnan(z), z, (z > 0).astype(z.dtype))


def gate(name: str) -> Perceptron:
    """Return a logic gate of two inputs, with set weights: AND, NAND or OR.

    Args:
        name: ``"AND"``, ``"NAND"`` or ``"OR"``. XOR is no single unit: see `xor`.

    Returns:
        A `Perceptron` of inputs (batch, 2) of 0 and 1.

    Raises:
        ValueError: another name.

    Example:
        >>> gate("NAND")(jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]])).tolist()
        [1.0, 1.0, 1.0, 0.0]
    """
    _checks.one_of("perceptron.gate", "name", name, GATES)
    kernel, bias = GATES[name]
    return Perceptron(jnp.array(kernel), jnp.float32(bias), jnp.int32(descent.CONVERGED), jnp.int32(0))


def xor(inputs: Any) -> jax.Array:
    """Return exclusive or by two layers of units: ``AND(NAND(x), OR(x))``.

    Args:
        inputs: (batch, 2) of 0 and 1.

    Returns:
        Array (batch,) of 0 and 1.

    Raises:
        DtypeError: no array.
        ShapeError: not (batch, 2).

    Example:
        >>> xor(jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]])).tolist()
        [0.0, 1.0, 1.0, 0.0]
    """
    hidden = jnp.stack([gate("NAND")(inputs), gate("OR")(inputs)], axis=1)
    return gate("AND")(hidden)


def fit(
    inputs: Any,
    targets: Any,
    *,
    weights: Any = None,
    learning_rate: float | jax.Array = 1.0,
    max_epochs: int = 1000,
    on_boundary: str = "mistake",
) -> Perceptron:
    """Learn by the perceptron rule: at each mistake ``w <- w + lr (y - a) x``, ``b <- b + lr (y - a)``.

    The examples come in sequence, epoch after epoch, until one passes without a mistake. Where a hyperplane
    separates the classes this happens after finitely many; where none does, as for XOR, never: the
    status then is out of steps. There is no penalty: the rule has no optimum that it would move.

    Args:
        inputs: (examples, features); float16 and bfloat16 are widened to float32.
        targets: (examples,) of 0 and 1.
        weights: (examples,), at least 0, factors of the updates; 0 is an example that is not there.
        learning_rate: lr, positive; may be traced.
        max_epochs: most epochs.
        on_boundary: what an example of class 0 with ``w . x + b = 0`` is: ``"mistake"``, as in
            scikit-learn, or ``"class_0"``, right, as the unit itself answers and texts print.

    Returns:
        A `Perceptron`; its status says whether it converged.

    Raises:
        DtypeError: no numbers, or complex ones.
        ShapeError: shapes that do not fit.
        FormatError: data that are not finite, or blurred by the cast to float32, or targets other than
            0 and 1; traced, those give NaN.
        ValueError: a hyperparameter or weights out of range; traced, those give NaN.

    Example:
        >>> x = jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> for y in ([0, 0, 0, 1], [0, 1, 1, 0]):
        ...     unit = fit(x, jnp.array(y))
        ...     print(unit(x).astype(int).tolist() == y, descent.describe(unit.status))
        True converged
        False out of steps

    Reference:
        Rosenblatt (1958). Equals scikit-learn's ``Perceptron(shuffle=False)``.
    """
    op = "perceptron.fit"
    _linear.positive(op, "learning_rate", learning_rate)
    _checks.positive_integer(op, "max_epochs", max_epochs)
    _checks.one_of(op, "on_boundary", on_boundary, BOUNDARIES)
    x, y, w = _linear.examples(op, inputs, targets, weights)
    if y.ndim != 1:
        raise ShapeError(explain(op, "targets", got=f"of shape {y.shape}", expected=f"({len(x)},)",
                                 fix="jax.vmap it over the labels"))  # fmt: skip
    if not isinstance(y, jax.core.Tracer) and not np.isin(y, (0, 1)).all():
        raise FormatError(explain(op, "targets", got=f"from {np.min(y)} to {np.max(y)}",
                                  expected="0 and 1", fix="(labels == positive).astype(int)"))  # fmt: skip
    strict = on_boundary == "mistake"
    unit = _learned(x, y.astype(x.dtype), w, learning_rate, max_epochs=max_epochs, strict=strict)
    return _linear.poisoned(unit, w, jnp.where(jnp.asarray(learning_rate) > 0, learning_rate, jnp.nan))


@partial(jax.jit, static_argnames=("max_epochs", "strict"))
def _learned(
    x: jax.Array, y: jax.Array, w: jax.Array, rate: Any, *, max_epochs: int, strict: bool
) -> Perceptron:
    sign = jnp.where((y == 0) | (y == 1), 2 * y - 1, jnp.nan)
    rows = jnp.concatenate([x, jnp.ones((len(x), 1), x.dtype)], axis=1)

    def look(unit: jax.Array, example: Any) -> tuple[jax.Array, jax.Array]:
        row, sign, weight = example
        z = row @ unit
        wrong = ~(z * sign > 0) if strict else ((z > 0) != (sign > 0)) | jnp.isnan(sign)
        wrong = wrong & (weight > 0)
        return jnp.where(wrong, unit + rate * weight * sign * row, unit), wrong

    def epoch(carry: Any) -> Any:
        unit, epochs, _ = carry
        unit, wrong = lax.scan(look, unit, (rows, sign, w))
        return unit, epochs + 1, jnp.any(wrong)

    start = (jnp.zeros(rows.shape[1], x.dtype), jnp.int32(0), jnp.bool_(True))
    unit, epochs, wrong = lax.while_loop(lambda c: c[2] & (c[1] < max_epochs), epoch, start)
    status = jnp.where(wrong, descent.OUT_OF_STEPS, descent.CONVERGED)
    status = jnp.where(jnp.isfinite(unit).all(), status, descent.NOT_FINITE).astype(jnp.int32)
    return Perceptron(unit[:-1], unit[-1], status, epochs)
