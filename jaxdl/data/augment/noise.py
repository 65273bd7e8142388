"""Noise."""

import jax

from jaxdl.data.augment import _entry
from jaxdl.data.augment._entry import Augment, Range


def gaussian_noise(*, deviation: Range = (0.0, 0.1)) -> Augment:
    """Return an augmentation that adds noise to every entry: ``y = x + deviation * n``, n from N(0, 1).

    Args:
        deviation: lowest and highest standard deviation, in the units of x, drawn for each image.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a range that is not finite, in order and 0 or more.
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> import jax.numpy as jnp
        >>> noisy = gaussian_noise(deviation=(0.5, 0.5))(jax.random.key(0), jnp.zeros((4, 16, 16)))
        >>> round(float(noisy.std()), 1)
        0.5
    """
    op = "gaussian_noise"
    deviation = _entry.interval(op, "deviation", deviation, low=0)
    return _entry.made(op, _noisy, deviation)


@jax.jit
def _noisy(key: jax.Array, images: jax.Array, deviation: Range) -> jax.Array:
    first, second = jax.random.split(key)
    strength = _entry.per_image(_entry.uniform(first, deviation, images))
    noise = strength * jax.random.normal(second, images.shape, strength.dtype)
    return (images.astype(noise.dtype) + noise).astype(images.dtype)
