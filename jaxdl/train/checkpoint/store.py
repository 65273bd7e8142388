"""A folder of steps: each whole or not there, verified before it is read, the older ones pruned."""

import contextlib
import json
import os
import re
import uuid
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from jaxdl import _checks
from jaxdl.errors import CheckpointWarning, FormatError, LockError, explain
from jaxdl.train.checkpoint import arrays, files, manifest
from jaxdl.train.checkpoint.lock import Lock
from jaxdl.train.checkpoint.manifest import Damaged
from jaxdl.train.checkpoint.pack import Leaf, Packed, check_like, digests, pack, unhealthy, unpack

NAME = re.compile(r"step_(\d{8,})")
TEMPORARY = ".tmp-"


class Saved(NamedTuple):
    """A step as it was saved.

    Attributes:
        step: its number.
        tree: the arrays.
        record: what was saved beside them, as JSON holds it.
        score: its score, or None.
    """

    step: int
    tree: Any
    record: dict[str, Any]
    score: float | None


class Store:
    """A folder of checkpoints, held by one process at a time: ``with Store(folder) as store``.

    A step is written into a temporary folder by Orbax, a manifest with the SHA-256 of every file is added,
    all is forced to the disk, and one rename puts it in its place: a process that is killed leaves the old
    state or the new one. Digests find damage by chance, not by intent: no one signs them.

    A run of several processes (`jax.distributed`) is refused: Orbax saves from all processes together or not
    at all, which one lock and one manifest do not fit. The arrays of one process may lie on many devices.

    Args:
        folder: where the steps are; made if it is missing.
        keep: how many of the newest steps to keep; None keeps all. The best one is kept besides.
        mode: whether the best score is the least (``"min"``) or the greatest (``"max"``).
        writable: False takes no lock and writes nothing, to read what another process writes.

    Raises:
        LockError: another process holds the folder.
        OSError: the folder cannot be made or written.
        ValueError: the run has several processes, or an argument is out of range.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, Store(folder, keep=2) as store:
        ...     for step in (1, 2, 3):
        ...         _ = store.save(step, {"w": np.full(2, step)}, {"seed": 0})
        ...     steps, saved = store.steps(), store.restore({"w": np.zeros(2, int)})
        >>> steps, saved.step, saved.tree["w"].tolist(), saved.record
        ([2, 3], 3, [3, 3], {'seed': 0})
    """

    def __init__(
        self, folder: str | Path, *, keep: int | None = 3, mode: str = "min", writable: bool = True
    ) -> None:
        self.folder = Path(folder).absolute()
        self.keep = None if keep is None else _checks.positive_integer("Store", "keep", keep)
        self.mode = mode
        _checks.one_of("Store", "mode", mode, ("min", "max"))
        self._writes = writable
        # Asking for the number of processes alone would start a device.
        if jax.distributed.is_initialized() and jax.process_count() > 1:
            raise ValueError(
                explain("Store", "folder", got=f"for {jax.process_count()} processes",
                        expected="one process, on as many devices as it has",
                        fix="save what was trained in the first process, by train.save")
            )  # fmt: skip
        self._lock = Lock(self.folder)
        self._held = False
        # Steps that are damaged, or whose rename was perhaps not made: a new one may take their place.
        self._bad: set[int] = set()
        self._scores: dict[int, float | None] = {}

    def __enter__(self) -> Self:
        if self._writes:
            os.makedirs(self.folder, exist_ok=True)
            self._lock.acquire()
            self._held = True
            try:
                self._clean()
            except BaseException as error:
                self.__exit__(type(error), error, None)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held:
            self._held = False
            self._lock.release()

    def steps(self) -> list[int]:
        """Return the numbers of the steps in the folder, rising; loading shows whether they are whole."""
        if not self.folder.is_dir():
            return []
        found = (NAME.fullmatch(name) for name in os.listdir(self.folder))
        return sorted(int(match[1]) for match in found if match)

    @property
    def best(self) -> int | None:
        """The step with the best score, the first of equals; None where none has a score."""
        scores = {step: self._score(step) for step in self.steps() if step not in self._bad}
        known = [step for step, score in scores.items() if score is not None]
        sign = 1 if self.mode == "min" else -1
        return min(known, key=lambda step: (sign * (scores[step] or 0.0), step), default=None)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the records of the steps, the newest first, without arrays; damaged ones are left out."""
        for step in reversed(self.steps()):
            with contextlib.suppress(Damaged):
                yield manifest.read(self._path(step))["record"]

    def save(
        self,
        step: int,
        tree: Any,
        record: Mapping[str, Any],
        *,
        score: float | None = None,
        nan: Collection[str] = (),
        infinite: Collection[str] = (),
    ) -> Path:
        """Write a step, and remove those that are no longer kept.

        Args:
            step: its number, not below 0; a step that is there is not written anew unless it is damaged.
            tree: arrays; NaN or infinity among them is refused, so that no good step gives way to it.
            record: what else is to be kept, as JSON.
            score: decides which step is the best; NaN counts as none.
            nan: top-level names of `tree` below which NaN and infinity are allowed.
            infinite: top-level names below which infinity is allowed.

        Returns:
            The folder of the step.

        Raises:
            ValueError: numbers that are not finite, a step that is there, or a record that is no JSON.
            DtypeError: a leaf of `tree` that is no array.
            LockError: the folder is not held (any more).
            OSError: it cannot be written; what was there is as it was.
        """
        return self.write(step, self.check(tree, nan=nan, infinite=infinite), record, score=score)

    def check(self, tree: Any, *, nan: Collection[str] = (), infinite: Collection[str] = ()) -> Packed:
        """Copy a tree to the host and refuse it unless it is finite: the first half of `save`."""
        packed = pack(tree)
        if fault := unhealthy(packed, {*nan}, {*infinite, *nan}):
            raise ValueError(
                explain("Store.save", "tree", got=fault, expected="finite numbers",
                        fix="go on from the last good step; it is kept")
            )  # fmt: skip
        if not packed.buffers:
            raise ValueError(
                explain(
                    "Store.save", "tree", got="without a number", expected="at least one", fix="save params"
                )
            )
        return packed

    def write(
        self, step: int, packed: Packed, record: Mapping[str, Any], *, score: float | None = None
    ) -> Path:
        """Write what `check` returned: the second half of `save`, which another thread may do."""
        step = _checks.positive_integer("Store.save", "step", step, least=0)
        path = self._path(step)
        if not self._writes:
            return path
        if not self._held:
            raise LockError(f"Store.save: {self.folder} is not held. Fix: with Store(folder) as store: ...")
        if path.exists() and step not in self._bad:
            raise ValueError(
                explain("Store.save", "step", got=f"{step}, which is saved", expected="a new step",
                        fix="restore it, and go on from there")
            )  # fmt: skip
        score = None if score is None or np.isnan(score) else float(score)
        body = {"step": step, "score": score, "record": _plain(record), "buffers": digests(packed.buffers),
                "leaves": packed.leaves}  # fmt: skip
        self._commit(step, packed, body)
        self._scores[step] = score
        self._prune(step)
        return path

    def restore(
        self,
        like: Any | Callable[[dict[str, Any]], Any],
        *,
        step: int | None = None,
        within: Callable[[dict[str, Any]], tuple[str, ...]] | None = None,
    ) -> Saved | None:
        """Return the newest step that is whole, every byte of it verified before it is read.

        Args:
            like: the tree, of arrays or of their shapes and dtypes; what has a sharding is placed by it. Or
                a function of the record that returns it, called before an array is read.
            step: take this step and no other.
            within: a function of the record that returns beginnings of paths, such as ``("params/",)``: the
                leaves below them are taken, and `like` holds no others. None takes all.

        Returns:
            `Saved`, or None where there is no step. A damaged step is named in a `CheckpointWarning`,
            and the one before it is taken.

        Raises:
            FormatError: every step is damaged, or the one that was asked for; or one is of a newer version.
            ShapeError, DtypeError: `like` differs from what was saved.
            KeyError: there is no such step.
        """
        steps = self.steps()
        if step is not None and step not in steps:
            raise KeyError(f"Store.restore: there is no step {step} in {self.folder}; there are {steps}")
        reasons: dict[int, str] = {}
        for number in reversed(steps) if step is None else [step]:
            try:
                saved = self._load(number, like, within or _everything)
            except Damaged as damage:
                reasons[number] = str(damage)
                self._bad.add(number)
                continue
            self._bad.discard(number)
            for bad, reason in reasons.items():
                warnings.warn(
                    f"checkpoint: step {bad} in {self.folder} is damaged: {reason}. Step {number} is taken",
                    CheckpointWarning, stacklevel=2,
                )  # fmt: skip
            return saved
        if not reasons:
            return None
        listed = "; ".join(f"step {number}: {reason}" for number, reason in reasons.items())
        raise FormatError(
            f"checkpoint: no step in {self.folder} is whole: {listed}. "
            "Fix: take a copy of the folder, or start anew"
        )

    def _load(self, step: int, like: Any, within: Callable[[dict[str, Any]], tuple[str, ...]]) -> Saved:
        path = self._path(step)
        body = manifest.read(path)
        manifest.verify(path, body)
        begins = within(body["record"])
        leaves = [
            Leaf(entry[0], entry[1], tuple(entry[2]), tuple(entry[3]), *entry[4:])
            for entry in body["leaves"]
            if entry[0].startswith(begins)
        ]
        like = like(body["record"]) if callable(like) else like
        check_like(leaves, like)
        packed = Packed(leaves, arrays.load(path / manifest.ARRAYS, body["buffers"]))
        return Saved(body["step"], unpack(packed, like), body["record"], body["score"])

    def _commit(self, step: int, packed: Packed, body: dict[str, Any]) -> None:
        path, temporary = self._path(step), self._temporary()
        try:
            os.mkdir(temporary)
            arrays.save(temporary / manifest.ARRAYS, packed.buffers)
            manifest.write(temporary, body)
            files.sync_tree(temporary)
            self._lock.check()
            if path.exists():
                os.rename(path, self._temporary())
            os.rename(temporary, path)
            self._bad.add(step)
            files.sync_folder(self.folder)
            self._bad.discard(step)
        except BaseException:
            with contextlib.suppress(OSError):
                files.remove(temporary)
            raise

    def _prune(self, newest: int) -> None:
        """Remove what is not kept: `newest` was written this moment, and is the last good one."""
        steps = self.steps()
        good = [step for step in steps if step not in self._bad]
        kept = {newest, self.best, *(good if self.keep is None else good[-self.keep :])}
        stale = [step for step in good if step not in kept] + [
            step for step in steps if step in self._bad and step < newest
        ]
        try:
            for step in stale:
                # Renamed first: half a step is never taken for a damaged one.
                os.rename(self._path(step), self._temporary())
                self._bad.discard(step)
            self._clean()
        except OSError as error:
            warnings.warn(
                f"checkpoint: an old step in {self.folder} could not be removed: {error}",
                CheckpointWarning,
                stacklevel=4,
            )

    def _clean(self) -> None:
        for name in os.listdir(self.folder):
            if name.startswith(TEMPORARY):
                files.remove(self.folder / name)

    def _score(self, step: int) -> float | None:
        if step not in self._scores:
            try:
                self._scores[step] = manifest.read(self._path(step))["score"]
            except (Damaged, FormatError):
                self._scores[step] = None
        return self._scores[step]

    def _path(self, step: int) -> Path:
        return self.folder / f"step_{step:08d}"

    def _temporary(self) -> Path:
        return self.folder / f"{TEMPORARY}{uuid.uuid4().hex}"


def _everything(record: dict[str, Any]) -> tuple[str, ...]:
    return ("",)


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return json.loads(json.dumps(dict(record), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            explain("Store.save", "record", got=f"not to be written as JSON ({error})",
                    expected="numbers, text, lists and dicts", fix="put arrays into the tree")
        ) from error  # fmt: skip
