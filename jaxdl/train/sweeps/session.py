"""A sweep in chunks: what happens on the host between two calls of its program."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxdl.errors import DivergenceError
from jaxdl.train import health
from jaxdl.train.interrupt import StopSignal
from jaxdl.train.order import steps_per_epoch
from jaxdl.train.parts import examples_of
from jaxdl.train.spec import Arrays, Health, Spec
from jaxdl.train.sweeps.members import Members
from jaxdl.train.sweeps.population import Population, taken
from jaxdl.train.sweeps.program import Runner
from jaxdl.train.sweeps.reporter import SweepReporter

CHUNK_SECONDS = 0.2


class Session:
    """Trains a population to its end.

    Attributes:
        done: epochs that are over, for the members still in training.
        errors: what went wrong, by member.
        compile_s: seconds of compilation, those of narrower programs included.
        run_s: seconds of the chunks.
    """

    def __init__(
        self, population: Population, runner: Callable[[int], Runner], arrays: Arrays, spec: Spec,
        members: Members, reporter: SweepReporter, stop: StopSignal,
    ) -> None:  # fmt: skip
        self.population, self.runner, self.arrays, self.spec = population, runner, arrays, spec
        self.members, self.reporter, self.stop = members, reporter, stop
        self.steps = steps_per_epoch(examples_of(arrays), spec.batch_size)
        self.errors: dict[int, DivergenceError] = {}
        self.done, self.compile_s, self.run_s = 0, 0.0, 0.0

    def run(self, *, compact: bool) -> None:
        """Run chunks of whole epochs until no member is left in training, or a signal came."""
        chunk, population = 1, self.population
        while self.done < self.spec.epochs and population.active.any():
            done, stop = self.done, min(self.done + chunk, self.spec.epochs)
            busy = int(population.active.sum())
            seconds = self._chunk(stop)
            self.run_s += seconds
            if len(self.errors) == len(self.members):
                raise self._all_diverged()
            speed = busy * (stop - done) * self.steps * self.spec.batch_size / seconds
            self.reporter.chunk(stop, population, len(self.errors), speed)
            chunk = max(1, int(np.ceil(CHUNK_SECONDS * (stop - done) / seconds)))
            self.done = stop
            if self.stop.name is not None:
                return
            if compact:
                population.compact()

    def _chunk(self, stop: int) -> float:
        population, runner = self.population, self.runner(len(self.population.ids))
        active, at = runner.form.place((population.active, np.int32(stop)), (0, None))
        arguments = (population.carry, active, at, self.arrays, population.hyper)
        begin = time.perf_counter()
        advance = runner.compiled(*arguments)
        ready = time.perf_counter()
        after = runner.run(advance, *arguments)
        seconds = time.perf_counter() - ready
        self.compile_s += ready - begin
        diverged = population.active & (np.asarray(after.health.word) != 0)
        if diverged.any():
            self._diverged(runner, arguments, after.health, diverged)
        population.carry = after
        over = diverged if after.stopping is None else diverged | np.asarray(after.stopping.stopped)
        population.leave(over)
        return seconds

    def _diverged(self, runner: Runner, arguments: Any, found: Health, slots: np.ndarray) -> None:
        """Run the chunk again with every gradient read, in the same form, for the exact steps."""
        before, _, *rest = arguments
        replayed = runner.run(runner.replay, before, runner.form.place(slots, 0), *rest).health
        for slot in np.flatnonzero(slots):
            exact = replayed if int(replayed.word[slot]) else found
            member = int(self.population.ids[slot])
            self.errors[member] = self._error(member, int(exact.step[slot]), int(exact.word[slot]),
                                              taken(before, int(slot), runner.form))  # fmt: skip

    def _error(self, member: int, step: int, word: int, before: Any) -> DivergenceError:
        cause, epoch = health.cause(word), step // self.steps
        return DivergenceError(
            f"sweep: member {member} ({self.members.words(member)}) diverged at step {step} "
            f"(epoch {epoch + 1}): {health.SENTENCES[cause]}. Its state after {int(before.epoch)} whole "
            f"epochs is in `errors[{member}].last_good`. Fix: {health.FIXES[cause]}",
            step=step, epoch=epoch, cause=cause, member=member, last_good=before,
        )  # fmt: skip

    def _all_diverged(self) -> DivergenceError:
        last = max(self.errors.values(), key=lambda error: error.step)
        return DivergenceError(
            f"sweep: all {len(self.members)} members diverged; the last one: {last}",
            step=last.step, epoch=last.epoch, cause=last.cause, member=last.member, last_good=last.last_good,
        )  # fmt: skip
