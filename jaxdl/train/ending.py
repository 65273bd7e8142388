"""How a run ends: its logs are closed, and a signal or a full disk is reported with nothing lost."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from jaxdl.errors import Interrupted, LogError
from jaxdl.train.fitted import Fitted
from jaxdl.train.interrupt import StopSignal
from jaxdl.train.log import Writer
from jaxdl.train.session import Moment


class Closing:
    """Closes the logs of a run, also of one that fails; `fault` keeps the first log that is not whole."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self.writers = writers
        self.fault: LogError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self.writers:
            try:
                writer.close()
            except LogError as fault:
                self.fault = self.fault or fault
        if error is not None and self.fault is not None:
            error.add_note(f"Besides, {self.fault}")


def end(
    fitted: Fitted, moment: Moment, stop: StopSignal, fault: LogError | None, folder: Path | None = None
) -> Fitted:
    """Return what was trained, or raise what must not be passed over.

    Args:
        fitted: what was trained so far.
        moment: where the run stands.
        stop: the signals of the run.
        fault: a log that could not be written, or None.
        folder: where the state was saved, or None.

    Returns:
        `fitted`.

    Raises:
        Interrupted: a signal came; it holds `fitted` and says how to go on.
        LogError: a log is not whole; it holds `fitted`.
    """
    if stop.name is not None:
        raise Interrupted(
            _interrupted(moment, stop.name, folder), fitted=fitted, epoch=moment.epoch
        ) from fault
    if fault is not None:
        fault.fitted = fitted
        raise fault
    return fitted


def _interrupted(moment: Moment, name: str, folder: Path | None) -> str:
    begun = f" and {moment.cursor} steps of the next" if moment.cursor else ""
    where = f"fit: {name} stopped the run after epoch {moment.epoch} of {moment.epochs}{begun}. "
    if folder is None:
        return where + (
            "The network so far is in `error.fitted`; without a checkpoint the run cannot go on. "
            "Fix: fit(..., checkpoint='runs/a') saves it, and resume=True goes on"
        )
    return where + f"It is saved. Fix: go on with fit(..., checkpoint={str(folder)!r}, resume=True)"
