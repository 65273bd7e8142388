"""The progress of a run, on the terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxdl import _checks
from jaxdl.train.history import History

LOG_WIDTH = 140
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
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
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

    def epoch(self, done: int, history: History, examples_per_second: float) -> None:
        """Show that `done` epochs are over."""
        if self.style == "lines":
            for number in range(self.shown, done):
                self.bar.console.print(history.line(number), highlight=False)
        self.shown = done
        status = "  ".join(
            f"{name} {history[name][done - 1]:.4f}" for name in history if history[name].ndim == 1
        )
        status += f"  {examples_per_second:,.0f} examples/s"
        self.bar.update(self.task, completed=done, status=status)
