"""The progress of a run, on the terminal."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from jaxdl import _checks
from jaxdl.train.history import History

LOG_WIDTH = 140
BAR_WIDTH = 16
REMAINING_WIDTH = 7
GAPS = 4
STYLES = ("bar", "lines", "off")
NOTED_SECONDS = 0.1


class Seconds(ProgressColumn):
    """The seconds since the start, as ``3.2 s``."""

    def render(self, task: Task) -> Text:
        """Word the seconds."""
        return Text(f"{task.elapsed or 0.0:.1f} s")


class Spinner:
    """Shows that the compiler is at work, live on a terminal; a log gets one line at the end."""

    def __init__(self, style: str, *, console: Console | None = None) -> None:
        self.console, self.shown = console or Console(soft_wrap=True), style != "off"
        self.live = Progress(
            SpinnerColumn(),
            TextColumn("compiling"),
            Seconds(),
            console=self.console,
            transient=True,
            disable=not (self.shown and self.console.is_terminal),
        )

    def start(self) -> None:
        """Begin to turn."""
        self.live.add_task("")
        self.live.start()

    def stop(self, seconds: float | None = None) -> None:
        """End, and where there is no terminal say how long it took, unless that is next to nothing."""
        self.live.stop()
        if seconds is not None and seconds >= NOTED_SECONDS and self.shown and not self.console.is_terminal:
            self.console.print(f"compiled in {seconds:.1f} s", highlight=False)


class Reporter:
    """Shows a live bar (``"bar"``), a bar and a line an epoch (``"lines"``), or nothing (``"off"``).

    Until `compiled` is called, a spinner turns in the place of the bar.
    """

    def __init__(self, style: str, epochs: int, *, console: Console | None = None) -> None:
        _checks.one_of("fit", "progress", style, STYLES)
        self.style, self.epochs, self.shown = style, epochs, 0
        screen = console or Console(soft_wrap=True)
        if not screen.is_terminal:
            screen.width = max(screen.width, LOG_WIDTH)
        self.bar = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=BAR_WIDTH, table_column=Column(min_width=BAR_WIDTH)),
            MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=2 * len(str(epochs)) + 1)),
            TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=REMAINING_WIDTH)),
            TextColumn("{task.fields[status]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=screen,
            # Where nothing is live, rich would end the lines with an empty one.
            disable=style == "off" or (style == "lines" and not screen.is_interactive),
            transient=style == "lines",
        )
        self.spinner = Spinner(style, console=screen)
        self.task = self.bar.add_task("epoch", total=epochs, status="")

    def __enter__(self) -> Self:
        self.spinner.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.spinner.stop()
        self.bar.stop()

    def compiled(self, seconds: float) -> None:
        """Say that compilation is over, and begin with the bar."""
        self.spinner.stop(seconds)
        self.bar.start()
        self.status([f"compiled in {seconds:.1f} s"])

    def segment(
        self, done: int, step: int, steps: int | None, history: History, examples_per_second: float
    ) -> None:
        """Show that `done` epochs are over, and `step` steps of the next one."""
        if step == 0:
            return self.epoch(done, history, examples_per_second)
        of = "" if steps is None else f" of {steps}"
        self.status([f"step {step}{of}", f"{examples_per_second:,.0f} examples/s"])

    def epoch(self, done: int, history: History, examples_per_second: float) -> None:
        """Show that `done` epochs are over."""
        if self.style == "lines":
            for number in range(self.shown, done):
                self.bar.console.print(history.line(number), highlight=False)
        self.shown = done
        cells = [f"{name} {history[name][done - 1]:.4f}" for name in history if history[name].ndim == 1]
        self.status([f"{examples_per_second:,.0f} examples/s", *reversed(cells)], done)

    def status(self, cells: Sequence[str], done: int | None = None) -> None:
        """Show the cells beside the bar, the first ones first; what does not fit is left out whole."""
        status = ""
        for cell in cells:  # rich would cut it, or take the room from the bar
            longer = f"{status}  {cell}" if status else cell
            status = longer if len(longer) <= self.room else status
        self.bar.update(self.task, completed=done, status=status)

    @property
    def room(self) -> int:
        """Characters beside the bar."""
        total = len(str(self.epochs))
        return self.bar.console.width - len("epoch") - BAR_WIDTH - (2 * total + 1) - REMAINING_WIDTH - GAPS
