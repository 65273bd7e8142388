"""Rows of `jaxdl.filters`."""

from functools import partial

import jax.numpy as jnp
import numpy as np

from jaxdl import filters
from jaxdl.errors import DtypeError, ShapeError
from rows.common import Bad, Call, Op


def padded(images: np.ndarray, kernel: np.ndarray, padding: str) -> np.ndarray:
    sides = [((size - 1) // 2, size // 2) if padding == "SAME" else (0, 0) for size in kernel.shape[:2]]
    return np.pad(images, ((0, 0), *sides, (0, 0)))


def apply(images: np.ndarray, kernel: np.ndarray, *, padding: str) -> np.ndarray:
    wide = padded(images, kernel, padding)
    height, width = (wide.shape[axis + 1] - kernel.shape[axis] + 1 for axis in (0, 1))
    out = np.zeros((len(wide), height, width, wide.shape[3]))
    for i in range(height):
        for j in range(width):
            for u, v in np.ndindex(*kernel.shape):
                out[:, i, j] += wide[:, i + u, j + v] * kernel[u, v]
    return out


def as_matrix(kernel: np.ndarray, *, shape: tuple[int, ...], padding: str) -> np.ndarray:
    columns = []
    for index in range(int(np.prod(shape))):
        image = np.zeros(shape)
        image.flat[index] = 1.0
        wide = padded(image[None], kernel, padding)[0]
        height, width = (wide.shape[axis] - kernel.shape[axis] + 1 for axis in (0, 1))
        out = np.zeros((height, width, kernel.shape[3]))
        for i in range(height):
            for j in range(width):
                window = wide[i : i + kernel.shape[0], j : j + kernel.shape[1]]
                out[i, j] = np.tensordot(window, kernel, 3)
        columns.append(out.ravel())
    return np.stack(columns)


IMAGES, KERNEL = jnp.ones((1, 4, 5, 2)), jnp.ones((3, 3))
SHAPE = (3, 4, 2)
APPLY_BAD: tuple[Bad, ...] = (
    ((IMAGES[0], KERNEL), {}, ShapeError, r"image\[None\]"),
    ((IMAGES, jnp.ones((5, 3))), {"padding": "VALID"}, ShapeError, "at most 4 x 5"),
    ((IMAGES, KERNEL.astype(int)), {}, DtypeError, "'kernel' is of dtype int32"),
    ((IMAGES, KERNEL), {"padding": "EDGE"}, ValueError, "'VALID', 'SAME'"),
)
OPS: tuple[Op, ...] = (
    *(
        Op(
            f"filters.apply:{padding}", partial(filters.apply, padding=padding),
            lambda rng: (rng.normal(size=(2, 4, 5, 2)), rng.normal(size=(2, 3))),
            partial(apply, padding=padding), APPLY_BAD, differentiable=(0, 1), batched=False, length=6,
            extremes=((1e4 * np.ones((1, 3, 3, 1)), np.full((2, 2), -1e4)),),
        )
        for padding in filters.PADDINGS
    ),
    *(
        Op(
            f"filters.as_matrix:{padding}", partial(filters.as_matrix, shape=SHAPE, padding=padding),
            lambda rng: (rng.normal(size=(2, 3, 2, 2)),), partial(as_matrix, shape=SHAPE, padding=padding),
            (
                ((KERNEL,), {}, ShapeError, r"kernel\[:, :, None, None\]"),
                ((jnp.ones((2, 2, 3, 1)),), {}, ShapeError, r"for inputs \(3, 4, 2\)"),
                ((jnp.ones((4, 2, 2, 1)),), {"padding": "VALID"}, ShapeError, "at most 3 x 4"),
                ((jnp.ones((2, 2, 2, 1)),), {"shape": (3, 4.0, 2)}, DtypeError, "whole number"),
                ((jnp.ones((2, 2, 2, 1)),), {"padding": 1}, ValueError, "'VALID', 'SAME'"),
            ),
            batched=False, extremes=((1e30 * np.ones((2, 2, 2, 1)),),), length=1,
        )
        for padding in filters.PADDINGS
    ),
)  # fmt: skip
CALLS: tuple[Call, ...] = (
    (
        "filters.kernel", filters.kernel,
        tuple(((name,), {}, ValueError, "'identity', 'vertical'") for name in ("Sobel", None, 3)),
    ),
)  # fmt: skip
