"""Annotations in the form of COCO: one JSON file for all images."""

import json
import os
from pathlib import Path
from typing import Any

from jaxdl._checks import one_of
from jaxdl.data._extras import require
from jaxdl.data.object_images import (
    Annotated,
    ObjectImages,
    assembled,
    check_limits,
    checked_size,
    image_file,
    inside,
)
from jaxdl.errors import FormatError

_OP = "load_coco"
_FAR = 10**9  # pixels
_SLACK = 1.0  # pixels that a box may leave its image by: COCO's own do, by rounding


def load_coco(
    annotations: str | os.PathLike[str],
    images: str | os.PathLike[str],
    *,
    size: int | tuple[int, int] | None = None,
    channels: int = 3,
    places: int | None = None,
    max_pixels: int = 2**26,
    max_bytes: int = 2**32,
    max_json: int = 2**30,
) -> ObjectImages:
    """Load images with annotations in the form of COCO: a JSON file and a folder of images.

    A ``bbox`` (x, y, width, height), counted from 0, becomes the box ``(x, y, x + width, y + height)``; up to
    a pixel beyond an edge is cut off. Categories are sorted by id and numbered from 0. Crowds (``iscrowd``)
    are marked ``"ignore"``; images without objects are kept. With a `size`, each image is scaled by one
    factor until it fits, keeping its proportions, and put into the upper left corner; the rest is black.

    Args:
        annotations: the JSON file, with ``images``, ``annotations`` and ``categories``.
        images: the folder of the images.
        size: height and width of the images, or one side of square ones; None: no image is decoded.
        channels: 1 for grey, 3 for RGB.
        places: places for objects an image; None: the most that occur. A surplus is counted and said.
        max_pixels: refuse an image with more pixels before it is decoded.
        max_bytes: refuse images that take more memory.
        max_json: refuse a longer JSON file, in bytes.

    Returns:
        `ObjectImages`, in the order of ``images``.

    Raises:
        FormatError: with file, field and id: broken JSON, a field that is missing or of another kind, a box
            without area or outside of its image, an unknown category or image, an id given twice, an image
            that is missing, broken or of another size.
        ShapeError: a size of more than two sides.
        DtypeError: a number of another kind.
        ValueError: a number out of range.
        MissingExtraError: Pillow is not installed.

    Warns:
        UserWarning: an image has more objects than there are places.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> root = Path(tempfile.mkdtemp())
        >>> Image.new("RGB", (60, 40)).save(root / "1.png")
        >>> image = {"id": 7, "file_name": "1.png", "height": 40, "width": 60}
        >>> one = {"id": 1, "image_id": 7, "category_id": 18, "bbox": [10, 4, 30, 16], "iscrowd": 0}
        >>> text = {"images": [image], "annotations": [one], "categories": [{"id": 18, "name": "dog"}]}
        >>> _ = (root / "all.json").write_text(json.dumps(text))
        >>> found = load_coco(root / "all.json", root, size=30)
        >>> found.classes, found.targets["boxes"][0].tolist()
        (('dog',), [[5.0, 2.0, 20.0, 10.0]])

    Reference: Lin et al., Microsoft COCO: Common objects in context, 2014.
    """
    one_of(_OP, "channels", channels, (1, 3))
    check_limits(_OP, max_pixels=max_pixels, max_bytes=max_bytes, max_json=max_json)
    shape, file, folder = checked_size(_OP, size), Path(annotations), Path(images)
    require("PIL.Image", "Pillow", _OP)
    whole = _parsed(file, max_json)
    classes, numbers = _classes(file, whole)
    found = _images(file, whole, folder)
    for one in _records(file, whole, "annotations"):
        _add(file, one, found, numbers)
    return assembled(_OP, list(found.values()), classes, size=shape, channels=channels, places=places,
                     max_pixels=max_pixels, max_bytes=max_bytes)  # fmt: skip


