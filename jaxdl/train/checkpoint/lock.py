"""The right to write into a folder: one process at a time, also where the file system ignores flock.

Lock files are numbered, and who created the highest holds the folder. A new one is made whole by a hard
link, which fails where the name is taken: of two processes that take over the lock of a dead one, one wins.
The highest is never removed, so that a number is never given twice: releasing it replaces its text.
"""

import contextlib
import errno
import json
import os
import re
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from jaxdl.errors import LockError
from jaxdl.train.checkpoint import files

BEAT_S, STALE_S = 10.0, 60.0
TRIES = 20
LIMIT = 2**16
NAME = re.compile(r"lock\.(\d{6,})")
WITHOUT_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Lock:
    """The lock of a folder; `acquire`, `check` before each commit, `release`."""

    def __init__(self, folder: Path, *, beat: float = BEAT_S, stale: float = STALE_S) -> None:
        self.folder, self.beat, self.stale = folder, beat, stale
        self.number = 0
        self.text = json.dumps(ours() | {"nonce": uuid.uuid4().hex, "released": False}).encode()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Take the lock, or raise `LockError` that names the holder."""
        for _ in range(TRIES):
            newest = max(_numbers(self.folder), default=0)
            if newest and (holder := self._holder(newest)) is not None:
                raise LockError(
                    f"checkpoint: {self.folder} is in use by {_named(holder)}. Fix: choose another folder, "
                    "or wait until that process has ended (where it died on another machine, "
                    f"{self.stale:g} s more)"
                )
            if self._claim(newest + 1):
                return self._held(newest + 1)
        raise LockError(f"checkpoint: {self.folder} is sought by many processes at once. Fix: start only one")

    def check(self) -> None:
        """Raise `LockError` unless the lock is still ours: a process that slept for long may have lost it."""
        try:
            mine = _path(self.folder, self.number).read_bytes() == self.text
        except OSError:
            mine = False
        forked = json.loads(self.text)["pid"] != os.getpid()
        if forked or not mine or max(_numbers(self.folder), default=0) != self.number:
            raise LockError(
                f"checkpoint: the lock of {self.folder} was lost to another process, so nothing is written. "
                "Fix: let one process at a time write into a folder"
            )

    def release(self) -> None:
        """Give the lock back. A lock that cannot be given back is taken over once this process has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(OSError, LockError):
            self.check()
            temporary = self._temporary()
            files.write(temporary, json.dumps(json.loads(self.text) | {"released": True}).encode())
            os.replace(temporary, _path(self.folder, self.number))

    def _holder(self, number: int) -> dict[str, Any] | None:
        """Return who holds the lock of this number, or None where it is released or its process is dead."""
        path = _path(self.folder, number)
        try:
            holder = json.loads(files.read(path, LIMIT))
            known = holder["boot"] is not None and holder["boot"] == ours()["boot"]
            if holder["released"] or (known and _started(holder["pid"]) != holder["started"]):
                return None
            return holder if known or self._fresh(path) else None
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):  # half written, or damaged: its time alone counts
            return {} if self._fresh(path) else None

    def _fresh(self, path: Path) -> bool:
        """Tell whether a lock was touched of late, by the clock of the file system alone."""
        probe = self._temporary()
        files.write(probe, b"")
        try:
            return os.stat(probe).st_mtime - os.stat(path).st_mtime < self.stale
        finally:
            files.remove(probe)

    def _claim(self, number: int) -> bool:
        temporary, path = self._temporary(), _path(self.folder, number)
        files.write(temporary, self.text)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in WITHOUT_LINKS:
                raise
            try:
                files.write(path, self.text)
            except FileExistsError:
                return False
        finally:
            files.remove(temporary)
        # Whoever was late by more than one change of hands finds a higher number, and steps back.
        if max(_numbers(self.folder)) == number:
            return True
        files.remove(path)
        return False

    def _held(self, number: int) -> None:
        self.number = number
        for older in _numbers(self.folder):
            if older < number:
                files.remove(_path(self.folder, older))
        self._thread = threading.Thread(target=self._keep_alive, name="checkpoint lock", daemon=True)
        self._thread.start()

    def _keep_alive(self) -> None:
        while not self._stop.wait(self.beat):
            with contextlib.suppress(OSError):
                os.utime(_path(self.folder, self.number))

    def _temporary(self) -> Path:
        return self.folder / f".tmp-lock-{uuid.uuid4().hex}"


def ours() -> dict[str, Any]:
    """Describe this process, so that another one can tell whether it still lives."""
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "pid": pid,
        "started": _started(pid),
        "boot": _boot(),
        "since": time.ctime(),
    }


def _boot() -> str | None:
    """Name the run of the kernel and the space of process numbers; None where there is no /proc."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{text} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _started(pid: Any) -> str | None:
    """Return when a process was started, in ticks since the boot; None for a dead one or a zombie."""
    try:
        fields = Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _numbers(folder: Path) -> list[int]:
    return [int(found[1]) for name in os.listdir(folder) if (found := NAME.fullmatch(name))]


def _path(folder: Path, number: int) -> Path:
    return folder / f"lock.{number:06d}"


def _named(holder: dict[str, Any]) -> str:
    if not holder:
        return "a process that is just taking it"
    return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
