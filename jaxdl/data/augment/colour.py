"""Colours: brightness, contrast, saturation and hue, and noise along the colours that vary together."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.data.augment import _entry
from jaxdl.data.augment._entry import Augment, Range
from jaxdl.errors import FormatError, ShapeError, explain

# ITU-R BT.601, as in Pillow and torchvision.
LUMA = (0.299, 0.587, 0.114)


def colour_distortion(
    *,
    brightness: Range = (0.8, 1.2),
    contrast: Range = (0.8, 1.2),
    saturation: Range = (0.8, 1.2),
    hue: Range = (-0.05, 0.05),
    limits: Range | None = None,
) -> Augment:
    """Return an augmentation that changes brightness, contrast, saturation and hue, in this order.

    ``x * brightness``; then ``x * f + mean(grey(x)) * (1 - f)`` for the contrast f; then
    ``x * f + grey(x) * (1 - f)`` for the saturation f; then a turn of the hue in HSV. Grey is
    ``0.299 red + 0.587 green + 0.114 blue``. All but the brightness mean the same whatever the scale of x is,
    where red, green and blue share it; for the brightness 0 has to be black.

    Args:
        brightness: lowest and highest factor, at least 0.
        contrast: lowest and highest factor, at least 0; 0 is one grey.
        saturation: lowest and highest factor, at least 0; 0 is without colour.
        hue: lowest and highest turn around the circle of colours, in turns, within [-0.5, 0.5].
        limits: lowest and highest value to clip the result to, ``(0, 1)`` for images on that scale; None
            does not clip.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, 3), floating. With saturation (1, 1) and hue (0, 0) any
        number of channels will do, and (batch, height, width) too; grey is then their mean.

    Raises:
        ValueError: a range that is not finite and in order, a negative factor, more than half a turn.
        ShapeError: (of what is returned) x is no batch of images, or has not three channels.
        DtypeError: a range that is no pair, a key that is no typed key, x not floating.

    Example:
        >>> red = jnp.array([1.0, 0.0, 0.0]).reshape(1, 1, 1, 3)
        >>> same = (1.0, 1.0)
        >>> third = colour_distortion(brightness=same, contrast=same, saturation=same, hue=(1 / 3, 1 / 3))
        >>> third(jax.random.key(0), red).round(5).tolist()
        [[[[0.0, 1.0, 0.0]]]]
    """
    op = "colour_distortion"
    factors = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    spans = [_entry.interval(op, name, span, low=0) for name, span in factors.items()]
    spans.append(_entry.interval(op, "hue", hue, low=-0.5, high=0.5))
    bounds = None if limits is None else _entry.interval(op, "limits", limits)
    colours = 3 if spans[2] != (1, 1) or spans[3] != (0, 0) else None
    return _entry.made(op, _distorted, tuple(spans), bounds, channels=colours, coloured=colours is not None)


@partial(jax.jit, static_argnames="coloured")
def _distorted(
    key: jax.Array, images: jax.Array, spans: tuple[Range, ...], bounds: Range | None, *, coloured: bool
) -> jax.Array:
    x = images.astype(_entry.precise(images))
    keys = jax.random.split(key, len(spans))
    drawn = [_entry.per_image(_entry.uniform(part, span, images)) for part, span in zip(keys, spans)]
    x = x * drawn[0]
    x = _towards(x, jnp.mean(_grey(x), (1, 2, 3), keepdims=True), drawn[1])
    if coloured:
        x = _turned_hue(_towards(x, _grey(x), drawn[2]), drawn[3])
    x = x if bounds is None else jnp.clip(x, *bounds)
    return x.astype(images.dtype)


def pca_noise(pixels: Any, *, deviation: float = 0.1) -> Augment:
    """Return an augmentation that adds to every pixel of an image one colour: ``P (alpha * lambda)``.

    P are the eigenvectors and lambda the eigenvalues of the covariance of red, green and blue over `pixels`,
    and alpha are three draws from N(0, deviation^2) for each image.

    Args:
        pixels: (..., 3) training images, or some of them, scaled as the batches will be.
        deviation: standard deviation of alpha, 0.1 in the paper.

    Returns:
        ``(key, x) -> y`` for x (batch, height, width, 3), floating.

    Raises:
        ValueError: a negative deviation.
        FormatError: a pixel that is not finite.
        ShapeError: not three channels, or fewer than two pixels; (of what is returned) x likewise.
        DtypeError: `pixels` are no numbers, a key that is no typed key, x not floating.

    Example:
        >>> images = np.random.default_rng(0).random((4, 8, 8, 3), np.float32)
        >>> noise = pca_noise(images)
        >>> noise(jax.random.key(0), images).shape
        (4, 8, 8, 3)

    Reference:
        Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks,
        2012, section 4.1.
    """
    op = "pca_noise"
    deviation = _entry.number(op, "deviation", deviation, low=0)
    colours = _principal(op, pixels)
    return _entry.made(op, _noisy, colours, deviation, channels=3)


@jax.jit
def _noisy(key: jax.Array, images: jax.Array, colours: jax.Array, deviation: jax.Array) -> jax.Array:
    dtype = _entry.precise(images)
    alpha = deviation * jax.random.normal(key, (len(images), 3), dtype)
    added = jnp.sum(alpha[:, :, None] * colours.astype(dtype)[None], 1)
    return (images.astype(dtype) + added[:, None, None]).astype(images.dtype)


def _principal(op: str, pixels: Any) -> np.ndarray:
    """Return the rows eigenvalue * eigenvector of the covariance of the colours, in float64."""
    values = np.asarray(_checks.array(op, "pixels", pixels), np.float64)
    if values.ndim < 2 or values.shape[-1] != 3 or values.size < 6:
        raise ShapeError(
            explain(op, "pixels", got=f"of shape {values.shape}", expected="(..., 3), two pixels or more",
                    fix="pass training images of three channels")
        )  # fmt: skip
    if not np.isfinite(values).all():
        raise FormatError(
            explain(op, "pixels", got="not finite", expected="finite numbers", fix="leave such images out")
        )
    eigenvalues, vectors = np.linalg.eigh(np.cov(values.reshape(-1, 3).T))
    # Either sign is right; the same one on every machine.
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0)
    return (vectors * np.sign(largest) * np.maximum(eigenvalues, 0)).T


def _grey(x: jax.Array) -> jax.Array:
    if x.shape[-1] != 3:
        return jnp.mean(x, -1, keepdims=True)
    weights = jnp.array(LUMA, x.dtype).reshape(1, 1, 1, 3)
    return jnp.sum(x * weights, -1, keepdims=True)


def _towards(x: jax.Array, target: jax.Array, factor: jax.Array) -> jax.Array:
    """Blend with a target; a factor of 1 keeps every bit."""
    return x * factor + target * (1 - factor)


def _turned_hue(x: jax.Array, turns: jax.Array) -> jax.Array:
    """Turn the hue of (..., 3) colours in HSV; value and chroma stay, whatever the scale of x is."""
    red, green, blue = x[..., :1], x[..., 1:2], x[..., 2:]
    value, least = jnp.max(x, -1, keepdims=True), jnp.min(x, -1, keepdims=True)
    chroma = value - least
    safe = jnp.where(chroma > 0, chroma, 1)
    # Not `value == red`, which a compiler may compute in two ways. Where colours tie, both sides agree.
    sector = jnp.where(
        (red >= green) & (red >= blue),
        (green - blue) / safe,
        jnp.where(green >= blue, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    phase = (jnp.array([5, 3, 1], x.dtype).reshape(*(1,) * (x.ndim - 1), 3) + sector + 6 * turns) % 6
    found = value - chroma * jnp.clip(jnp.minimum(phase, 4 - phase), 0, 1)
    return jnp.where(turns == 0, x, found)
