"""Streams: what is read and in which order, the door, the thread, and the same network as in memory."""

import hashlib
import itertools
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
from common import HYPER, LOSS, METRICS, NET, X, Y, adam

from jaxdl.errors import CheckpointWarning, DtypeError, FormatError, ShapeError
from jaxdl.train import EarlyStopping, Moment, Stream, batch_order, door, feed, fit, prefetch, prefetching

BATCHES = [(X[i : i + 2], Y[i : i + 2]) for i in range(0, 10, 2)]
SHORT = (X[:1], Y[:1])
OPTIONS: dict[str, Any] = {
    "loss": LOSS, "optimizer": adam, "hyper": HYPER, "progress": "off", "valid": (X[50:], Y[50:]),
    "metrics": METRICS, "train_metrics": True, "step_losses": True, "seed": 3, "average": 0.9,
    "accumulate": 2, "early_stopping": EarlyStopping("valid_loss", patience=3),
    "augment": lambda key, x: x + 0.1 * jax.random.normal(key, x.shape),
}  # fmt: skip


class Loader:
    """A re-iterable without a state, as PyTorch's loaders are."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class Stateful(Loader):
    """A re-iterable whose iterators have a state, by grain's protocol."""

    def __iter__(self) -> Iterator[Any]:
        return StatefulIterator(self.batches)


class StatefulIterator(Iterator[Any]):
    def __init__(self, batches: list[Any]) -> None:
        self.batches, self.number = batches, 0

    def __next__(self) -> Any:
        if self.number == len(self.batches):
            raise StopIteration
        self.number += 1
        return self.batches[self.number - 1]

    def get_state(self) -> bytes:
        return str(self.number).encode()

    def set_state(self, state: bytes) -> None:
        self.number = int(state)


def read(stream: Stream, epochs: int) -> list[list[int]]:
    """Return the numbers in BATCHES of what each epoch gives."""
    epochs_read: dict[int, list[int]] = {}
    for batch in stream.read(epochs):
        row = epochs_read.setdefault(batch.epoch, [])
        assert batch.step == len(row)
        row.append(next(i for i, (x, _) in enumerate(BATCHES) if np.array_equal(x, batch.inputs)))
        assert batch.final == (batch.steps == len(row)) or batch.epoch == 0
    return list(epochs_read.values())


@pytest.mark.parametrize(
    ("source", "steps", "wanted"),
    [
        (BATCHES, None, [[0, 1, 2, 3, 4]] * 2),
        (Loader(BATCHES), None, [[0, 1, 2, 3, 4]] * 2),
        (lambda epoch: BATCHES[epoch : epoch + 3], 3, [[0, 1, 2], [1, 2, 3]]),
        (lambda epoch: iter(BATCHES), 2, [[0, 1]] * 2),
        (BATCHES, 4, [[0, 1, 2, 3], [4, 0, 1, 2]]),
        (Loader(BATCHES), 4, [[0, 1, 2, 3], [4, 0, 1, 2]]),
        (itertools.cycle(BATCHES), 4, [[0, 1, 2, 3], [4, 0, 1, 2]]),
    ],
)
def test_what_an_epoch_is(source: Any, steps: int | None, wanted: list[list[int]]) -> None:
    assert read(Stream(source, steps=steps), 2) == wanted


@pytest.mark.parametrize("steps", [None, 4])
def test_a_short_last_batch_is_left_out_and_counted(steps: int | None) -> None:
    stream = Stream(Loader([*BATCHES, SHORT]), steps=steps, drop_remainder=True)
    wanted = [[0, 1, 2, 3, 4]] * 3 if steps is None else [[0, 1, 2, 3], [4, 0, 1, 2], [3, 4, 0, 1]]
    assert read(stream, 3) == wanted
    assert stream.dropped == (3 if steps is None else 2)


