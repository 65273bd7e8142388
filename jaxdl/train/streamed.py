"""`fit` over a stream: the same steps as in memory, run segment by segment as the batches come."""

import contextlib
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxdl.data import Dataset
from jaxdl.data._named import count, words
from jaxdl.data._validate import check_labels
from jaxdl.errors import CheckpointWarning, explain
from jaxdl.net import Net
from jaxdl.train import door, session
from jaxdl.train.checkpoint import describe
from jaxdl.train.feed import Feed, Segment
from jaxdl.train.fitted import Fitted, Timing
from jaxdl.train.health import entry, labels
from jaxdl.train.host import Host
from jaxdl.train.parts import example_of
from jaxdl.train.replay import Report, replay
from jaxdl.train.segments import SegmentRunner, place_of, segment_runner_of
from jaxdl.train.session import CHUNK_SECONDS, Moment
from jaxdl.train.spec import Arrays, Carry, Hyper, Loss, Metric, Optimizer, Penalty, Spec
from jaxdl.train.stream import Batch, Stream

NOT_SEEKABLE = (
    "fit: the stream cannot be sought, so that this run is saved but cannot be resumed. Fix: "
    "Stream(lambda epoch: batches_of(epoch)), a sequence of batches, or a loader of grain"
)


def fit_stream(
    net: Net,
    stream: Stream,
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None,
    hyper: Hyper,
    valid: Dataset | tuple[Any, Any] | None,
    metrics: Mapping[str, Metric] | None,
    penalty: Penalty | None,
    scaling: Any,
    seed: int,
    host: Host,
    options: dict[str, Any],
) -> Fitted:
    """Train a network on a stream; `fit` says what the arguments are.

    Args:
        net: the network.
        stream: where the batches come from.
        loss: as in `fit`.
        optimizer: as in `fit`.
        epochs: as in `fit`.
        batch_size: None, or the size that the batches must have.
        hyper: on the device.
        valid: as in `fit`.
        metrics: as in `fit`.
        penalty: as in `fit`.
        scaling: as in `fit`.
        seed: as in `fit`.
        host: what stands around the run; its hooks are called after every healthy segment.
        options: further fields of `Spec`.

    Returns:
        `Fitted`.

    Raises:
        ValueError: batches of another size, a stream that stands elsewhere than the run, and as in `fit`.
    """
    with host, contextlib.ExitStack() as stack:
        feed = stack.enter_context(Feed(stream, epochs))
        begin = time.perf_counter()
        first = _first(feed, batch_size, epochs, options)
        spec = door.spec(epochs, count(first.inputs), metrics, valid, options)
        _check_processes()
        classes = _classes(net, first, scaling, hyper, spec.labels)
        whole = door.arrays(net, (first.inputs, first.targets), valid, scaling, hyper, spec.layout,
                            labels=spec.labels)  # fmt: skip
        door.ranges(net, whole, optimizer, hyper)
        length = _length(stream, spec)
        runner = segment_runner_of(net, loss, optimizer, spec, penalty, length)
        fresh = jax.block_until_ready(runner.start(*door.keys(seed), whole, hyper))
        data = whole._replace(inputs=None, targets=None)
        shapes = _shapes(feed, first, spec.layout.batches())
        carry = host.begin(fresh, lambda: describe(
            fresh, data, hyper, spec, seed=seed, program=runner.digest(fresh, shapes, data, hyper),
            stream=" and ".join(words(jax.tree.map(_of_segment, part)) for part in shapes)))  # fmt: skip
        if host.resumed is not None:
            stack.close()
            feed = stack.enter_context(_sought(stream, epochs, host.resumed, feed.capacity))
        elif first.step:
            raise _within_an_epoch(first)
        elif host.saver is not None and not stream.seekable:
            warnings.warn(NOT_SEEKABLE, CheckpointWarning, stacklevel=3)
        programs = runner.compiled(carry, shapes, data, hyper)
        compile_s = time.perf_counter() - begin
        host.reporter.compiled(compile_s)
        run = _Run(runner, programs, feed, data, hyper, spec, host)
        with host.stop:
            moment = run.chunks(carry, classes)
    timing = Timing(compile_s, moment.seconds, run.examples / moment.seconds if run.examples else 0.0)
    end = runner.plain.result(moment.carry)
    names = valid.classes if isinstance(valid, Dataset) else None
    fitted = Fitted(net, end.params, end.state, end.opt_state, moment.history, timing, hyper, whole.scaling,
                    names, spec.recorded, end.average, end.stopping, moment.stopped,
                    example_of(whole), spec.labels)  # fmt: skip
    return host.end(fitted, moment)


