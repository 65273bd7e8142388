"""Files out of a zip archive, in memory: nothing is unpacked, names are checked, and every size is capped."""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from jaxdl.errors import FormatError

# ValueError: a name that is not the UTF-8 it is said to be.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError,
    OSError, ValueError,
)  # fmt: skip


def read_members(
    op: str, path: Path, *, max_members: int, max_member: int, max_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """Yield name and contents of each file of an archive, in its order; folders are passed over.

    Args:
        op: who asks.
        path: the archive.
        max_members: refuse an archive with more members.
        max_member: refuse a member that unpacks to more bytes.
        max_bytes: refuse an archive that unpacks to more bytes in all.

    Raises:
        FormatError: what is wrong, with the name of the member.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise bad(op, path, f"is no zip archive, or a broken one ({error})") from error
    with archive:
        members = archive.infolist()
        if len(members) > max_members:
            raise bad(op, path, f"holds {len(members)} members, more than the {max_members} allowed")
        _check(op, path, members, max_member, max_bytes)
        for member in members:
            if not member.is_dir():
                yield member.filename, _contents(op, path, archive, member)


def _check(op: str, path: Path, members: list[zipfile.ZipInfo], max_member: int, max_bytes: int) -> None:
    """Judge names and announced sizes before a byte is unpacked; no more than is announced is unpacked."""
    seen: set[str] = set()
    total = 0
    for member in members:
        name = member.filename
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\\" in name or ":" in name:
            raise bad(op, path, f"holds {name[:200]!r}, a name that leaves the archive")
        if name in seen:
            raise bad(op, path, f"holds {name!r} twice")
        seen.add(name)
        total += member.file_size
        if member.file_size > max_member:
            size = f"unpacks to {member.file_size} bytes, more than the {max_member} allowed"
            raise bad(op, path, f"holds {name!r}, which {size}")
        if total > max_bytes:
            raise bad(op, path, f"unpacks to more than the {max_bytes} bytes allowed")


def _contents(op: str, path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.flag_bits & 1:
        raise bad(op, path, f"holds {member.filename!r}, which is encrypted")
    try:
        with archive.open(member) as stream:
            # Asked for a number of bytes, it inflates no more, whatever the header says.
            return stream.read(member.file_size + 1)
    except _BROKEN as error:
        raise bad(op, path, f"holds {member.filename!r}, which is broken ({error})") from error


def bad(op: str, path: Path, what: str) -> FormatError:
    """Return the error that names an archive and what is wrong with it."""
    return FormatError(f"{op}: {path} {what}. Fix: delete the archive, it will be downloaded again")
