"""Rows of `jaxdl.anchors`."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import anchors
from jaxdl.anchors.grids import checked_shapes
from jaxdl.errors import DtypeError, ShapeError
from rows.common import Call

BOXES = jnp.array([[0.0, 0, 4, 4], [2, 2, 6, 6]])
HERE = jnp.ones(2, bool)
KINDS, KEY = jnp.array([1, 0, -1]), jax.random.key(0)
SIZES = jnp.array([[2.0, 3.0], [4.0, 5.0]])


def gridded(rows: Any = 2, columns: Any = 3, stride: Any = 8, shapes: Any = ((4, 4),)) -> jax.Array:
    return anchors.grid(rows, columns, stride=stride, shapes=shapes)


def assigned(first: Any = BOXES, second: Any = BOXES, mask: Any = HERE, **options: Any) -> Any:
    return anchors.assign(first, second, mask, **({"positive": 0.7, "negative": 0.3} | options))


def drawn(key: Any = KEY, kinds: Any = KINDS, count: Any = 2, share: Any = 0.5) -> jax.Array:
    return anchors.sample(key, kinds, count=count, positive_fraction=share)


def clustered(sizes: Any = SIZES, count: Any = 1, key: Any = KEY, **options: Any) -> Any:
    return anchors.kmeans(sizes, count, key=key, **options)


CALLS: tuple[Call, ...] = (
    (
        "anchors.grid", gridded,
        (
            ((0,), {}, ValueError, "'rows' is 0; expected at least 1"),
            ((2, 2.5), {}, DtypeError, "'columns' is 2.5"),
            ((), {"stride": 0}, ValueError, r"'stride' is 0; expected \(0, inf\)"),
            ((), {"shapes": (4, 4)}, ShapeError, r"of shape \(2,\); expected \(shapes, 2\)"),
            ((), {"shapes": ()}, ShapeError, r"of shape \(0,\)"),
            ((), {"shapes": ((4, 0),)}, ValueError, "sides above 0"),
            ((), {"shapes": (("a", "b"),)}, DtypeError, "pairs"),
            ((), {"shapes": ((1, 2), (3,))}, DtypeError, "pairs"),
        ),
    ),
    (
        "anchors.shapes", anchors.shapes,
        (
            ((16,), {}, DtypeError, "'sizes' is 16; expected a tuple"),
            (((16, (32, 64)),), {}, DtypeError, "'sizes' is .16, .32, 64..; expected a tuple of numbers"),
            (((16,), ()), {}, ValueError, "'ratios' is empty"),
            (((16,), (0.0,)), {}, ValueError, r"'ratios' is 0.0; expected \(0, inf\)"),
            (((float("inf"),),), {}, ValueError, "'sizes' is inf"),
        ),
    ),
    (
        "anchors.assign", assigned,
        (
            ((BOXES[0],), {}, ShapeError, r"'anchors' is of shape \(4,\)"),
            ((BOXES, BOXES[None]), {}, ShapeError, "jax.vmap over images"),
            ((BOXES, BOXES[:0], HERE[:0]), {}, ShapeError, "at least one box"),
            ((BOXES, BOXES, HERE[:1]), {}, ShapeError, r"'mask' is of shape \(1,\)"),
            ((BOXES.astype(int),), {}, DtypeError, "of dtype int32"),
            ((), {"positive": 1.5}, ValueError, r"'positive' is 1.5; expected \[0, 1\]"),
            ((), {"negative": -0.1}, ValueError, r"'negative' is -0.1; expected \[0, 1\]"),
            ((), {"positive": 0.2}, ValueError, "at least negative=0.3"),
        ),
    ),
    (
        "anchors.sample", drawn,
        (
            ((0,), {}, DtypeError, "a typed PRNG key"),
            ((KEY, KINDS * 1.0), {}, DtypeError, "an integer dtype"),
            ((KEY, KINDS[None]), {}, ShapeError, "jax.vmap over both"),
            ((), {"count": 0}, ValueError, "'count' is 0"),
            ((), {"share": 1.5}, ValueError, r"\[0, 1\]"),
        ),
    ),
    (
        "anchors.kmeans", clustered,
        (
            ((SIZES[0],), {}, ShapeError, r"expected \(boxes, 2\)"),
            ((SIZES.astype(int),), {}, DtypeError, "of dtype int32"),
            ((SIZES * 0,), {}, ValueError, "finite and above 0"),
            ((SIZES, 3), {}, ValueError, "at most the 2 boxes"),
            ((SIZES, 0), {}, ValueError, "'count' is 0"),
            ((SIZES, 1, 0), {}, DtypeError, "a typed PRNG key"),
            ((), {"iterations": 0}, ValueError, "'iterations' is 0"),
            ((), {"restarts": 0}, ValueError, "'restarts' is 0"),
        ),
    ),
    (
        "anchors.grids.checked_shapes", checked_shapes,
        (
            (("op", "anchors", ((1, 1),)), {"count": 2}, ShapeError, r"expected \(2, 2\)"),
            (("op", "anchors", None), {}, DtypeError, "'anchors' is None"),
            (("op", "anchors", ((1, float("nan")),)), {}, ValueError, "sides above 0"),
        ),
    ),
)  # fmt: skip