class _Run:
    """The loop over segments, on the host."""

    def __init__(
        self, runner: SegmentRunner, programs: tuple[Callable[..., Carry], Callable[..., Carry]], feed: Feed,
        data: Arrays, hyper: Hyper, spec: Spec, host: Host,
    ) -> None:  # fmt: skip
        self.runner, self.programs, self.feed, self.data, self.hyper = runner, programs, feed, data, hyper
        self.spec, self.host, self.examples = spec, host, 0
        self.before = 0 if host.resumed is None else host.resumed["cursor"]

    def chunks(self, carry: Carry, classes: dict[str, int]) -> Moment:
        """Run segments up to the last one, early stopping, or a hook that returns a reason."""
        moment = session.beginning(carry, self.spec)
        begin = last = time.perf_counter()
        sharding = self.spec.layout.batches()
        for segment in self.feed.segments(classes, sharding) if moment.stopped is None else ():
            carry, seconds = self.advanced(moment.carry, segment)
            now = time.perf_counter()
            self.examples += segment.steps * self.spec.batch_size
            speed, last = segment.steps * self.spec.batch_size / (now - last), now
            place = 0 if segment.final else segment.first + segment.steps
            stopped = session.early(carry, self.spec)
            moment = Moment(int(carry.epoch), self.spec.epochs, carry, session.history_of(carry), now - begin,
                            speed, stopped, place, segment.state, self.step)  # fmt: skip
            self.host.reporter.segment(moment.epoch, place, segment.length, moment.history, speed)
            moment = session.called(self.host.hooks, moment)
            self.feed.fill = max(1, int(np.ceil(CHUNK_SECONDS * segment.steps / seconds)))
            if moment.stopped is not None:
                break
        return moment

    @property
    def step(self) -> int:
        """Steps of the whole run that are over."""
        return self.before + self.examples // self.spec.batch_size

    def advanced(self, carry: Carry, segment: Segment) -> tuple[Carry, float]:
        """Return the state after a segment, and the seconds of its steps."""
        if int(carry.epoch) != segment.epoch:
            raise ValueError(
                explain("fit", "data", got=f"a stream at epoch {segment.epoch}",
                        expected=f"one at epoch {int(carry.epoch)}, where the run stands",
                        fix="stream.seek(epoch, step, state) with what was saved with the run")
            )  # fmt: skip
        number = self.step
        place = place_of(segment.first, number, segment.steps)
        given = (carry, place, segment.inputs, segment.targets, self.data, self.hyper)
        begin = time.perf_counter()
        after = jax.block_until_ready(self.programs[0](*given))
        seconds = time.perf_counter() - begin
        if int(after.health.word):
            found = self.runner.replay(*given).health
            found = found if int(found.word) else after.health
            again = partial(self.report, carry, segment, int(found.step) - number)
            session.raise_diverged(found, carry, segment.epoch, self.hyper, again)
        return (self.programs[1](after, self.data, self.hyper) if segment.final else after), seconds

    def report(self, carry: Carry, segment: Segment, index: int) -> Report:
        """Replay the step that is number `index` of a segment, from the state before the segment."""
        place = place_of(segment.first, 0, index)
        carry = self.runner.replay(carry, place, segment.inputs, segment.targets, self.data, self.hyper)
        batch = jax.tree.map(lambda leaf: leaf[index], (segment.inputs, segment.targets))
        return replay(self.runner.plain, carry, segment.first + index, batch, self.data, self.hyper)


def _sought(stream: Stream, epochs: int, record: Mapping[str, Any], capacity: int) -> Feed:
    """Return a feed that goes on where a run was saved."""
    epoch, step = record["place"]
    stream.seek(epoch, step, record["source"])
    feed = Feed(stream, epochs)
    feed.capacity = capacity
    return feed


def _first(feed: Feed, batch_size: int | None, epochs: int, options: Mapping[str, Any]) -> Batch:
    if "shuffle" in options:
        raise ValueError(
            explain("fit", "shuffle", got=repr(options["shuffle"]), expected="nothing for a Stream",
                    fix="shuffle in the source of the stream")
        )  # fmt: skip
    first = feed.first
    if first is None:
        raise ValueError(
            explain("fit", "data", got="a stream that stands behind the last epoch",
                    expected=f"one before epoch {epochs}", fix="more epochs, or stream.seek(0)")
        )  # fmt: skip
    if batch_size not in (None, count(first.inputs)):
        raise ValueError(
            explain("fit", "batch_size", got=batch_size, expected=f"None, or {count(first.inputs)}",
                    fix="leave it out: the first batch says it")
        )  # fmt: skip
    return first


def _within_an_epoch(first: Batch) -> ValueError:
    return ValueError(
        explain("fit", "data", got=f"a stream at step {first.step} of epoch {first.epoch}",
                expected="one at the start, as no run is resumed",
                fix="stream.seek(0), or checkpoint= and resume=True")
    )  # fmt: skip


def _check_processes() -> None:
    if jax.process_count() > 1:
        raise ValueError(
            explain("fit", "data", got=f"a Stream in one of {jax.process_count()} processes",
                    expected="arrays, or one process",
                    fix="pass the arrays: every process holds all, and each device takes its part")
        )  # fmt: skip


def _classes(net: Net, first: Batch, scaling: Any, hyper: Hyper, meaning: str) -> dict[str, int]:
    """Return the number of classes of targets that are class numbers, and check those of the first batch."""
    outputs = door.abstract_outputs(net, first.inputs, scaling, hyper)
    found = labels(outputs, first.targets, meaning)
    for name, (one, classes) in found.items():
        check_labels(one, classes, op="fit", argument=f"{first.name}, targets{entry(name)}")
    return {name: classes for name, (_, classes) in found.items()}


def _length(stream: Stream, spec: Spec) -> int | None:
    """Return the steps of an epoch where something is recorded by step; else no program depends on them."""
    if not (spec.step_losses or spec.step_records):
        return None
    if stream.length is None:
        raise ValueError(
            explain("fit", "data", got="a stream of unknown length, with records of every step",
                    expected="a known number of steps", fix="Stream(..., steps=)")
        )  # fmt: skip
    return stream.length


def _shapes(feed: Feed, first: Batch, sharding: Any) -> tuple[Any, Any]:
    def shape(array: np.ndarray) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((feed.capacity, *array.shape), array.dtype, sharding=sharding)

    inputs, targets = jax.tree.map(shape, (first.inputs, first.targets))
    return inputs, targets


def _of_segment(leaf: Any) -> Any:
    """Return the shape of a batch, without the number of batches in a segment."""
    return jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype)
