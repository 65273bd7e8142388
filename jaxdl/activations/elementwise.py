"""The step and the smooth activations, elementwise."""

import sys
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl._math import magnitude


def step(x: jax.Array, *, at_zero: float | jax.Array = 0.0) -> jax.Array:
    """Heaviside step: ``1 if x > 0, at_zero if x = 0, else 0``; its derivative is 0 everywhere.

    Args:
        x: floating array of any shape.
        at_zero: the value at 0: 0 for a neuron that fires above its threshold only, 1 for one that fires
            at it, 1/2 for the symmetric step.

    Returns:
        Array of the shape and dtype of `x`; NaN stays NaN.

    Raises:
        DtypeError: `x` is not floating, or `at_zero` is no number.

    Example:
        >>> import jax.numpy as jnp
        >>> step(jnp.array([-2.0, 0.0, 3.0]), at_zero=0.5).tolist()
        [0.0, 0.5, 1.0]

    Reference:
        McCulloch and Pitts (1943). Equals ``jnp.heaviside(x, at_zero)`` and ``torch.heaviside``.
    """
    x = _checks.floating("step", "x", x)
    _finite_number("step", "at_zero", at_zero)
    middle = jnp.where(jnp.isnan(x), jnp.nan, jnp.where(x > 0, 1, 0)).astype(x.dtype)
    return jnp.where(x == 0, jnp.asarray(at_zero, x.dtype), middle)


def identity(x: jax.Array) -> jax.Array:
    """Leave as it is: ``x``, the linear activation.

    Args:
        x: floating array of any shape.

    Returns:
        `x`.

    Raises:
        DtypeError: `x` is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> identity(jnp.array([-2.0, 3.0])).tolist()
        [-2.0, 3.0]

    Reference:
        Equals ``torch.nn.Identity``. A network of linear layers with it is one linear layer.
    """
    return _checks.floating("identity", "x", x)


def sigmoid(x: jax.Array) -> jax.Array:
    """Squash to (0, 1): ``1 / (1 + exp(-x))``, without overflow at any finite input.

    Args:
        x: floating array of any shape.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        DtypeError: `x` is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> sigmoid(jnp.array([-1e4, 0.0, 1e4])).tolist()
        [0.0, 0.5, 1.0]

    Reference:
        Equals ``torch.nn.functional.sigmoid``.
    """
    return jax.nn.sigmoid(_checks.floating("sigmoid", "x", x))


def tanh(x: jax.Array) -> jax.Array:
    """Squash to (-1, 1): ``(exp(x) - exp(-x)) / (exp(x) + exp(-x))``, without overflow.

    Args:
        x: floating array of any shape.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        DtypeError: `x` is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> tanh(jnp.array([-1e4, 0.0, 1e4])).tolist()
        [-1.0, 0.0, 1.0]

    Reference:
        Equals ``torch.tanh``, and ``2 sigmoid(2 x) - 1``.
    """
    return jnp.tanh(_checks.floating("tanh", "x", x))


def scaled_tanh(x: jax.Array) -> jax.Array:
    """Stretched tangent: ``1.7159 tanh(2 x / 3)``, which maps 1 to 1 and -1 to -1.

    Its second derivative is largest in magnitude there, so that targets of +1 and -1 lie where the curve
    bends most, not where it is flat.

    Args:
        x: floating array of any shape.

    Returns:
        Array of the shape and dtype of `x`, within (-1.7159, 1.7159).

    Raises:
        DtypeError: `x` is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> scaled_tanh(jnp.array([-1.0, 0.0, 1e4])).round(3).tolist()
        [-1.0, 0.0, 1.7160000801086426]

    Reference:
        LeCun, Bottou, Bengio and Haffner (1998), appendix A.
    """
    return 1.7159 * jnp.tanh(_checks.floating("scaled_tanh", "x", x) * (2 / 3))


def softsign(x: jax.Array) -> jax.Array:
    """Squash to (-1, 1), slowly: ``x / (1 + |x|)``; the derivative is ``1 / (1 + |x|)^2``.

    Args:
        x: floating array of any shape.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        DtypeError: `x` is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> softsign(jnp.array([-1.0, 0.0, 3.0])).tolist()
        [-0.5, 0.0, 0.75]

    Reference:
        Turian, Bergstra and Bengio (2009). Equals ``torch.nn.functional.softsign``.
    """
    return _softsign(_checks.floating("softsign", "x", x))


@jax.custom_jvp
def _softsign(x: jax.Array) -> jax.Array:
    return x / (1 + magnitude(x))


@_softsign.defjvp
def _softsign_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    # The quotient rule subtracts two nearly equal numbers at large |x|, and overflows in float16 from 255 on.
    (x,), (tangent,) = primals, tangents
    return _softsign(x), tangent * jnp.square(1 / (1 + magnitude(x)))


def swish(x: jax.Array, *, beta: float | jax.Array = 1.0) -> jax.Array:
    """Sigmoid-weighted input: ``x * sigmoid(beta x)``; SiLU at beta 1, close to ReLU at large beta.

    Args:
        x: floating array of any shape.
        beta: sharpness, a number or a traced scalar; 0 gives ``x / 2``.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        DtypeError: `x` is not floating, or `beta` is no number.
        ValueError: `beta` is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> swish(jnp.array([-1e4, 0.0, 1e4])).tolist()
        [-0.0, 0.0, 10000.0]

    Reference:
        Elfwing, Uchibe and Doya (2018); Ramachandran, Zoph and Le (2018). ``torch.nn.functional.silu`` at
        beta 1.
    """
    x = _checks.floating("swish", "x", x)
    _finite_number("swish", "beta", beta)
    return x * jax.nn.sigmoid(jnp.asarray(beta, x.dtype) * x)


def _finite_number(op: str, argument: str, value: Any) -> None:
    _checks.in_range(op, argument, value, -sys.float_info.max, float("inf"), "(-inf, inf)")
