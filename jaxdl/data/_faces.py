"""A drawn face as a pure function: who it is, and how this photograph was taken.

The head is a ball that is turned and lit; what is painted on it is placed in the coordinates of the face,
x to the right and y up, from -1 to 1. All masks are soft, so that nothing jumps.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

Length = jax.Array | float  # in radii of the head
OWN, TAKEN = 32, 30  # uniform numbers of a person, and of a photograph

_SKIN = ((0.27, 0.16, 0.11), (0.50, 0.32, 0.22), (0.80, 0.60, 0.46), (0.97, 0.82, 0.73))
_HAIR = ((0.05, 0.04, 0.04), (0.22, 0.13, 0.07), (0.47, 0.29, 0.14), (0.86, 0.68, 0.34), (0.62, 0.24, 0.10),
         (0.72, 0.72, 0.72))  # fmt: skip
_IRIS = ((0.16, 0.09, 0.05), (0.35, 0.22, 0.10), (0.25, 0.38, 0.22), (0.25, 0.42, 0.62))
_RIM = ((0.05, 0.05, 0.06), (0.30, 0.15, 0.08), (0.75, 0.70, 0.60), (0.55, 0.08, 0.10))


class Person(NamedTuple):
    """What stays the same in every photograph of one person; lengths in radii of the head."""

    width: jax.Array
    jaw: jax.Array
    skin: jax.Array
    hair: jax.Array
    hairline: jax.Array
    slant: jax.Array
    volume: jax.Array
    length: jax.Array
    eyes: jax.Array  # half the gap, height, size, tilt
    iris: jax.Array
    brows: jax.Array  # height above the eye, thickness, tilt, length
    nose: jax.Array  # length, width
    mouth: jax.Array  # height, half the width, thickness of the lips
    lips: jax.Array
    beard: jax.Array
    moustache: jax.Array
    glasses: jax.Array
    rim: jax.Array
    lens: jax.Array  # half the width and height


class Shot(NamedTuple):
    """What one photograph differs in from another."""

    turn: jax.Array  # yaw, pitch, roll in radians
    zoom: jax.Array
    shift: jax.Array
    light: jax.Array  # a direction
    ambient: jax.Array
    white: jax.Array  # gain of each channel
    smile: jax.Array
    opened: jax.Array  # the mouth
    lids: jax.Array
    raised: jax.Array  # the brows
    gaze: jax.Array
    worn: jax.Array  # glasses, where there are any
    ground: jax.Array  # two colours
    slope: jax.Array
    clothes: jax.Array


def person(uniform: jax.Array) -> Person:
    """Return a person of numbers (OWN,) in [0, 1)."""
    u = _Dial(uniform)
    skin = jnp.clip(_between(_SKIN, u.get()) * (0.92 + 0.16 * u.get(3)), 0, 1)
    hair = _between(_HAIR, u.get())
    return Person(
        u.span(0.78, 0.98), u.span(0.05, 0.42), skin, hair, u.span(0.35, 0.85), u.span(-0.35, 0.35),
        u.span(0.02, 0.22), u.span(-1.3, 0.7),
        jnp.stack([u.span(0.27, 0.40), u.span(0.02, 0.16), u.span(0.10, 0.17), u.span(-0.3, 0.3)]),
        _between(_IRIS, u.get()),
        jnp.stack([u.span(0.17, 0.27), u.span(0.025, 0.075), u.span(-0.25, 0.25), u.span(0.14, 0.22)]),
        jnp.stack([u.span(0.22, 0.42), u.span(0.07, 0.16)]),
        jnp.stack([u.span(-0.58, -0.44), u.span(0.17, 0.34), u.span(0.03, 0.08)]),
        skin * jnp.array([0.88, 0.55, 0.55]) + jnp.array([0.12, 0.0, 0.02]) * u.get(),
        _some(u.get(), 0.22), _some(u.get(), 0.22), _some(u.get(), 0.35), _between(_RIM, u.get()),
        jnp.stack([u.span(0.18, 0.27), u.span(0.12, 0.22)]),
    )  # fmt: skip


def shot(uniform: jax.Array, variety: jax.Array) -> Shot:
    """Return how a photograph is taken, of numbers (TAKEN,) in [0, 1); with variety 0 all are the same."""
    u = _Dial(0.5 + variety * (uniform - 0.5))
    light = jnp.stack([u.span(-1.1, 1.1), u.span(-0.25, 1.0), u.span(0.7, 1.0)])
    return Shot(
        jnp.stack([u.span(-0.6, 0.6), u.span(-0.28, 0.28), u.span(-0.3, 0.3)]),
        u.span(0.58, 0.72), jnp.stack([u.span(-0.14, 0.14), u.span(-0.12, 0.12)]),
        light / jnp.linalg.norm(light), u.span(0.25, 0.65), 0.88 + 0.24 * u.get(3),
        u.span(-0.5, 1.0), jnp.maximum(u.span(-0.6, 1.0), 0), u.span(0.45, 1.0), u.span(-0.03, 0.07),
        jnp.stack([u.span(-0.4, 0.4), u.span(-0.2, 0.2)]), (u.get() < 0.8).astype(jnp.float32),
        0.15 + 0.7 * u.get(6).reshape(2, 3), u.span(-1.0, 1.0), u.get(3),
    )  # fmt: skip


class _Dial:
    """Numbers that are handed out one after the other."""

    def __init__(self, uniform: jax.Array) -> None:
        self.uniform, self.used = uniform, 0

    def get(self, count: int | None = None) -> jax.Array:
        first, self.used = self.used, self.used + (count or 1)
        return self.uniform[first] if count is None else self.uniform[first : self.used]

    def span(self, low: float, high: float) -> jax.Array:
        return low + (high - low) * self.get()


def _between(colours: tuple[tuple[float, float, float], ...], uniform: jax.Array) -> jax.Array:
    """Return a colour on the way from the first to the last."""
    table = jnp.array(colours)
    place = uniform * (len(colours) - 1)
    weights = jnp.maximum(0, 1 - jnp.abs(place - jnp.arange(len(colours))))
    return weights @ table


def _some(uniform: jax.Array, share: float) -> jax.Array:
    """Return 0 for most people, and else how much they have of it, 0.5 to 1."""
    return jnp.where(uniform < share, 0.5 + 0.5 * uniform / share, 0.0)


def draw(who: Person, how: Shot, size: int) -> jax.Array:
    """Return one photograph (size, size, 3) in [0, 1], without noise; drawn at twice the size."""
    side = 2 * size
    line = (jnp.arange(side) + 0.5) * 2 / side - 1
    x, y = line[None, :] - how.shift[0], -line[:, None] - how.shift[1]
    roll, soft = how.turn[2], 2.5 / (side * how.zoom)
    u = (jnp.cos(roll) * x + jnp.sin(roll) * y) / how.zoom
    v = (jnp.cos(roll) * y - jnp.sin(roll) * x) / how.zoom
    canvas = _behind(who, how, u, v, line, soft)
    canvas = _head(who, how, u, v, canvas, soft)
    return jnp.clip(canvas * how.white[None, None], 0, 1).reshape(size, 2, size, 2, 3).mean((1, 3))


def _over(canvas: jax.Array, mask: jax.Array, colour: jax.Array) -> jax.Array:
    return canvas + mask[..., None] * (jnp.broadcast_to(colour, canvas.shape) - canvas)


def _inside(distance: jax.Array, soft: Length) -> jax.Array:
    """Return 1 where a distance is well below 0, and 0 well above."""
    return jnp.clip(0.5 - distance / soft, 0, 1)


def _ellipse(x: jax.Array, y: jax.Array, width: Length, height: Length, soft: Length) -> jax.Array:
    radius = jnp.sqrt((x / width) ** 2 + (y / height) ** 2 + 1e-12)
    return _inside((radius - 1) * jnp.minimum(width, height), soft)


def _behind(who: Person, how: Shot, u: jax.Array, v: jax.Array, line: jax.Array, soft: Length) -> jax.Array:
    """Draw the wall, the shoulders, the neck and the hair behind the head."""
    along = (0.5 + 0.5 * (how.slope * line[None, :] + (1 - jnp.abs(how.slope)) * line[:, None]))[..., None]
    canvas = how.ground[None, None, 0] * along + how.ground[None, None, 1] * (1 - along)
    strands = _inside(jnp.abs(u) - (1 + who.volume) * who.width, soft) * _inside(jnp.abs(v - 0.1) - 1.2, soft)
    long = strands * _inside(who.length - v, soft) * _inside(v - 0.3, soft) * (who.length < 0)
    crown = _ellipse(u, v - 0.02, (1 + who.volume) * who.width, 1 + who.volume, soft)
    above = crown * _inside(jnp.minimum(who.length, 0.3) - v, soft) * (who.hairline < 0.8)
    canvas = _over(canvas, long, 0.7 * who.hair)
    canvas = _over(canvas, _ellipse(u, v + 2.05, 1.35, 0.95, soft), how.clothes)
    neck = _inside(jnp.abs(u) - 0.42 * who.width, soft) * _inside(jnp.abs(v + 0.9) - 0.4, soft)
    canvas = _over(canvas, neck, 0.65 * who.skin)
    return _over(canvas, above, 0.85 * who.hair)


def _head(who: Person, how: Shot, u: jax.Array, v: jax.Array, canvas: jax.Array, soft: Length) -> jax.Array:
    """Draw the head: a ball, narrower below, with what is painted on it where the turn brings it."""
    width = who.width * (1 - who.jaw * jnp.clip(-v - 0.1, 0, 1) ** 1.5)
    a = u / width
    depth = jnp.sqrt(jnp.clip(1 - a**2 - v**2, 1e-6, 1))
    outline = _inside((jnp.sqrt(a**2 + v**2 + 1e-12) - 1) * who.width, soft)
    yaw, pitch, _ = how.turn
    x = jnp.cos(yaw) * a - jnp.sin(yaw) * depth
    z = jnp.sin(yaw) * a + jnp.cos(yaw) * depth
    y, z = jnp.cos(pitch) * v - jnp.sin(pitch) * z, jnp.sin(pitch) * v + jnp.cos(pitch) * z
    bump = _nose(who, x, y)
    lit = jnp.clip(a * how.light[0] + v * how.light[1] + depth * how.light[2] + bump * how.light[0], 0, 1)
    shade = (how.ambient + (1.05 - how.ambient) * lit)[..., None]
    face = _painted(who, how, x, y, z, soft)
    return _over(canvas, outline, jnp.clip(face * shade, 0, 1))


def _nose(who: Person, x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the slope of the nose to the side, which catches the light."""
    length, width = who.nose
    middle = who.eyes[1] - 0.6 * length
    height = jnp.exp(-((x / width) ** 2) - (jnp.abs(y - middle) / (0.55 * length)) ** 3)
    return 1.6 * x / width * height


