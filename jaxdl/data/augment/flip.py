"""Mirror images."""

from functools import partial

import jax
import jax.numpy as jnp

from jaxdl.data.augment import _entry
from jaxdl.data.augment._entry import Augment


def horizontal_flip(*, probability: float = 0.5) -> Augment:
    """Return an augmentation that swaps left and right: ``y[i, j] = x[i, width - 1 - j]``.

    Args:
        probability: chance of each image to be flipped, in [0, 1].

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: the probability lies outside [0, 1].
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: (of what is returned) x is not floating, or the key is no typed key.

    Example:
        >>> flip = horizontal_flip(probability=1.0)
        >>> flip(jax.random.key(0), jnp.arange(6.0).reshape(1, 2, 3)).tolist()
        [[[2.0, 1.0, 0.0], [5.0, 4.0, 3.0]]]
    """
    return _flip("horizontal_flip", probability, 2)


def vertical_flip(*, probability: float = 0.5) -> Augment:
    """Return an augmentation that swaps top and bottom: ``y[i, j] = x[height - 1 - i, j]``.

    Args:
        probability: chance of each image to be flipped, in [0, 1].

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: the probability lies outside [0, 1].
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: (of what is returned) x is not floating, or the key is no typed key.

    Example:
        >>> flip = vertical_flip(probability=1.0)
        >>> flip(jax.random.key(0), jnp.arange(6.0).reshape(1, 2, 3)).tolist()
        [[[3.0, 4.0, 5.0], [0.0, 1.0, 2.0]]]
    """
    return _flip("vertical_flip", probability, 1)


def _flip(op: str, probability: float, axis: int) -> Augment:
    return _entry.made(op, _flipped, _entry.chance(op, probability), axis=axis)


@partial(jax.jit, static_argnames="axis")
def _flipped(key: jax.Array, images: jax.Array, probability: jax.Array, *, axis: int) -> jax.Array:
    chosen = jax.random.bernoulli(key, probability, (len(images),))
    return jnp.where(_entry.per_image(chosen), jnp.flip(images, axis), images)
