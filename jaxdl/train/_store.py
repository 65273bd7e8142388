"""Compiled programs in a folder that many processes share, each entry under its own SHA-256.

jax writes an entry of its cache in place and reads it unchecked. So each process lets jax work in a folder of
its own, which begins with links to the verified entries of the shared one; what jax adds is moved into the
shared one by a link, which appears whole or not at all, under a name that holds its SHA-256.
"""

import hashlib
import importlib
import os
import secrets
import shutil
import socket
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

SUFFIX = "-cache"  # of what jax writes
RUN = ".run"
STALE_SECONDS = 30 * 86400
ZSTANDARD = b"\x28\xb5\x2f\xfd"


class Store:
    """The shared folder, and the folder `own` of this process."""

    def __init__(self, shared: Path, max_bytes: int) -> None:
        self.shared, self.max_bytes, self.process = shared, max_bytes, os.getpid()
        shared.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(shared)
        self.own = Path(tempfile.mkdtemp(dir=shared, prefix=f"{RUN}@{socket.gethostname()}@{self.process}@"))
        self.known = set[str]()
        self._take()

    def publish(self) -> None:
        """Bring what jax has added into the shared folder; what is not written to its end waits."""
        if os.getpid() != self.process:
            return
        try:
            added = [
                self._publish(path) for path in self.own.glob(f"*{SUFFIX}") if path.name not in self.known
            ]
            if any(added):
                self._evict()
        except OSError as error:  # such as a full disk: no reason to end a run
            warnings.warn(f"compilation_cache: {error}; programs are not kept", UserWarning, stacklevel=2)

    def _publish(self, path: Path) -> bool:
        content = path.read_bytes()
        if not _whole(content):
            return False
        self._place(path, self.shared / f"{hashlib.sha256(content).hexdigest()}.{path.name}")
        self.known.add(path.name)
        return True

    def close(self) -> None:
        """Publish what is left, and remove the folder of this process."""
        if os.getpid() == self.process and self.own.exists():
            self.publish()
            shutil.rmtree(self.own, ignore_errors=True)

    def _take(self) -> None:
        for path in sorted(self.shared.glob(f"*{SUFFIX}")):
            digest, _, name = path.name.partition(".")
            try:
                damaged = hashlib.sha256(path.read_bytes()).hexdigest() != digest
            except FileNotFoundError:  # evicted by another process
                continue
            if damaged:
                warnings.warn(f"compilation_cache: {path} is damaged; it is removed, and its program will be "
                              "compiled again", UserWarning, stacklevel=4)  # fmt: skip
            if damaged or name in self.known:  # two processes compiled it at once
                path.unlink(missing_ok=True)
            else:
                self._place(path, self.own / name)
                self.known |= {name} if (self.own / name).exists() else set()

    def _place(self, source: Path, target: Path) -> None:
        """Make `target` appear whole: a link, or a renamed copy where the file system has no links."""
        try:
            os.link(source, target)
        except (FileExistsError, FileNotFoundError):
            pass  # placed, or evicted, by another process
        except OSError:
            copy = self.own / f"{secrets.token_hex(8)}.copy"
            os.replace(shutil.copyfile(source, copy), target)

    def _evict(self) -> None:
        entries = []
        for path in self.shared.glob(f"*{SUFFIX}"):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            entries.append((found.st_mtime_ns, path, found.st_size))
        total = sum(size for _, _, size in entries)
        for _, path, size in sorted(entries):
            if total <= self.max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size


def _whole(content: bytes) -> bool:
    """Tell whether jax has written an entry to its end: another thread may be at it, or the disk full."""
    try:
        if content.startswith(ZSTANDARD):
            _zstandard()(content)
        else:
            zlib.decompress(content)
    except Exception:  # each of the three libraries has its own
        return False
    return True


def _zstandard() -> Callable[[bytes], bytes]:
    """Return what jax decompresses with, where there is zstandard."""
    try:
        return importlib.import_module("compression.zstd").decompress
    except ImportError:
        return importlib.import_module("zstandard").ZstdDecompressor().decompress


def _sweep(shared: Path) -> None:
    """Remove the folders of processes that were killed."""
    for folder in shared.glob(f"{RUN}@*"):
        _, host, process, _ = folder.name.split("@")
        gone = host == socket.gethostname() and not _alive(int(process))
        try:
            gone |= time.time() - folder.stat().st_mtime > STALE_SECONDS
        except FileNotFoundError:  # removed by another process
            continue
        if gone:
            shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    if os.name == "nt":  # a signal, even signal 0, would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
