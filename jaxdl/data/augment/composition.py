"""Augmentations out of augmentations."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.data.augment import _entry
from jaxdl.data.augment._entry import Augment
from jaxdl.errors import DtypeError, explain


def compose(*augmentations: Augment) -> Augment:
    """Return an augmentation that applies several, the first first, each with a key of its own.

    The key of each follows from its number, so that one more at the end leaves what the others draw.

    Args:
        augmentations: functions ``(key, x) -> y``, in their order.

    Returns:
        ``(key, x) -> y``; without any, y is x.

    Raises:
        DtypeError: one is no function, or (of what is returned) the key is no typed key.

    Example:
        >>> from jaxdl.data import augment
        >>> both = compose(augment.horizontal_flip(), augment.random_crop(padding=4))
        >>> both(jax.random.key(0), jnp.ones((2, 32, 32, 3))).shape
        (2, 32, 32, 3)
    """
    for index, function in enumerate(augmentations):
        _function("compose", f"augmentations[{index}]", function)

    def augment(key: jax.Array, x: jax.Array) -> jax.Array:
        key = _checks.key("compose", key)
        for index, function in enumerate(augmentations):
            x = function(jax.random.fold_in(key, index), x)
        return x

    return augment


def maybe(augmentation: Augment, *, probability: float = 0.5) -> Augment:
    """Return an augmentation that is applied to each image with some probability.

    It is computed for all of them: a compiled batch has one shape.

    Args:
        augmentation: function ``(key, x) -> y``, y of the shape of x.
        probability: chance of each image, in [0, 1].

    Returns:
        ``(key, x) -> y``.

    Raises:
        ValueError: the probability lies outside [0, 1].
        ShapeError: (of what is returned) the augmentation changes the shape, or x is no batch of images.
        DtypeError: no function, a key that is no typed key, x not floating.

    Example:
        >>> from jaxdl.data import augment
        >>> seldom = maybe(augment.cutout(size=2), probability=0.0)
        >>> bool((seldom(jax.random.key(0), jnp.ones((2, 8, 8))) == 1).all())
        True
    """
    op = "maybe"
    _function(op, "augmentation", augmentation)
    probability = _entry.chance(op, probability)

    def augment(key: jax.Array, x: jax.Array) -> jax.Array:
        key, images = _entry.images(op, key, x)
        first, second = jax.random.split(key)
        chosen = jax.random.bernoulli(first, probability, (len(images),))
        found = augmentation(second, x)
        _checks.same_shape(op, "x", jnp.asarray(x), "augmentation(key, x)", found)
        return jnp.where(_entry.per_image(chosen, rank=found.ndim), found, x)

    return augment


def _function(op: str, name: str, value: Any) -> None:
    if not callable(value):
        raise DtypeError(
            explain(op, name, got=f"a {type(value).__name__}", expected="a function (key, x) -> y",
                    fix="augment.horizontal_flip()")
        )  # fmt: skip
    _checks.augmentation(op, name, value)
