"""Files that survive a crash: written whole, forced to the disk, put in their place by one rename."""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

BLOCK = 2**20


def write(path: Path, content: bytes) -> None:
    """Write a new file and force it to the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path, limit: int) -> bytes:
    """Read a file of at most `limit` bytes."""
    if os.stat(path).st_size > limit:
        raise OSError(f"{path} is larger than {limit} bytes")
    with open(path, "rb") as file:
        return file.read(limit + 1)


def digest(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file, and its size."""
    found, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
            size += len(block)
    return found.hexdigest(), size


def listed(folder: Path) -> list[Path]:
    """Return every file below a folder, sorted."""
    return sorted(Path(root) / name for root, _, names in os.walk(folder) for name in names)


def sync_tree(folder: Path) -> None:
    """Force every file and folder below `folder`, and itself, to the disk."""
    for root, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(root) / name)
        sync_folder(Path(root))


def sync_folder(folder: Path) -> None:
    """Force the entries of a folder to the disk; Windows has no such call."""
    if os.name != "nt":
        _sync(folder)


def remove(path: Path) -> None:
    """Remove a file or a folder that may be half gone already; raise when something stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
