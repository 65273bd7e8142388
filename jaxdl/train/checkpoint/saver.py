"""The hook of a run that saves it, and what a resumed run begins with."""

import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import numpy as np

from jaxdl.errors import DivergenceError, DtypeError, explain
from jaxdl.train.checkpoint.identity import compare
from jaxdl.train.checkpoint.pack import Packed
from jaxdl.train.checkpoint.policy import Checkpoint
from jaxdl.train.checkpoint.store import Store
from jaxdl.train.session import Moment
from jaxdl.train.spec import Carry

# Rows of the history may be NaN; early stopping and some optimizers begin with an infinite best value.
NAN, INFINITE = ("history", "stopping"), ("opt_state", "state")


class Saver:
    """Saves a run as `Checkpoint` says: the last of the hooks, and a context that holds the folder.

    The state is copied and checked in the thread of the run, and written in another while the run goes on;
    before the next one is taken, and at the end, the writing is waited for, and an error in it is raised.

    Args:
        checkpoint: the policy, or a folder for the default one.
        resume: go on from the newest good step, where there is one; False refuses a folder that has one.

    Attributes:
        resumed: the record of the step that the run goes on from, or None.

    Raises:
        LockError: another process holds the folder.
        ValueError: the folder holds a run, and `resume` is False.
    """

    def __init__(self, checkpoint: str | Path | Checkpoint, *, resume: bool = False) -> None:
        self.policy = policy_of(checkpoint)
        if not isinstance(resume, bool):
            raise DtypeError(
                explain("fit", "resume", got=f"a {type(resume).__name__}", expected="True or False",
                        fix="resume=True")
            )  # fmt: skip
        self.resume = resume
        self.store = Store(self.policy.folder, keep=self.policy.keep, mode=self.policy.mode)
        self.record: dict[str, Any] = {}
        self.resumed: dict[str, Any] | None = None
        self._saved, self._epoch, self._time = -1, 0, 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[Path] | None = None

    def __enter__(self) -> Self:
        self.store.__enter__()
        steps = self.store.steps()
        if steps and not self.resume:
            self.store.__exit__(None, None, None)
            raise ValueError(
                explain("fit", "checkpoint", got=f"{self.store.folder}, with a run of {steps[-1]} epochs",
                        expected="a folder without a run", fix="resume=True, or another folder")
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.wait()
        except Exception as failure:
            if error is None:
                raise
            error.add_note(f"Besides, the last checkpoint was not written: {failure}")
        finally:
            self._thread.shutdown()
            self.store.__exit__(kind, error, trace)

    def begin(self, carry: Carry, record: Mapping[str, Any]) -> Carry:
        """Return the state to begin with: that of the newest good step, or `carry` where there is none.

        Args:
            carry: the state at the start of the run; what is restored is placed as it is.
            record: what `describe` says of the run; it is saved with every step.

        Returns:
            The state.

        Raises:
            ValueError: the saved run is another one; it says in what.
            ShapeError, DtypeError: the saved state has other shapes or dtypes.
            FormatError: no step is whole, or one is of a newer version.
        """
        self.record = dict(record)
        if self.policy.best is not None:
            self._check_best(carry)
            # With the run, as scores of another curve or mode cannot be compared with these.
            self.record["best"] = [self.policy.best, self.policy.mode]
        saved = self.store.restore(lambda found: self._like(carry, found))
        if saved is None:
            return carry
        self.resumed = dict(saved.record)
        self._saved, self._epoch = saved.record["cursor"], saved.record["epoch"]
        history = {name: _padded(saved.tree["history"][name], whole) for name, whole in carry.history.items()}
        return Carry(**(saved.tree | {"history": history}))

    def until(self, epoch: int) -> int | None:
        """Return the next epoch after which a chunk has to end, or None."""
        every = self.policy.every
        return None if every is None or self.policy.seconds is not None else (epoch // every + 1) * every

    def __call__(self, moment: Moment) -> None:
        """Save, where it is due, while the run goes on."""
        if self._due(moment):
            self._hand_over(moment)

    def save(self, moment: Moment) -> None:
        """Save now, and return when it is on the disk."""
        self._hand_over(moment)
        self.wait()

    def wait(self) -> None:
        """Wait for what is being written, and raise its error."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def _due(self, moment: Moment) -> bool:
        policy = self.policy
        if moment.epoch == moment.epochs or moment.stopped is not None:
            return True
        if policy.every is not None and moment.epoch // policy.every <= self._epoch // policy.every:
            return False
        return policy.seconds is None or moment.seconds - self._time >= policy.seconds

    def _hand_over(self, moment: Moment) -> None:
        if moment.step == self._saved:
            return
        self.wait()
        # An epoch that has begun has its row, where a stream collects what its steps record.
        rows = moment.epoch + (moment.cursor > 0)
        history = {name: np.asarray(values)[:rows] for name, values in moment.carry.history.items()}
        tree = moment.carry._asdict() | {"history": history}
        try:
            packed = self.store.check(tree, nan=NAN, infinite=INFINITE)
        except ValueError as error:
            raise DivergenceError(
                f"fit: the state after {moment.epoch} epochs is not saved: {error}",
                step=moment.step - 1, epoch=moment.epoch - (moment.cursor == 0), cause="parameters",
            ) from error  # fmt: skip
        best = self.policy.best
        score = None if best is None or moment.cursor else float(moment.history[best][-1])
        place = {"epoch": moment.epoch, "cursor": moment.step, "rows": rows}
        stream = {"place": (moment.epoch, moment.cursor), "source": moment.source_state}
        record = self.record | place | (stream if self.record.get("streamed") else {})
        number = moment.step if self.record.get("streamed") else moment.epoch
        self._pending = self._thread.submit(self._write, number, packed, record, score)
        self._saved, self._epoch, self._time = moment.step, moment.epoch, moment.seconds

    def _write(self, number: int, packed: Packed, record: dict[str, Any], score: float | None) -> Path:
        return self.store.write(number, packed, record, score=score)

    def _like(self, carry: Carry, found: dict[str, Any]) -> dict[str, Any]:
        """Return what the saved tree has to be like; a longer run has saved fewer rows of its history."""
        compare(found, self.record)
        was, now = found.get("best"), self.record.get("best")
        if was not in (None, now):
            raise ValueError(
                explain("Checkpoint", "best", got=now, expected=f"{was}, as in the run that is resumed",
                        fix=f"Checkpoint(folder, best='{was[0]}', mode='{was[1]}')")
            )  # fmt: skip
        rows, epochs = found["rows"], self.record["epochs"]
        if rows > epochs:
            raise ValueError(
                explain("fit", "epochs", got=epochs, expected=f"at least {rows}, which are trained",
                        fix=f"epochs={found['epochs']}")
            )  # fmt: skip
        history = {
            name: np.empty((rows, *whole.shape[1:]), whole.dtype) for name, whole in carry.history.items()
        }
        return carry._asdict() | {"history": history}

    def _check_best(self, carry: Carry) -> None:
        curves = [name for name, values in carry.history.items() if values.ndim == 1]
        if self.policy.best not in curves:
            raise ValueError(
                explain("Checkpoint", "best", got=repr(self.policy.best), expected=f"one of {curves}",
                        fix="pass valid= and metrics= for what is to be measured")
            )  # fmt: skip


def policy_of(checkpoint: str | Path | Checkpoint) -> Checkpoint:
    """Return the policy that `fit` was given, or the default one of a folder.

    Args:
        checkpoint: a `Checkpoint`, or a folder.

    Returns:
        The policy.

    Raises:
        DtypeError: it is neither.
    """
    if isinstance(checkpoint, Checkpoint):
        return checkpoint
    if isinstance(checkpoint, str | os.PathLike):
        return Checkpoint(Path(checkpoint))
    raise DtypeError(
        explain("fit", "checkpoint", got=f"a {type(checkpoint).__name__}",
                expected="a folder or a Checkpoint", fix="checkpoint='runs/first'")
    )  # fmt: skip


def _padded(rows: np.ndarray, whole: jax.Array) -> jax.Array:
    """Return the history with its first rows filled in, placed as it was."""
    values = np.array(whole)
    values[: len(rows)] = rows
    return jax.device_put(values, whole.sharding if whole.committed else None)
