"""From batches to segments: a few batches stacked, checked and put on the device, made in a thread."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from jaxdl.data._validate import check_labels
from jaxdl.train.health import entry
from jaxdl.train.prefetching import Ahead
from jaxdl.train.stream import Batch, Stream

# What a segment may hold: a call of the compiled program moves all of it, however few of its steps it runs.
SEGMENT_BYTES, SEGMENT_STEPS = 16 * 2**20, 256


class Segment(NamedTuple):
    """Consecutive batches of one epoch, on the device, for one call of the compiled program.

    Attributes:
        epoch: number of the epoch, counted from 0.
        first: number of the first batch in its epoch.
        steps: batches that are there; what is behind them is not trained on.
        length: batches of a whole epoch, where that is known.
        inputs: (capacity, batch, ...).
        targets: (capacity, batch, ...).
        final: whether the epoch ends with it.
        state: what `Stream.seek` takes to go on after it, or None.
    """

    epoch: int
    first: int
    steps: int
    length: int | None
    inputs: Any
    targets: Any
    final: bool
    state: dict[str, Any] | None


class Feed:
    """The segments of a run over a stream; a context manager that ends the thread that makes them.

    Attributes:
        first: the first batch, known before the network has been compiled for it.
        capacity: batches that a segment may hold.
        fill: batches that it should hold, set by whoever measures the time that they take.
        device: where segments are put, a device or a sharding of them.
    """

    def __init__(self, stream: Stream, epochs: int) -> None:
        self.stream, self.epochs, self.fill = stream, epochs, 1
        self.first: Batch | None = None
        self.capacity = 1
        self._classes: dict[str, int] = {}
        self._told, self._sharding = threading.Event(), None
        self._ahead: Ahead[Any] = Ahead(self._items, size=stream.prefetch)

    def __enter__(self) -> Self:
        self._ahead.__enter__()
        try:
            self.first = next(self._ahead, None)
        except BaseException:
            self.__exit__()
            raise
        if self.first is not None:
            size = sum(leaf.nbytes for leaf in jax.tree.leaves((self.first.inputs, self.first.targets)))
            most = min(SEGMENT_STEPS, SEGMENT_BYTES // max(size, 1), self.stream.length or SEGMENT_STEPS)
            self.capacity = max(1, most)
        return self

    def __exit__(self, *error: object) -> None:
        self._ahead.stop()
        self._told.set()
        self._ahead.__exit__(*error)

    def segments(self, classes: dict[str, int], sharding: Any) -> Iterator[Segment]:
        """Yield the segments, put at `sharding`; labels are checked by what `health.labels` calls them."""
        self._classes, self._sharding = classes, sharding
        self._told.set()
        yield from self._ahead

    def _items(self) -> Iterator[Any]:
        batches = self.stream.read(self.epochs)
        first = next(batches, None)
        if first is None:
            return
        yield first
        self._told.wait()
        held: list[Batch] = []
        for batch in itertools.chain([first], batches):
            for name, classes in self._classes.items():
                found = batch.targets[name] if name else batch.targets
                check_labels(found, classes, op="fit", argument=f"{batch.name}, targets{entry(name)}")
            held.append(batch)
            if batch.final or len(held) >= min(self.fill, self.capacity):
                yield self._segment(held)
                held = []

    def _segment(self, batches: list[Batch]) -> Segment:
        first, last = batches[0], batches[-1]

        def stacked(*arrays: np.ndarray) -> jax.Array:
            # Made anew each time: on the CPU the device may read the memory of the host itself.
            held = np.zeros((self.capacity, *arrays[0].shape), arrays[0].dtype)
            for slot, array in zip(held, arrays):
                slot[...] = array
            return jax.device_put(held, self._sharding)

        pairs = [(batch.inputs, batch.targets) for batch in batches]
        inputs, targets = jax.tree.map(stacked, *pairs)
        return Segment(first.epoch, first.step, len(batches), last.steps, inputs, targets, last.final,
                       last.state)  # fmt: skip
