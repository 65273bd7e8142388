"""What the writers of metrics share: a file that always holds whole epochs, each exactly once."""

import itertools
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jaxdl.errors import DtypeError, FormatError, LogError, explain

Curves = Mapping[str, np.ndarray]


class Writer:
    """A file of one record an epoch; `JSONLines`, `CSV` and `TensorBoard` say what a record is.

    `fit` calls `begin` before the first epoch, the writer itself after every chunk, and `close` at the end.
    A write that fails, as on a full disk, does not stop the run: it is warned of, whole epochs are kept, and
    what is missing is written after a later chunk. `close` raises `LogError` if something still is missing.

    Attributes:
        path: the file.
        done: epochs that the file holds.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        if not isinstance(path, str | os.PathLike):
            raise DtypeError(
                explain(f"log.{type(self).__name__}", "path", got=f"a {type(path).__name__}",
                        expected="a path", fix="pass a string, such as 'runs/a.jsonl'")
            )  # fmt: skip
        self.path, self.overwrite = Path(path), overwrite
        self.done, self.end, self.torn = -1, 0, False
        self.failure: OSError | None = None
        self.missing: tuple[Curves, int] = ({}, 0)

    def head(self, curves: Curves) -> list[bytes]:
        """Return the records that come before the first epoch."""
        return []

    def records(self, curves: Curves, epoch: int) -> list[bytes]:
        """Return the records of one epoch, counted from 0; as many for every epoch."""
        raise NotImplementedError

    def split(self, content: bytes) -> list[bytes]:
        """Return the whole records at the start of a file; a last one that is cut short is left out."""
        raise NotImplementedError

    def same(self, found: bytes, wanted: bytes) -> bool:
        """Tell whether a record of a file says the same as one of this run."""
        return found == wanted

    def begin(self, history: Curves, done: int = 0, *, resume: bool = False) -> None:
        """Make the file hold exactly the first `done` epochs of a run.

        Args:
            history: arrays (epochs, ...) by name.
            done: epochs that are over, 0 for a run that begins.
            resume: the file may hold epochs of this run: they are compared with the history, later
                ones are cut away, missing ones are added. With nothing to compare (`done` is 0) the file is
                renamed, and that is warned of.

        Raises:
            ValueError: without `resume` and `overwrite`, the file holds something.
            FormatError: the file holds another run, or is none of ours.
            OSError: the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = self.path.read_bytes() if self.path.exists() else b""
        if content and not (resume or self.overwrite):
            raise ValueError(
                explain("log", "path", got=f"{self.path}, which holds {len(content)} bytes already",
                        expected="a new file, so that nothing is lost",
                        fix=f"another path, or log.{type(self).__name__}(path, overwrite=True)")
            )  # fmt: skip
        if content and resume and done == 0:
            content = self._set_aside()
        wanted = [
            *self.head(history),
            *(line for epoch in range(done) for line in self.records(history, epoch)),
        ]
        found = self.split(content) if resume else []
        if resume and content:
            self._require_ours(content, found, wanted)
        kept = found[: len(wanted)]
        self.done, self.end, self.torn, self.failure = done, sum(map(len, kept)), True, None
        self.path.touch()
        self._append(wanted[len(kept) :])

    def aside(self, number: int) -> Path:
        """Return a name for a file that makes room for another run."""
        return self.path.with_name(f"{self.path.name}.{number}")

    def __call__(self, moment: Any) -> None:
        """Append the epochs up to `moment.epoch`, taken from `moment.history`."""
        if self.done < 0:
            self.begin(moment.history)
        self.advance(moment.history, moment.epoch)

    def advance(self, history: Curves, stop: int) -> None:
        """Append the epochs that the file lacks, up to `stop`; warn when the file cannot be written."""
        lines = [line for epoch in range(self.done, stop) for line in self.records(history, epoch)]
        try:
            self._append(lines)
        except OSError as error:
            if self.failure is None:
                warnings.warn(
                    f"log: {self.path} cannot be written ({error}). The run goes on; the epochs after "
                    f"{self.done} are written after a later chunk, when there is room",
                    RuntimeWarning, stacklevel=2,
                )  # fmt: skip
            self.failure, self.missing = error, (history, stop)
        else:
            self.done, self.failure = stop, None

    def close(self) -> None:
        """Write what is missing still, and force the file to the disk.

        Raises:
            LogError: not all epochs could be written; the file holds `done` whole ones.
        """
        if self.failure is not None:
            self.advance(*self.missing)
        try:
            if self.failure is not None:
                raise self.failure
            if self.done >= 0:
                _sync(self.path)
        except OSError as error:
            raise LogError(
                f"log: {self.path} holds {max(self.done, 0)} epochs; the others could not be written "
                f"({error}). Fix: make room, then log.{type(self).__name__}(path).write(history); the "
                "history is in `error.fitted.history` where `fit` raised this"
            ) from error

    def write(self, history: Curves) -> None:
        """Write a whole history at once; what the file holds already must be its beginning.

        Args:
            history: a `History`, or arrays (epochs, ...) by name.

        Raises:
            FormatError: the file holds another run.
            OSError: the file cannot be written.
        """
        self.begin(history, len(next(iter(history.values()), ())), resume=True)
        self.close()

    def _set_aside(self) -> bytes:
        """Rename a file of which nobody can tell whether it is of the run that begins; nothing is left."""
        path = next(path for path in map(self.aside, itertools.count(1)) if not path.exists())
        os.rename(self.path, path)
        warnings.warn(f"log: the run begins anew; what {self.path} held is now {path}", RuntimeWarning,
                      stacklevel=4)  # fmt: skip
        return b""

    def _append(self, records: list[bytes]) -> None:
        # Opened anew for each chunk: a file that was moved or changed meanwhile is noticed.
        with open(self.path, "r+b", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size != self.end and not self.torn:
                raise OSError(f"its size is {size}, not {self.end}: something else writes to it")
            file.truncate(self.end)
            file.seek(self.end)
            rest = memoryview(b"".join(records))
            length, self.torn = len(rest), True
            while rest:
                rest = rest[file.write(rest) :]
            self.end, self.torn = self.end + length, False

    def _require_ours(self, content: bytes, found: list[bytes], wanted: list[bytes]) -> None:
        rest, pairs = content[sum(map(len, found)) :], list(zip(found, wanted))
        if rest and len(found) < len(wanted):
            # What was cut short is the beginning of the next record.
            line = wanted[len(found)]
            pairs.append((rest[: len(line)], line[: len(rest)]))
        for record, line in pairs:
            if not self.same(record, line):
                raise FormatError(
                    explain("log", "path", got=f"{self.path}, which holds {_short(record)}",
                            expected=f"{_short(line)}, as in the run that goes on",
                            fix="another path: this file belongs to another run")
                )  # fmt: skip


def columns(curves: Curves) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return (label, name, index) of every number of an epoch: ``"loss"``, or ``"w[0,1]"`` of an array."""
    found = []
    for name, values in curves.items():
        indices = np.ndindex(*np.shape(values)[1:]) if np.ndim(values) > 1 else [()]
        for index in indices:
            label = f"{name}[{','.join(map(str, index))}]" if index else name
            found.append((label, name, index))
    return found


def _sync(path: Path) -> None:
    for target in (path, path.parent):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _short(record: bytes) -> str:
    return repr(record[:60].decode(errors="replace").rstrip("\n")) + ("..." if len(record) > 60 else "")
