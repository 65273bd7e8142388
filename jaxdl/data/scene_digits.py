"""The digits that scenes are composed of, and where their ink is."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.data.builtin import load_digits
from jaxdl.data.dataset import Dataset
from jaxdl.data.download import cache_folder
from jaxdl.data.mnist import MNIST, load_mnist
from jaxdl.data.split import split
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain

# Of the brightest pixel: what is darker is no ink, neither in a source image nor in a scene.
INK = 0.25
_MNIST_TRAIN = 8000


class SceneDigits(NamedTuple):
    """Images of single objects on black, and the windows that their ink fills.

    Attributes:
        images: (count, side, side) float32, each from 0 to 1.
        labels: (count,) int32.
        windows: (count, 4) float32, x1, y1, x2, y2 of the ink in pixels of the image.
    """

    images: jax.Array
    labels: jax.Array
    windows: jax.Array


def load_scene_digits(
    part: Literal["train", "test"] = "train", *, source: Literal["digits", "mnist"] | None = None
) -> Dataset:
    """Return digits to compose scenes of, such that those of both parts have no image in common.

    Args:
        part: ``"train"`` or ``"test"``.
        source: ``"digits"``: the 8x8 digits of scikit-learn, split 4 to 1. ``"mnist"``: of the 10,000 test
            images of MNIST, the first 8,000 and the last 2,000. None: MNIST where its files are there
            already, nothing is downloaded; else the 8x8 digits.

    Returns:
        inputs (batch, side, side, 1) uint8, 0 to 255; targets (batch,), ten classes.

    Raises:
        ValueError: another part or source.
        MissingExtraError: scikit-learn is needed and not installed.

    Example:
        >>> load_scene_digits("test", source="digits")
        Dataset(359 examples, inputs uint8 (8, 8, 1), 10 classes)
    """
    op = "load_scene_digits"
    _checks.one_of(op, "part", part, ("train", "test"))
    _checks.one_of(op, "source", source, (None, "digits", "mnist"))
    if source == "mnist" or (source is None and _mnist_is_there()):
        whole = load_mnist("test")
        return whole.take(range(_MNIST_TRAIN) if part == "train" else range(_MNIST_TRAIN, len(whole)))
    rows = split(load_digits(), (0.8, 0.2), seed=0)[part == "test"]
    images = np.rint(np.asarray(rows.inputs) * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return Dataset(images, rows.targets, rows.classes)


def _mnist_is_there() -> bool:
    return all((cache_folder() / MNIST.folder / file.name).is_file() for file in MNIST.files["test"])


def scene_digits(images: Any = None, labels: Any = None) -> SceneDigits:
    """Check images of single objects, bright on black, and find the window that the ink of each fills.

    Ink is what has a quarter of the brightness of the brightest pixel of its image, or more.

    Args:
        images: (count, side, side) or (count, side, side, 1), uint8 or floating, 0 being empty; None: the
            8x8 digits of scikit-learn, those of `load_scene_digits("train", source="digits")`.
        labels: (count,) integers from 0 on; None together with the images.

    Returns:
        `SceneDigits`, on the device, for `compose_scene` and, in the place of images, for `scenes`.

    Raises:
        ShapeError: images of another shape, or another number of labels.
        DtypeError: no numbers.
        FormatError: an image without ink or with negative or infinite numbers; a label below 0.
        MissingExtraError: no images are given, and scikit-learn is not installed.

    Example:
        >>> image = np.zeros((8, 8), np.uint8)
        >>> image[2:7, 3:5] = 200
        >>> scene_digits(image[None], [4]).windows.tolist()
        [[3.0, 2.0, 5.0, 7.0]]
    """
    if images is None and labels is None:
        digits = load_scene_digits("train", source="digits")
        images, labels = digits.inputs, digits.targets
    elif images is None or labels is None:
        missing = "images" if images is None else "labels"
        raise DtypeError(explain("scenes", missing, got="None", expected="both images and labels, or neither",
                                 fix="images=digits.inputs, labels=digits.targets"))  # fmt: skip
    pixels, numbers = _images(images), _labels(labels)
    if len(pixels) != len(numbers):
        raise ShapeError(explain("scenes", "labels", got=f"{len(numbers)} labels",
                                 expected=f"one for each of the {len(pixels)} images",
                                 fix="make the lengths equal"))  # fmt: skip
    inked = pixels >= INK
    axes = [np.asarray(inked.any(1)), np.asarray(inked.any(2))]
    ends = [axis.argmax(1) for axis in axes]
    ends += [axis.shape[1] - axis[:, ::-1].argmax(1) for axis in axes]
    return SceneDigits(
        jnp.asarray(pixels), jnp.asarray(numbers), jnp.asarray(np.stack(ends, 1).astype(np.float32))
    )


def _images(value: Any) -> np.ndarray:
    try:
        images = np.asarray(value)
    except ValueError:  # images of several sizes
        images = np.empty(0, object)
    if images.dtype.kind not in "uif":
        raise DtypeError(explain("scenes", "images", got=f"of dtype {images.dtype}", expected="numbers",
                                 fix="images.astype(np.uint8)"))  # fmt: skip
    images = images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images
    if images.ndim != 3 or images.shape[1] != images.shape[2] or 0 in images.shape:
        raise ShapeError(
            explain("scenes", "images", got=f"of shape {np.shape(value)}",
                    expected="(count, side, side) or (count, side, side, 1)",
                    fix="images.reshape(-1, 8, 8) makes images of rows")
        )  # fmt: skip
    images = images.astype(np.float32)
    peaks = images.max((1, 2))
    good = np.isfinite(images).all((1, 2)) & (images.min((1, 2)) >= 0) & (peaks > 0)
    bad = np.flatnonzero(np.logical_not(good))
    if bad.size:
        raise FormatError(
            explain("scenes", "images", got=f"image {bad[0]}, blank, negative or not finite",
                    expected="objects bright on black, 0", fix="leave it out, or scale the images to [0, 1]")
        )  # fmt: skip
    return images / peaks[:, None, None]


def _labels(value: Any) -> np.ndarray:
    try:
        labels = np.asarray(value)
    except ValueError:  # ragged
        labels = np.empty(0, object)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise DtypeError(
            explain("scenes", "labels", got=f"{labels.dtype} of shape {labels.shape}",
                    expected="(count,) integers", fix="labels.astype(np.int32)")
        )  # fmt: skip
    bad = np.flatnonzero((labels < 0) | (labels >= 2**31))
    if bad.size:
        raise FormatError(
            explain("scenes", "labels", got=f"{labels[bad[0]]} at {bad[0]}",
                    expected="class numbers in [0, 2^31)", fix="number the classes from 0")
        )  # fmt: skip
    return labels.astype(np.int32)
