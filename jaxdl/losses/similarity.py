"""Losses of embeddings that should lie near each other or apart, one value per example."""

import sys

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets

DISTANCES = ("euclidean", "squared_euclidean")


def distance(first: jax.Array, second: jax.Array, *, form: str = "euclidean") -> jax.Array:
    """Distance of two embeddings: ``sqrt(sum_k (a_k - b_k)^2)``, or its square; the gradient at 0 is 0.

    Args:
        first: floating array (..., features).
        second: floating array of exactly the same shape.
        form: ``"euclidean"`` or ``"squared_euclidean"``.

    Returns:
        Array (...), without overflow or underflow where the distance itself is a finite number.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the shapes differ, or the arrays are scalars.
        ValueError: unknown `form`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> a = jnp.array([[3.0, 4.0], [0.0, 0.0]])
        >>> distance(a, jnp.zeros((2, 2))).tolist()
        [5.0, 0.0]
        >>> jax.grad(lambda a: distance(a, jnp.zeros((2, 2))).sum())(a).round(1).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]

    Reference:
        Equals ``torch.nn.PairwiseDistance(eps=0)`` away from 0; torch adds its eps to every coordinate.
    """
    first, second = _embeddings("distance", first=first, second=second)
    _checks.one_of("distance", "form", form, DISTANCES)
    return _distance(first, second, form)


def _distance(first: jax.Array, second: jax.Array, form: str = "euclidean") -> jax.Array:
    apart = first - second
    if form == "squared_euclidean":
        return jnp.sum(jnp.square(apart), axis=-1)
    # Divided by the largest coordinate, since squares overflow in float16 from 255 on.
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(apart), axis=-1, initial=0))
    nothing = largest < jnp.finfo(apart.dtype).tiny
    scale = jnp.where(nothing, 1, largest)
    total = jnp.sum(jnp.square(apart / scale[..., None]), axis=-1)
    return jnp.where(nothing, 0, scale * jnp.sqrt(jnp.where(nothing, 1, total)))


def contrastive(
    first: jax.Array,
    second: jax.Array,
    same: jax.Array,
    *,
    margin: float | jax.Array = 1.0,
    factor: float | jax.Array = 1.0,
) -> jax.Array:
    """Contrastive loss ``factor * (y d^2 + (1 - y) max(margin - d, 0)^2)``, d the Euclidean distance.

    y is 1 for a pair of the *same* kind and 0 for another; the paper has it the other way round. Values of
    `same` outside [0, 1] make loss and gradient of their own pair NaN. A pair that should be apart but
    lies at distance 0 has no direction to go: its gradient is 0.

    Args:
        first: floating embeddings (..., features) of one side of each pair.
        second: those of the other side, of exactly the same shape.
        same: y, booleans, integers or floats (...).
        margin: distance beyond which other kinds are left alone, positive, or a traced scalar.
        factor: factor of the whole, 1, or 1/2 as the paper prints it.

    Returns:
        Array (...) of the dtype of the embeddings.

    Raises:
        DtypeError: embeddings that are not floating, or `same` that are not numbers.
        ShapeError: the shapes do not fit.
        ValueError: a `margin` that is not positive, or a `factor` that is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> a = jnp.array([[0.0, 3.0], [0.0, 0.5], [0.0, 3.0]])
        >>> contrastive(a, jnp.zeros((3, 2)), jnp.array([1, 0, 0])).tolist()
        [9.0, 0.25, 0.0]

    Reference:
        Hadsell, Chopra and LeCun (2006), with ``Y = 1 - same`` and factor 1/2.
    """
    op = "contrastive"
    _factor(op, factor)
    first, second = _embeddings(op, first=first, second=second)
    d = _distance(first, second)
    same = _targets.zero_to_one(op, "same", same)
    _checks.same_shape(op, "first[..., 0]", d, "same", same)
    y, margin = same.astype(d.dtype), _positive(op, "margin", margin, d.dtype)
    # Kept apart, since 0 times the overflowing square of a distant pair would be NaN.
    near = jnp.where(y == 0, 0, y * _distance(first, second, "squared_euclidean"))
    far = (1 - y) * jnp.square(jnp.maximum(margin - d, 0))
    return (near + far) * jnp.asarray(factor, d.dtype) * _targets.within(same, 0, 1, d.dtype)


def triplet(
    anchor: jax.Array,
    positive: jax.Array,
    negative: jax.Array,
    *,
    margin: float | jax.Array = 1.0,
    form: str = "euclidean",
) -> jax.Array:
    """Triplet loss ``max(d(a, p) - d(a, n) + margin, 0)``.

    Args:
        anchor: floating embeddings a (..., features).
        positive: embeddings p of the same kind as the anchor, of exactly the same shape.
        negative: embeddings n of another kind, of exactly the same shape.
        margin: by how much n must lie farther away than p, positive, or a traced scalar.
        form: of d: ``"euclidean"`` as torch takes it, or ``"squared_euclidean"`` as FaceNet and the texts
            do. The margins of the two are not comparable.

    Returns:
        Array (...) of the dtype of the embeddings.

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the shapes differ, or the arrays are scalars.
        ValueError: unknown `form`, or a `margin` that is not positive.

    Example:
        >>> import jax.numpy as jnp
        >>> a, p, n = jnp.zeros((1, 1)), jnp.ones((1, 1)), jnp.full((1, 1), 1.5)
        >>> [float(triplet(a, p, n, form=form)[0]) for form in ("euclidean", "squared_euclidean")]
        [0.5, 0.0]

    Reference:
        Schroff, Kalenichenko and Philbin (2015). The default equals ``torch.nn.TripletMarginLoss(eps=0)``;
        both forms equal ``TripletMarginWithDistanceLoss`` with that distance.
    """
    _checks.one_of("triplet", "form", form, DISTANCES)
    anchor, positive, negative = _embeddings("triplet", anchor=anchor, positive=positive, negative=negative)
    near, far = _distance(anchor, positive, form), _distance(anchor, negative, form)
    return jnp.maximum(near - far + _positive("triplet", "margin", margin, near.dtype), 0)


def _embeddings(op: str, **arrays: jax.Array) -> list[jax.Array]:
    found = {name: _checks.floating(op, name, value) for name, value in arrays.items()}
    (first, leading), *others = found.items()
    _checks.rank_at_least(op, first, leading, 1, "(..., features)")
    for name, value in others:
        _checks.same_shape(op, first, leading, name, value)
    return list(found.values())


def _factor(op: str, value: float | jax.Array) -> None:
    # One number: an array would be broadcast against the losses.
    _checks.in_range(op, "factor", value, -sys.float_info.max, float("inf"), "a finite number")


def _positive(op: str, argument: str, value: float | jax.Array, dtype: jax.typing.DTypeLike) -> jax.Array:
    _checks.in_range(op, argument, value, sys.float_info.min, float("inf"), "(0, inf)")
    found = jnp.asarray(value, dtype)
    return jnp.where(found > 0, found, jnp.nan).astype(dtype)