def _painted(who: Person, how: Shot, x: jax.Array, y: jax.Array, z: jax.Array, soft: Length) -> jax.Array:
    """Return the colours of the head in the coordinates of the face, before light falls on it."""
    face = jnp.broadcast_to(who.skin, (*x.shape, 3))
    front = _inside(0.05 - z, 0.1)
    length, width = who.nose
    tip = who.eyes[1] - 1.05 * length
    face = _over(face, 0.6 * front * _ellipse(x, y - tip, width, 0.035, soft), 0.5 * who.skin)
    face = _beard(who, face, x, y, front, soft)
    face = _mouth(who, how, face, x, y, front, soft)
    face = _eyes(who, how, face, x, y, front, soft)
    return _hair(who, face, x, y, z, soft)


def _beard(
    who: Person, face: jax.Array, x: jax.Array, y: jax.Array, front: jax.Array, soft: Length
) -> jax.Array:
    below = _inside(y - who.mouth[0] - 0.25 + 0.9 * jnp.abs(x) * (jnp.abs(x) < 0.3), 0.12)
    below = below * _inside(0.1 - jnp.hypot(x / 0.9, y - who.mouth[0] + 0.02), soft)
    face = _over(face, 0.85 * who.beard * below * front, 0.8 * who.hair)
    over = _ellipse(x, y - who.mouth[0] - 0.11, 0.9 * who.mouth[1], 0.055, soft)
    return _over(face, who.moustache * over * front, 0.8 * who.hair)


