"""Omniglot: handwritten characters of fifty alphabets, from the published archives or `JAXDL_DATA`."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxdl._checks import one_of, positive_integer
from jaxdl.data import _pictures, _zip
from jaxdl.data._extras import require
from jaxdl.data.download import cache_folder, fetch
from jaxdl.data.drawings import Drawings
from jaxdl.data.framing import frame_ink
from jaxdl.data.mnist import File
from jaxdl.errors import explain

MIRRORS = ("https://github.com/brendenlake/omniglot/raw/master/python/",)
# SHA-256 and sizes as TensorFlow Datasets publishes them.
FILES = {
    "background": File(
        "images_background.zip", "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640", 9_464_212
    ),
    "evaluation": File(
        "images_evaluation.zip", "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee", 6_462_886
    ),
    "background_small1": File(
        "images_background_small1.zip",
        "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
        1_319_022,
    ),
    "background_small2": File(
        "images_background_small2.zip",
        "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
        1_580_917,
    ),
}
FRAMINGS = ("published", "ink")
_Key = tuple[str, int, int]  # alphabet, number of the character and of the drawer
_SIDE = 105
_MEMBER = re.compile(
    r"[^/]+/([^/]{1,100})/character(?!00)([0-9]{2})/[0-9]{4}_(?!00)([0-9]{2})\.png"
)  # fmt: skip
_MAX_MEMBERS = 2**16  # of the 32,460 drawings and 1,673 folders of all alphabets
_MAX_MEMBER = 2**16


def load_omniglot(
    *parts: str, size: int = 28, framing: str = "published", max_bytes: int = 2**30
) -> Drawings:
    """Return the handwritten characters of Omniglot, each drawn by 20 people.

    The drawings are published black on white, 105 pixels wide. They are turned to ink that is bright on
    dark, as the digits of MNIST are, and scaled by area: a pixel is the share of its square that ink covers.

    Args:
        parts: one or more of ``"background"`` (30 alphabets, 964 characters), ``"evaluation"`` (20 other
            alphabets, 659 characters), and of ``"background_small1"`` and ``"background_small2"`` (5
            alphabets each out of the background).
        size: height and width of the images in pixels, at most the 105 of the published ones.
        framing: ``"published"``, each drawing where it was drawn on its sheet; ``"ink"``, cut out along the
            box of its ink and scaled to fill the image but for a margin of a fourteenth, see `frame_ink`.
        max_bytes: refuse parts that unpack to more, or images that take more memory.

    Returns:
        `Drawings`: images (n, size, size, 1) uint8 with their characters, alphabets and drawers.
        `Drawings.select` makes a data set of some alphabets, so that others are held out whole.

    Raises:
        ValueError: no part, an unknown one, one given twice, parts that share an alphabet, a size out of
            [1, 105], an unknown framing, or images beyond `max_bytes`.
        FormatError: an archive has the wrong digest, or a member that is broken, no drawing of 105 by 105
            pixels, there twice, too large, or named as no drawing is.
        OSError: an archive is not there and no mirror could be reached; the message says what to do.
        MissingExtraError: Pillow is not installed.

    Reference: Lake, Salakhutdinov and Tenenbaum, Human-level concept learning through probabilistic
    program induction, 2015.

    Example:
        >>> [file.size for file in FILES.values()]
        [9464212, 6462886, 1319022, 1580917]
    """
    op = "load_omniglot"
    _check_parts(op, parts)
    one_of(op, "framing", framing, FRAMINGS)
    size, limit = positive_integer(op, "size", size), positive_integer(op, "max_bytes", max_bytes)
    if size > _SIDE:
        raise ValueError(
            explain(op, "size", got=size, expected=f"at most {_SIDE} pixels, the published size",
                    fix="enlarge the images yourself: nothing new would be seen")
        )  # fmt: skip
    require("PIL.Image", "Pillow", op)
    found: dict[_Key, np.ndarray] = {}
    homes: dict[str, str] = {}
    for part in parts:
        for key, image in _part(op, part, size, framing, limit):
            if (other := homes.setdefault(key[0], part)) != part:
                raise ValueError(
                    explain(op, "parts", got=f"{other!r} and {part!r}, which both hold {key[0]}",
                            expected="parts without a common alphabet",
                            fix="leave one out: the small parts are out of 'background'")
                )  # fmt: skip
            found[key] = image
            if len(found) * size**2 > limit:
                raise ValueError(
                    explain(op, "max_bytes", got=limit, expected="room for the images",
                            fix="a larger max_bytes, or a smaller size")
                )  # fmt: skip
    return _drawings(found)


def _check_parts(op: str, parts: tuple[str, ...]) -> None:
    for i, part in enumerate(parts):
        one_of(op, "parts", part, tuple(FILES))
        if part in parts[:i]:
            raise ValueError(
                explain(op, "parts", got=f"{part!r} twice", expected="each once", fix="leave one out")
            )
    if not parts:
        raise ValueError(
            explain(op, "parts", got="empty", expected=f"some of {', '.join(map(repr, FILES))}",
                    fix="load_omniglot('background_small1')")
        )  # fmt: skip


def _part(op: str, part: str, size: int, framing: str, limit: int) -> Iterator[tuple[_Key, np.ndarray]]:
    path, seen = _archive(op, part), set()
    members = _zip.read_members(op, path, max_members=_MAX_MEMBERS, max_member=_MAX_MEMBER, max_bytes=limit)
    for name, data in members:
        key = _named(op, path, name)
        if key in seen:
            raise _zip.bad(op, path, f"holds {name!r}, a second drawing of this character by its drawer")
        seen.add(key)
        side = size if framing == "published" else _SIDE
        image = 255 - _pictures.grey(op, f"{path}/{name}", data, (_SIDE, _SIDE), (side, side))
        if framing == "ink":
            if not image.any():
                raise _zip.bad(op, path, f"holds {name!r}, a drawing without ink")
            image = frame_ink(image[None], size=size, margin=size // 14)[0]
        yield key, image
    if not seen:
        raise _zip.bad(op, path, "holds no drawings")


def _named(op: str, path: Path, name: str) -> _Key:
    match = _MEMBER.fullmatch(name)
    if match is None:
        form = "<folder>/<alphabet>/character01/0001_01.png"
        raise _zip.bad(op, path, f"holds {name[:200]!r}; expected names of the form {form}")
    alphabet, character, drawer = match.groups()
    return alphabet, int(character), int(drawer)


def _archive(op: str, part: str) -> Path:
    file = FILES[part]
    try:
        return fetch(f"omniglot/{file.name}", [url + file.name for url in MIRRORS], file.sha256, file.size)
    except OSError as error:
        folder = cache_folder() / "omniglot"
        there = [repr(other) for other in FILES if (folder / FILES[other].name).is_file() and other != part]
        hint = f". Or make do with {' or '.join(there)}, which is in {folder}" if there else ""
        raise type(error)(f"{op}: {error}{hint}") from error


def _drawings(found: dict[_Key, np.ndarray]) -> Drawings:
    """Number alphabets and characters in the order of their names."""
    keys = sorted(found)
    alphabets = sorted({alphabet for alphabet, _, _ in keys})
    characters = sorted({key[:2] for key in keys})
    at = {name: number for number, name in enumerate(alphabets)}
    of = {name: number for number, name in enumerate(characters)}
    return Drawings(
        images=np.stack([found[key] for key in keys])[..., None],
        characters=np.array([of[key[:2]] for key in keys], np.int32),
        alphabets=np.array([at[key[0]] for key in keys], np.int32),
        drawers=np.array([key[2] - 1 for key in keys], np.int32),
        character_names=tuple(f"{alphabet}/{number:02d}" for alphabet, number in characters),
        alphabet_names=tuple(alphabets),
    )