@pytest.mark.parametrize("steps", [None, 3])
@pytest.mark.parametrize(
    "make", [lambda: BATCHES, lambda: Stateful(BATCHES), lambda: lambda epoch: iter(BATCHES)]
)
def test_every_batch_is_found_again(make: Any, steps: int | None) -> None:
    assert Stream(make(), steps=steps).seekable
    whole = list(Stream(make(), steps=steps).read(3))
    for number, after in enumerate(whole):
        again = Stream(make(), steps=steps)
        assert after.state is not None
        again.seek(after.state["epoch"], after.state["step"], after.state)
        rest = list(again.read(3))
        assert [(b.epoch, b.step) for b in rest] == [(b.epoch, b.step) for b in whole[number + 1 :]]
        assert all(np.array_equal(a.inputs, b.inputs) for a, b in zip(rest, whole[number + 1 :]))


def test_what_cannot_be_found_again_says_so() -> None:
    assert not Stream(Loader(BATCHES)).seekable
    assert [batch.state for batch in Stream(iter(BATCHES), steps=2).read(1)] == [None, None]
    for stream in (Stream(Loader(BATCHES)), Stream(BATCHES, steps=3), Stream(Stateful(BATCHES))):
        with pytest.raises(
            ValueError, match=r"'state' is None for a source whose batches have no number.*Fix: "
        ):
            stream.seek(1, 2)
    with pytest.raises(ValueError, match="of epoch 0, step 1; expected that of epoch 1, step 1"):
        Stream(BATCHES).seek(1, 1, {"epoch": 0, "step": 1, "iterator": {"json": 1}})


def test_a_loader_that_fills_its_arrays_again_is_copied() -> None:
    buffer = np.zeros((2, 4), np.float32)

    def reused(epoch: int) -> Iterator[Any]:
        for x, y in BATCHES:
            buffer[...] = x
            yield buffer, y

    assert read(Stream(reused), 1) == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("batches", "error", "words"),
    [
        ([*BATCHES[:2], SHORT], ShapeError, r"batch 2 \(epoch 1\).*float32\[1, 4\].*drop_remainder=True"),
        (
            [*BATCHES[:2], (X[:3], Y[:3])],
            ShapeError,
            r"batch 2 \(epoch 1\)' is float32\[3, 4\] and int32\[3\]",
        ),
        ([*BATCHES[:2], (X[:2, :3], Y[:2])], ShapeError, "as the first batch"),
        ([BATCHES[0], (X[:2].astype(np.int32), Y[:2])], ShapeError, r"batch 1 .* is int32\[2, 4\]"),
        ([BATCHES[0], (X[:2] * np.nan, Y[:2])], FormatError, r"batch 1 \(epoch 1\)\[0\]' is nan at row 0"),
        ([BATCHES[0], X[:2]], DtypeError, "expected a pair"),
        ([BATCHES[0], (X[:2], Y[:1])], ShapeError, "as many targets"),
        ([BATCHES[0], (X[0], Y[0])], ShapeError, "give whole batches"),
        ([BATCHES[0], (["a", "b"], Y[:2])], DtypeError, r"batch 1 \(epoch 1\)\[0\]' is of dtype <U1"),
        ([], ValueError, "a pass of 0 batches; expected at least 1"),
    ],
)
def test_a_wrong_batch_is_named(batches: list[Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        list(Stream(Loader(batches)).read(1))
    assert "Fix: " in str(caught.value)


def test_a_short_batch_in_the_middle_is_an_error() -> None:
    with pytest.raises(ShapeError, match=r"batch 1 .* in the middle of a pass"):
        list(Stream([BATCHES[0], SHORT, BATCHES[1]], drop_remainder=True).read(1))


@pytest.mark.parametrize(
    ("source", "steps", "words"),
    [
        (
            lambda epoch: BATCHES[epoch:],
            None,
            "epoch 2' is a pass of 4 batches; expected 5, as many in every epoch",
        ),
        (lambda epoch: iter(BATCHES), 6, "a pass of 5 batches; expected 6"),
        (iter(BATCHES), 3, "epoch 2' is a pass of 2 batches; expected 3"),
    ],
)
def test_an_epoch_of_another_length_is_an_error(source: Any, steps: int | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        list(Stream(source, steps=steps).read(2))


@pytest.mark.parametrize(
    ("source", "options", "error", "words"),
    [
        (3, {}, DtypeError, "'source' is a int"),
        ({"x": X}, {}, DtypeError, "'source' is a dict"),
        (iter(BATCHES), {}, ValueError, "None for an iterator, which is read once"),
        (BATCHES, {"steps": 0}, ValueError, "at least 1"),
        (BATCHES, {"prefetch": 0}, ValueError, "at least 1"),
    ],
)
def test_what_is_no_source(source: Any, options: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        Stream(source, **options)


def threads() -> int:
    return sum(thread.name == "jaxdl-prefetch" for thread in threading.enumerate())


def test_prefetch_is_ahead_by_its_size_hands_errors_on_and_ends() -> None:
    made: list[int] = []

    def items() -> Iterator[np.ndarray]:
        for number in range(6):
            made.append(number)
            if number == 5:
                raise KeyError("the disk is gone")
            yield np.full(3, number, np.float32)

    ahead = prefetch(items(), size=2)
    first = next(ahead)
    assert isinstance(first, jax.Array)
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert made == [0, 1, 2, 3]  # one taken, two ready, one waiting for its place
    with pytest.raises(KeyError, match="the disk is gone") as caught:
        list(ahead)
    assert "raise KeyError" in "".join(traceback.format_exception(caught.value))
    endless = prefetch(itertools.repeat(X), size=1)
    next(endless)
    assert threads() == 1
    endless.close()
    assert threads() == 0


def test_ctrl_c_ends_the_wait_for_a_source_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetching, "LEAVE_SECONDS", 0.05)
    released = threading.Event()

    def hanging() -> Iterator[np.ndarray]:
        released.wait()
        yield X

    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt), pytest.warns(RuntimeWarning, match="has not returned"):
            next(prefetch(hanging()))
    finally:
        released.set()
        timer.join()


def order_of(epoch: int) -> np.ndarray:
    return np.asarray(batch_order(door.keys(3)[1], epoch, examples=50, batch_size=8))


def batches(epoch: int) -> Iterator[Any]:
    yield from ((X[index], Y[index]) for index in order_of(epoch))


def digest(tree: Any) -> str:
    data = [jax.random.key_data(a) if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key) else a
            for a in jax.tree.leaves(tree)]  # fmt: skip
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in data)).hexdigest()


