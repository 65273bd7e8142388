"""Stopping a run by a signal: the first lets the chunk end, so nothing is lost; the second stops at once."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Self

from jaxdl.errors import DtypeError, explain

UNCATCHABLE = ("SIGKILL", "SIGSTOP")
Handler = Callable[[int, FrameType | None], Any] | int | None


class StopSignal:
    """Notes the first of these signals instead of dying of it; a second one raises `KeyboardInterrupt`.

    Used as a context around the chunks of a run, and called after each of them. The handlers that were there
    before are put back on leaving, and at the second signal. Handlers can be set in the main thread only:
    elsewhere, and for a signal that the process ignores (``nohup``), nothing is changed.

    Args:
        names: of the signals, such as ``("SIGINT", "SIGTERM")``; none leaves Ctrl-C as it is.
        op: what is stopped, for messages.

    Raises:
        DtypeError: `names` is no sequence of strings.
        ValueError: there is no such signal, or it cannot be caught.

    Example:
        >>> with StopSignal(["SIGINT"]) as stop:
        ...     signal.raise_signal(signal.SIGINT)
        ...     stop.name
        'SIGINT'
    """

    def __init__(self, names: Sequence[str] = ("SIGINT",), *, op: str = "fit") -> None:
        self.op = op
        if isinstance(names, str) or not isinstance(names, Sequence):
            raise DtypeError(
                explain(op, "stop_on", got=repr(names), expected="a tuple of names of signals",
                        fix="stop_on=('SIGINT', 'SIGTERM')")
            )  # fmt: skip
        for name in names:
            if name not in signal.Signals.__members__ or name in UNCATCHABLE:
                raise ValueError(
                    explain(op, "stop_on", got=repr(name), expected="a signal that can be caught",
                            fix="stop_on=('SIGINT', 'SIGTERM')")
                )  # fmt: skip
        self.numbers = [signal.Signals[name] for name in names]
        self.name: str | None = None
        self.before: dict[signal.Signals, Handler] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self.numbers:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self.before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.restore()

    def __call__(self, moment: Any) -> str | None:
        """Return the name of the signal, once there was one: as a hook this ends the run."""
        return self.name

    def restore(self) -> None:
        """Put back the handlers that were there before."""
        while self.before:
            signal.signal(*self.before.popitem())

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.name is not None:
            self.restore()
            raise KeyboardInterrupt(f"{self.op}: stopped at once by a second {signal.Signals(number).name}")
        self.name = signal.Signals(number).name
        # Written directly: a handler may run in the middle of a print.
        os.write(2, f"\n{self.name}: the run stops after this chunk; again: at once\n".encode())
