"""Shapes of anchors that fit the boxes of a data set: k-means with 1 - IoU as distance."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


class Clusters(NamedTuple):
    """Shapes found by `kmeans`.

    Attributes:
        shapes: (count, 2), width and height, by rising area.
        mean_iou: scalar, the mean over all sizes of the overlap with the nearest shape.
    """

    shapes: jax.Array
    mean_iou: jax.Array


def kmeans(sizes: Any, count: int, *, key: jax.Array, iterations: int = 50, restarts: int = 8) -> Clusters:
    """Cluster widths and heights by ``1 - IoU`` of boxes that share a centre.

    Lloyd's steps from seeds drawn as k-means++ draws them: each size goes to the shape that it overlaps most
    (ties to the lower index), each shape to the mean of its sizes; a shape without sizes stays where it is.
    The mean is not the minimiser of this distance, so the best shapes of all steps and restarts are kept.

    Args:
        sizes: (boxes, 2), widths and heights, finite and above 0, in any unit.
        count: number of shapes, from 1 to the number of boxes.
        key: a typed PRNG key, for the seeds.
        iterations: Lloyd's steps, at least 1.
        restarts: runs from seeds of their own, at least 1.

    Returns:
        `Clusters`.

    Raises:
        DtypeError: sizes that are no floating array, numbers that are not whole, or a key that is none.
        ShapeError: sizes that are not (boxes, 2).
        ValueError: sizes that are not finite and above 0, a count that the boxes cannot fill, or no step.

    Example:
        >>> sizes = jnp.array([[10.0, 10], [12, 12], [14, 14], [40, 20], [40, 20]])
        >>> kmeans(sizes, 2, key=jax.random.key(0)).shapes.tolist()
        [[12.0, 12.0], [40.0, 20.0]]

    Reference:
        Redmon and Farhadi (2017), "YOLO9000", section 2.
    """
    op = "kmeans"
    sizes, key = _checked(op, sizes), _checks.key(op, key)
    count = _checks.positive_integer(op, "count", count)
    iterations, restarts = (_checks.positive_integer(op, name, value) for name, value in
                            (("iterations", iterations), ("restarts", restarts)))  # fmt: skip
    if count > sizes.shape[0]:
        raise ValueError(
            explain(
                op, "count", got=count, expected=f"at most the {sizes.shape[0]} boxes", fix="fewer shapes"
            )
        )
    return _best(sizes, jax.random.split(key, restarts), count, iterations)


@partial(jax.jit, static_argnums=(2, 3))
def _best(sizes: jax.Array, keys: jax.Array, count: int, iterations: int) -> Clusters:
    found, mean = jax.lax.map(lambda key: _lloyd(sizes, _seeds(key, sizes, count), iterations), keys)
    shapes = found[jnp.argmax(mean)]
    return Clusters(shapes[jnp.argsort(shapes.prod(1))], mean.max())


def _lloyd(sizes: jax.Array, start: jax.Array, iterations: int) -> tuple[jax.Array, jax.Array]:
    """Return the best shapes of some steps, and their mean overlap."""

    def step(carry: Any, _: None) -> tuple[Any, None]:
        shapes, best, mean = carry
        overlap = _overlap(sizes, shapes)
        now = overlap.max(1).mean()
        best, mean = jnp.where(now > mean, shapes, best), jnp.maximum(now, mean)
        own = jax.nn.one_hot(overlap.argmax(1), shapes.shape[0], dtype=sizes.dtype)
        members = own.sum(0)[:, None]
        return (jnp.where(members > 0, own.T @ sizes / jnp.maximum(members, 1), shapes), best, mean), None

    # One step more looks at what the last one gave.
    carry = (start, start, jnp.zeros((), sizes.dtype) - 1)
    return jax.lax.scan(step, carry, None, length=iterations + 1)[0][1:]


def _seeds(key: jax.Array, sizes: jax.Array, count: int) -> jax.Array:
    """Draw each seed with a chance that falls with its overlap with those before."""

    def draw(nearest: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        distance = jnp.maximum(1 - nearest, 0)
        # Where all that is left lies on a seed, any may be the next.
        weight = jnp.where((distance > 0).any(), distance**2, 1.0)
        chosen = sizes[jax.random.categorical(key, jnp.log(weight))]
        return jnp.maximum(nearest, _overlap(sizes, chosen[None])[:, 0]), chosen

    return jax.lax.scan(draw, jnp.zeros_like(sizes[:, 0]), jax.random.split(key, count))[1]


def _overlap(sizes: jax.Array, shapes: jax.Array) -> jax.Array:
    shared = jnp.minimum(sizes[:, None], shapes[None]).prod(-1)
    return shared / (sizes.prod(-1)[:, None] + shapes.prod(-1)[None] - shared)


def _checked(op: str, value: Any) -> jax.Array:
    sizes = _checks.floating(op, "sizes", value)
    if sizes.ndim != 2 or sizes.shape[1] != 2 or not sizes.shape[0]:
        raise ShapeError(
            explain(op, "sizes", got=f"of shape {sizes.shape}", expected="(boxes, 2), width and height",
                    fix="sizes = boxes[mask][:, 2:] - boxes[mask][:, :2]")
        )  # fmt: skip
    if not isinstance(sizes, jax.core.Tracer):
        found = np.asarray(sizes)
        if not (np.isfinite(found) & (found > 0)).all():
            raise ValueError(
                explain(op, "sizes", got="not all finite and above 0", expected="widths and heights above 0",
                        fix="leave out padded places: sizes[mask]")
            )  # fmt: skip
    # In float16 the area of 256 x 256 would be infinite.
    return _checks.single(sizes)