def test_the_same_batches_train_the_same_network_bit_by_bit() -> None:
    whole = fit(NET, (X[:50], Y[:50]), epochs=4, batch_size=8, **OPTIONS)
    streamed = fit(NET, Stream(batches, steps=6), epochs=4, **STREAMED)
    ends = [digest((run.params, run.opt_state, run.average)) for run in (whole, streamed)]
    assert ends[0] == ends[1]
    assert list(whole.history) == list(streamed.history)
    for name, values in whole.history.items():
        np.testing.assert_allclose(streamed.history[name], values, rtol=1e-6, atol=1e-6)
    assert streamed.history["step_loss"].shape == (4, 6)


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """One capacity, smaller than an epoch, so that all runs have one program."""
    monkeypatch.setattr(feed, "SEGMENT_STEPS", 4)


class Counted:
    """How often the loss is traced, which is how often a program is compiled."""

    traces = 0

    def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        self.traces += 1
        return LOSS(outputs, targets)


COUNTED = Counted()
STREAMED = {**OPTIONS, "loss": COUNTED}


def keep(moments: list[Moment]) -> Any:
    return lambda moment: moments.append(moment)


def test_segments_change_no_bit_and_compile_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before, ends, traces = threads(), [], []
    for fill in (1, 3, 4):
        monkeypatch.setattr(
            feed.Feed, "fill", property(lambda self, fill=fill: fill, lambda *_: None), raising=False
        )
        moments: list[Moment] = []
        fitted = fit(NET, Stream(batches, steps=6), epochs=4, callbacks=[keep(moments)], **STREAMED)
        ends.append(digest((fitted.params, fitted.opt_state, list(fitted.history.values()))))
        traces.append(COUNTED.traces)
        assert len(moments) == 4 * -(-6 // fill)
        assert [m.cursor for m in moments[: -(-6 // fill)]] == [*range(fill, 6, fill), 0]
    assert len(set(ends)) == 1
    assert len(set(traces)) == 1
    assert threads() == before
    again = Stream(batches, steps=6)
    for place, words in (
        ((1,), r"a stream at epoch 1; expected one at epoch 0.*Fix: stream.seek"),
        ((0, 3), r"a stream at step 3 of epoch 0; expected one at the start.*Fix: stream.seek\(0\)"),
    ):
        again.seek(*place)
        with pytest.raises(ValueError, match=words):
            fit(NET, again, epochs=4, **STREAMED)


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_run_that_was_stopped_in_an_epoch_is_resumed_bit_by_bit(stop: int, tmp_path: Any) -> None:
    def source() -> Stream:
        return Stream(Stateful([pair for epoch in range(4) for pair in batches(epoch)]), steps=6)

    def end(moment: Moment) -> str | None:
        return "enough" if moment.step >= stop * 4 else None

    whole = fit(NET, source(), epochs=4, **STREAMED)
    first = fit(NET, source(), epochs=4, callbacks=[end], checkpoint=tmp_path, **STREAMED)
    assert first.stopped == "enough"
    assert first.history.epochs < 4
    again = fit(NET, source(), epochs=4, checkpoint=tmp_path, resume=True, **STREAMED)
    ends = [digest((run.params, run.opt_state, list(run.history.values()))) for run in (whole, again)]
    assert ends[0] == ends[1]


def test_a_stream_that_cannot_be_sought_is_saved_with_a_warning(tmp_path: Any) -> None:
    with pytest.warns(CheckpointWarning, match="saved but cannot be resumed"):
        fit(NET, Stream(itertools.cycle(batches(0)), steps=6), epochs=4, checkpoint=tmp_path, **STREAMED)


def test_grain_loaders_are_resumed() -> None:
    grain = pytest.importorskip("grain")
    examples = [(x, y) for x, y in zip(X[:48], Y[:48])]
    dataset = grain.MapDataset.source(examples).shuffle(seed=1).batch(8, drop_remainder=True)
    whole = list(Stream(dataset.to_iter_dataset()).read(2))
    assert [batch.step for batch in whole] == [*range(6)] * 2
    for number in (2, 5, 8):
        state = whole[number].state
        assert state is not None
        again = Stream(dataset.to_iter_dataset())
        again.seek(state["epoch"], state["step"], state)
        rest = list(again.read(2))
        assert len(rest) == 11 - number
        assert all(np.array_equal(a.inputs, b.inputs) for a, b in zip(rest, whole[number + 1 :]))


def test_errors_in_the_source_and_the_door_of_fit_end_the_thread() -> None:
    before = threads()

    def broken(epoch: int) -> Iterator[Any]:
        yield from itertools.islice(batches(epoch), 3)
        raise OSError("the disk is gone")

    def wrong(epoch: int) -> Iterator[Any]:
        yield from itertools.islice(batches(epoch), 3)
        yield X[:8], np.full(8, 3, np.int32)
        yield from itertools.islice(batches(epoch), 2)

    with pytest.raises(OSError, match="the disk is gone") as caught:
        fit(NET, Stream(broken, steps=6), epochs=4, **STREAMED)
    assert "raise OSError" in "".join(traceback.format_exception(caught.value))
    with pytest.raises(
        FormatError, match=r"batch 3 \(epoch 1\), targets' is 3 at row 0; expected labels in \[0, 3\)"
    ):
        fit(NET, Stream(wrong, steps=6), epochs=4, **STREAMED)
    for options, words in (
        ({"batch_size": 9}, "'batch_size' is 9; expected None, or 8"),
        ({"shuffle": "none"}, "shuffle in the source"),
    ):
        with pytest.raises(ValueError, match=words):
            fit(NET, Stream(batches, steps=6), epochs=1, **STREAMED, **options)
    with pytest.raises(ValueError, match="a stream of unknown length"):
        fit(NET, Stream(batches), epochs=1, **STREAMED)
    with pytest.raises(FormatError, match=r"batch 0 \(epoch 1\), targets' is 3"):
        fit(NET, Stream([(X[:8], Y[:8] + 1)]), epochs=1, **STREAMED)
    beyond = Stream(batches, steps=6)
    beyond.seek(1)
    with pytest.raises(ValueError, match="stands behind the last epoch"):
        fit(NET, beyond, epochs=1, **STREAMED)
    assert threads() == before
