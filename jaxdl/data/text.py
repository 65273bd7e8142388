"""Text files, and a list of first names to try character models on."""

import os
from pathlib import Path

from jaxdl import _checks
from jaxdl.data.download import fetch
from jaxdl.errors import FormatError

NAMES = "names/names.txt"
NAMES_MIRRORS = ("https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",)
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"
NAMES_SIZE = 228_145


def load_text(path: str | os.PathLike[str], *, max_bytes: int = 2**28) -> str:
    """Return the text of a file, UTF-8, with ``\\n`` at the end of its lines whatever they had.

    Args:
        path: the file.
        max_bytes: refuse a larger file.

    Returns:
        The text; a byte order mark is left out.

    Raises:
        FormatError: an empty file, one of blanks alone, or too large; bytes that are not UTF-8, or a NUL,
            with their line.
        OSError: the file cannot be read.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.txt")
    >>> _ = path.write_bytes(b"one\\r\\ntwo\\n")
    >>> load_text(path)
    'one\\ntwo\\n'
    """
    return _text("load_text", Path(path), max_bytes)


def load_lines(path: str | os.PathLike[str], *, max_bytes: int = 2**28) -> tuple[str, ...]:
    """Return the lines of a text file, UTF-8, without blanks around them; empty lines are left out.

    Args:
        path: the file.
        max_bytes: refuse a larger file.

    Returns:
        The lines, at least one.

    Raises:
        FormatError: an empty file, one of blanks alone, or too large; bytes that are not UTF-8, or a NUL,
            with their line.
        OSError: the file cannot be read.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.txt")
    >>> _ = path.write_text("emma\\nolivia\\n\\nava")
    >>> load_lines(path)
    ('emma', 'olivia', 'ava')
    """
    lines = (line.strip() for line in _text("load_lines", Path(path), max_bytes).split("\n"))
    return tuple(line for line in lines if line)


def load_names() -> tuple[str, ...]:
    """Return 32,033 first names in small letters, from the mirror or `JAXDL_DATA`.

    They stand in the order of the file. 29,494 are different: 2,539 are there twice, of girls and of boys, so
    that parts of a split share names unless ``set(names)`` is split.

    Returns:
        The names, of 2 to 15 letters a to z.

    Raises:
        FormatError: the file has the wrong digest.
        OSError: the file is not there and no mirror could be reached; the message says what to do.

    Reference: the list that comes with Karpathy's makemore (2022), made of names of the Social Security
    Administration.

    >>> NAMES_SIZE
    228145
    """
    try:
        path = fetch(NAMES, NAMES_MIRRORS, NAMES_SHA256, NAMES_SIZE)
    except OSError as error:
        raise type(error)(f"load_names: {error}") from error
    return load_lines(path)


def _text(op: str, path: Path, max_bytes: int) -> str:
    limit = _checks.positive_integer(op, "max_bytes", max_bytes)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size + 1) if size <= limit else b""
    if size > limit:
        raise FormatError(f"{op}: {path} has {size} bytes, more than the {limit} allowed. Fix: max_bytes=")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise FormatError(f"{op}: {path}: line {line}: holds a NUL byte. Fix: pass a text file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FormatError(
            f"{op}: {path}: line {line}: is not UTF-8 ({error.reason}). Fix: save the file as UTF-8"
        ) from error
    if not text.strip():
        raise FormatError(
            f"{op}: {path} is {'of blanks alone' if text else 'empty'}. Fix: pass a file with text"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")
