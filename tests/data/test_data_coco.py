"""Annotations of COCO: boxes, crowds, categories, images without objects; what is malformed is named."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl.data import ObjectImages, load_coco
from jaxdl.errors import DtypeError, FormatError

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed; it reads the images")

WHOLE: dict[str, Any] = {
    "images": [
        {"id": 30, "file_name": "b.png", "height": 40, "width": 60},
        {"id": 7, "file_name": "a.png", "height": 50, "width": 20},
        {"id": 8, "file_name": "c.png", "height": 8, "width": 8},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 90, "bbox": [2, 10, 8.5, 20], "iscrowd": 0},
        {"id": 2, "image_id": 30, "category_id": 3, "bbox": [0, 0, 60.6, 40]},
        {"id": 5, "image_id": 7, "category_id": 3, "bbox": [0, 0, 10, 10], "iscrowd": 1, "area": 9},
    ],
    "categories": [{"id": 90, "name": "zebra"}, {"id": 3, "name": "car"}, {"id": 4, "name": "bus"}],
}


def load(root: Path, whole: Any, **options: Any) -> ObjectImages:
    for name, (width, height) in {"a": (20, 50), "b": (60, 40), "c": (8, 8)}.items():
        Image.new("RGB", (width, height), (90, 90, 90)).save(root / f"{name}.png")
    text = whole if isinstance(whole, str) else json.dumps(whole)
    (root / "all.json").write_text(text)
    return load_coco(root / "all.json", root, **options)


def test_boxes_categories_and_crowds(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert found.classes == ("car", "bus", "zebra")
    assert [file.name for file in found.files] == ["b.png", "a.png", "c.png"]
    assert found.targets["labels"].tolist() == [[0, 0], [2, 0], [0, 0]]
    assert found.targets["mask"].sum(1).tolist() == [1, 2, 0]
    assert found.targets["ignore"].tolist() == [[False, False], [False, True], [False, False]]
    np.testing.assert_array_equal(found.targets["boxes"][1], [[2, 10, 10.5, 30], [0, 0, 10, 10]])
    np.testing.assert_array_equal(found.targets["boxes"][0, 0], [0, 0, 60, 40])
    assert found.images is None


def test_letterbox_and_places(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"load_coco: 1 objects beyond places=1 .* a\.png \(1\)"):
        found = load(tmp_path, WHOLE, size=(25, 40), channels=1, places=1)
    assert found.images is not None
    assert found.images.shape == (3, 25, 40, 1)
    np.testing.assert_allclose(found.targets["boxes"][1, 0], [1, 5, 5.25, 15])
    assert (found.images[1, :, :10] == 90).all()
    assert not found.images[1, :, 10:].any()
    # 40 x 60 fits 25 x 40 by 5/8: 37.5 columns are 38.
    np.testing.assert_allclose(found.scales[0], [38 / 60, 25 / 40])
    np.testing.assert_allclose(found.targets["boxes"][0, 0], [0, 0, 38, 25], rtol=1e-6)


def put(field: str, number: int, name: str, value: Any) -> Callable[[Any], None]:
    return lambda whole: whole[field][number].update({name: value})


def cut(field: str, number: int, name: str) -> Callable[[Any], None]:
    return lambda whole: whole[field][number].pop(name)


BAD: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no list": (lambda whole: whole.update(annotations={}), r"field 'annotations' is \{\}; expected a list"),
    "no field": (lambda whole: whole.pop("images"), "field 'images' is missing"),
    "no images": (lambda whole: whole["images"].clear(), "'images' is empty"),
    "no categories": (lambda whole: whole["categories"].clear(), "'categories' is empty"),
    "no object": (lambda whole: whole["images"].append(3), r"images\[3\] is 3; expected an object"),
    "no id": (cut("images", 1, "id"), r"images\[1\], field 'id' is missing"),
    "same image": (put("images", 1, "id", 30), r"images\[1\], field 'id' is 30, for the second time"),
    "same annotation": (put("annotations", 2, "id", 1), "'id' is 1, for the second time"),
    "same category": (put("categories", 2, "id", 90), "'id' is 90, for the second time"),
    "same file": (put("images", 1, "file_name", "b.png"), r"b\.png is annotated twice|says 50"),
    "flag as id": (put("images", 1, "id", True), "field 'id' is True; expected a whole number"),
    "no name": (put("images", 1, "file_name", 3), "image 7, field 'file_name' is 3; expected a name"),
    "gone": (put("images", 1, "file_name", "x.png"), "field 'file_name' is 'x.png', but there is no"),
    "escaping": (put("images", 1, "file_name", "../a.png"), "field 'file_name' .* leaves the folder"),
    "height": (put("images", 1, "height", 0), "image 7, field 'height' is 0; expected 1 pixel"),
    "huge": (put("images", 1, "height", 10**400), "image 7, field 'height' is 1000"),
    "null": (put("images", 1, "file_name", "a\0.png"), "image 7, field 'file_name' .* no name of a file"),
    "long": (put("images", 1, "file_name", "a" * 5000), "image 7, field 'file_name' .* no name of a file"),
    "half": (put("images", 1, "file_name", "\ud800"), "image 7, field 'file_name' .* no name of a file"),
    "wrong size": (put("images", 1, "height", 51), r"a\.png is 50 pixels .* 20 wide; .* says 51 and 20"),
    "category name": (cut("categories", 0, "name"), "category 90, field 'name' is missing"),
    "unknown image": (put("annotations", 0, "image_id", 4), r"annotation 1 \(image 4\).* is of no image"),
    "unknown": (put("annotations", 0, "category_id", 5), r"\(image 7\), field 'category_id' is 5"),
    "no box": (cut("annotations", 0, "bbox"), r"annotation 1 \(image 7\), field 'bbox' is missing"),
    "short": (put("annotations", 0, "bbox", [1, 2, 3]), r"'bbox' is \[1, 2, 3\]; expected \[x, y, width"),
    "words": (put("annotations", 0, "bbox", [1, 2, "3", 4]), "expected .x, y, width, height"),
    "endless": (put("annotations", 0, "bbox", [1, 2, 10**400, 4]), "expected .x, y, width, height"),
    "flat": (put("annotations", 0, "bbox", [1, 2, 0, 4]), r"'bbox' is \(1, 2, 1, 6\).*expected x1 < x2"),
    "negative": (put("annotations", 0, "bbox", [9, 2, -3, 4]), "expected x1 < x2"),
    "outside": (put("annotations", 0, "bbox", [9, 2, 13, 4]), r"\(9, 2, 22, 6\).* outside of its image, 50"),
    "beside": (put("annotations", 0, "bbox", [20.2, 2, 0.5, 4]), "outside of its image"),
    "crowd": (put("annotations", 0, "iscrowd", "no"), "'iscrowd' is 'no'; expected a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("spoil", BAD)
def test_malformed_annotations_are_named(tmp_path: Path, spoil: str) -> None:
    whole = copy.deepcopy(WHOLE)
    BAD[spoil][0](whole)
    with pytest.raises(FormatError, match=BAD[spoil][1]) as caught:
        load(tmp_path, whole)
    assert str(caught.value).startswith("load_coco: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", r"all\.json is no well-formed JSON"),
        ("[1]", "holds a list"),
        ('{"images": NaN}', "NaN is no number"),
        ("[" * 200_000, "no well-formed JSON"),
        ("{} {}", "no well-formed JSON"),
    ],
)
def test_broken_json(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        load(tmp_path, text)


def test_other_doors(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"there is no file .*none\.json"):
        load_coco(tmp_path / "none.json", tmp_path)
    with pytest.raises(FormatError, match="larger than 100 bytes"):
        load(tmp_path, WHOLE, max_json=100)
    with pytest.raises(ValueError, match="'channels' is 4"):
        load(tmp_path, WHOLE, channels=4)
    for name in ("max_json", "max_pixels", "max_bytes"):
        with pytest.raises(DtypeError, match=f"'{name}' is None"):
            load(tmp_path, WHOLE, **{name: None})
