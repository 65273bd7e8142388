"""One scene as a pure function of its key: where objects come to lie, and how they are drawn."""

import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.data.scene_config import SceneConfig, as_config
from jaxdl.data.scene_digits import INK, SceneDigits
from jaxdl.errors import DtypeError, explain

TRIES = 12  # a place
_LEVELS = (0.0, 0.3)  # of the background
_UNEVEN = 0.12  # of the background, at most, to either side
_KNOTS = 4  # of its unevenness, along each side


class Placed(NamedTuple):
    """Objects that found room: number of the digit, corner, size in pixels a pixel of the digit."""

    digits: jax.Array
    corners: jax.Array
    scales: jax.Array
    mask: jax.Array


def compose_scene(
    key: jax.Array, digits: SceneDigits, config: SceneConfig | None = None
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Compose one scene: a pure function, to compile and to map over keys.

    Objects are drawn one over the other, over the clutter, over an uneven background. A box is the
    smallest around the pixels that the ink of its object covers by a quarter or more, be it under another
    object. An object for which no room was found in `TRIES` tries a place is left out.

    Args:
        key: random key of all that is drawn.
        digits: what `scene_digits` gives.
        config: what scenes are like; static; None: as by default.

    Returns:
        An image (height, width, 1) uint8, and its targets: boxes (places, 4) float32 xyxy in pixels,
        labels (places,) int32, mask (places,) bool, objects first and zeros behind.

    Raises:
        DtypeError: no typed key, no `SceneDigits`, or no config.

    Example:
        >>> import numpy as np
        >>> from jaxdl.data import scene_digits
        >>> digits = scene_digits(np.eye(6)[None], np.array([7]))
        >>> image, targets = jax.eval_shape(lambda key: compose_scene(key, digits), jax.random.key(0))
        >>> image.shape, targets["boxes"].shape
        ((96, 96, 1), (8, 4))
    """
    if not isinstance(digits, SceneDigits):
        raise DtypeError(
            explain("compose_scene", "digits", got=f"a {type(digits).__name__}", expected="SceneDigits",
                    fix="data.scene_digits(images, labels)")
        )  # fmt: skip
    keys, config = jax.random.split(_checks.key("compose_scene", key)), as_config("compose_scene", config)
    tries, clutter = TRIES * (config.places or 0), config.clutter
    parts = _uniform(keys[0], (tries + 1, 5), (_KNOTS**2 + 1,), (clutter + 1, 8), ())
    placed, bright = _place(parts[0], digits, config)
    canvas, level = _background(parts[1], config)
    inks = jax.vmap(
        lambda i, corner, scale: _ink(digits.images[i], digits.windows[i], corner, scale, config)
    )(placed.digits, placed.corners, placed.scales)
    inks *= placed.mask[:, None, None]
    canvas = _over(canvas, *_clutter(parts[2], digits, level, config))
    canvas = _over(canvas, inks, _brightness(bright, level, config))
    canvas += config.noise * parts[3] * jax.random.normal(keys[1], canvas.shape)
    image = jnp.rint(255 * jnp.clip(canvas, 0, 1)).astype(jnp.uint8)[..., None]
    boxes = jnp.where(placed.mask[:, None], jax.vmap(_tight)(inks), 0)
    labels = jnp.where(placed.mask, digits.labels[placed.digits], 0)
    return image, {"boxes": boxes, "labels": labels, "mask": placed.mask}


def _uniform(key: jax.Array, *shapes: tuple[int, ...]) -> list[jax.Array]:
    """Return numbers in [0, 1) of several shapes by one call: each costs a fifth of a second to compile."""
    sizes = [math.prod(shape) for shape in shapes]
    ends = list(itertools.accumulate(sizes))
    drawn = jax.random.uniform(key, (ends[-1],))
    return [drawn[end - size : end].reshape(shape) for end, size, shape in zip(ends, sizes, shapes)]


def _whole(uniform: jax.Array, count: int) -> jax.Array:
    """Return whole numbers below `count` of uniform ones in [0, 1)."""
    return jnp.minimum((uniform * count).astype(jnp.int32), count - 1)


def _sides(uniform: jax.Array, config: SceneConfig) -> jax.Array:
    low, high = config.scales
    return low * (high / low) ** uniform


def _place(uniform: jax.Array, digits: SceneDigits, config: SceneConfig) -> tuple[Placed, jax.Array]:
    """Try digits, sizes and corners until there are enough objects; return a number in [0, 1) for each."""
    places, (height, width) = config.places or 0, config.shape
    wanted = config.objects[0] + _whole(uniform[-1, 0], config.objects[1] + 1 - config.objects[0])
    chosen = _whole(uniform[:-1, 0], len(digits.labels))
    windows = digits.windows[chosen]
    sizes = windows[:, 2:] - windows[:, :2]
    scales = _sides(uniform[:-1, 1], config) / sizes.max(1)
    sizes *= scales[:, None]
    corners = uniform[:-1, 2:4] * (jnp.asarray([[width, height]]) - sizes)
    boxes = jnp.concatenate([corners, corners + sizes], 1)
    slots, count = _fitting(boxes, wanted, places, config.max_overlap)
    placed = Placed(chosen[slots], corners[slots], scales[slots], jnp.arange(places) < count)
    return placed, uniform[:-1, 4][slots]


def _fitting(
    boxes: jax.Array, wanted: jax.Array, places: int, max_overlap: float
) -> tuple[jax.Array, jax.Array]:
    """Return which boxes were taken, in their order, and how many: at most those wanted."""
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)

    def attempt(
        carry: tuple[jax.Array, jax.Array, jax.Array], t: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], None]:
        slots, covered, count = carry
        used, others = jnp.arange(places) < count, boxes[slots]
        sides = jnp.minimum(others[:, 2:], boxes[t, None, 2:]) - jnp.maximum(
            others[:, :2], boxes[t, None, :2]
        )
        shared = jnp.where(used, jnp.maximum(sides, 0).prod(1), 0)
        after = covered + shared / areas[slots]
        fits = (count < wanted) & (shared.sum() <= max_overlap * areas[t]) & (after <= max_overlap).all()
        here = fits & (jnp.arange(places) == count)
        covered = jnp.where(here, shared.sum() / areas[t], jnp.where(fits & used, after, covered))
        return (jnp.where(here, t, slots), covered, count + fits), None

    empty = jnp.zeros(places, jnp.int32)
    start = (empty, jnp.zeros(places), jnp.zeros((), jnp.int32))
    (slots, _, count), _ = jax.lax.scan(attempt, start, jnp.arange(len(boxes)))
    return slots, count


def _ink(
    digit: jax.Array, window: jax.Array, corner: jax.Array, scale: jax.Array, config: SceneConfig
) -> jax.Array:
    """Return the ink of a digit (height, width), scaled and put into its place by two matrix products."""
    height, width = config.shape
    rows = _weights(height, digit.shape[0], corner[1], scale, window[1], window[3])
    columns = _weights(width, digit.shape[1], corner[0], scale, window[0], window[2])
    return rows @ digit @ columns.T


def _weights(
    count: int, side: int, start: jax.Array, scale: jax.Array, low: jax.Array, high: jax.Array
) -> jax.Array:
    """Return how much of each of `side` pixels, those from `low` to `high`, is in each of `count` pixels.

    Bilinear; where the image shrinks, the triangle is as wide as a new pixel, so that no stroke is lost.
    """
    source = (jnp.arange(count) + 0.5 - start) / scale + low - 0.5
    pixels = jnp.arange(side)
    reach = jnp.maximum(1, 1 / scale)
    weights = jnp.maximum(0, 1 - jnp.abs(source[:, None] - pixels[None]) / reach) / reach
    return weights * ((pixels >= low) & (pixels < high))[None]


def _tight(ink: jax.Array) -> jax.Array:
    """Return the smallest box around ink (height, width)."""
    inked = ink >= INK
    ends = [(axis.argmax(), axis.size - axis[::-1].argmax()) for axis in (inked.any(0), inked.any(1))]
    return jnp.stack([ends[0][0], ends[1][0], ends[0][1], ends[1][1]]).astype(jnp.float32)


def _over(canvas: jax.Array, inks: jax.Array, brightness: jax.Array) -> jax.Array:
    """Draw layers one over the other."""
    return jax.lax.scan(
        lambda below, layer: (below + layer[0] * (layer[1] - below), None), canvas, (inks, brightness)
    )[0]


def _brightness(uniform: jax.Array, level: jax.Array, config: SceneConfig) -> jax.Array:
    low, high = config.contrast
    return level + (1 - level) * (low + (high - low) * uniform)


def _background(uniform: jax.Array, config: SceneConfig) -> tuple[jax.Array, jax.Array]:
    """Return a background that is brighter in some parts, and its mean level."""
    level = _LEVELS[0] + (_LEVELS[1] - _LEVELS[0]) * uniform[-1]
    knots = _UNEVEN * (2 * uniform[:-1].reshape(_KNOTS, _KNOTS) - 1)
    rows, columns = (
        jnp.maximum(0, 1 - jnp.abs(jnp.linspace(0, _KNOTS - 1, side)[:, None] - jnp.arange(_KNOTS)[None]))
        for side in config.shape
    )
    return level + rows @ knots @ columns.T, level


def _clutter(
    uniform: jax.Array, digits: SceneDigits, level: jax.Array, config: SceneConfig
) -> tuple[jax.Array, jax.Array]:
    """Return layers of ink (clutter, height, width), pieces of digits and strokes, and their brightness."""
    height, width = config.shape
    corners = uniform[:-1, :2] * jnp.asarray([[width, height]])
    chosen, sides = _whole(uniform[:-1, 2], len(digits.labels)), _sides(uniform[:-1, 3], config)
    windows = jax.vmap(_piece)(uniform[:-1, 4:6], digits.windows[chosen])
    scales = sides / (digits.windows[chosen, 2:] - digits.windows[chosen, :2]).max(1)
    pieces = jax.vmap(lambda i, window, corner, scale: _ink(digits.images[i], window, corner, scale, config))(
        chosen[::2], windows[::2], corners[::2], scales[::2]
    )
    angles = 2 * jnp.pi * uniform[:-1, 4]
    steps = sides[:, None] * jnp.stack([jnp.cos(angles), jnp.sin(angles)], 1)
    strokes = jax.vmap(lambda start, step: _stroke(start, step, config))(corners[1::2], steps[1::2])
    drawn = uniform[:-1, 6] < uniform[-1, 0]  # Their number is uniform, as the share is.
    inks = jnp.concatenate([pieces, strokes]) * drawn[:, None, None]
    return inks, _brightness(uniform[:-1, 7], level, config)


def _piece(uniform: jax.Array, window: jax.Array) -> jax.Array:
    """Return a window of two fifths of the width and height of a window, anywhere in it."""
    sides = window[2:] - window[:2]
    inner = jnp.maximum(jnp.rint(0.4 * sides), 1)
    corner = window[:2] + jnp.floor(uniform * (sides - inner + 1))
    return jnp.concatenate([corner, corner + inner])


def _stroke(start: jax.Array, step: jax.Array, config: SceneConfig) -> jax.Array:
    """Return a thin line from a point on, (height, width), by the distance of each pixel."""
    height, width = config.shape
    x = jnp.arange(width)[None] + 0.5 - start[0]
    y = jnp.arange(height)[:, None] + 0.5 - start[1]
    along = jnp.clip((x * step[0] + y * step[1]) / (step**2).sum(), 0, 1)
    return jnp.clip(1.1 - jnp.hypot(x - along * step[0], y - along * step[1]), 0, 1)
