"""What every augmentation asks of its arguments, and how it draws."""

import math
import numbers
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain

Augment = Callable[[jax.Array, Any], jax.Array]
Range = tuple[float, float]
MODES = ("zero", "reflect", "edge")


def images(
    op: str, key: Any, x: Any, *, channels: int | None = None, argument: str = "x"
) -> tuple[jax.Array, jax.Array]:
    """Return the key and the images as (batch, height, width, channels), both checked."""
    key = _checks.key(op, key)
    if key.ndim:
        raise ShapeError(
            explain(op, "key", got=f"an array of keys of shape {key.shape}", expected="one key",
                    fix="jax.vmap over the keys, with x[None] for one image")
        )  # fmt: skip
    x = pictures(op, argument, x)
    if channels is not None and x.shape[-1] != channels:
        raise ShapeError(
            explain(op, argument, got=f"images of {x.shape[-1]} channels (shape {x.shape})",
                    expected=f"(batch, height, width, {channels})", fix="leave it out for such images")
        )  # fmt: skip
    return key, x


def made(
    op: str, function: Callable[..., jax.Array], *values: Any, channels: int | None = None, **static: Any
) -> Augment:
    """Return an augmentation: checks at the door, and behind it a compiled function of four axes.

    ``function(key, images, *values, **static)`` is jitted; ranges are traced, so that all of a kind are one
    program for each shape.
    """

    def augment(key: jax.Array, x: Any) -> jax.Array:
        key, rank_four = images(op, key, x, channels=channels)
        out = function(key, rank_four, *values, **static)
        return out if jnp.ndim(x) == 4 else out[..., 0]

    return augment


def pictures(op: str, argument: str, value: Any) -> jax.Array:
    """Return floating images as (batch, height, width, channels), one channel for rank 3, or raise."""
    value = _checks.floating(op, argument, value)
    if value.ndim not in (3, 4) or 0 in value.shape[1:]:
        raise ShapeError(
            explain(op, argument, got=f"of shape {value.shape}",
                    expected="(batch, height, width, channels) or (batch, height, width)",
                    fix=f"{argument}[None] for one image" if value.ndim == 2
                    else f"{argument}.reshape(batch, height, width, channels)")
        )  # fmt: skip
    _channels_last(op, argument, value)
    return value if value.ndim == 4 else value[..., None]


def _channels_last(op: str, argument: str, value: jax.Array) -> None:
    """Refuse shapes that are most likely one colour image, or a batch with the channels in front."""
    if value.ndim == 3 and value.shape[2] in (1, 3, 4) and value.shape[1] > 4:
        fix = f"{argument}[None] for one image, {argument}[..., None] for grey ones so narrow"
    elif value.ndim == 4 and value.shape[1] in (1, 3) and value.shape[3] > 4:
        fix = f"jnp.moveaxis({argument}, 1, -1)"
    else:
        return
    raise ShapeError(
        explain(op, argument, got=f"of shape {value.shape}",
                expected="(batch, height, width, channels), the channels last, or (batch, height, width)",
                fix=fix)
    )  # fmt: skip


def interval(
    op: str,
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    below: bool = False,
) -> Range:
    """Return a range as two finite floats in order, within [low, high]; `above`, `below`: without the end."""
    pair = tuple(value) if isinstance(value, tuple | list | np.ndarray) else ()
    if len(pair) != 2 or not all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in pair):
        both = "lowest, highest"
        if isinstance(value, numbers.Real):
            both = f"{-abs(value)}, {abs(value)}" if low < 0 else f"{value}, {value}"
        raise DtypeError(
            explain(op, name, got=repr(value), expected="a pair of numbers (lowest, highest)",
                    fix=f"{name}=({both})")
        )  # fmt: skip
    first, last = (float(v) for v in pair)
    if not (math.isfinite(first) and math.isfinite(last)) or first > last:
        raise ValueError(
            explain(op, name, got=f"({first:g}, {last:g})", expected="finite numbers, the lowest first",
                    fix=f"{name}=(lowest, highest)")
        )  # fmt: skip
    if first < low or last > high or (above and first == low) or (below and last == high):
        closed = not below and math.isfinite(high)
        span = f"{'(' if above else '['}{low:g}, {high:g}{']' if closed else ')'}"
        raise ValueError(
            explain(op, name, got=f"({first:g}, {last:g})", expected=f"numbers within {span}",
                    fix=f"choose {name} within {span}")
        )  # fmt: skip
    return first, last


def whole(op: str, name: str, value: Any) -> tuple[int, int]:
    """Return a range of whole numbers, both ends drawn."""
    first, last = interval(op, name, value)
    if first != round(first) or last != round(last):
        raise ValueError(
            explain(op, name, got=f"({first:g}, {last:g})", expected="whole pixels",
                    fix="subpixel_shift moves by fractions of a pixel")
        )  # fmt: skip
    return int(first), int(last)


def chance(op: str, value: Any) -> float:
    """Return a probability in [0, 1]."""
    _checks.in_range(op, "probability", value, 0, math.nextafter(1, 2), "[0, 1]")
    return float(value)


def number(op: str, name: str, value: Any, *, low: float = -math.inf, above: bool = False) -> float:
    """Return one finite number of at least `low`, or above it."""
    start = math.nextafter(low, math.inf) if above or low == -math.inf else low
    text = (
        "a finite number" if low == -math.inf else f"a finite number {'above' if above else 'from'} {low:g}"
    )
    _checks.in_range(op, name, value, start, math.inf, text)
    return float(value)


def uniform(key: jax.Array, span: Range, x: jax.Array) -> jax.Array:
    """Draw one number for each image, in float32 at least: a bfloat16 has 8 bits."""
    return jax.random.uniform(key, (len(x),), precise(x), *span)


def precise(x: jax.Array) -> Any:
    """Return the dtype that positions and factors are computed in."""
    return jnp.promote_types(x.dtype, jnp.float32)


def per_image(values: jax.Array, *, rank: int = 4) -> jax.Array:
    """Reshape one number for each image so that it broadcasts against `rank` axes."""
    return values.reshape(-1, *(1,) * (rank - 1))


def rectangle(
    images: jax.Array, rows: tuple[jax.Array, jax.Array], columns: tuple[jax.Array, jax.Array]
) -> jax.Array:
    """Return the mask (batch, height, width, 1) of a rectangle of each image."""
    row, column = (
        jnp.arange(images.shape[1])[None, :, None, None],
        jnp.arange(images.shape[2])[None, None, :, None],
    )
    (top, bottom), (left, right) = ([per_image(end) for end in ends] for ends in (rows, columns))
    return (row >= top) & (row < bottom) & (column >= left) & (column < right)
