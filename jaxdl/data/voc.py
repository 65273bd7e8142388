"""Folders in the form of Pascal VOC: one XML file an image."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from jaxdl._checks import one_of
from jaxdl.data import _pictures
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
from jaxdl.errors import DtypeError, FormatError, explain

_OP = "load_voc"
_FLAGS = ("difficult", "truncated", "occluded")
_MAX_XML = 2**24  # bytes
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def load_voc(
    path: str | os.PathLike[str],
    *,
    image_set: str | None = None,
    classes: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    channels: int = 3,
    places: int | None = None,
    ignore: Sequence[str] = ("difficult",),
    one_based: bool = True,
    max_pixels: int = 2**26,
    max_bytes: int = 2**32,
) -> ObjectImages:
    """Load a folder in the form of Pascal VOC, with ``Annotations/*.xml`` and ``JPEGImages``.

    Pascal VOC counts pixels from 1 and includes the last one: ``(xmin, ymin, xmax, ymax)`` becomes the box
    ``(xmin - 1, ymin - 1, xmax, ymax)``, whose sides are right in pixels. With a `size`, each image is scaled
    by one factor until it fits, keeping its proportions, and put into the upper left corner; the rest is
    black. No entity and no document type is read from XML.

    Args:
        path: the folder.
        image_set: name of a list of images, ``ImageSets/Main/<image_set>.txt``; None: all annotations,
            sorted.
        classes: the names of the classes in the order of the labels; None: those that occur, sorted.
        size: height and width of the images, or one side of square ones; None: no image is decoded.
        channels: 1 for grey, 3 for RGB.
        places: places for objects an image; None: the most that occur. A surplus is counted and said.
        ignore: which flags of an object mark it as one that metrics leave out, of ``"difficult"``,
            ``"truncated"`` and ``"occluded"``.
        one_based: whether pixels are counted as by Pascal VOC; False: from 0, ``xmax`` being the edge.
        max_pixels: refuse an image with more pixels before it is decoded.
        max_bytes: refuse images that take more memory.

    Returns:
        `ObjectImages`.

    Raises:
        FormatError: with file and field: broken XML, one with a document type, a field that is missing or no
            number, a box without area or outside of its image, a class that is not in `classes`, an image
            that is missing, broken or of another size, a name given twice.
        ShapeError: a size of more than two sides.
        DtypeError: a number of another kind, or classes that are no sequence of names.
        ValueError: another flag, a class named twice, or a number out of range.
        MissingExtraError: Pillow is not installed.

    Warns:
        UserWarning: an image has more objects than there are places.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "Annotations").mkdir(), (root / "JPEGImages").mkdir()
        (None, None)
        >>> Image.new("RGB", (60, 40)).save(root / "JPEGImages" / "1.png")
        >>> box = "<bndbox><xmin>11</xmin><ymin>5</ymin><xmax>40</xmax><ymax>20</ymax></bndbox>"
        >>> text = f"<a><filename>1.png</filename><object><name>cat</name>{box}</object></a>"
        >>> _ = (root / "Annotations" / "1.xml").write_text(text)
        >>> found = load_voc(root, size=30)
        >>> found, found.targets["boxes"][0].tolist()
        (ObjectImages(1 images uint8 (30, 30, 3), 1 object, 1 class), [[5.0, 2.0, 20.0, 10.0]])

    Reference: Everingham et al., The Pascal visual object classes challenge, 2010.
    """
    one_of(_OP, "channels", channels, (1, 3))
    check_limits(_OP, max_pixels=max_pixels, max_bytes=max_bytes)
    one_of(_OP, "one_based", one_based, (True, False))
    for flag in ignore if isinstance(ignore, Sequence) else (ignore,):
        one_of(_OP, "ignore", flag, _FLAGS)
    shape, root = checked_size(_OP, size), Path(path)
    require("PIL.Image", "Pillow", _OP)
    files = _listed(root, image_set)
    roots = [_root(file) for file in files]
    names = _classes(classes, files, roots)
    found = [
        _annotated(
            file, tree, _image(file, tree, root / "JPEGImages", max_pixels), names, tuple(ignore), one_based
        )
        for file, tree in zip(files, roots, strict=True)
    ]
    return assembled(_OP, found, names, size=shape, channels=channels, places=places,
                     max_pixels=max_pixels, max_bytes=max_bytes)  # fmt: skip


def _listed(root: Path, image_set: str | None) -> list[Path]:
    """Return the files of annotations, of a list of names or of the whole folder."""
    if image_set is None:
        files = sorted((root / "Annotations").glob("*.xml"))
        if not files or not all(file.is_file() for file in files):
            raise FormatError(f"{_OP}: {root / 'Annotations'} holds no .xml file, or a folder of such a name")
        return files
    listing = root / "ImageSets" / "Main" / f"{image_set}.txt"
    if not listing.is_file():
        raise FormatError(f"{_OP}: there is no file {listing}, as image_set={image_set!r} demands")
    names = [line.strip() for line in listing.read_text("utf-8", "replace").splitlines() if line.strip()]
    if not names:
        raise FormatError(f"{_OP}: {listing} names no image")
    for name in names:
        if len(name.split()) != 1:
            raise FormatError(f"{_OP}: {listing} says {name!r}; expected one name a line, as in train.txt")
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise FormatError(f"{_OP}: {listing} names {twice!r} twice")
    return [image_file(_OP, root / "Annotations", f"{name}.xml", f"{listing}, name") for name in names]


def _root(file: Path) -> Element:
    """Parse XML without a document type, and so without entities that grow."""
    if file.stat().st_size > _MAX_XML:
        raise FormatError(f"{_OP}: {file} is larger than {_MAX_XML} bytes, no annotation")
    tree, parser = TreeBuilder(), expat.ParserCreate()

    def refused(*_: Any) -> None:
        raise FormatError(f"{_OP}: {file} declares a document type or an entity, which is not read")

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refused
    parser.StartElementHandler = lambda tag, attributes: tree.start(tag, attributes)
    parser.EndElementHandler, parser.CharacterDataHandler = tree.end, tree.data
    try:
        parser.Parse(file.read_bytes(), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{_OP}: {file} is no well-formed XML ({error})") from error
    return tree.close()


def _classes(
    classes: Sequence[str] | None, files: Sequence[Path], roots: Sequence[Element]
) -> tuple[str, ...]:
    found = {
        _text(file, one, "name", f"object {i}")
        for file, root in zip(files, roots)
        for i, one in enumerate(root.iterfind("object"))
    }
    names = tuple(sorted(found)) if classes is None else _names(classes)
    if not names:
        raise FormatError(f"{_OP}: {files[0].parent} holds no object. Fix: name the classes, classes=(...)")
    return names


def _names(classes: Sequence[str]) -> tuple[str, ...]:
    if (
        not isinstance(classes, Sequence)
        or isinstance(classes, str)
        or not all(isinstance(name, str) for name in classes)
    ):
        raise DtypeError(explain(_OP, "classes", got=repr(classes), expected="a sequence of names",
                                 fix="classes=('cat', 'dog')"))  # fmt: skip
    if len(set(classes)) < len(classes):
        raise ValueError(explain(_OP, "classes", got=f"{tuple(classes)}, with a name twice",
                                 expected="names that differ", fix="name each class once"))  # fmt: skip
    return tuple(classes)


def _image(file: Path, root: Element, images: Path, max_pixels: int) -> tuple[Path, tuple[int, int]]:
    """Return the image of an annotation and the size that it says, or else the size that the image has."""
    image = image_file(_OP, images, _text(file, root, "filename", "image"), f"{file}, field 'filename'")
    if (told := root.find("size")) is not None:
        height, width = (_number(file, told, side, "size") for side in ("height", "width"))
        if height and width:  # Some tools write 0 where they do not know.
            return image, (int(height), int(width))
    return image, _pictures.measured(_OP, image, max_pixels, None)


def _annotated(
    file: Path,
    root: Element,
    image: tuple[Path, tuple[int, int]],
    classes: tuple[str, ...],
    flags: tuple[str, ...],
    one_based: bool,
) -> Annotated:
    boxes, labels, ignore = [], [], []
    for i, one in enumerate(root.iterfind("object")):
        where = f"object {i}"
        name = _text(file, one, "name", where)
        if name not in classes:
            raise FormatError(f"{_OP}: {file}, {where}, field 'name' is {name!r}; expected one of {classes}")
        boxes.append(_box(file, one, where, image[1], one_based))
        labels.append(classes.index(name))
        given = [flag for flag in flags if one.find(flag) is not None]
        ignore.append(any(_number(file, one, flag, where) for flag in given))
    return Annotated(*image, boxes, labels, ignore)


def _box(
    file: Path, one: Element, where: str, size: tuple[int, int], one_based: bool
) -> tuple[float, float, float, float]:
    bounds = one.find("bndbox")
    if bounds is None:
        raise FormatError(f"{_OP}: {file}, {where} has no field 'bndbox'")
    x1, y1, x2, y2 = (_number(file, bounds, corner, where) for corner in _CORNERS)
    if one_based and min(x1, y1) < 1:
        raise FormatError(
            f"{_OP}: {file}, {where}, field 'bndbox' begins at ({x1:g}, {y1:g}); expected pixels counted "
            "from 1. Fix: one_based=False, where they are counted from 0"
        )
    box = (x1 - one_based, y1 - one_based, x2, y2)
    return inside(_OP, f"{file}, {where}, field 'bndbox'", box, size, 0.0)


def _text(file: Path, element: Element, field: str, where: str) -> str:
    found = element.find(field)
    text = "" if found is None else (found.text or "").strip()
    if not text:
        raise FormatError(f"{_OP}: {file}, {where} has no field '{field}'")
    return text


def _number(file: Path, element: Element, field: str, where: str) -> float:
    text = _text(file, element, field, where)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FormatError(f"{_OP}: {file}, {where}, field '{field}' is {text!r}; expected a number")
    return number
