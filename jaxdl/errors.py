"""The errors that jaxdl raises, each worded as: where, what was got, what was expected, how to mend it."""

from typing import Any


class ShapeError(ValueError):
    """An array has the wrong rank or shape."""


class DtypeError(TypeError):
    """An array has the wrong dtype, or an argument is no array at all."""


class FormatError(ValueError):
    """A file or a data set is malformed: bad bytes, wrong digest, labels out of range, NaN features."""


class LockError(RuntimeError):
    """Another process holds what only one may hold, such as a folder of checkpoints; the message names it."""


class CheckpointWarning(UserWarning):
    """A checkpoint is damaged and an older one is taken, or a resumed run is not bit-exact."""


class MissingExtraError(ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class DivergenceError(ArithmeticError):
    """A training run left the finite numbers.

    Attributes:
        step: the first bad step, counted from 0 over the whole run.
        epoch: the epoch that holds it, counted from 0.
        cause: ``"loss"``, ``"gradient"``, ``"label"`` or ``"parameters"``.
        member: index of the run inside a sweep, or None.
        last_good: the training state at the start of the chunk that diverged, or None.
        line: ``file:line in function`` of the code that made the first number that is not finite, or None
            where the replay of the step did not find it.
        norms: Euclidean norms at the step by leaf, ``{"gradients": {name: norm}, "parameters": {...}}``, or
            None; the parameters are those before the update.
    """

    def __init__(
        self,
        message: str,
        *,
        step: int,
        epoch: int,
        cause: str,
        member: int | None = None,
        last_good: Any = None,
        line: str | None = None,
        norms: dict[str, dict[str, float]] | None = None,
    ) -> None:
        super().__init__(message)
        self.step = step
        self.epoch = epoch
        self.cause = cause
        self.member = member
        self.last_good = last_good
        self.line = line
        self.norms = norms


class Interrupted(KeyboardInterrupt):
    """A training run was stopped by Ctrl-C, or another signal, after a whole chunk of epochs.

    Attributes:
        fitted: the `Fitted` so far; the `Sweep` so far, where `jaxdl.train.sweep` was stopped.
        epoch: whole epochs that it was trained for.
    """

    def __init__(self, message: str, *, fitted: Any, epoch: int) -> None:
        super().__init__(message)
        self.fitted = fitted
        self.epoch = epoch


class LogError(OSError):
    """The metrics of a run could not be written in full; the run itself is whole.

    Attributes:
        fitted: the `Fitted`, or None where `jaxdl.train.fit` did not raise it.
    """

    fitted: Any = None


class DivergenceWarning(UserWarning):
    """Some members of a sweep left the finite numbers; the others are as they would be without them."""


class GradientError(ArithmeticError):
    """A gradient does not agree with the difference quotients of its function.

    Attributes:
        report: the `jaxdl.gradcheck.Report` that says where and by how much.
    """

    def __init__(self, message: str, *, report: Any) -> None:
        super().__init__(message)
        self.report = report


def explain(op: str, argument: str, *, got: object, expected: object, fix: str) -> str:
    """Word an error: ``op: argument 'x' is <got>; expected <expected>. Fix: <fix>``."""
    return f"{op}: argument '{argument}' is {got}; expected {expected}. Fix: {fix}"
