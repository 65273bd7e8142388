"""Volumes made of images: each is extruded to a solid and turned about an axis."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain

AXES = ("depth", "height", "width")


def volumes(
    key: jax.Array,
    images: jax.Array,
    *,
    size: int = 16,
    thickness: float = 0.3,
    axis: str = "height",
    angle: float = 45.0,
    noise: float = 0.1,
) -> jax.Array:
    """Extrude each image to a solid, turn it by an angle of its own about an axis, and add noise.

    The image, scaled to fill a face of the cube, is the same at every depth within the middle `thickness`
    of it, and there is nothing outside. Values between voxels are interpolated linearly.

    Args:
        key: random key of the angles and the noise; another key turns the same images otherwise.
        images: floating (batch, height, width), square, such as digits in [0, 1].
        size: side of the cube in voxels.
        thickness: share of the depth that is filled, in (0, 1].
        axis: ``"depth"`` turns the image in its plane, ``"height"`` like a door, ``"width"`` like a flap.
        angle: degrees, at most, to either side; uniform.
        noise: standard deviation of the noise.

    Returns:
        Volumes (batch, depth, height, width, 1) float32.

    Raises:
        DtypeError: no typed key, or images that are not floating.
        ShapeError: images of another shape.
        ValueError: a number out of range, or another axis.

    Example:
        >>> images = jnp.ones((2, 8, 8))
        >>> solid = volumes(jax.random.key(0), images, size=10, angle=0.0, noise=0.0)
        >>> solid.shape, solid[0, :, 5, 5, 0].round(2).tolist()
        ((2, 10, 10, 10, 1), [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0, 0.0])
    """
    op, key = "volumes", _checks.key("volumes", key)
    images = _checks.floating(op, "images", images)
    if images.ndim != 3 or images.shape[1] != images.shape[2] or 0 in images.shape:
        raise ShapeError(
            explain(op, "images", got=f"of shape {images.shape}", expected="(batch, height, width), square",
                    fix="images[..., 0] drops the channel; images.reshape(-1, 8, 8) makes images of rows")
        )  # fmt: skip
    size = _checks.positive_integer(op, "size", size, least=2)
    _checks.in_range(op, "thickness", thickness, 1e-3, 1 + 1e-9, "(0, 1]")
    _checks.one_of(op, "axis", axis, AXES)
    _checks.in_range(op, "angle", angle, 0, 180 + 1e-9, "[0, 180] degrees")
    _checks.in_range(op, "noise", noise, 0, float("inf"), "[0, inf)")
    return _draw(key, images, size, AXES.index(axis), thickness, angle, noise)


@partial(jax.jit, static_argnums=(2, 3))
def _draw(
    key: jax.Array, images: jax.Array, size: int, axis: int, thickness: float, angle: float, noise: float
) -> jax.Array:
    turns, errors = jax.random.split(key)
    count = images.shape[0]
    angles = jnp.deg2rad(jax.random.uniform(turns, (count,), minval=-angle, maxval=angle))
    solids = jax.vmap(partial(_solid, size=size, axis=axis, thickness=thickness))(images, angles)
    return (solids + noise * jax.random.normal(errors, solids.shape))[..., None]


def _solid(image: jax.Array, angle: jax.Array, *, size: int, axis: int, thickness: float) -> jax.Array:
    """Return one extruded image (size, size, size), turned: each voxel asks where it came from."""
    side = image.shape[0]
    line = (jnp.arange(size) + 0.5) / size - 0.5  # centres of the voxels, the cube being [-1/2, 1/2]^3
    places = list(jnp.meshgrid(line, line, line, indexing="ij"))
    first, second = (other for other in range(3) if other != axis)
    a, b = places[first], places[second]
    places[first] = jnp.cos(angle) * a + jnp.sin(angle) * b
    places[second] = jnp.cos(angle) * b - jnp.sin(angle) * a
    depth, height, width = places
    found = map_coordinates(image, [(height + 0.5) * side - 0.5, (width + 0.5) * side - 0.5], order=1)
    # A ramp one voxel wide at both faces, as hard edges would jump while the solid is turned.
    return found * jnp.clip((thickness / 2 - jnp.abs(depth)) * size + 0.5, 0, 1)
