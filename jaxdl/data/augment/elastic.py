"""Elastic distortion: each pixel is read a little beside its place, its neighbours nearly as far."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.data.augment import _entry, _resample
from jaxdl.data.augment._entry import MODES, Augment, Range


def elastic(*, alpha: Range = (34.0, 34.0), sigma: float = 4.0, mode: str = "zero") -> Augment:
    """Return an augmentation that displaces pixels by smoothed noise: ``y[p] = x[p + alpha * G(sigma) * u]``.

    u is uniform on [-1, 1], drawn for each pixel and both directions, smoothed by a Gaussian G of standard
    deviation `sigma`. Away from the border a displacement has standard deviation
    ``alpha / (2 * sqrt(3 * pi) * sigma)`` pixels in each direction, 1.4 for the values of the paper.

    Args:
        alpha: lowest and highest strength, in pixels, at least 0.
        sigma: standard deviation of the smoothing, in pixels.
        mode: what is beyond the border: ``"zero"``, ``"reflect"`` or ``"edge"``.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, channels) or (batch, height, width), floating.

    Raises:
        ValueError: a range that is not finite, in order and 0 or more; a sigma of 0 or less; an unknown mode.
        ShapeError: (of what is returned) x is no batch of images.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> bend = elastic(alpha=(8, 16), sigma=3.0)
        >>> bend(jax.random.key(0), jnp.ones((2, 28, 28))).shape
        (2, 28, 28)

    Reference:
        Simard, Steinkraus and Platt, Best practices for convolutional neural networks applied to visual
        document analysis, 2003.
    """
    op = "elastic"
    alpha = _entry.interval(op, "alpha", alpha, low=0)
    sigma = _entry.number(op, "sigma", sigma, low=0, above=True)
    _checks.one_of(op, "mode", mode, MODES)
    return _entry.made(op, _distorted, alpha, sigma=sigma, mode=mode)


@partial(jax.jit, static_argnames=("sigma", "mode"))
def _distorted(key: jax.Array, images: jax.Array, alpha: Range, *, sigma: float, mode: str) -> jax.Array:
    first, second = jax.random.split(key)
    strength = _entry.per_image(_entry.uniform(first, alpha, images))
    shape, dtype = (2, *images.shape[:3]), _entry.precise(images)
    moved = strength[None, :, :, :, 0] * _smoothed(jax.random.uniform(second, shape, dtype, -1, 1), sigma)
    rows, columns = _resample.grid(images)
    return _resample.bilinear(images, rows + moved[0], columns + moved[1], mode=mode)


def _smoothed(noise: jax.Array, sigma: float) -> jax.Array:
    """Smooth the last two axes by a Gaussian, zeros beyond the border: a matrix product on each side."""
    rows, columns = (jnp.asarray(_gaussian(size, sigma), noise.dtype) for size in noise.shape[-2:])
    return jnp.einsum("ij,...jk,lk->...il", rows, noise, columns)


def _gaussian(size: int, sigma: float) -> np.ndarray:
    """Return the (size, size) matrix of a Gaussian cut off at four standard deviations."""
    reach = int(4 * sigma + 0.5)
    total = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma)).sum()
    distance = np.abs(np.arange(size)[:, None] - np.arange(size))
    return np.where(distance <= reach, np.exp(-0.5 * np.square(distance / sigma)) / total, 0)
