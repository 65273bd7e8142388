"""The rectifiers, elementwise. The derivative at 0 is that of the left side, as in torch."""

import sys

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


def relu(x: jax.Array) -> jax.Array:
    """Rectify: ``max(x, 0)``; the derivative at 0 is taken as 0.

    Args:
        x: floating array of any shape.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        DtypeError: `x` is not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> relu(jnp.array([-2.0, 0.0, 3.0])).tolist()
        [0.0, 0.0, 3.0]

    Reference:
        Nair and Hinton (2010). Equals ``torch.nn.functional.relu``, its derivative at 0 included.
    """
    return jax.nn.relu(_checks.floating("relu", "x", x))


def leaky_relu(x: jax.Array, *, slope: float | jax.Array = 0.01) -> jax.Array:
    """Rectify with a leak: ``x if x > 0 else slope * x``; the derivative at 0 is taken as the slope.

    Args:
        x: floating array of any shape.
        slope: factor of negative inputs, a number or a traced scalar. The default is torch's and flax's;
            Keras takes 0.3.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        DtypeError: `x` is not floating, or `slope` is no number.
        ValueError: `slope` is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> leaky_relu(jnp.array([-2.0, 0.0, 3.0]), slope=0.25).tolist()
        [-0.5, 0.0, 3.0]

    Reference:
        Maas, Hannun and Ng (2013). Equals ``torch.nn.functional.leaky_relu(x, slope)``.
    """
    x = _checks.floating("leaky_relu", "x", x)
    _checks.in_range("leaky_relu", "slope", slope, -sys.float_info.max, float("inf"), "(-inf, inf)")
    return jnp.where(x > 0, x, jnp.asarray(slope, x.dtype) * x)


def prelu(x: jax.Array, slope: jax.Array) -> jax.Array:
    """Rectify with a leak that is learnt: ``x if x > 0 else slope * x``.

    Args:
        x: floating array (..., features).
        slope: floating array, a scalar or one value a feature, (features,). `jaxdl.layers.PReLU` holds it
            as a parameter.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: `slope` is neither a scalar nor (features,).

    Example:
        >>> import jax.numpy as jnp
        >>> prelu(jnp.array([[-2.0, -2.0, 3.0]]), jnp.array([0.25, 0.5, 0.5])).tolist()
        [[-0.5, -1.0, 3.0]]

    Reference:
        He et al. (2015). Equals ``torch.nn.functional.prelu``, whose features are on axis 1, here on the
        last.
    """
    x = _checks.floating("prelu", "x", x)
    slope = _checks.floating("prelu", "slope", slope)
    if slope.ndim > 0 and slope.shape != x.shape[-1:]:
        raise ShapeError(
            explain("prelu", "slope", got=f"of shape {slope.shape}",
                    expected=f"a scalar or one value a feature, {x.shape[-1:]}",
                    fix="give each feature on the last axis of x its slope")
        )  # fmt: skip
    # In one rank, since neither vmap nor rank promotion may pair the slopes with another axis.
    slope = jnp.broadcast_to(slope, x.shape[-1:]).reshape((1,) * max(x.ndim - 1, 0) + x.shape[-1:])
    return jnp.where(x > 0, x, slope.astype(x.dtype) * x)
