"""When to save, and what to keep."""

import dataclasses
from pathlib import Path

from jaxdl import _checks
from jaxdl.errors import DtypeError, explain


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Where a run is saved, how often, and what is kept; ``fit(checkpoint="folder")`` is the default of all.

    A run is saved when its last epoch is over, when it is interrupted, and in between: every `every` epochs
    exactly, or at most once in `seconds`, or (both) by the epoch but not more often than `seconds` allow.

    Attributes:
        folder: of this run alone; made if it is missing.
        every: epochs between two saves; None leaves it to `seconds`.
        seconds: between two saves, at least; 1.0 where `every` and `best` are None too.
        keep: how many of the newest to keep; None keeps all.
        best: a name of the history, such as "valid_loss": the best of the saved epochs by it is kept besides,
            and `train.restore` reads it. An epoch that is not saved does not compete: so where neither
            `every` nor `seconds` is given, `every` is 1.
        mode: whether the best is the least (``"min"``) or the greatest (``"max"``).

    Raises:
        ValueError: an entry out of range.
        DtypeError: a count that is no whole number, or a name that is no text.

    Example:
        >>> policy = Checkpoint("runs/first", best="valid_loss")
        >>> policy.keep, policy.every
        (3, 1)
    """

    folder: str | Path
    every: int | None = None
    seconds: float | None = None
    keep: int | None = 3
    best: str | None = None
    mode: str = "min"

    def __post_init__(self) -> None:
        if not isinstance(self.folder, str | Path) or not isinstance(self.best, str | None):
            name = "best" if isinstance(self.folder, str | Path) else "folder"
            raise DtypeError(
                explain("Checkpoint", name, got=f"a {type(getattr(self, name)).__name__}", expected="text",
                        fix="Checkpoint('runs/first', best='valid_loss')")
            )  # fmt: skip
        for name in ("every", "keep"):
            if getattr(self, name) is not None:
                _checks.positive_integer("Checkpoint", name, getattr(self, name))
        if self.every is None and self.seconds is None:
            name, value = ("seconds", 1.0) if self.best is None else ("every", 1)
            object.__setattr__(self, name, value)
        if self.seconds is not None:
            _checks.in_range("Checkpoint", "seconds", self.seconds, 0.0, float("inf"), "[0, inf)")
        _checks.one_of("Checkpoint", "mode", self.mode, ("min", "max"))
