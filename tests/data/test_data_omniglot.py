"""Omniglot through the whole path, fetch, digest, archive, `Drawings`, on small archives of our own."""

import dataclasses
import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxdl.data import Drawings, load_omniglot, omniglot
from jaxdl.errors import DtypeError, FormatError, ShapeError

Lay = Callable[..., Path]


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).convert("1").save(stream, "PNG")
    return stream.getvalue()


def drawing(number: int) -> np.ndarray:
    """White, but for a black square of 15 pixels in place `number` of seven times seven."""
    pixels = np.full((105, 105), 255, np.uint8)
    row, column = divmod(number, 7)
    pixels[15 * row : 15 * row + 15, 15 * column : 15 * column + 15] = 0
    return pixels


def members(alphabets: str = "ba", folder: str = "x") -> dict[str, bytes]:
    """Two characters, three drawers; the third of the second character is missing."""
    made, number = {f"{folder}/": b""}, 0
    for alphabet in alphabets:
        for character in (1, 2):
            for drawer in (1, 2, 3)[: 4 - character]:
                name = f"{folder}/{alphabet}/character{character:02d}/{character:04d}_{drawer:02d}.png"
                made[name] = png(drawing(number))
                number += 1
    return made


def packed(files: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lay:
    """Put an archive into the cache, and make the registry expect just that."""
    monkeypatch.setenv("JAXDL_DATA", str(tmp_path))
    monkeypatch.setattr(omniglot, "MIRRORS", ("http://127.0.0.1:9/",))
    (tmp_path / "omniglot").mkdir()

    def put(data: bytes, part: str = "background") -> Path:
        file = omniglot.FILES[part]
        path = tmp_path / "omniglot" / file.name
        path.write_bytes(data)
        small = dataclasses.replace(file, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        monkeypatch.setitem(omniglot.FILES, part, small)
        return path

    return put


def test_what_comes_out(lay: Lay) -> None:
    lay(packed(members()))
    drawings = load_omniglot("background", size=7)
    assert drawings.images.shape == (10, 7, 7, 1)
    assert drawings.alphabet_names == ("a", "b")
    assert drawings.character_names == ("a/01", "a/02", "b/01", "b/02")
    assert drawings.characters.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert drawings.alphabets.tolist() == [0] * 5 + [1] * 5
    assert drawings.drawers.tolist() == [0, 1, 2, 0, 1] * 2
    # Ink is bright, and each pixel is the share of its square that ink covers; 'b' stood first.
    bright = drawings.images.reshape(10, 49)
    assert bright.argmax(1).tolist() == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]
    assert (bright.sum(1) == 255).all()
    whole = load_omniglot("background", size=105)
    np.testing.assert_array_equal(whole.images[5, ..., 0], 255 - drawing(0))
    half = load_omniglot("background", size=3).images[5, 0, 0, 0]
    assert half == round(255 * 15**2 / 35**2)
    assert not any(array.flags.writeable for array in (drawings.images, drawings.characters))


def test_ink_fills_the_frame_wherever_it_was_drawn(lay: Lay) -> None:
    lay(packed(members()))
    framed = load_omniglot("background", size=14, framing="ink").images
    assert (framed[:, 1:13, 1:13] == 255).all()
    assert framed[0].sum() == 255 * 144
    lay(packed(members() | {"x/b/character03/0009_01.png": png(np.full((105, 105), 255, np.uint8))}))
    with pytest.raises(FormatError, match=r"0009_01\.png', a drawing without ink"):
        load_omniglot("background", framing="ink")
    with pytest.raises(ValueError, match="'published', 'ink'"):
        load_omniglot("background", framing="mass")


def test_alphabets_are_held_out_whole(lay: Lay) -> None:
    lay(packed(members("ba")))
    lay(packed(members("c")), "evaluation")
    drawings = load_omniglot("background", "evaluation", size=7)
    assert drawings.alphabet_names == ("a", "b", "c")
    one, others = drawings.select("b"), drawings.select(["c", "a"])
    assert one.classes == ("b/01", "b/02")
    assert one.targets.tolist() == [0, 0, 0, 1, 1]
    np.testing.assert_array_equal(one.inputs, drawings.images[5:10])
    assert others.classes == ("a/01", "a/02", "c/01", "c/02")
    assert others.targets.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    for bad, words in (((), "empty"), ("Greek", "'Greek'; expected different ones of a, b, c"),
                       (["a", "a"], "'a'")):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            drawings.select(bad)


def test_parts_are_checked(lay: Lay) -> None:
    lay(packed(members("ab")))
    lay(packed(members("b")), "background_small2")
    for parts, options, words in (
        ((), {}, "'parts' is empty; expected some of 'background', "),
        (("small1",), {}, "'parts' is 'small1'; expected one of 'background', "),
        (("background",) * 2, {}, "'background' twice"),
        (("background", "background_small2"), {}, "'background' and 'background_small2', which both hold b"),
        (("background",), {"size": 106}, "at most 105"),
        (("background",), {"size": 0}, "at least 1"),
        (("background",), {"max_bytes": 20_000}, "'max_bytes' is 20000; expected room for the images"),
    ):
        with pytest.raises(ValueError, match=words):
            load_omniglot(*parts, **({"size": 105} | options))


NAMED = "x/a/character01/0001_01.png"
GOOD = png(drawing(0))
HOSTILE = {
    "above": ([("../evil.png", GOOD)], "'../evil.png', a name that leaves the archive"),
    "absolute": ([("/etc/evil.png", GOOD)], "a name that leaves the archive"),
    "backslash": ([("x\\..\\evil.png", GOOD)], "a name that leaves the archive"),
    "drive": ([("c:/evil.png", GOOD)], "a name that leaves the archive"),
    "folder": ([("x/../../", b"")], "a name that leaves the archive"),
    "unexpected": ([("x/readme.txt", b"hello")], r"'x/readme.txt'; expected names of the form <folder>"),
    "letters": ([("x/a/characterXY/0001_01.png", GOOD)], "expected names of the form"),
    "from nought": ([("x/a/character00/0001_01.png", GOOD)], "expected names of the form"),
    "drawer nought": ([("x/a/character01/0001_00.png", GOOD)], "expected names of the form"),
    "same drawer": ([(NAMED, GOOD), ("x/a/character01/0002_01.png", GOOD)], "a second drawing"),
    "bomb": ([(NAMED, bytes(2**17))], "which unpacks to 131072 bytes, more than the 65536 allowed"),
    "no picture": ([(NAMED, b"no picture")], r"0001_01\.png is no PNG"),
    "cut off": ([(NAMED, GOOD[:-30])], r"0001_01\.png is a broken image"),
    "another size": ([(NAMED, png(drawing(0)[:60]))], "is 60 pixels high and 105 wide; expected 105 and 105"),
    "large": ([(NAMED, png(np.zeros((300, 300), np.uint8)))], "has 90000 pixels, more than the 11025"),
    "nothing": ([("x/", b"")], "holds no drawings"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives(lay: Lay, kind: str) -> None:
    files, words = HOSTILE[kind]
    path = lay(packed(files))
    with pytest.raises(FormatError, match=rf"load_omniglot: .*{words}"):
        load_omniglot("background")
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_name_twice(lay: Lay) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        lay(packed([(NAMED, GOOD), (NAMED, GOOD)]))
    with pytest.raises(FormatError, match=r"holds '.*0001_01\.png' twice"):
        load_omniglot("background")


def test_sizes_and_counts_are_capped(lay: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(packed(members()))
    with pytest.raises(FormatError, match="unpacks to more than the 300 bytes allowed"):
        load_omniglot("background", size=1, max_bytes=300)
    monkeypatch.setattr(omniglot, "_MAX_MEMBERS", 5)
    with pytest.raises(FormatError, match="holds 11 members, more than the 5 allowed"):
        load_omniglot("background")


def test_corrupt_members_are_named(lay: Lay) -> None:
    whole = packed([(NAMED, GOOD)])
    start = whole.index(b"0001_01.png") + len("0001_01.png")
    lying = packed([(NAMED, bytes(2**21))]).replace(struct.pack("<I", 2**21), struct.pack("<I", 100))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(NAMED, GOOD)
    packed_by_lzma = stream.getvalue()
    broken = {
        r"0001_01\.png', which is broken \(Corrupt": packed_by_lzma[: start + 9]
        + b"\xff"
        + packed_by_lzma[start + 10 :],
        "a broken one .*utf-8": packed([("x/\u00e9/1.png", GOOD)]).replace("\u00e9".encode(), b"\xff\xfe"),
        r"0001_01\.png', which is broken \(Bad CRC": lying,
        "is no zip archive": whole[:-10],
        "is no zip": b"no archive",
        r"0001_01\.png', which is broken": whole[: start + 8] + b"\xff" + whole[start + 9 :],
        r"0001_01\.png', which is encrypted": whole.replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"),
        r"0001_01\.png', which is broken \(.*method": whole.replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x63\0"),
    }
    for words, data in broken.items():
        lay(data)
        with pytest.raises(FormatError, match=words):
            load_omniglot("background")


def test_mutated_archives_raise_format_errors_only(lay: Lay) -> None:
    whole, rng, refused = packed(members("a")), np.random.default_rng(0), 0
    for _ in range(60):
        data = bytearray(whole)
        for where in rng.integers(0, len(data), rng.integers(1, 6)):
            data[where] = rng.integers(0, 256)
        lay(bytes(data))
        try:
            assert load_omniglot("background").images.dtype == np.uint8
        except FormatError as error:
            refused += str(error).startswith("load_omniglot: ")
    assert refused > 20


def test_what_is_missing_or_changed(lay: Lay, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"load_omniglot: fetch: omniglot/images_background\.zip"):
        load_omniglot("background")
    path = lay(packed(members()), "background_small1")
    with pytest.raises(ConnectionError, match="Or make do with 'background_small1', which is in"):
        load_omniglot("background")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.chmod(path.parent, 0o555)
    try:
        with pytest.raises(FormatError, match="SHA-256"):
            load_omniglot("background_small1")
    finally:
        os.chmod(path.parent, 0o755)


def test_drawings_are_checked() -> None:
    images, numbers = np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 1], np.int32)
    good = {
        "images": images, "characters": numbers, "alphabets": numbers * 0, "drawers": numbers,
        "character_names": ("a/1", "a/2"), "alphabet_names": ("a",),
    }  # fmt: skip
    assert len(Drawings(**good)) == 2
    for change, error, words in (
        ({"images": images[:0]}, ShapeError, r"'images' is of shape \(0, 4, 4, 1\)"),
        ({"images": images / 2}, DtypeError, "float64; expected uint8"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8)}, ShapeError, r"expected \(n, height, width, 1\)"),
        ({"drawers": numbers - 1}, FormatError, "'drawers' is from -1 on"),
        ({"drawers": numbers[:1]}, ShapeError, "one for each of 2 images"),
        ({"drawers": [0.0, 1.0]}, DtypeError, "expected int32"),
        ({"characters": numbers + 1}, FormatError, "from 1 to 2, for 2 names"),
        ({"alphabet_names": ("a", "a")}, FormatError, "for 2 names; expected places in names that differ"),
        ({"characters": numbers * 0, "alphabets": numbers, "alphabet_names": ("a", "b")}, FormatError,
         "'a/1' is of two alphabets"),
    ):  # fmt: skip
        with pytest.raises(error, match=words):
            Drawings(**(good | change))


def test_the_registry_is_complete() -> None:
    files = list(omniglot.FILES.values())
    assert all(len(file.sha256) == 64 and int(file.sha256, 16) for file in files)
    assert len({file.sha256 for file in files}) == 4


def _check_the_real_drawings() -> None:
    drawings = load_omniglot("background_small1")
    assert len(drawings) == 2720
    assert drawings.alphabet_names == ("Balinese", "Early_Aramaic", "Greek", "Korean", "Latin")
    assert np.bincount(drawings.drawers).tolist() == [136] * 20
    assert np.bincount(drawings.characters).tolist() == [20] * 136
    assert len(drawings.select("Latin").classes) == 26
    assert drawings.images.mean() < 64  # dark, but for the ink


# Collected only where the archive is: the suite needs none of them.
if Path(os.environ.get("JAXDL_DATA", ""), "omniglot", "images_background_small1.zip").is_file():
    test_the_real_drawings = _check_the_real_drawings
