"""What stands around a run on the host: the bar, logs, checkpoints, callbacks and signals."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax

from jaxdl.errors import explain
from jaxdl.train import session
from jaxdl.train.checkpoint import Checkpoint, Saver
from jaxdl.train.ending import Closing, end
from jaxdl.train.fitted import Fitted
from jaxdl.train.interrupt import StopSignal
from jaxdl.train.log import writers
from jaxdl.train.progress import Reporter
from jaxdl.train.session import Hook, Moment
from jaxdl.train.spec import Carry


class Host:
    """The surroundings of one run; `fit` says what the arguments are. Used as a context around it.

    Attributes:
        reporter: the bar.
        stop: the signals that end the run.
        hooks: what is called after every chunk: logs, callbacks, signals, and last the saver, which sees why
            the others end the run.
    """

    def __init__(
        self,
        epochs: int,
        *,
        progress: str,
        callbacks: Sequence[Hook],
        log: Any,
        stop_on: Sequence[str],
        checkpoint: str | Path | Checkpoint | None,
        resume: bool,
    ) -> None:
        checked = session.check_callbacks(callbacks)
        # One of several processes speaks for all.
        self.reporter = Reporter(progress if jax.process_index() == 0 else "off", epochs)
        found = writers(log)
        self.logs = Closing(found if jax.process_index() == 0 else [])
        self.stop, self.resume = StopSignal(stop_on), resume
        if checkpoint is None and resume:
            raise ValueError(
                explain("fit", "resume", got=True, expected="False without a checkpoint",
                        fix="checkpoint='runs/first'")
            )  # fmt: skip
        if checkpoint is not None and jax.process_count() > 1:
            # Orbax lets every process take part in each save, also where one alone is told to write.
            raise ValueError(
                explain("fit", "checkpoint", got=f"given in one of {jax.process_count()} processes",
                        expected="None with several processes",
                        fix="one process with many devices, or save what was trained in the first process")
            )  # fmt: skip
        self.saver = None if checkpoint is None else Saver(checkpoint, resume=resume)
        savers = [] if self.saver is None else [self.saver]
        self.hooks: list[Hook] = [*self.logs.writers, *checked, self.stop, *savers]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for part in (self.saver, self.logs, self.reporter):
                if part is not None:
                    stack.enter_context(part)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def begin(self, carry: Carry, description: Callable[[], dict[str, Any]]) -> Carry:
        """Return the state that the run begins with: a saved one where it is resumed; logs begin there."""
        if self.saver is not None:
            carry = self.saver.begin(carry, description())
        epoch = int(carry.epoch)
        for writer in self.logs.writers:
            writer.begin(session.history_of(carry), epoch, resume=self.resume)
        return carry

    @property
    def resumed(self) -> dict[str, Any] | None:
        """The record of the step that the run goes on from, or None."""
        return None if self.saver is None else self.saver.resumed

    def end(self, fitted: Fitted, moment: Moment) -> Fitted:
        """Return what was trained, or raise what must not be passed over: a signal, a log with a gap."""
        folder = None if self.saver is None else Path(self.saver.policy.folder)
        return end(fitted, moment, self.stop, self.logs.fault, folder)
