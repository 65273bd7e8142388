"""Files out of a compressed tar archive, in memory: nothing is unpacked, and every size is capped."""

import gzip
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import IO, cast

from jaxdl.errors import FormatError


class _Capped:
    """A stream that refuses to give more than so many bytes: an archive may unpack to anything."""

    def __init__(self, stream: IO[bytes], path: Path, limit: int) -> None:
        self.stream, self.path, self.limit, self.left = stream, path, limit, limit

    def read(self, size: int) -> bytes:
        data = self.stream.read(min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise _bad(self.path, f"unpacks to more than the {self.limit} bytes allowed (max_bytes)")
        return data


def read_members(path: Path, wanted: Collection[str], *, max_bytes: int) -> dict[str, bytes]:
    """Return the contents of the files named `wanted`, whatever folder of the archive they are in.

    The archive is read once from front to back. A link, a device or a name that leaves the archive is
    refused wherever it stands, and so is a file that is there twice.

    Raises:
        FormatError: what is wrong, with the name of the member.
    """
    found: dict[str, bytes] = {}
    try:
        with gzip.open(path) as stream:
            capped = cast(IO[bytes], _Capped(cast(IO[bytes], stream), path, max_bytes))
            with tarfile.open(fileobj=capped, mode="r|") as archive:
                for member in archive:
                    name = _checked(path, member).name
                    if name not in wanted or member.isdir():
                        continue
                    if name in found:
                        raise _bad(path, f"holds {name} twice")
                    file = archive.extractfile(member)
                    found[name] = b"" if file is None else file.read()
                    if len(found[name]) != member.size:
                        raise _bad(path, f"is cut off inside {name}")
            while capped.read(1 << 16):
                pass  # The checksum is at the very end, behind what a reader of archives wants.
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise _bad(path, f"is a broken .tar.gz archive ({error})") from error
    if missing := sorted(set(wanted) - set(found)):
        raise _bad(path, f"lacks {', '.join(missing)}")
    return found


def _checked(path: Path, member: tarfile.TarInfo) -> PurePosixPath:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise _bad(path, f"holds {member.name!r}, a name that leaves the archive")
    if not member.isfile() and not member.isdir():
        raise _bad(path, f"holds {member.name!r}, which is a link or a device, no file")
    return name


def _bad(path: Path, what: str) -> FormatError:
    return FormatError(f"load_cifar: {path} {what}. Fix: download the archive again, or pass another")
