"""Folders of images: one folder a class."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxdl._checks import one_of, positive_integer
from jaxdl.data import _pictures
from jaxdl.data._extras import require
from jaxdl.data.dataset import Dataset
from jaxdl.errors import FormatError, ShapeError, explain


def load_folder(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    channels: Literal[1, 3] = 3,
    max_pixels: int = 2**26,
    max_bytes: int = 2**32,
) -> Dataset:
    """Return the images below a folder that holds one folder for each class.

    Classes and files are taken in sorted order. Hidden files and folders are passed over; anything
    else that is no image is an error. Pictures are turned upright by their EXIF tag.

    Args:
        path: the folder; ``path/cat/1.png`` is an example of the class 'cat'.
        size: (height, width) in pixels to scale every image to, bilinear, without keeping its
            proportions; None demands that all have one size.
        channels: 1 for grey, 3 for RGB.
        max_pixels: refuse an image with more pixels before it is decoded.
        max_bytes: refuse a data set that takes more memory.

    Returns:
        inputs (batch, height, width, channels) uint8, targets (batch,), classes by folder name.

    Raises:
        FormatError: with the file: no class folders, an empty one, a file that is no image or
            broken, too large, transparent or of 16 bits a channel, a link that leaves the folder.
        ShapeError: the images differ in size, and `size` is None; or `size` is no pair.
        MissingExtraError: Pillow is not installed.

    >>> import tempfile
    >>> from PIL import Image
    >>> root = Path(tempfile.mkdtemp())
    >>> for name, grey in (("dark", 0), ("light", 255)):
    ...     (root / name).mkdir()
    ...     Image.new("L", (6, 4), grey).save(root / name / "1.png")
    >>> load_folder(root, channels=1)
    Dataset(2 examples, inputs uint8 (4, 6, 1), 2 classes)
    """
    one_of("load_folder", "channels", channels, (1, 3))
    size = None if size is None else _size(size)
    require("PIL.Image", "Pillow", "load_folder")
    root = Path(path)
    folders = [entry for entry in _entries(root, root) if _is_folder(entry)]
    if not folders:
        raise _bad(root, "holds no folders; expected one for each class, with its images inside")
    files = [(label, file) for label, entry in enumerate(folders) for file in _files(entry, root)]
    shape = (
        (*size, channels)
        if size
        else _pictures.pixels("load_folder", files[0][1], size, channels, max_pixels).shape
    )
    if (total := len(files) * math.prod(shape)) > max_bytes:
        raise _bad(root, f"would take {total} bytes, more than the {max_bytes} allowed (max_bytes)")
    images = np.empty((len(files), *shape), np.uint8)
    for image, (_, file) in zip(images, files, strict=True):
        pixels = _pictures.pixels("load_folder", file, size, channels, max_pixels)
        if pixels.shape != shape:
            raise _unequal(file, pixels.shape, files[0][1], shape)
        image[...] = pixels
    images.flags.writeable = False
    labels = np.array([label for label, _ in files], np.int32)
    return Dataset(images, labels, tuple(entry.name for entry in folders))


def _size(size: Any) -> tuple[int, int]:
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ShapeError(
            explain("load_folder", "size", got=repr(size), expected="(height, width)",
                    fix="size=(64, 64)")
        )  # fmt: skip
    height, width = (positive_integer("load_folder", "size", side) for side in size)
    return height, width


def _entries(folder: Path, root: Path) -> Iterator[Path]:
    """Yield what a folder holds in sorted order, nothing hidden, nothing outside `root`."""
    home = root.resolve()
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if not entry.resolve().is_relative_to(home):
            raise _bad(entry, "is a link that leaves the folder")
        yield entry


def _is_folder(entry: Path) -> bool:
    if not entry.is_dir():
        raise _bad(entry, "is not inside the folder of a class. Fix: move it there, or away")
    return True


def _files(folder: Path, root: Path) -> list[Path]:
    files = list(_entries(folder, root))
    for file in files:
        if not file.is_file():
            raise _bad(file, "is not an image file")
    if not files:
        raise _bad(folder, "is empty; a class needs one image at least")
    return files


def _unequal(file: Path, got: tuple[int, ...], other: Path, due: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        f"load_folder: {file} is {got[0]} pixels high and {got[1]} wide; expected the size of "
        f"{other}, {due[0]} and {due[1]}. Fix: size=(height, width) scales every image"
    )


def _bad(file: Path, what: str) -> FormatError:
    return _pictures.bad("load_folder", file, what)
