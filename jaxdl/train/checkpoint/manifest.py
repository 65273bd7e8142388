"""The manifest of a step: version, record, leaves, and the SHA-256 and size of every file.

Its first line is ``jaxdl-checkpoint VERSION SHA-256``, a digest of that line's first two words and of the
JSON that follows, in every version: so a newer one is told from a damaged one.
"""

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from jaxdl.errors import FormatError
from jaxdl.train.checkpoint import files

VERSION = 1
MAGIC = "jaxdl-checkpoint"
NAME = "MANIFEST"
ARRAYS = "arrays"
LIMIT = 64 * 2**20


class Damaged(Exception):
    """A step cannot be used; the message says which file and how."""


def write(step: Path, body: dict[str, Any]) -> None:
    """Write the manifest of a step whose arrays are written."""
    found = {}
    for path in files.listed(step / ARRAYS):
        sha256, size = files.digest(path)
        found[path.relative_to(step).as_posix()] = {"sha256": sha256, "size": size}
    text = json.dumps(body | {"files": found}, allow_nan=False, sort_keys=True).encode()
    files.write(step / NAME, b" ".join([*_words(VERSION, text), b"\n"]) + text)


def read(step: Path) -> dict[str, Any]:
    """Return the body of a manifest, verified.

    Raises:
        Damaged: it is missing, cannot be read or was changed.
        FormatError: it is whole, and of a newer version.
    """
    try:
        line, _, text = files.read(step / NAME, LIMIT).partition(b"\n")
        words = line.split(b" ")
        version = int(words[1])
        if words != [*_words(version, text), b""]:
            raise ValueError("its SHA-256 differs from the stored one")
    except OSError as error:
        raise Damaged(f"{NAME} cannot be read ({error})") from error
    except (ValueError, IndexError) as error:
        raise Damaged(f"{NAME} was changed ({error})") from error
    if version != VERSION:
        raise FormatError(
            f"checkpoint: {step} is of version {version}; this jaxdl reads {VERSION}. Fix: install the jaxdl "
            "that wrote it, or move that step away to go on from an older one"
        )
    return json.loads(text)


def verify(step: Path, body: dict[str, Any]) -> None:
    """Raise `Damaged` unless every file of the manifest is there, with its size and its SHA-256."""
    for name, expected in body["files"].items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise Damaged(f"{NAME} names a file outside the step, {name}")
        try:
            sha256, size = files.digest(step / name)
        except OSError as error:
            raise Damaged(f"{name} cannot be read ({error})") from error
        if size != expected["size"]:
            raise Damaged(f"{name} has {size} bytes in place of {expected['size']}")
        if sha256 != expected["sha256"]:
            raise Damaged(f"{name} was changed: its SHA-256 differs from the stored one")


def _words(version: int, text: bytes) -> list[bytes]:
    start = f"{MAGIC} {version}".encode()
    return [*start.split(b" "), hashlib.sha256(start + b"\n" + text).hexdigest().encode()]
