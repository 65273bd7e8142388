"""Augmentation of a batch in a scan: the formulations of `jaxdl.data.augment` against others."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.case import Case, Contender
from bench.timing import compiled
from jaxdl.data.augment import _resample

NAME = "augment"
DESCRIPTION = "random crops and rotations of a batch: slices and gathers against products and other gathers"
PEERS = ("one_hot", "take", "per_pixel", "per_pixel_fused", "products")
STEPS = 8
BATCHES = ((128, 32, 3), (128, 28, 1), (16, 224, 3))
PADDING = 4
Form = Callable[[jax.Array, jax.Array], jax.Array]


def _places(key: jax.Array, x: jax.Array) -> jax.Array:
    return jax.random.randint(key, (len(x), 2), 0, 2 * PADDING + 1)


def _padded(x: jax.Array) -> jax.Array:
    return jnp.pad(x, ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)))


def crop_by_slices(key: jax.Array, x: jax.Array) -> jax.Array:
    """What `augment.random_crop` does."""
    cut = jax.vmap(lambda image, at: lax.dynamic_slice(image, (at[0], at[1], 0), x.shape[1:]))
    return cut(_padded(x), _places(key, x))


def crop_by_one_hot(key: jax.Array, x: jax.Array) -> jax.Array:
    """Rows and columns are chosen by products with matrices of zeros and ones."""
    places = _places(key, x) - PADDING
    rows, columns = (
        (jnp.arange(side)[None, :, None] + places[:, axis, None, None] == jnp.arange(side)).astype(x.dtype)
        for axis, side in enumerate(x.shape[1:3])
    )
    chosen = jnp.einsum("bij,bjk->bik", rows, x.reshape(*x.shape[:2], -1)).reshape(x.shape)
    return jnp.einsum("bij,bhjc->bhic", columns, chosen)


def crop_by_take(key: jax.Array, x: jax.Array) -> jax.Array:
    """One gather of pixels by arrays of indices."""
    places = _places(key, x)
    rows, columns = (places[:, axis, None] + jnp.arange(x.shape[axis + 1]) for axis in range(2))
    return _padded(x)[jnp.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _sources(key: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    angle = jax.random.uniform(key, (len(x), 1, 1), minval=-0.3, maxval=0.3)
    middle = (x.shape[1] - 1) / 2
    rows, columns = (
        jnp.arange(x.shape[1])[None, :, None] - middle,
        jnp.arange(x.shape[2])[None, None] - middle,
    )
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return cosine * rows + sine * columns + middle, cosine * columns - sine * rows + middle


def turn(key: jax.Array, x: jax.Array) -> jax.Array:
    """What `augment.rotation` does."""
    return _resample.bilinear(x, *_sources(key, x), mode="zero")


def turn_per_pixel(key: jax.Array, x: jax.Array, *, fused: bool = False) -> jax.Array:
    """Whole pixels are gathered; `fused` leaves it to XLA whether places and weights are computed twice."""
    rows, columns = _sources(key, x)
    corners = []
    for row in (jnp.floor(rows), jnp.floor(rows) + 1):
        for column in (jnp.floor(columns), jnp.floor(columns) + 1):
            inside = (row >= 0) & (row < x.shape[1]) & (column >= 0) & (column < x.shape[2])
            weight = jnp.where(inside, (1 - jnp.abs(rows - row)) * (1 - jnp.abs(columns - column)), 0)
            place = jnp.clip(row, 0, x.shape[1] - 1) * x.shape[2] + jnp.clip(column, 0, x.shape[2] - 1)
            corners.append((place.astype(jnp.int32).reshape(len(x), -1), weight.reshape(len(x), -1, 1)))
    corners = corners if fused else lax.optimization_barrier(corners)
    flat = x.reshape(len(x), -1, x.shape[-1])
    parts = (w * jnp.take_along_axis(flat, place[..., None], 1, mode="clip") for place, w in corners)
    return sum(parts, jnp.zeros(())).reshape(x.shape)


def turn_by_products(key: jax.Array, x: jax.Array) -> jax.Array:
    """Each pixel is a product of tent functions of all rows and all columns."""
    rows, columns = (place.reshape(len(x), -1, 1) for place in _sources(key, x))
    down, across = (
        jnp.maximum(0, 1 - jnp.abs(place - jnp.arange(side)))
        for place, side in zip((rows, columns), x.shape[1:3], strict=True)
    )
    lines = jnp.einsum("bpj,bijc->bpic", across, x)
    return jnp.einsum("bpi,bpic->bpc", down, lines).reshape(x.shape)


def _contender(form: Form, size: tuple[int, int, int]) -> Contender:
    batch, side, channels = size
    x = jax.random.uniform(jax.random.key(0), (batch, side, side, channels))
    keys = jax.random.split(jax.random.key(1), STEPS)

    def epoch(x: jax.Array, keys: jax.Array) -> jax.Array:
        def step(x: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
            # Behind a barrier, or a sum is all that is made; x is carried, or XLA would pad it once.
            x, out = lax.optimization_barrier((x, form(key, x)))
            return x, jnp.sum(out, (1, 2, 3))

        return lax.scan(step, x, keys)[1]

    run, seconds = compiled(jax.jit(epoch), x, keys)
    return Contender(
        run=lambda: jax.block_until_ready(run(x, keys)),
        check=lambda: np.asarray(run(x, keys)),
        compile_s=seconds,
    )


def _case(what: str, ours: Form, peers: dict[str, Form], size: tuple[int, int, int]) -> Case:
    batch, side, channels = size
    return Case(
        label=f"{what}, {batch} images of {side}x{side}x{channels}",
        ours=partial(_contender, ours, size),
        peers={name: partial(_contender, form, size) for name, form in peers.items()},
        units=STEPS,
        unit="batch",
        flop=8 * batch * side * side * channels,
    )


def cases(quick: bool) -> list[Case]:
    """Crops and turns of every size; the trial run takes the first. Products are left out above 32 pixels."""
    found = []
    for size in BATCHES[:1] if quick else BATCHES:
        turns = {"per_pixel": turn_per_pixel, "per_pixel_fused": partial(turn_per_pixel, fused=True)}
        if size[1] <= 32:
            turns["products"] = turn_by_products
        found.append(_case("crop", crop_by_slices, {"one_hot": crop_by_one_hot, "take": crop_by_take}, size))
        found.append(_case("rotation", turn, turns, size))
    return found
