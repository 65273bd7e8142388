"""Filters with known kernels: edges, blur and sharpening; and a convolution written out as a dense layer."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.kernels.conv import conv_general_dilated

PADDINGS = ("VALID", "SAME")
NUMBERS = ("NHWC", "HWIO", "NHWC")
_VERTICAL = {
    "vertical": [[1, 0, -1], [1, 0, -1], [1, 0, -1]],
    "sobel_vertical": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "scharr_vertical": [[3, 0, -3], [10, 0, -10], [3, 0, -3]],
}
KERNELS: dict[str, np.ndarray] = {
    name: np.array(rows, np.float32)
    for name, rows in {
        "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        **_VERTICAL,
        **{name.replace("vertical", "horizontal"): np.transpose(rows) for name, rows in _VERTICAL.items()},
        "laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
        "box_blur": np.full((3, 3), 1 / 9),
        "gaussian_blur": np.outer([1, 2, 1], [1, 2, 1]) / 16,
        "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    }.items()
}


def kernel(name: str) -> jax.Array:
    """Return a 3x3 kernel by its name; `apply` slides it without flipping it.

    ``"vertical"``, ``"sobel_vertical"`` and ``"scharr_vertical"`` answer to vertical edges, positive where
    the left is brighter; their horizontal twins, the transposes, where it is brighter above.

    Args:
        name: one of `KERNELS`: those six, ``"laplacian"``, ``"box_blur"``, ``"gaussian_blur"``,
            ``"sharpen"`` or ``"identity"``.

    Returns:
        Kernel (3, 3), float32.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> kernel("sobel_horizontal").tolist()
        [[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]

    Reference:
        Scharr, Optimale Operatoren in der digitalen Bildverarbeitung (2000), for the weights 3, 10, 3.
    """
    _checks.one_of("kernel", "name", name, tuple(KERNELS))
    return jnp.asarray(KERNELS[name])


def apply(images: jax.Array, kernel: jax.Array, *, padding: str = "VALID") -> jax.Array:
    """Slide one kernel over every channel: ``y[i, j, c] = sum_uv x[i + u, j + v, c] w[u, v]``.

    Args:
        images: x (batch, height, width, channels), floating.
        kernel: w (rows, columns), floating, cast to the dtype of `images`.
        padding: ``"VALID"``: only where the kernel fits; ``"SAME"``: with zeros around.

    Returns:
        Array (batch, height', width', channels).

    Raises:
        DtypeError: an argument is not floating.
        ShapeError: images or kernel of another rank, or a kernel that nowhere fits.
        ValueError: unknown padding.

    Example:
        >>> image = jnp.tile(jnp.array([10.0, 10.0, 10.0, 0.0, 0.0, 0.0]), (6, 1))
        >>> apply(image[None, :, :, None], KERNELS["vertical"])[0, 0, :, 0].tolist()
        [0.0, 30.0, 30.0, 0.0]
    """
    images, kernel = _arguments(images, kernel, padding)
    batch, height, width, channels = images.shape
    alone = jnp.moveaxis(images, -1, 1).reshape(batch * channels, height, width, 1)
    sums = conv_general_dilated(
        alone, kernel[:, :, None, None].astype(images.dtype), (1, 1), padding, dimension_numbers=NUMBERS
    )
    return jnp.moveaxis(sums.reshape(batch, channels, *sums.shape[1:3]), 1, -1)


def as_matrix(kernel: jax.Array, shape: tuple[int, ...], *, padding: str = "VALID") -> jax.Array:
    """Write a convolution out as the dense layer that it is: ``flatten(conv(x)) = flatten(x) W``.

    W is mostly zeros, as every output sees one window only, and what is not zero repeats: that is
    what a convolution saves.

    Args:
        kernel: (rows, columns, in, out), floating.
        shape: of one input, (height, width, in).
        padding: ``"VALID"`` or ``"SAME"``.

    Returns:
        W (height * width * in, height' * width' * out).

    Raises:
        DtypeError: `kernel` is not floating, or sizes that are not whole numbers.
        ShapeError: a kernel of another rank, a shape that is not its input's, or a kernel that nowhere fits.
        ValueError: unknown padding.

    Example:
        >>> as_matrix(jnp.array([1.0, -1.0]).reshape(1, 2, 1, 1), (1, 3, 1)).tolist()
        [[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]]
    """
    kernel = _checks.floating("as_matrix", "kernel", kernel)
    _checks.one_of("as_matrix", "padding", padding, PADDINGS)
    shape = tuple(_checks.positive_integer("as_matrix", "shape", size) for size in shape)
    if kernel.ndim != 4 or len(shape) != 3 or kernel.shape[2] != shape[2]:
        raise ShapeError(
            explain("as_matrix", "kernel", got=f"of shape {kernel.shape} for inputs {shape}",
                    expected="(rows, columns, in, out) for inputs (height, width, in)",
                    fix="kernel[:, :, None, None] for one channel in and out")
        )  # fmt: skip
    _fits("as_matrix", kernel, shape, padding)
    inputs = math.prod(shape)
    basis = jnp.eye(inputs, dtype=kernel.dtype).reshape(inputs, *shape)
    return conv_general_dilated(basis, kernel, (1, 1), padding, dimension_numbers=NUMBERS).reshape(inputs, -1)


def _arguments(images: Any, kernel: Any, padding: str) -> tuple[jax.Array, jax.Array]:
    images, kernel = _checks.floating("apply", "images", images), _checks.floating("apply", "kernel", kernel)
    _checks.one_of("apply", "padding", padding, PADDINGS)
    if images.ndim != 4 or kernel.ndim != 2:
        raise ShapeError(
            explain("apply", "images", got=f"of shape {images.shape}, with a kernel {kernel.shape}",
                    expected="(batch, height, width, channels) and (rows, columns)",
                    fix="image[None] adds the batch, image[..., None] the channel")
        )  # fmt: skip
    _fits("apply", kernel, images.shape[1:], padding)
    return images, kernel


def _fits(op: str, kernel: jax.Array, shape: tuple[int, ...], padding: str) -> None:
    if padding == "VALID" and any(size < window for size, window in zip(shape[:2], kernel.shape)):
        raise ShapeError(
            explain(op, "kernel", got=f"of {kernel.shape[0]} x {kernel.shape[1]}",
                    expected=f"at most {shape[0]} x {shape[1]}, the size of the input", fix="padding='SAME'")
        )  # fmt: skip
