"""Folders of Pascal VOC: coordinates, flags, lists, letterboxes, places; files that are malformed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl.data import load_voc
from jaxdl.errors import DtypeError, FormatError, MissingExtraError, ShapeError

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed; it reads the images")


def one(name: str, *corners: float, flags: str = "") -> str:
    fields = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    bounds = "".join(f"<{field}>{value}</{field}>" for field, value in fields)
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    return f"<object><name>{name}</name>{flags}<bndbox>{bounds}</bndbox>{part}</object>"


def write(root: Path, stem: str, *objects: str, width: int = 60, height: int = 40, size: bool = True) -> None:
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, width // 2 :] = 200
    Image.fromarray(picture).save(root / "JPEGImages" / f"{stem}.png")
    told = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>" if size else ""
    text = f"<annotation><filename>{stem}.png</filename>{told}{''.join(objects)}</annotation>"
    (root / "Annotations" / f"{stem}.xml").write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    hard = "<difficult>1</difficult><truncated>0</truncated>"
    write(tmp_path, "a", one("cat", 1, 1, 60, 40), one("dog", 11, 5, 40, 20, flags=hard))
    write(tmp_path, "b", width=20, height=50)
    write(tmp_path, "c", one("cat", 3, 4, 3.5, 4.5, flags="<truncated>1</truncated>"), size=False)
    return tmp_path


def test_pixels_counted_from_one_become_edges(root: Path) -> None:
    found = load_voc(root)
    assert repr(found) == "ObjectImages(3 images not decoded, 3 objects, 2 classes)"
    assert found.classes == ("cat", "dog")
    assert [file.name for file in found.files] == ["a.png", "b.png", "c.png"]
    assert found.sizes.tolist() == [[40, 60], [50, 20], [40, 60]]
    np.testing.assert_array_equal(found.targets["boxes"][0], [[0, 0, 60, 40], [10, 4, 40, 20]])
    np.testing.assert_array_equal(found.targets["boxes"][2], [[2, 3, 3.5, 4.5], [0, 0, 0, 0]])
    assert found.targets["labels"].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert found.targets["mask"].tolist() == [[True, True], [False, False], [True, False]]
    assert found.targets["ignore"].tolist() == [[False, True], [False, False], [False, False]]
    assert found.surplus.tolist() == [0, 0, 0]
    assert load_voc(root, ignore=("truncated",)).targets["ignore"].tolist()[2] == [True, False]
    np.testing.assert_array_equal(load_voc(root, one_based=False).targets["boxes"][0, 1], [11, 5, 40, 20])
    with pytest.raises(ShapeError, match="not decoded"):
        found.dataset  # noqa: B018


def test_images_and_boxes_are_scaled_alike(root: Path) -> None:
    found = load_voc(root, size=(30, 30))
    assert found.images is not None
    assert found.images.shape == (3, 30, 30, 3)
    np.testing.assert_allclose(found.scales, [[0.5, 0.5], [0.6, 0.6], [0.5, 0.5]])
    np.testing.assert_array_equal(found.targets["boxes"][0, 1], [5, 2, 20, 10])
    # The file is bright in its right half; below it there is nothing.
    assert (found.images[0, :20, 18:] == 200).all()
    assert not found.images[0, :, :12].any()
    assert not found.images[0, 20:].any()
    assert (found.images[1, :, 8:12] > 100).all()
    assert not found.images[1, :, 12:].any()
    grey = load_voc(root, size=16, channels=1).dataset
    assert grey.inputs.shape == (3, 16, 16, 1)
    assert grey.targets["mask"].dtype == np.uint8


def test_lists_and_classes(root: Path) -> None:
    listing = root / "ImageSets" / "Main" / "train.txt"
    listing.write_text("c\na\n")
    found = load_voc(root, image_set="train", classes=("dog", "bird", "cat"))
    assert [file.name for file in found.files] == ["c.png", "a.png"]
    assert found.targets["labels"].tolist() == [[2, 0], [2, 0]]
    assert found.classes == ("dog", "bird", "cat")
    for text, words in (("", "names no image"), ("a\na\n", "names 'a' twice"), ("a -1\n", "one name a line"),
                        ("d\n", "no file .*d.xml"), ("../../x\n", "leaves the folder")):  # fmt: skip
        listing.write_text(text)
        with pytest.raises(FormatError, match=rf"train\.txt.* {words}|{words}"):
            load_voc(root, image_set="train")
    with pytest.raises(FormatError, match=r"no file .*test\.txt"):
        load_voc(root, image_set="test")


def test_a_surplus_is_counted_and_said(root: Path) -> None:
    with pytest.warns(UserWarning, match=r"1 objects beyond places=1 .* a\.png \(1\)\. Fix: places=2"):
        found = load_voc(root, places=1)
    assert found.surplus.tolist() == [1, 0, 0]
    assert found.targets["boxes"].shape == (3, 1, 4)
    assert load_voc(root, places=5).targets["mask"].sum() == 3


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        file = root / "Annotations" / "a.xml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return spoil


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><annotation>'
BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "broken": (replaced("</annotation>", ""), "no well-formed XML"),
    "empty": (lambda root: (root / "Annotations" / "a.xml").write_text(""), "no well-formed XML"),
    "entities": (replaced("<annotation>", BOMB), "declares a document type or an entity"),
    "doctype": (replaced("<annotation>", '<!DOCTYPE a SYSTEM "x"><annotation>'), "declares a document type"),
    "utf-16": (
        lambda root: (root / "Annotations" / "a.xml").write_text(BOMB + "&y;</annotation>", "utf-16"),
        "declares a document type",
    ),
    "encoding": (replaced("<annotation>", '<?xml version="1.0" encoding="no"?><annotation>'), "well-formed"),
    "filename": (replaced("<filename>a.png</filename>", ""), "image has no field 'filename'"),
    "name": (replaced("<name>dog</name>", "<name> </name>"), "object 1 has no field 'name'"),
    "bndbox": (replaced("bndbox>", "box>"), "object 0 has no field 'bndbox'"),
    "corner": (replaced("<xmax>40</xmax>", ""), "object 1 has no field 'xmax'"),
    "number": (replaced("<xmax>40<", "<xmax>wide<"), "object 1, field 'xmax' is 'wide'; expected a number"),
    "nan": (replaced("<xmax>40<", "<xmax>nan<"), "field 'xmax' is 'nan'"),
    "flag": (replaced("<difficult>1<", "<difficult>yes<"), "object 1, field 'difficult' is 'yes'"),
    "turned": (replaced("<xmax>40<", "<xmax>10<"), r"object 1, field 'bndbox' is \(10, 4, 10, 20\).*x1 < x2"),
    "outside": (replaced("<xmax>40<", "<xmax>61<"), r"object 1, field 'bndbox' .* outside of its image, 40"),
    "zero": (replaced("<xmin>11<", "<xmin>0<"), r"field 'bndbox' begins at \(0, 5\).*one_based=False"),
    "size": (replaced("<width>60<", "<width>70<"), r"a\.png is 40 pixels .* 60 wide; .* says 40 and 70"),
    "missing image": (lambda root: (root / "JPEGImages" / "a.png").unlink(), "'a.png', but there is no file"),
    "no image": (lambda root: (root / "JPEGImages" / "a.png").write_text("x"), r"a\.png is no PNG"),
    "escaping": (replaced("a.png", "../a.png"), "leaves the folder"),
    "twice": (replaced("a.png", "c.png"), r"c\.png is annotated twice"),
}  # fmt: skip


@pytest.mark.parametrize("spoil", BAD)
def test_malformed_files_are_named(root: Path, spoil: str) -> None:
    change, words = BAD[spoil]
    change(root)
    with pytest.raises(FormatError, match=words) as caught:
        load_voc(root)
    assert str(caught.value).startswith("load_voc: ")
    assert spoil == "twice" or f"{root}/" in str(caught.value)


def test_turned_images_and_empty_folders(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(root / "JPEGImages" / "a.png", exif=exif)
    with pytest.raises(FormatError, match=r"a\.png is turned by its EXIF tag"):
        load_voc(root)
    for file in (root / "Annotations").iterdir():
        file.unlink()
    with pytest.raises(FormatError, match=r"Annotations holds no \.xml file"):
        load_voc(root)
    write(root, "b")
    with pytest.raises(FormatError, match=r"holds no object\. Fix: name the classes"):
        load_voc(root)
    assert not load_voc(root, classes=("cat",)).targets["mask"].any()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"channels": 2}, ValueError, "'channels' is 2"),
        ({"size": 0}, ValueError, "'size' is 0"),
        ({"size": (8, 8, 3)}, ShapeError, "height, width"),
        ({"places": 0}, ValueError, "'places' is 0"),
        ({"classes": "cat"}, DtypeError, "'classes' is 'cat'"),
        ({"classes": ("cat", "cat")}, ValueError, "a name twice"),
        ({"classes": ("cat",)}, FormatError, r"a\.xml, object 1, field 'name' is 'dog'; expected one of"),
        ({"ignore": ("hard",)}, ValueError, "'ignore' is 'hard'"),
        ({"size": 30, "max_bytes": 100}, FormatError, "8100 bytes, more than 100"),
        ({"max_pixels": 100}, FormatError, "more than the 100 allowed"),
        ({"max_pixels": None}, DtypeError, "'max_pixels' is None"),
        ({"max_bytes": 1e9}, DtypeError, "'max_bytes' is 1000000000.0"),
        ({"ignore": None}, ValueError, "'ignore' is None"),
        ({"classes": 5}, DtypeError, "'classes' is 5"),
        ({"one_based": "no"}, ValueError, "'one_based' is 'no'"),
    ],
)
def test_bad_arguments(root: Path, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        load_voc(root, **options)


def test_without_pillow(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match="load_voc: needs Pillow"):
        load_voc(root)
