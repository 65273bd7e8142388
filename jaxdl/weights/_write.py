"""Files that are replaced whole or not at all."""

import os
import secrets
from pathlib import Path


def write(path: Path, content: bytes) -> Path:
    """Write `content` beside `path`, flush it to the disk, and move it to its place.

    The folder is flushed as well: after a loss of power the name holds the old content or the new.
    """
    # Not `mkstemp`: its files are closed to all others, whatever the user's mask says.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)
    return path


def flush_folder(folder: Path) -> None:
    """Flush the names of a folder to the disk, where the system can open a folder (Windows cannot)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
