"""`ObjectImages`: images of a user's own with the boxes of their objects, and how annotations become one."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdl._checks import height_width, positive_integer
from jaxdl.data import _pictures
from jaxdl.data.dataset import Dataset
from jaxdl.errors import FormatError, ShapeError, explain

_TOLD = 5  # images that a warning names


@dataclass(frozen=True, eq=False, repr=False)
class ObjectImages:
    """Images with the boxes of their objects, from `load_voc` or `load_coco`.

    Attributes:
        images: (count, height, width, channels) uint8, or None where files are not decoded.
        targets: ``"boxes"`` (count, places, 4) float32 xyxy in pixels of `images`, or of the files where
            there are none; ``"labels"`` (count, places) int32; ``"mask"`` and ``"ignore"`` (count, places)
            bool. Objects come first, in the order of the file; zeros and False fill the places behind.
        classes: the name of each label.
        files: the path of each image.
        sizes: (count, 2) int32, height and width of each file in pixels.
        scales: (count, 2) float32, pixels of `images` for a pixel of the file, along x and along y, which
            differ by rounding only: ``boxes / [sx, sy, sx, sy]`` are boxes in the file.
        surplus: (count,) int32, objects for which there was no place.
    """

    images: np.ndarray | None
    targets: dict[str, np.ndarray]
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    sizes: np.ndarray
    scales: np.ndarray
    surplus: np.ndarray

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        images = "not decoded" if self.images is None else f"uint8 {self.images.shape[1:]}"
        objects, classes = int(self.targets["mask"].sum()), len(self.classes)
        return (f"ObjectImages({len(self)} images {images}, {objects} object{'s' * (objects != 1)}, "
                f"{classes} class{'es' * (classes != 1)})")  # fmt: skip

    @property
    def dataset(self) -> Dataset:
        """The images and targets as a `Dataset`, for `jaxdl.train.fit`.

        Raises:
            ShapeError: the images were not decoded.
        """
        if self.images is None:
            raise ShapeError(
                explain("ObjectImages.dataset", "images", got="None: the files were not decoded",
                        expected="images of one size", fix="load them with size=(height, width)")
            )  # fmt: skip
        return Dataset(self.images, self.targets)


class Annotated(NamedTuple):
    """What a file says about one image.

    Attributes:
        file: path of the image.
        size: its height and width.
        boxes: xyxy in pixels of the file, x1 < x2 and y1 < y2, within the image.
        labels: class number of each box.
        ignore: of each box, whether metrics leave it out.
    """

    file: Path
    size: tuple[int, int]
    boxes: list[tuple[float, float, float, float]]
    labels: list[int]
    ignore: list[bool]


def assembled(
    op: str,
    found: Sequence[Annotated],
    classes: tuple[str, ...],
    *,
    size: tuple[int, int] | None,
    channels: int,
    places: int | None,
    max_pixels: int,
    max_bytes: int,
) -> ObjectImages:
    """Decode the images, scale the boxes with them and put all into arrays."""
    count, files = len(found), [one.file for one in found]
    if len(set(files)) < count:
        twice = next(file for i, file in enumerate(files) if file in files[:i])
        raise FormatError(f"{op}: the image {twice} is annotated twice")
    if size is not None and (total := count * size[0] * size[1] * channels) > max_bytes:
        raise FormatError(f"{op}: the images would take {total} bytes, more than {max_bytes} (max_bytes)")
    images = None if size is None else np.zeros((count, *size, channels), np.uint8)
    sizes, scales = np.zeros((count, 2), np.int32), np.ones((count, 2), np.float32)
    for i, one in enumerate(found):
        if images is None or size is None:
            sizes[i] = _pictures.measured(op, one.file, max_pixels, one.size)
            continue
        picture, sizes[i] = _pictures.fitted(op, one.file, size, channels, max_pixels, one.size)
        images[i, : picture.shape[0], : picture.shape[1]] = picture
        scales[i] = picture.shape[1] / sizes[i, 1], picture.shape[0] / sizes[i, 0]
    targets, surplus = _targets(op, found, scales, places)
    for array in (images, sizes, scales, surplus, *targets.values()):
        if array is not None:
            array.flags.writeable = False
    return ObjectImages(images, targets, classes, tuple(files), sizes, scales, surplus)


def _targets(
    op: str, found: Sequence[Annotated], scales: np.ndarray, places: int | None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Fill places with objects; those that find none are counted and said."""
    numbers = np.array([len(one.boxes) for one in found])
    places = max(1, int(numbers.max())) if places is None else positive_integer(op, "places", places)
    shape = (len(found), places)
    boxes, labels = np.zeros((*shape, 4), np.float32), np.zeros(shape, np.int32)
    mask, ignore = np.zeros(shape, bool), np.zeros(shape, bool)
    for i, one in enumerate(found):
        if kept := min(places, len(one.boxes)):
            boxes[i, :kept] = np.array(one.boxes[:kept]) * np.tile(scales[i], 2)
            labels[i, :kept], mask[i, :kept], ignore[i, :kept] = one.labels[:kept], True, one.ignore[:kept]
    surplus = np.maximum(numbers - places, 0).astype(np.int32)
    if lost := int(surplus.sum()):
        some = np.flatnonzero(surplus)
        told = ", ".join(f"{found[i].file.name} ({surplus[i]})" for i in some[:_TOLD])
        more = f" and {len(some) - _TOLD} more" if len(some) > _TOLD else ""
        warnings.warn(
            f"{op}: {lost} objects beyond places={places} are left out, the last of their images: "
            f"{told}{more}. Fix: places={int(numbers.max())}",
            stacklevel=4,
        )
    return {"boxes": boxes, "labels": labels, "mask": mask, "ignore": ignore}, surplus


def inside(
    op: str, where: str, box: Sequence[float], size: tuple[int, int], slack: float
) -> tuple[float, float, float, float]:
    """Return a box, cut at the edges of its image, or raise where it has no area or leaves the image."""
    x1, y1, x2, y2 = box
    if not (x2 > x1 and y2 > y1):
        raise FormatError(f"{op}: {where} is {_told(box)} (x1, y1, x2, y2); expected x1 < x2 and y1 < y2")
    height, width = size
    cut = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
    beyond = min(x1, y1) < -slack or x2 > width + slack or y2 > height + slack
    if beyond or cut[2] <= cut[0] or cut[3] <= cut[1]:
        raise FormatError(
            f"{op}: {where} is {_told(box)} (x1, y1, x2, y2), outside of its image, {height} pixels high and "
            f"{width} wide"
        )
    return cut


def _told(box: Sequence[float]) -> str:
    return "(" + ", ".join(f"{number:g}" for number in box) + ")"


def check_limits(op: str, **limits: Any) -> None:
    """Raise unless pixels and bytes are bounded by whole numbers."""
    for name, limit in limits.items():
        positive_integer(op, name, limit)


def checked_size(op: str, size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Return (height, width), or None."""
    return None if size is None else height_width(op, "size", size)


def image_file(op: str, folder: Path, name: str, where: str) -> Path:
    """Return the path of an image that is there, inside its folder."""
    file = folder / name
    try:
        within, there = file.resolve().is_relative_to(folder.resolve()), file.is_file()
    except (OSError, ValueError) as error:  # too long, or with characters that no file has
        raise FormatError(f"{op}: {where} is {name[:60]!r}, no name of a file ({error})") from error
    if not within:
        raise FormatError(f"{op}: {where} is {name!r}, which leaves the folder {folder}")
    if not there:
        raise FormatError(f"{op}: {where} is {name!r}, but there is no file {file}")
    return file
