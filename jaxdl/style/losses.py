"""What style transfer minimises: distances of features, of their Gram matrices, and roughness."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.style._distance import gram_distance

GRAMS = ("none", "positions", "size")
CONTENTS = ("half", "quarter_mean", "mean")
STYLES = ("gatys", "mean")
VARIATIONS = ("absolute", "squared")


def gram(features: jax.Array, *, normaliser: str = "positions") -> jax.Array:
    """Sum the products of channels over all positions: ``G_ij = sum_p F_pi F_pj``, divided by a normaliser.

    Args:
        features: F (batch, space..., channels), floating.
        normaliser: ``"none"`` divides by nothing, as Gatys et al. define G; ``"positions"`` by the number M
            of positions, so that pictures of several sizes compare; ``"size"`` by M times the N channels.

    Returns:
        Gram matrices (batch, channels, channels), symmetric.

    Raises:
        DtypeError: `features` is not floating.
        ShapeError: no spatial axis, or no entry.
        ValueError: an unknown normaliser.

    Example:
        >>> gram(jnp.array([[[1.0, 2.0], [3.0, 4.0]]]), normaliser="none").tolist()
        [[[10.0, 14.0], [14.0, 20.0]]]

    Reference:
        Gatys, Ecker and Bethge, Image style transfer using convolutional neural networks (2016).
    """
    features = _features("gram", "features", features)
    _checks.one_of("gram", "normaliser", normaliser, GRAMS)
    flat = features.reshape(len(features), -1, features.shape[-1])
    # Divided first: the sums of half-precision features over a whole picture would overflow.
    scale = {"none": 1.0, "positions": 1.0 / flat.shape[1], "size": 1.0 / math.prod(flat.shape[1:])}[
        normaliser
    ]
    return jnp.einsum("bpi,bpj->bij", flat * jnp.asarray(scale, flat.dtype), flat)


def content_loss(features: jax.Array, target: jax.Array, *, normaliser: str = "half") -> jax.Array:
    """Compare the features of two pictures: ``c sum (F - P)^2`` over positions and channels.

    Args:
        features: F (batch, space..., channels), floating.
        target: P, of the shape of `features`.
        normaliser: names c: ``"half"`` is 1/2, as Gatys et al.; ``"quarter_mean"`` 1 / (4 N M), with N
            channels and M positions; ``"mean"`` 1 / (N M).

    Returns:
        Losses (batch,).

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: the shapes differ, no spatial axis, or no entry.
        ValueError: an unknown normaliser.

    Example:
        >>> float(content_loss(jnp.ones((1, 2, 3)), jnp.zeros((1, 2, 3)))[0])
        3.0

    Reference:
        Gatys, Ecker and Bethge (2016), equation 1.
    """
    features, target = (
        _features("content_loss", name, value) for name, value in (("features", features), ("target", target))
    )
    _checks.same_shape("content_loss", "features", features, "target", target)
    _checks.one_of("content_loss", "normaliser", normaliser, CONTENTS)
    size = math.prod(features.shape[1:])
    scale = {"half": 0.5, "quarter_mean": 0.25 / size, "mean": 1.0 / size}[normaliser]
    axes = tuple(range(1, features.ndim))
    return jnp.sum(jnp.square(features - target), axis=axes) * jnp.asarray(scale, features.dtype)


def style_loss(features: jax.Array, style: jax.Array, *, normaliser: str = "gatys") -> jax.Array:
    """Compare the Gram matrices of two pictures: ``c sum_ij (G_ij / M - A_ij / M')^2``, M and M' positions.

    Args:
        features: (batch, space..., channels), floating, whose Gram matrix is G.
        style: the same of the picture that gives the style, whose is A; its space may be of another size.
        normaliser: names c: ``"gatys"`` is 1 / (4 N^2), N the channels: for pictures of one size that is the
            ``1 / (4 N^2 M^2) sum (G - A)^2`` of Gatys et al.; ``"mean"`` is 1 / N^2.

    Returns:
        Losses (batch,).

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: batch, channels or rank differ, no spatial axis, or no entry.
        ValueError: an unknown normaliser.

    Example:
        >>> float(style_loss(jnp.ones((1, 4, 2)), jnp.zeros((1, 9, 2)), normaliser="mean")[0])
        1.0

    Reference:
        Gatys, Ecker and Bethge (2016), equation 4.
    """
    features, style = (
        _features("style_loss", name, value) for name, value in (("features", features), ("style", style))
    )
    same = features.shape[:1] + features.shape[-1:] == style.shape[:1] + style.shape[-1:]
    if not same or features.ndim != style.ndim:
        raise ShapeError(
            explain("style_loss", "style", got=f"of shape {style.shape}",
                    expected=f"batch, rank and channels of 'features', {features.shape}",
                    fix="take both from one layer")
        )  # fmt: skip
    _checks.one_of("style_loss", "normaliser", normaliser, STYLES)
    return gram_distance(gram(features), gram(style), normaliser)


def total_variation(images: jax.Array, *, kind: str = "absolute") -> jax.Array:
    """Measure how rough pictures are: ``sum |x_{p+1} - x_p|`` over neighbours along every spatial axis.

    Args:
        images: (batch, space..., channels), floating.
        kind: ``"absolute"`` differences, or ``"squared"`` ones.

    Returns:
        Sums (batch,), over all pairs of neighbours and channels.

    Raises:
        DtypeError: `images` is not floating.
        ShapeError: no spatial axis, or no entry.
        ValueError: an unknown kind.

    Example:
        >>> float(total_variation(jnp.array([[[0.0], [1.0], [-1.0]]]))[0])
        3.0

    Reference:
        Mahendran and Vedaldi, Understanding deep image representations by inverting them (2015). The
        absolute form equals ``tf.image.total_variation``.
    """
    images = _features("total_variation", "images", images)
    _checks.one_of("total_variation", "kind", kind, VARIATIONS)
    measure = jnp.abs if kind == "absolute" else jnp.square
    axes = tuple(range(1, images.ndim))
    steps = (measure(jnp.diff(images, axis=axis)) for axis in axes[:-1])
    return sum((jnp.sum(step, axis=axes) for step in steps), jnp.zeros(len(images), images.dtype))


def _features(op: str, argument: str, value: Any) -> jax.Array:
    value = _checks.floating(op, argument, value)
    _checks.rank_at_least(op, argument, value, 3, "(batch, space..., channels)")
    if value.size == 0:
        raise ShapeError(explain(op, argument, got=f"of shape {value.shape}", expected="at least one entry",
                                 fix="pass the features of whole pictures"))  # fmt: skip
    return value