def _mouth(
    who: Person, how: Shot, face: jax.Array, x: jax.Array, y: jax.Array, front: jax.Array, soft: Length
) -> jax.Array:
    """Draw lips, bent by the smile, and the dark of an open mouth."""
    height, half, lips = who.mouth
    half = half * (1 + 0.25 * jnp.maximum(how.smile, 0))
    bent = y - height - 0.28 * how.smile * (x / half) ** 2 * half + 0.05 * how.smile
    gap = 0.11 * how.opened
    face = _over(face, front * _ellipse(x, bent, half, lips + gap, soft), who.lips)
    dark = jnp.array([0.25, 0.06, 0.06])
    return _over(face, front * _ellipse(x, bent, 0.85 * half, 0.012 + gap, soft), dark)


def _eyes(
    who: Person, how: Shot, face: jax.Array, x: jax.Array, y: jax.Array, front: jax.Array, soft: Length
) -> jax.Array:
    """Draw both eyes at once: the face is mirrored, but for where they look."""
    gap, height, size, tilt = who.eyes
    side, across = jnp.sign(x), jnp.abs(x) - gap
    up = y - height - tilt * across
    white = front * _ellipse(across, up, size, 0.62 * size * how.lids, soft)
    face = _over(face, white, jnp.array([0.95, 0.94, 0.92]))
    look_x, look_y = side * across - size * how.gaze[0], up - size * how.gaze[1]
    face = _over(face, white * _ellipse(look_x, look_y, 0.52 * size, 0.52 * size, soft), who.iris)
    face = _over(face, white * _ellipse(look_x, look_y, 0.25 * size, 0.25 * size, soft), jnp.zeros(3))
    lash = jnp.abs(up - 0.62 * size * how.lids * (1 - (across / size) ** 2)) - 0.018
    lash = _inside(lash, soft) * _inside(jnp.abs(across) - size, soft)
    face = _over(face, 0.7 * front * lash, 0.3 * who.skin)
    lift, thick, slope, length = who.brows
    over = up - lift - how.raised - slope * across + 1.2 * across**2
    brow = _inside(jnp.abs(over) - thick, soft) * _inside(jnp.abs(across) - length, soft)
    face = _over(face, 0.9 * front * brow, 0.75 * who.hair)
    return _glasses(who, how, face, x, y, front, soft)


