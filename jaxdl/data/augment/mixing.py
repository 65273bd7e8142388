"""Two images and their targets become one.

The `augment` of the trainer sees inputs alone; these take targets too, and are for a step of your own.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.data.augment import _entry
from jaxdl.errors import ShapeError, explain


def mixup(key: jax.Array, x: Any, targets: Any, *, alpha: float = 1.0) -> tuple[jax.Array, jax.Array]:
    """Blend each image, and its target, with another: ``s * x + (1 - s) * x[others]``.

    Each share s is from Beta(alpha, alpha). The targets change as the images do, which the `augment` of the
    trainer cannot do: call it in a step of your own, with a loss that takes probabilities, such as the
    softmax cross-entropy.

    Args:
        key: typed key; the permutation `others` and one s for each image are drawn from it.
        x: (batch, height, width, channels) or (batch, height, width), floating.
        targets: (batch, classes) probabilities, such as a one-hot code, floating.
        alpha: of the Beta distribution, above 0; 1 is uniform, small values mix little.

    Returns:
        Images and targets, mixed, in the shapes of `x` and `targets`.

    Raises:
        ValueError: an alpha that is not finite and above 0.
        ShapeError: x is no batch of images, or `targets` are not (batch, classes).
        DtypeError: x or targets not floating, a key that is no typed key.

    Example:
        >>> x, codes = jnp.stack([jnp.zeros((4, 4)), jnp.ones((4, 4))]), jnp.eye(2)
        >>> mixed, shares = jax.jit(mixup)(jax.random.key(0), x, codes)
        >>> bool(jnp.allclose(mixed[:, 0, 0], shares[:, 1]))
        True

    Reference:
        Zhang, Cisse, Dauphin and Lopez-Paz, mixup: beyond empirical risk minimization, 2017.
    """
    op = "mixup"
    images, codes, others, share, _ = _pairs(op, key, x, targets, alpha)
    kept = _entry.per_image(share)
    mixed = (images * kept + images[others] * (1 - kept)).astype(images.dtype)
    return mixed.reshape(jnp.shape(x)), _shared(codes, codes[others], share)


def cutmix(key: jax.Array, x: Any, targets: Any, *, alpha: float = 1.0) -> tuple[jax.Array, jax.Array]:
    """Paste a rectangle of another image into each, and mix the targets by the areas.

    The rectangle has the proportions of the image and a share ``1 - s`` of its area, s from
    Beta(alpha, alpha); its centre is uniform, what is outside is lost, and targets go by the area that is
    left. As for `mixup`, call it in a step of your own.

    Args:
        key: typed key; others, shares and places are drawn from it.
        x: (batch, height, width, channels) or (batch, height, width), floating.
        targets: (batch, classes) probabilities, such as a one-hot code, floating.
        alpha: of the Beta distribution, above 0; 1 is uniform.

    Returns:
        Images and targets, mixed, in the shapes of `x` and `targets`.

    Raises:
        ValueError: an alpha that is not finite and above 0.
        ShapeError: x is no batch of images, or `targets` are not (batch, classes).
        DtypeError: x or targets not floating, a key that is no typed key.

    Example:
        >>> x, codes = jnp.stack([jnp.zeros((4, 4)), jnp.ones((4, 4))]), jnp.eye(2)
        >>> mixed, shares = jax.jit(cutmix)(jax.random.key(0), x, codes)
        >>> bool(jnp.allclose(mixed.mean((1, 2)), shares[:, 1]))
        True

    Reference:
        Yun et al., CutMix: regularization strategy to train strong classifiers with localizable features,
        2019.
    """
    op = "cutmix"
    images, codes, others, share, key = _pairs(op, key, x, targets, alpha)
    spans = []
    for part, side in zip(jax.random.split(key), images.shape[1:3]):
        half = jnp.floor(side * jnp.sqrt(1 - share)).astype(jnp.int32)
        start = jax.random.randint(part, share.shape, 0, side) - half // 2
        spans.append((start, start + half))
    mask = _entry.rectangle(images, *spans)
    kept = 1 - jnp.mean(mask.astype(share.dtype), (1, 2, 3))
    mixed = jnp.where(mask, images[others], images)
    return mixed.reshape(jnp.shape(x)), _shared(codes, codes[others], kept)


def _pairs(op: str, key: Any, x: Any, targets: Any, alpha: float) -> tuple[jax.Array, ...]:
    """Return images, targets, the partners, the share that each image keeps, and a key for more."""
    alpha = _entry.number(op, "alpha", alpha, low=0, above=True)
    key, images = _entry.images(op, key, x)
    codes = _checks.floating(op, "targets", targets)
    if codes.ndim != 2 or len(codes) != len(images):
        raise ShapeError(
            explain(op, "targets", got=f"of shape {codes.shape}", expected=f"({len(images)}, classes)",
                    fix="jax.nn.one_hot(labels, classes)")
        )  # fmt: skip
    first, second, third = jax.random.split(key, 3)
    others = jax.random.permutation(first, len(images))
    return images, codes, others, _kept(second, alpha, images), third


def _kept(key: jax.Array, alpha: float, images: jax.Array) -> jax.Array:
    if alpha == 1:  # Beta(1, 1), without its rejection sampling.
        return _entry.uniform(key, (0, 1), images)
    return jax.random.beta(key, alpha, alpha, (len(images),), _entry.precise(images))


def _shared(codes: jax.Array, others: jax.Array, share: jax.Array) -> jax.Array:
    kept = share[:, None]
    return (codes * kept + others * (1 - kept)).astype(codes.dtype)
