"""The errors that jaxdl raises, each worded as: where, what was got, what was expected, how to mend it."""

from typing import Any


class ShapeError(ValueError):
    """An array has the wrong rank or shape."""


class DtypeError(TypeError):
    """An array has the wrong dtype, or an argument is no array at all."""


class FormatError(ValueError):
    """A file or a data set is malformed: bad bytes, wrong digest, labels out of range, NaN features."""


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
    ) -> None:
        super().__init__(message)
        self.step = step
        self.epoch = epoch
        self.cause = cause
        self.member = member
        self.last_good = last_good


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
