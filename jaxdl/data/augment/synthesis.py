"""New examples out of old ones: digits on other backgrounds."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl import _checks
from jaxdl.data.augment import _entry
from jaxdl.errors import ShapeError, explain

BLENDS = ("difference", "over")


def on_backgrounds(
    key: jax.Array, digits: Any, backgrounds: Any, *, blend: str = "difference", ink: float = 1.0
) -> jax.Array:
    """Put each digit on a patch of a background: ``|patch - digit|``, or painted over it.

    Painted over is ``digit * ink + (1 - digit) * patch``. The background and the place of the patch in it are
    drawn uniformly for each digit.

    Args:
        key: typed key.
        digits: (batch, height, width) or (batch, height, width, 1), floating, 0 where there is no ink and 1
            where all is ink.
        backgrounds: (count, height, width, channels) or (count, height, width), floating, on the same scale,
            at least as large as the digits.
        blend: ``"difference"`` keeps every digit visible on any background; ``"over"`` paints it.
        ink: value that is painted, for ``"over"``.

    Returns:
        (batch, height, width, channels), the channels of the backgrounds, in the dtype of `digits`.

    Raises:
        ValueError: an unknown blend, an ink that is not finite.
        ShapeError: no batches of images, digits of more than one channel, backgrounds smaller than digits.
        DtypeError: digits or backgrounds not floating, a key that is no typed key.

    Example:
        >>> made = jax.jit(on_backgrounds)(jax.random.key(0), jnp.zeros((2, 4, 4)), jnp.ones((1, 9, 9, 3)))
        >>> made.shape, float(made.min())
        ((2, 4, 4, 3), 1.0)

    Reference:
        Ganin and Lempitsky, Unsupervised domain adaptation by backpropagation, 2014 (MNIST-M).
    """
    op = "on_backgrounds"
    _checks.one_of(op, "blend", blend, BLENDS)
    ink = _entry.number(op, "ink", ink)
    key, digits = _entry.images(op, key, digits, channels=1, argument="digits")
    patches = _patches(op, key, digits, _entry.pictures(op, "backgrounds", backgrounds))
    if blend == "difference":
        return jnp.abs(patches - digits)
    return digits * ink + (1 - digits) * patches


def _patches(op: str, key: jax.Array, digits: jax.Array, backgrounds: jax.Array) -> jax.Array:
    count, height, width, channels = backgrounds.shape
    free = height - digits.shape[1], width - digits.shape[2]
    if count == 0 or min(free) < 0:
        raise ShapeError(
            explain(op, "backgrounds", got=f"of shape {backgrounds.shape}",
                    expected=f"one at least, not smaller than the digits, {digits.shape[1:3]}",
                    fix="pass larger pictures")
        )  # fmt: skip
    bounds = (count, free[0] + 1, free[1] + 1)
    starts = [
        jax.random.randint(part, (len(digits),), 0, bound)
        for part, bound in zip(jax.random.split(key, 3), bounds)
    ]
    size = (1, *digits.shape[1:3], channels)
    cut = jax.vmap(
        lambda which, row, column: lax.dynamic_slice(backgrounds, (which, row, column, 0), size)[0]
    )
    return cut(*starts).astype(digits.dtype)
