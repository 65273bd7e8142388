"""Folders of images: one folder a class, or a person."""

import math
import os
from collections.abc import Callable, Iterator
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
    return Dataset(*read("load_folder", path, "class", size, channels, max_pixels, max_bytes))


def load_people(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    channels: Literal[1, 3] = 3,
    least: int = 2,
    max_pixels: int = 2**26,
    max_bytes: int = 2**32,
) -> Dataset:
    """Return the photographs below a folder that holds one folder for each person.

    As `load_folder`, but of two people or more, each with photographs enough: one to be known by, and
    another to be recognised on.

    Args:
        path: the folder; ``path/Ada/1.jpg`` is a photograph of 'Ada'.
        size: (height, width) in pixels to scale every photograph to, bilinear, without keeping its
            proportions; None demands that all have one size.
        channels: 1 for grey, 3 for RGB.
        least: photographs that each person has at least.
        max_pixels: refuse a photograph with more pixels before it is decoded.
        max_bytes: refuse a data set that takes more memory.

    Returns:
        inputs (batch, height, width, channels) uint8, targets (batch,), classes by folder name.

    Raises:
        FormatError: with the folder or file: no people, one alone, one with fewer photographs than `least`,
            an empty folder, a file that is no image or broken, too large, transparent or of 16 bits a
            channel, a link that leaves the folder.
        ShapeError: the photographs differ in size, and `size` is None; or `size` is no pair.
        ValueError: `least` below 1, or another number of channels.
        MissingExtraError: Pillow is not installed.

    >>> import tempfile
    >>> from PIL import Image
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in ("Ada", "Kurt"):
    ...     (root / name).mkdir()
    ...     for number in (1, 2):
    ...         Image.new("RGB", (6, 4)).save(root / name / f"{number}.png")
    >>> load_people(root)
    Dataset(4 examples, inputs uint8 (4, 6, 3), 2 classes)
    """
    op = "load_people"
    least = positive_integer(op, "least", least)

    def check(folders: list[Path], files: list[tuple[int, Path]]) -> None:
        if len(folders) == 1:
            raise _bad(op, Path(path), f"holds one person only, {folders[0].name!r}; expected two at least")
        for label, folder in enumerate(folders):
            if (count := sum(of == label for of, _ in files)) < least:
                some = f"{count} photograph{'s' * (count != 1)}"
                raise _bad(op, folder, f"holds {some}; expected {least} of each person at least (least)")

    return Dataset(*read(op, path, "person", size, channels, max_pixels, max_bytes, check))


def read(
    op: str,
    path: str | os.PathLike[str],
    kind: str,
    size: tuple[int, int] | None,
    channels: int,
    max_pixels: int,
    max_bytes: int,
    check: Callable[[list[Path], list[tuple[int, Path]]], None] = lambda folders, files: None,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return images, labels and names of folders, each of a `kind`; `check` judges before any is decoded."""
    one_of(op, "channels", channels, (1, 3))
    size = None if size is None else _size(op, size)
    require("PIL.Image", "Pillow", op)
    root = Path(path)
    folders = [entry for entry in _entries(op, root, root) if _is_folder(op, entry, kind)]
    if not folders:
        raise _bad(op, root, f"holds no folders; expected one for each {kind}, with its images inside")
    files = [(label, file) for label, entry in enumerate(folders) for file in _files(op, entry, root, kind)]
    check(folders, files)
    shape = (*size, channels) if size else _pictures.pixels(op, files[0][1], size, channels, max_pixels).shape
    if (total := len(files) * math.prod(shape)) > max_bytes:
        raise _bad(op, root, f"would take {total} bytes, more than the {max_bytes} allowed (max_bytes)")
    images = np.empty((len(files), *shape), np.uint8)
    for image, (_, file) in zip(images, files, strict=True):
        pixels = _pictures.pixels(op, file, size, channels, max_pixels)
        if pixels.shape != shape:
            raise _unequal(op, file, pixels.shape, files[0][1], shape)
        image[...] = pixels
    images.flags.writeable = False
    labels = np.array([label for label, _ in files], np.int32)
    return images, labels, tuple(entry.name for entry in folders)


def _size(op: str, size: Any) -> tuple[int, int]:
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ShapeError(
            explain(op, "size", got=repr(size), expected="(height, width)",
                    fix="size=(64, 64)")
        )  # fmt: skip
    height, width = (positive_integer(op, "size", side) for side in size)
    return height, width


def _entries(op: str, folder: Path, root: Path) -> Iterator[Path]:
    """Yield what a folder holds in sorted order, nothing hidden, nothing outside `root`."""
    home = root.resolve()
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if not entry.resolve().is_relative_to(home):
            raise _bad(op, entry, "is a link that leaves the folder")
        yield entry


def _is_folder(op: str, entry: Path, kind: str) -> bool:
    if not entry.is_dir():
        raise _bad(op, entry, f"is not inside the folder of a {kind}. Fix: move it there, or away")
    return True


def _files(op: str, folder: Path, root: Path, kind: str) -> list[Path]:
    files = list(_entries(op, folder, root))
    for file in files:
        if not file.is_file():
            raise _bad(op, file, "is not an image file")
    if not files:
        raise _bad(op, folder, f"is empty; a {kind} needs one image at least")
    return files


def _unequal(op: str, file: Path, got: tuple[int, ...], other: Path, due: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        f"{op}: {file} is {got[0]} pixels high and {got[1]} wide; expected the size of "
        f"{other}, {due[0]} and {due[1]}. Fix: size=(height, width) scales every image"
    )


def _bad(op: str, file: Path, what: str) -> FormatError:
    return _pictures.bad(op, file, what)
