"""The progress of a run, on the terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from jaxdl import _checks
from jaxdl.train.history import History

LOG_WIDTH = 140
BAR_WIDTH = 16
OTHER_COLUMNS = 34
STYLES = ("bar", "lines", "off")


class Reporter:
    """Shows a live bar (``"bar"``), a bar and a line an epoch (``"lines"``), or nothing (``"off"``)."""

    def __init__(self, style: str, epochs: int, *, console: Console | None = None) -> None:
        _checks.one_of("fit", "progress", style, STYLES)
        self.style, self.shown = style, 0
        screen = console or Console(soft_wrap=True)
        if not screen.is_terminal:
            screen.width = max(screen.width, LOG_WIDTH)
        self.bar = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=BAR_WIDTH, table_column=Column(min_width=BAR_WIDTH)),
            MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=2 * len(str(epochs)) + 1)),
            TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=7)),
            TextColumn("{task.fields[status]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=screen,
            disable=style == "off",
            transient=style == "lines",
        )
        self.task = self.bar.add_task("compiling", total=epochs, status="")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def compiled(self, seconds: float) -> None:
        """Say that compilation is over."""
        self.bar.update(self.task, description="epoch", status=f"compiled in {seconds:.1f} s")

    def segment(
        self, done: int, step: int, steps: int | None, history: History, examples_per_second: float
    ) -> None:
        """Show that `done` epochs are over, and `step` steps of the next one."""
        if step == 0:
            return self.epoch(done, history, examples_per_second)
        of = "" if steps is None else f" of {steps}"
        self.bar.update(self.task, status=f"step {step}{of}  {examples_per_second:,.0f} examples/s")

    def epoch(self, done: int, history: History, examples_per_second: float) -> None:
        """Show that `done` epochs are over."""
        if self.style == "lines":
            for number in range(self.shown, done):
                self.bar.console.print(history.line(number), highlight=False)
        self.shown = done
        cells = [f"{name} {history[name][done - 1]:.4f}" for name in history if history[name].ndim == 1]
        status = f"{examples_per_second:,.0f} examples/s"
        for cell in reversed(cells):
            # What does not fit is left out whole: rich would take the room from the bar.
            if len(status) + len(cell) + 2 <= self.bar.console.width - BAR_WIDTH - OTHER_COLUMNS:
                status += f"  {cell}"
        self.bar.update(self.task, completed=done, status=status)
