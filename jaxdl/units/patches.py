"""The image patches that excite a unit most, found in one pass over a data set."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxdl import _checks, receptive_field
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain
from jaxdl.scaling import Scaling

PROGRAMS_KEPT = 16
Numbers = np.ndarray


class _Best(NamedTuple):
    """The highest outputs so far, by unit, highest first: (units, count) each."""

    value: jax.Array
    image: jax.Array
    place: jax.Array


@dataclasses.dataclass(frozen=True, eq=False)
class TopPatches:
    """The patches that excite each unit most, highest first.

    Attributes:
        layer: path of the layer.
        units: channels of the layer, (units,).
        activations: outputs of the units, (units, count).
        indices: which image each comes from, (units, count).
        positions: where in the layer, (units, count, spatial axes).
        boxes: (start, stop) of the pixels along each spatial axis, (units, count, axes, 2): all of those that
            the output depends on, and cut off at the edges of the image.
        patches: by unit and rank the pixels of the box, (height, width, channels); smaller at an edge.
    """

    layer: str
    units: Numbers
    activations: Numbers
    indices: Numbers
    positions: Numbers
    boxes: Numbers
    patches: tuple[tuple[Numbers, ...], ...]


def top_patches(
    net: Any,
    params: Any,
    state: Any,
    images: Any,
    *,
    layer: str,
    units: Sequence[int] | None = None,
    count: int = 9,
    per_image: int | None = 1,
    batch_size: int = 256,
    scaling: Scaling | None = None,
    hyper: Mapping[str, Any] | None = None,
) -> TopPatches:
    """Find the image patches that excite the units of a layer most: ``argmax over images i, positions p``.

    All positions of all images are looked at, a batch at a time, in evaluation mode; the device keeps the
    best so far and nothing else. Equal outputs are ranked by image, then by position.

    Args:
        net: a network of `jaxdl.net.functional` or `from_linen`; see `Net.trace`.
        params: its parameters.
        state: its state.
        images: (examples, space..., channels), numbers of any dtype.
        layer: path of the module, as `Net.trace` names it; its outputs have spatial axes.
        units: channels of the layer; None means all.
        count: patches a unit.
        per_image: most patches of one image; None sets no bound.
        batch_size: images at once.
        scaling: applied to a batch on the device, such as ``jaxdl.scaling.pixels()``; patches stay raw.
        hyper: hyperparameters that the network reads.

    Returns:
        `TopPatches`, with the exact receptive field of every hit.

    Raises:
        TypeError: a network without a trace.
        ShapeError: images without spatial axes, or a layer without any.
        DtypeError: units or numbers that are not whole.
        ValueError: an unknown layer (the message names those there are), a unit out of range, or fewer
            patches to be had than `count`.
        FormatError: outputs of the layer that are not finite.

    Example:
        >>> from flax import nnx
        >>> from jaxdl.layers import Conv
        >>> from jaxdl.net import functional
        >>> net = functional(lambda rngs: nnx.Sequential(Conv(1, 2, (3, 3), rngs=rngs)))
        >>> images = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
        >>> found = top_patches(net, *net.init(jax.random.key(0)), images, layer="layers/0", count=3)
        >>> found.activations.shape, found.patches[0][0].shape[-1]
        ((2, 3), 1)

    Reference:
        Zeiler and Fergus, Visualizing and understanding convolutional networks (2014), who show the nine
        strongest patches of a unit.
    """
    images = _images(images)
    _check_scaling(scaling)
    count = _checks.positive_integer("top_patches", "count", count)
    batch_size = min(_checks.positive_integer("top_patches", "batch_size", batch_size), len(images))
    fields = receptive_field.measure(net, params, state, images.shape[1:], layer=layer, hyper=hyper)
    chosen = _units(units, fields.units)
    each = int(np.prod(fields.positions))
    if per_image is not None:
        each = min(_checks.positive_integer("top_patches", "per_image", per_image), each)
    if count > each * len(images):
        raise ValueError(
            explain("top_patches", "count", got=f"{count}, of {len(images)} images with {each} each",
                    expected=f"at most {each * len(images)}", fix="more images, or per_image=None")
        )  # fmt: skip
    program = _program(net, layer, min(each, count), count)
    best = _Best(*(jnp.full((len(chosen), count), start) for start in (-jnp.inf, -1, -1)))
    hyper = dict(hyper or {})
    for first in range(0, len(images), batch_size):
        batch = images[first : first + batch_size]
        filled = np.concatenate([batch, np.repeat(batch[:1], batch_size - len(batch), axis=0)])
        best = program(
            best, params, state, filled, np.int32(first), np.int32(len(batch)), chosen, scaling, hyper
        )
    return _found(layer, chosen, best, fields, images)


@lru_cache(maxsize=PROGRAMS_KEPT)
def _program(net: Any, layer: str, each: int, count: int) -> Any:
    return jax.jit(partial(_merge, net, layer, each, count))


def _merge(
    net: Any,
    layer: str,
    each: int,
    count: int,
    best: _Best,
    params: Any,
    state: Any,
    batch: jax.Array,
    first: jax.Array,
    real: jax.Array,
    units: jax.Array,
    scaling: Any,
    hyper: Any,
) -> _Best:
    """Return the best of those so far and of a batch, whose first `real` images are no filling."""
    x = _scaled(batch, scaling)
    found = net.trace(params, state, x, train=False, hyper=hyper)[layer].value
    outputs = jnp.moveaxis(found.reshape(len(found), -1, found.shape[-1])[..., units], -1, 0)
    # A NaN stays the highest, so that it is found at the end; filling must never be.
    values, places = lax.top_k(outputs, each)  # (units, batch, each)
    index = lax.broadcasted_iota(jnp.int32, values.shape, 1)
    values = jnp.where(index < real, values, -jnp.inf)
    flat = [part.reshape(len(units), -1) for part in (values, index + first, places)]
    joined = [jnp.concatenate(pair, axis=1) for pair in zip(best, flat)]
    value, order = lax.top_k(joined[0], count)
    return _Best(value, *(jnp.take_along_axis(part, order, axis=1) for part in joined[1:]))


def _found(layer: str, units: Numbers, best: _Best, fields: Any, images: Numbers) -> TopPatches:
    value, index, place = (np.asarray(part) for part in best)
    bad = np.argwhere(~np.isfinite(value))
    if len(bad):
        unit, rank = bad[0]
        raise FormatError(
            explain("top_patches", "images", got=f"such that unit {units[unit]} of '{layer}' gives "
                    f"{value[unit, rank]} for image {index[unit, rank]}", expected="finite outputs",
                    fix="look for NaN in images and parameters")
        )  # fmt: skip
    positions = np.stack(np.unravel_index(place, fields.positions), axis=-1)
    boxes = np.array([[fields.box(p, unit) for p in row] for unit, row in zip(units, positions)])
    patches = tuple(
        tuple(images[(i, *(slice(*side) for side in box))] for i, box in zip(*row))
        for row in zip(index, boxes)
    )
    return TopPatches(layer, units, value, index, positions, boxes, patches)


def _images(images: Any) -> Numbers:
    if not isinstance(images, np.ndarray | jax.Array) or np.asarray(images).dtype.kind not in "biuf":
        raise DtypeError(
            explain("top_patches", "images", got=f"a {type(images).__name__}", expected="an array of numbers",
                    fix="np.asarray(images, np.float32)")
        )  # fmt: skip
    images = np.asarray(images)
    if images.ndim < 3 or not images.size:
        raise ShapeError(
            explain("top_patches", "images", got=f"of shape {images.shape}",
                    expected="(examples, space..., channels)", fix="images[..., None] for grey ones")
        )  # fmt: skip
    return images


def _check_scaling(scaling: Any) -> None:
    if not isinstance(scaling, Scaling | None):
        raise DtypeError(
            explain("top_patches", "scaling", got=f"a {type(scaling).__name__}", expected="a Scaling or None",
                    fix="scaling=jaxdl.scaling.pixels()")
        )  # fmt: skip


def _units(units: Any, channels: int) -> Numbers:
    if units is None:
        return np.arange(channels)
    chosen = [_checks.positive_integer("top_patches", "units", unit, least=0) for unit in units]
    if not chosen or max(chosen) >= channels:
        raise ValueError(
            explain("top_patches", "units", got=chosen, expected=f"units from 0 to {channels - 1}",
                    fix="units=None for all of them")
        )  # fmt: skip
    return np.array(chosen)


def _scaled(batch: jax.Array, scaling: Any) -> jax.Array:
    if scaling is not None:
        return scaling(batch)
    return batch if jnp.issubdtype(batch.dtype, jnp.floating) else batch.astype(jnp.float32)