def _parsed(file: Path, limit: int) -> dict[str, Any]:
    if not file.is_file():
        raise FormatError(f"{_OP}: there is no file {file}")
    if file.stat().st_size > limit:
        raise FormatError(f"{_OP}: {file} is larger than {limit} bytes (max_json)")

    def constant(text: str) -> None:
        raise ValueError(f"{text} is no number of JSON")

    try:
        whole = json.loads(file.read_bytes(), parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{_OP}: {file} is no well-formed JSON ({error})") from error
    if not isinstance(whole, dict):
        raise FormatError(f"{_OP}: {file} holds a {type(whole).__name__}; expected an object with 'images'")
    return whole


def _records(file: Path, whole: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """Return a list of objects, whose ids, where there are any, differ."""
    records = whole.get(field)
    if not isinstance(records, list):
        raise FormatError(f"{_OP}: {file}, field '{field}' is {_kind(records)}; expected a list")
    seen: set[Any] = set()
    for i, record in enumerate(records):
        if not isinstance(record, dict):
            raise FormatError(f"{_OP}: {file}, {field}[{i}] is {_kind(record)}; expected an object")
        if field != "annotations" or "id" in record:
            number = _integer(file, record, "id", f"{field}[{i}]")
            if number in seen:
                raise FormatError(f"{_OP}: {file}, {field}[{i}], field 'id' is {number}, for the second time")
            seen.add(number)
    return records


def _classes(file: Path, whole: dict[str, Any]) -> tuple[tuple[str, ...], dict[int, int]]:
    """Return the names of the classes by label, and the label of each category's id."""
    records = sorted(_records(file, whole, "categories"), key=lambda record: int(record["id"]))
    if not records:
        raise FormatError(f"{_OP}: {file}, field 'categories' is empty")
    names = tuple(_string(file, record, "name", f"category {record['id']}") for record in records)
    return names, {record["id"]: label for label, record in enumerate(records)}


def _images(file: Path, whole: dict[str, Any], folder: Path) -> dict[int, Annotated]:
    found = {}
    for record in _records(file, whole, "images"):
        where = f"image {record['id']}"
        height, width = (_side(file, record, side, where) for side in ("height", "width"))
        name = _string(file, record, "file_name", where)
        path = image_file(_OP, folder, name, f"{file}, {where}, field 'file_name'")
        found[record["id"]] = Annotated(path, (height, width), [], [], [])
    if not found:
        raise FormatError(f"{_OP}: {file}, field 'images' is empty")
    return found


def _add(file: Path, one: dict[str, Any], found: dict[int, Annotated], numbers: dict[int, int]) -> None:
    """Check one annotation and add it to its image."""
    where = f"annotation {one.get('id', 'without id')}"
    image = _integer(file, one, "image_id", where)
    where += f" (image {image})"
    if image not in found:
        raise FormatError(f"{_OP}: {file}, {where}, field 'image_id' is of no image")
    category = _integer(file, one, "category_id", where)
    if category not in numbers:
        raise FormatError(f"{_OP}: {file}, {where}, field 'category_id' is {category}, of no category")
    crowd = _integer(file, one, "iscrowd", where) if "iscrowd" in one else 0
    x, y, width, height = _box(file, one, where)
    annotated = found[image]
    box = inside(_OP, f"{file}, {where}, field 'bbox'", (x, y, x + width, y + height), annotated.size, _SLACK)
    annotated.boxes.append(box)
    annotated.labels.append(numbers[category])
    annotated.ignore.append(crowd != 0)


def _box(file: Path, one: dict[str, Any], where: str) -> list[float]:
    box = one.get("bbox")
    good = isinstance(box, list) and len(box) == 4
    if not good or not all(type(n) in (int, float) and abs(n) < _FAR for n in box or ()):
        raise FormatError(
            f"{_OP}: {file}, {where}, field 'bbox' is {_kind(box)}; expected [x, y, width, height]"
        )
    return [float(number) for number in box or ()]


def _integer(file: Path, record: dict[str, Any], field: str, where: str) -> int:
    value = record.get(field)
    if type(value) is not int:
        raise FormatError(
            f"{_OP}: {file}, {where}, field '{field}' is {_kind(value)}; expected a whole number"
        )
    return value


def _side(file: Path, record: dict[str, Any], field: str, where: str) -> int:
    value = _integer(file, record, field, where)
    if not 1 <= value <= _FAR:
        raise FormatError(f"{_OP}: {file}, {where}, field '{field}' is {value}; expected 1 pixel or more")
    return value


def _string(file: Path, record: dict[str, Any], field: str, where: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value:
        raise FormatError(f"{_OP}: {file}, {where}, field '{field}' is {_kind(value)}; expected a name")
    return value


def _kind(value: Any) -> str:
    return "missing" if value is None else repr(value)[:60]
