"""One scene as a pure function of its key: where objects come to lie, and how they are drawn."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.data.scene_config import SceneConfig
from jaxdl.data.scene_digits import INK, SceneDigits

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
    key: jax.Array, digits: SceneDigits, config: SceneConfig = SceneConfig()
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Compose one scene: a pure function to compile, map and differentiate nothing of.

    Objects are drawn one over the other, over the clutter, over an uneven background. A box is the
    smallest around the pixels that the ink of its object covers by a quarter or more, be it under another
    object. An object for which no room was found in `TRIES` tries a place is left out.

    Args:
        key: random key of all that is drawn.
        digits: what `scene_digits` gives.
        config: what scenes are like; static.

    Returns:
        An image (height, width, 1) uint8, and its targets: boxes (places, 4) float32 xyxy in pixels,
        labels (places,) int32, mask (places,) bool, objects first and zeros behind.

    Raises:
        DtypeError: no typed key.

    Example:
        >>> image, targets = jax.jit(compose_scene)(jax.random.key(0), scene_digits())
    """
    keys = jax.random.split(_checks.key("compose_scene", key), 5)
    placed = _place(keys[0], digits, config)
    inks = jax.vmap(
        lambda i, corner, scale: _ink(digits.images[i], digits.windows[i], corner, scale, config)
    )(placed.digits, placed.corners, placed.scales)
    inks *= placed.mask[:, None, None]
    canvas, level = _background(keys[1], config)
    canvas = _over(
        canvas, _clutter(keys[2], digits, config), _brightness(keys[2], level, config.clutter, config)
    )
    canvas = _over(canvas, inks, _brightness(keys[3], level, len(inks), config))
    deviation, errors = jax.random.split(keys[4])
    sigma = config.noise * jax.random.uniform(deviation)
    canvas += sigma * jax.random.normal(errors, canvas.shape)
    image = jnp.rint(255 * jnp.clip(canvas, 0, 1)).astype(jnp.uint8)[..., None]
    boxes = jnp.where(placed.mask[:, None], jax.vmap(_tight)(inks), 0)
    labels = jnp.where(placed.mask, digits.labels[placed.digits], 0)
    return image, {"boxes": boxes, "labels": labels, "mask": placed.mask}


def _sides(key: jax.Array, count: int, config: SceneConfig) -> jax.Array:
    low, high = jnp.log(jnp.asarray(config.scales))
    return jnp.exp(jax.random.uniform(key, (count,), minval=low, maxval=high))


def _place(key: jax.Array, digits: SceneDigits, config: SceneConfig) -> Placed:
    """Try digits, sizes and corners one after the other, until there are enough objects."""
    keys, (height, width) = jax.random.split(key, 4), config.shape
    places = config.places or 0
    tries = TRIES * places
    wanted = jax.random.randint(keys[0], (), config.objects[0], config.objects[1] + 1)
    chosen = jax.random.randint(keys[1], (tries,), 0, len(digits.labels))
    windows = digits.windows[chosen]
    sizes = windows[:, 2:] - windows[:, :2]
    scales = _sides(keys[2], tries, config) / sizes.max(1)
    sizes *= scales[:, None]
    room = jnp.asarray([width, height]) - sizes
    corners = jax.random.uniform(keys[3], (tries, 2)) * room
    boxes = jnp.concatenate([corners, corners + sizes], 1)
    slots, count = _fitting(boxes, wanted, places, config.max_overlap)
    return Placed(chosen[slots], corners[slots], scales[slots], jnp.arange(places) < count)


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
        sides = jnp.minimum(others[:, 2:], boxes[t, 2:]) - jnp.maximum(others[:, :2], boxes[t, :2])
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
    weights = jnp.maximum(0, 1 - jnp.abs(source[:, None] - pixels) / reach) / reach
    return weights * ((pixels >= low) & (pixels < high))


