"""Where the batches of a stream come from: passes over a source, and how one of them is found again."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from jaxdl.errors import DtypeError, explain

SEEKABLE = "a function of the epoch, a sequence of batches, or iterators with get_state and set_state"


class Source(Protocol):
    """Passes over batches.

    Attributes:
        counted: whether the number of a batch is enough to find it again, in the epoch that was asked for.
        endless: whether there is one pass only, which a new epoch goes on with.
    """

    counted: bool
    endless: bool

    @property
    def seekable(self) -> bool:
        """Whether any batch is found again, by its number or by a state."""

    def open(self, epoch: int, step: int, state: Any) -> Iterator[Any]:
        """Return an iterator over the batches of an epoch from `step` on, or from a saved `state`."""

    def length(self) -> int | None:
        """Return the number of batches of a pass, where it is known."""


class Passes:
    """A function ``batches(epoch) -> iterable``: it gives the same batches whenever it is asked."""

    counted, endless, seekable = True, False, True

    def __init__(self, batches: Callable[[int], Iterable[Any]]) -> None:
        self.batches = batches

    def open(self, epoch: int, step: int, state: Any) -> Iterator[Any]:
        """Call the function and leave out the first `step` batches; a sequence is not read for that."""
        found = self.batches(epoch)
        if _indexed(found):
            return (found[i] for i in range(step, len(found)))  # type: ignore[index, arg-type]
        if not isinstance(found, Iterable):
            raise DtypeError(
                explain("Stream", f"source({epoch})", got=f"a {type(found).__name__}",
                        expected="an iterable of batches (inputs, targets)",
                        fix="return a list or a generator of the batches of this epoch")
            )  # fmt: skip
        return itertools.islice(found, step, None)

    def length(self) -> int | None:
        """A function may give any number."""
        return None


class Sequence:
    """Batches by number: ``source[i]`` and ``len(source)``."""

    counted, endless, seekable = False, False, True

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def open(self, epoch: int, step: int, state: Any) -> Iterator[Any]:
        """Read on from a number."""
        return _Numbered(self.batches, step if state is None else int(state))

    def length(self) -> int | None:
        """Return how many batches there are."""
        return len(self.batches)


class _Numbered(Iterator[Any]):
    """An iterator over a sequence that tells where it stands."""

    def __init__(self, batches: Any, number: int) -> None:
        self.batches, self.number = batches, number

    def __next__(self) -> Any:
        if self.number >= len(self.batches):
            raise StopIteration
        self.number += 1
        return self.batches[self.number - 1]

    def get_state(self) -> int:
        return self.number


class Iterated:
    """An iterable or an iterator, such as the loaders of PyTorch and grain."""

    counted = False

    def __init__(self, batches: Iterable[Any]) -> None:
        self.batches = batches
        self.endless = isinstance(batches, Iterator)

    @property
    def seekable(self) -> bool:
        """Whether the iterators tell and take their state, by the protocol of grain."""
        return hasattr(iter(self.batches), "set_state")

    def open(self, epoch: int, step: int, state: Any) -> Iterator[Any]:
        """Begin a pass, or go on from a saved state."""
        iterator = iter(self.batches)
        if state is not None:
            iterator.set_state(state)  # type: ignore[attr-defined]
        return iterator

    def length(self) -> int | None:
        """Return the length, where there is one."""
        try:
            return len(self.batches)  # type: ignore[arg-type]
        except TypeError:
            return None


def source(value: Any) -> Source:
    """Return the source of batches that `value` is, or raise `DtypeError`."""
    if isinstance(value, str | bytes | Mapping):
        raise _no_source(value)
    if _indexed(value):
        return Sequence(value)
    if isinstance(value, Iterable):
        return Iterated(value)
    if callable(value):
        return Passes(value)
    raise _no_source(value)


def _indexed(value: Any) -> bool:
    return hasattr(value, "__getitem__") and hasattr(value, "__len__")


def _no_source(value: Any) -> DtypeError:
    return DtypeError(
        explain("Stream", "source", got=f"a {type(value).__name__}",
                expected="an iterable of batches (inputs, targets), or a function of the epoch",
                fix="Stream(loader), or Stream(lambda epoch: batches_of(epoch))")
    )  # fmt: skip
