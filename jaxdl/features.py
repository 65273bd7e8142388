"""Features made of features, so that a linear model draws curved boundaries."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, explain


def polynomial(
    inputs: jax.Array, *, degree: int = 2, interaction_only: bool = False, include_bias: bool = True
) -> jax.Array:
    """Return all products of up to `degree` features: ``1, x1, x2, x1^2, x1 x2, x2^2, ...``.

    Args:
        inputs: floating array (..., features).
        degree: highest degree of a product, at least 1.
        interaction_only: leave out the products that take a feature twice.
        include_bias: begin with a column of ones. Pass False for the models of `jaxdl.models`, which have
            a bias of their own.

    Returns:
        Array (..., products), by degree, and within a degree in the order of the features.

    Raises:
        DtypeError: `inputs` is not floating, `degree` no whole number, or a flag no bool.
        ShapeError: `inputs` is a scalar.
        ValueError: `degree` below 1.

    Example:
        >>> polynomial(jnp.array([[2.0, 3.0]])).tolist()
        [[1.0, 2.0, 3.0, 4.0, 6.0, 9.0]]

    Reference:
        Equals ``sklearn.preprocessing.PolynomialFeatures``, columns in the same order.
    """
    inputs = _features("polynomial", inputs)
    _checks.positive_integer("polynomial", "degree", degree)
    for name, flag in (("interaction_only", interaction_only), ("include_bias", include_bias)):
        if not isinstance(flag, bool):
            raise DtypeError(explain("polynomial", name, got=repr(flag), expected="True or False",
                                     fix=f"{name}=True"))  # fmt: skip
    count = inputs.shape[-1]
    choose = itertools.combinations if interaction_only else itertools.combinations_with_replacement
    places: dict[tuple[int, ...], int] = {(i,): i for i in range(count)}
    blocks, products = [inputs], inputs
    for size in range(2, degree + 1):
        chosen = list(choose(range(count), size))
        # Each product is a product of the degree below, all but its last feature, times that feature.
        parents = np.array([places[combination[:-1]] for combination in chosen], np.int32)
        last = np.array([combination[-1] for combination in chosen], np.int32)
        products = products[..., parents] * inputs[..., last]
        places = {combination: i for i, combination in enumerate(chosen)}
        blocks.append(products)
    if include_bias:
        blocks.insert(0, jnp.ones((*inputs.shape[:-1], 1), inputs.dtype))
    return jnp.concatenate(blocks, axis=-1)


def circle(inputs: jax.Array) -> jax.Array:
    """Append the squared distance from the origin, ``sum x_i^2``: a linear boundary is then a circle.

    Its centre is anywhere, since ``|x - c|^2 = |x|^2 - 2 c . x + |c|^2`` is linear in these features.

    Args:
        inputs: floating array (..., features).

    Returns:
        Array (..., features + 1).

    Raises:
        DtypeError: `inputs` is not floating.
        ShapeError: `inputs` is a scalar.

    Example:
        >>> circle(jnp.array([[3.0, 4.0]])).tolist()
        [[3.0, 4.0, 25.0]]
    """
    inputs = _features("circle", inputs)
    return jnp.concatenate([inputs, jnp.sum(jnp.square(inputs), axis=-1, keepdims=True)], axis=-1)


def ellipse(inputs: jax.Array) -> jax.Array:
    """Append the square of each feature, ``x_i^2``: a linear boundary is then an ellipse along the axes.

    Ellipses that are turned need the product of the features too: ``polynomial(inputs, degree=2)``.

    Args:
        inputs: floating array (..., features).

    Returns:
        Array (..., 2 features).

    Raises:
        DtypeError: `inputs` is not floating.
        ShapeError: `inputs` is a scalar.

    Example:
        >>> ellipse(jnp.array([[3.0, 4.0]])).tolist()
        [[3.0, 4.0, 9.0, 16.0]]
    """
    inputs = _features("ellipse", inputs)
    return jnp.concatenate([inputs, jnp.square(inputs)], axis=-1)


def _features(op: str, inputs: Any) -> jax.Array:
    inputs = _checks.floating(op, "inputs", inputs)
    _checks.rank_at_least(op, "inputs", inputs, 1, "(..., features)")
    return inputs