def _glasses(
    who: Person, how: Shot, face: jax.Array, x: jax.Array, y: jax.Array, front: jax.Array, soft: Length
) -> jax.Array:
    gap, height, *_ = who.eyes
    wide, high = who.lens
    across, up = jnp.abs(x) - gap, y - height
    radius = ((across / wide) ** 4 + (up / high) ** 4 + 1e-12) ** 0.25
    rims = _inside(jnp.abs(radius - 1) * jnp.minimum(wide, high) - 0.028, soft)
    bridge = _inside(jnp.abs(up - 0.04) - 0.02, soft) * (across < -wide)
    arms = _inside(jnp.abs(up - 0.05) - 0.02, soft) * (across > wide)
    mask = jnp.maximum(rims, jnp.maximum(bridge, arms)) * (who.glasses > 0) * how.worn
    return _over(face, front * mask, who.rim)


def _hair(who: Person, face: jax.Array, x: jax.Array, y: jax.Array, z: jax.Array, soft: Length) -> jax.Array:
    """Draw hair above the hairline, and at the sides and the back as far down as it grows."""
    line = who.hairline + who.slant * x - 0.25 * x**2
    top = _inside(line - y, soft) * jnp.where(who.hairline < 0.8, 1.0, _inside(z - 0.55, 0.1))
    sides = _inside(z - 0.28, 0.06) * _inside(jnp.minimum(who.length, 0.3) - y, soft)
    shine = 0.85 + 0.3 * jnp.exp(-(((y - 0.75) / 0.15) ** 2))
    return _over(face, jnp.maximum(top, sides), who.hair[None, None] * shine[..., None])