def _tight(ink: jax.Array) -> jax.Array:
    """Return the smallest box around ink (height, width)."""
    inked = ink >= INK
    ends = [(axis.argmax(), axis.size - axis[::-1].argmax()) for axis in (inked.any(0), inked.any(1))]
    return jnp.stack([ends[0][0], ends[1][0], ends[0][1], ends[1][1]]).astype(jnp.float32)


def _over(canvas: jax.Array, inks: jax.Array, brightness: jax.Array) -> jax.Array:
    """Draw layers one over the other."""
    for ink, bright in zip(inks, brightness):
        canvas += ink * (bright - canvas)
    return canvas


def _brightness(key: jax.Array, level: jax.Array, count: int, config: SceneConfig) -> jax.Array:
    low, high = config.contrast
    return level + (1 - level) * jax.random.uniform(key, (count,), minval=low, maxval=high)


def _background(key: jax.Array, config: SceneConfig) -> tuple[jax.Array, jax.Array]:
    """Return a background that is brighter in some parts, and its mean level."""
    even, uneven = jax.random.split(key)
    level = jax.random.uniform(even, minval=_LEVELS[0], maxval=_LEVELS[1])
    knots = jax.random.uniform(uneven, (_KNOTS, _KNOTS), minval=-_UNEVEN, maxval=_UNEVEN)
    rows, columns = (
        jnp.maximum(0, 1 - jnp.abs(jnp.linspace(0, _KNOTS - 1, side)[:, None] - jnp.arange(_KNOTS)))
        for side in config.shape
    )
    return level + rows @ knots @ columns.T, level


def _clutter(key: jax.Array, digits: SceneDigits, config: SceneConfig) -> jax.Array:
    """Return layers of ink (clutter, height, width): strokes and pieces of digits by turns, some empty."""
    keys, (height, width), count = jax.random.split(key, 5), config.shape, config.clutter
    corners = jax.random.uniform(keys[0], (count, 2)) * jnp.asarray([width, height])
    chosen = jax.random.randint(keys[1], (count,), 0, len(digits.labels))
    windows = jax.vmap(_piece)(jax.random.split(keys[2], count), digits.windows[chosen])
    whole = (digits.windows[chosen, 2:] - digits.windows[chosen, :2]).max(1)
    sides = _sides(keys[3], count, config)
    pieces = jax.vmap(lambda i, window, corner, scale: _ink(digits.images[i], window, corner, scale, config))(
        chosen[::2], windows[::2], corners[::2], (sides / whole)[::2]
    )
    angles = jax.random.uniform(keys[4], (count,), maxval=2 * jnp.pi)
    steps = sides[:, None] * jnp.stack([jnp.cos(angles), jnp.sin(angles)], 1)
    strokes = jax.vmap(lambda start, step: _stroke(start, step, config))(corners[1::2], steps[1::2])
    drawn = jnp.arange(count) < jax.random.randint(keys[0], (), 0, count + 1)
    return jnp.concatenate([pieces, strokes]) * jax.random.permutation(keys[1], drawn)[:, None, None]


def _piece(key: jax.Array, window: jax.Array) -> jax.Array:
    """Return a window of two fifths of the width and height of a window, anywhere in it."""
    sides = 0.4 * (window[2:] - window[:2])
    corner = window[:2] + jnp.floor(jax.random.uniform(key, (2,)) * (window[2:] - window[:2] - sides))
    return jnp.concatenate([corner, corner + jnp.maximum(jnp.rint(sides), 1)])


def _stroke(start: jax.Array, step: jax.Array, config: SceneConfig) -> jax.Array:
    """Return a thin line from a point on: (height, width), by the distance of each pixel."""
    height, width = config.shape
    x, y = jnp.arange(width) + 0.5 - start[0], jnp.arange(height)[:, None] + 0.5 - start[1]
    along = jnp.clip((x * step[0] + y * step[1]) / (step**2).sum(), 0, 1)
    return jnp.clip(1.1 - jnp.hypot(x - along * step[0], y - along * step[1]), 0, 1)
