"""Training data larger than the device: batches from any iterable, checked at the door one by one."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax

from jaxdl import _checks
from jaxdl.data._named import Named, check_pair, count, dtype_of, numbers, shape_of, singles, words
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.train import sources

END: Any = object()


class Batch(NamedTuple):
    """One checked batch on the host, and where it stands.

    Attributes:
        epoch: number of the epoch, counted from 0.
        step: number of the batch in its epoch, counted from 0.
        inputs: (batch, ...), or a dict of such.
        targets: (batch, ...), or a dict of such.
        final: whether it is the last batch of its epoch.
        steps: batches of a whole epoch, where that is known; one more until a short last one was seen.
        state: what `Stream.seek` takes to go on after it; None where the source cannot be sought.
    """

    epoch: int
    step: int
    inputs: Named
    targets: Named
    final: bool
    steps: int | None
    state: dict[str, Any] | None

    @property
    def name(self) -> str:
        """What an error calls it: steps are counted from 0 and epochs from 1, as in `DivergenceError`."""
        return named(self.epoch, self.step)


def named(epoch: int, step: int) -> str:
    """Return what an error calls a batch."""
    return f"data, batch {step} (epoch {epoch + 1})"


class Stream:
    """Batches from outside of the device, for `fit` in the place of arrays.

    `source` is one of

    * a function ``batches(epoch) -> iterable of batches``, which gives the same batches whenever it is asked
      for the same epoch: a run can be resumed at any step, by leaving out what was seen;
    * a sequence of batches, ``source[i]`` and ``len(source)``, such as a list or a grain `MapDataset`,
      resumed in the same way;
    * an iterable that begins anew, such as the `DataLoader` of PyTorch or of grain; where its iterators have
      `get_state` and `set_state`, as those of grain do, a run can be resumed. Others may shuffle as they
      wish, so nothing can be sought in them: give `Stream(lambda epoch: loader)` for a loader that repeats;
    * an iterator, which is read once; it needs `steps`.

    A batch is a pair (inputs, targets) of arrays, or of dicts of arrays, of one shape and dtype, which the
    first batch fixes. Without
    `steps` an epoch is one pass, and each pass has as many batches as the first. With `steps` an epoch is so
    many batches: a function is called anew for each epoch and what is left of it is left out; iterables are
    read on from epoch to epoch, and begun anew where they end.

    The source is read in a thread. Worker processes of a loader have to be started by ``"spawn"`` or
    ``"forkserver"`` (``multiprocessing_context=`` in PyTorch), as jax has threads that a fork may block.

    Args:
        source: where the batches come from.
        steps: batches an epoch; None for a pass over the source.
        drop_remainder: leave out a batch that ends a pass and is shorter than the first. `False` makes it an
            error, since all batches of a compiled step have one shape.
        prefetch: segments that are made ahead and held on the device, beside the one that is trained on and
            the one that waits for a place. A segment holds up to 16 MiB of batches, or one batch.

    Attributes:
        dropped: examples that `drop_remainder` has left out so far.

    Raises:
        DtypeError: a source that is no iterable and no function.
        ValueError: an iterator without `steps`, or a number below 1.

    Example:
        >>> import numpy as np
        >>> whole, short = (np.ones((2, 1)), np.zeros(2)), (np.ones((1, 1)), np.zeros(1))
        >>> stream = Stream([whole, short], drop_remainder=True)
        >>> [(batch.epoch, batch.step, batch.inputs.shape) for batch in stream.read(epochs=2)], stream.dropped
        ([(0, 0, (2, 1)), (1, 0, (2, 1))], 2)
    """

    def __init__(
        self, source: Any, *, steps: int | None = None, drop_remainder: bool = False, prefetch: int = 2
    ) -> None:
        self.source = sources.source(source)
        if steps is None and self.source.endless:
            raise ValueError(
                explain("Stream", "steps", got="None for an iterator, which is read once",
                        expected="the batches an epoch", fix="Stream(iterator, steps=1000)")
            )  # fmt: skip
        self.steps = None if steps is None else _checks.positive_integer("Stream", "steps", steps)
        self.prefetch = _checks.positive_integer("Stream", "prefetch", prefetch)
        self.drop_remainder, self.dropped = drop_remainder, 0
        self._start: dict[str, Any] = {}

    def __repr__(self) -> str:
        source = type(self.source).__name__.lower()
        return (f"Stream({source}, steps={self.steps}, drop_remainder={self.drop_remainder}, "
                f"prefetch={self.prefetch})")  # fmt: skip

    @property
    def seekable(self) -> bool:
        """Whether a run over this stream can be resumed. Loaders are asked for an iterator to find out."""
        return self.source.seekable

    @property
    def length(self) -> int | None:
        """Batches an epoch, where that is known before the first pass; one more where the last is short."""
        return self.steps if self.steps is not None else self.source.length()

    def seek(self, epoch: int, step: int = 0, state: Mapping[str, Any] | None = None) -> None:
        """Begin the next run at a batch.

        Args:
            epoch: number of the epoch, counted from 0.
            step: batches of this epoch that were seen already.
            state: the state after the last of them, as a run saved it. It may be left out for a function of
                the epoch; and for a sequence where an epoch is a pass.

        Raises:
            ValueError: the source cannot be sought, or `state` is that of another batch.
        """
        epoch = _checks.positive_integer("Stream.seek", "epoch", epoch, least=0)
        step = _checks.positive_integer("Stream.seek", "step", step, least=0)
        counted = self.source.counted or (isinstance(self.source, sources.Sequence) and self.steps is None)
        if state is None and (epoch, step) != (0, 0) and not counted:
            raise ValueError(
                explain("Stream.seek", "state", got="None for a source whose batches have no number",
                        expected=f"the state that was saved with the run; seekable are {sources.SEEKABLE}",
                        fix="Stream(lambda epoch: batches_of(epoch)), or a loader of grain")
            )  # fmt: skip
        if state is not None and (state["epoch"], state["step"]) != (epoch, step):
            raise ValueError(
                explain("Stream.seek", "state", got=f"of epoch {state['epoch']}, step {state['step']}",
                        expected=f"that of epoch {epoch}, step {step}", fix="take both from the same record")
            )  # fmt: skip
        self._start = {"epoch": epoch, "step": step, **(state or {})}

    def read(self, epochs: int) -> Iterator[Batch]:
        """Yield the checked batches of a run up to `epochs`, from where `seek` put it.

        Args:
            epochs: number of epochs of the whole run.

        Raises:
            DtypeError, ShapeError, FormatError: a batch that is unlike the first, or not finite; it is named
                by its number, counted from 0 in its epoch, and the epoch, counted from 1.
            ValueError: no batch, or an epoch of another length than it should have.
        """
        start, self._start = self._start, {}
        reading = _Reading(self, start)
        reading.open(_decoded(start.get("iterator")))
        while reading.epoch < epochs:
            yield from reading.one_epoch()


class _Reading:
    """One run over a stream: the open pass, where it stands, and what all batches must be like."""

    def __init__(self, stream: Stream, start: dict[str, Any]) -> None:
        self.stream, self.epoch, self.step = stream, start.get("epoch", 0), start.get("step", 0)
        self.items: Any = None
        # Of a pass; a short batch that is left out counts, but is no step.
        self.length = start.get("length") or stream.length
        self.steps = start.get("steps") or stream.length
        self.like: tuple[Named, Named] | None = None
        self.tells, self.short = False, False

    def open(self, state: Any = None) -> None:
        self.items = self.stream.source.open(self.epoch, self.step, state)
        self.tells = self.stream.source.counted or hasattr(self.items, "get_state")

    def one_epoch(self) -> Iterator[Batch]:
        if self.items is None:
            self.open()
        self.short, pair = False, self._next()
        if pair is END:
            self._end_epoch()
        while pair is not END:
            place, state = (self.epoch, self.step), self._state(self.step + 1)
            self.step += 1
            following = END if self.step == self.stream.steps else self._next()
            if following is END:
                self._end_epoch()
                state = self._state(0)
            inputs, targets = pair
            yield Batch(*place, inputs, targets, following is END, self.steps, state)
            pair = following

    def _end_epoch(self) -> None:
        length = self.step + (self.short and self.stream.steps is None)
        if length == 0 or length != (self.length or length):
            raise ValueError(
                explain("fit", f"data, epoch {self.epoch + 1}", got=f"a pass of {length} batches",
                        expected=f"{self.length or 'at least 1'}, as many in every epoch",
                        fix="Stream(..., steps=) sets the batches an epoch, where the source has enough")
            )  # fmt: skip
        self.length, self.steps, self.epoch, self.step = length, self.step, self.epoch + 1, 0
        # A pass ends with its epoch; with `steps`, only a function is called anew.
        if self.stream.steps is None or self.stream.source.counted:
            self.items = None

    def _next(self) -> Any:
        """Return the next pair, from a new pass where an epoch may go on into one, or END."""
        pair, source = self._pull(), self.stream.source
        if pair is END and self.stream.steps is not None and not (source.counted or source.endless):
            self.items = source.open(self.epoch, 0, None)
            pair = self._pull()
        return pair

    def _pull(self) -> Any:
        raw = next(self.items, END)
        if raw is END:
            return END
        pair = self._checked(raw)
        if count(pair[0]) == count(self.like[0]):  # type: ignore[index]
            return pair
        if next(self.items, END) is not END:
            raise self._unlike(pair, "in the middle of a pass", "give all batches one size")
        self.short = True
        self.stream.dropped += count(pair[0])
        return END

    def _state(self, step: int) -> dict[str, Any] | None:
        """Return what `seek` takes to go on at a step, or None where the source cannot be sought."""
        if not self.tells:
            return None
        inner = None
        if self.items is not None and not self.stream.source.counted:
            inner = _encoded(self.items.get_state())
        return {"epoch": self.epoch, "step": step, "length": self.length, "steps": self.steps,
                "iterator": inner}  # fmt: skip

    def _checked(self, raw: Any) -> tuple[Named, Named]:
        """Return a pair of arrays like those of the first batch; the length may be less."""
        name = named(self.epoch, self.step)
        if not isinstance(raw, tuple | list) or len(raw) != 2:
            raise DtypeError(
                explain("fit", name, got=f"a {type(raw).__name__}", expected="a pair (inputs, targets)",
                        fix="yield (inputs, targets), arrays with the examples of the batch first")
            )  # fmt: skip
        arrays = [numbers("fit", f"{name}[{i}]", value) for i, value in enumerate(raw)]
        narrow = [singles("fit", f"{name}[{i}]", array) for i, array in enumerate(arrays)]
        # Copied, since a loader may fill the same arrays again for the next batch.
        inputs, targets = jax.tree.map(lambda a, b: a.copy() if a is b else a, narrow, arrays)
        check_pair(
            "fit", name, inputs, targets, expected="(batch, ...) with as many targets, at least one",
            fix="give whole batches, one target an example; one feature is inputs[:, None]",
        )  # fmt: skip
        self.like = self.like or (inputs, targets)
        alike = [
            shape_of(a) == shape_of(b) and dtype_of(a) == dtype_of(b)
            for a, b in zip((inputs, targets), self.like)
        ]
        fewer = count(inputs) < count(self.like[0])
        if not all(alike) or count(inputs) > count(self.like[0]):
            raise self._unlike((inputs, targets), "", "give all batches one shape and one dtype")
        if fewer and not self.stream.drop_remainder:
            fix = "drop_remainder=True leaves out a short last batch, as drop_last=True of a DataLoader"
            raise self._unlike((inputs, targets), "", fix)
        return inputs, targets

    def _unlike(self, pair: tuple[Named, Named], where: str, fix: str) -> ShapeError:
        got, like = (" and ".join(map(words, arrays)) for arrays in (pair, self.like or ()))
        return ShapeError(
            explain("fit", named(self.epoch, self.step), got=" ".join(filter(None, (got, where))),
                    expected=f"{like}, as the first batch", fix=fix)
        )  # fmt: skip


def _encoded(state: Any) -> dict[str, Any]:
    """Return the state of an iterator in a form that JSON takes."""
    if isinstance(state, bytes):
        return {"bytes": base64.b64encode(state).decode()}
    try:
        return {"json": json.loads(json.dumps(state))}
    except TypeError as error:
        raise DtypeError(
            explain("Stream", "source", got=f"with a state that is a {type(state).__name__}",
                    expected="bytes, or numbers and strings in dicts and lists",
                    fix="let get_state() return bytes")
        ) from error  # fmt: skip


def _decoded(state: dict[str, Any] | None) -> Any:
    if state is None:
        return None
    return base64.b64decode(state["bytes"]) if "bytes" in state else state["json"]
