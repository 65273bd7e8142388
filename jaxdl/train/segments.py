"""The compiled pieces of a streamed run: a segment of steps, and what follows an epoch."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl._keys import key_of
from jaxdl.net import Net, Tree
from jaxdl.train import health
from jaxdl.train.loop import make_run
from jaxdl.train.parts import strong
from jaxdl.train.run import Run, first_health, learner_of
from jaxdl.train.runner import PROGRAMS_KEPT, of_one_epoch, with_one_epoch
from jaxdl.train.spec import Arrays, Carry, Health, Hyper, Loss, Optimizer, Penalty, Spec

Place = tuple[jax.Array, jax.Array, jax.Array]


@dataclasses.dataclass(frozen=True)
class StreamedRun(Run):
    """A `Run` whose batches come in segments.

    The steps are those of `Run`. What they record is averaged step by step into the row of the epoch, so that
    no division into segments changes a bit.

    Attributes:
        length: steps of an epoch, for what is recorded by step; None where it is not known.
    """

    length: int | None = None

    def segment(
        self, carry: Carry, place: Place, inputs: Any, targets: Any, data: Arrays, hyper: Hyper
    ) -> Carry:
        """Train on the first batches of a segment.

        Args:
            carry: the state; its epoch is that of the segment.
            place: the number of the first step in its epoch and in the run, and the number of steps; traced.
            inputs: (capacity, batch, ...).
            targets: (capacity, batch, ...).
            data: scaling, and what is validated.
            hyper: hyperparameters.

        Returns:
            The state after these steps; the epoch is not over.
        """
        first, number, count = place
        body = self.body(carry, carry.epoch, data, strong(hyper), self.spec.layout.batch)
        kept = {name: values[carry.epoch] for name, values in carry.history.items()}

        def step(i: jax.Array, held: Any) -> Any:
            learner, kept, found = held
            x, y = jax.tree.map(
                lambda leaf: lax.dynamic_index_in_dim(leaf, i, keepdims=False), (inputs, targets)
            )
            learner, ys = body(learner, (first + i, (x, y)))
            word = health.words(ys, jnp.bool_(False))
            here = Health(jnp.where(word == 0, -1, number + i), word)
            return learner, _recorded(kept, ys, first + i), first_health(found, here)

        start = (learner_of(carry), kept, carry.health)
        (params, state, opt_state), kept, found = lax.fori_loop(0, count, step, start)
        history = {name: carry.history[name].at[carry.epoch].set(row) for name, row in kept.items()}
        word = health.parameters_word(params)
        last = Health(jnp.where(word == 0, -1, number + count - 1), word)
        found = first_health(found, last)
        carry = carry._replace(params=params, state=state, opt_state=opt_state, history=history, health=found)
        return self.spec.layout.carry(carry)

    def finish(self, carry: Carry, data: Arrays, hyper: Hyper) -> Carry:
        """Validate, decide on early stopping and count the epoch."""
        return self.spec.layout.carry(self.epoch(carry.epoch, carry, data, hyper))

    def _steps(
        self, number: jax.Array, carry: Carry, data: Arrays, hyper: Hyper
    ) -> tuple[Carry, dict[str, jax.Array]]:
        return carry, {name: values[number] for name, values in carry.history.items()}

    def _history(
        self, params: Tree, state: Tree, opt_state: Any, data: Arrays, hyper: Hyper
    ) -> dict[str, jax.Array]:
        history = super()._history(params, state, opt_state, data, hyper)
        by_step = self._by_step(history)
        return {
            name: jnp.full((self.spec.epochs, self.length, *values.shape[2:]), jnp.nan, jnp.float32)
            if name in by_step
            else values
            for name, values in history.items()
        }

    def _by_step(self, history: dict[str, jax.Array]) -> set[str]:
        """Return the names that `Run` would give a value a step."""
        names = {"step_loss"} if self.spec.step_losses else set()
        return names | (
            {f"step_{name}" for name in history} & set(history) if self.spec.step_records else set()
        )


def _recorded(kept: dict[str, jax.Array], ys: dict[str, jax.Array], index: jax.Array) -> dict[str, jax.Array]:
    """Add a step to the means over the steps of an epoch before `index`, and to the values by step."""
    after = dict(kept)
    for name, value in ys.items():
        if name in kept:
            before = jnp.where(index == 0, 0, kept[name])
            after[name] = before + (value - before) / (index + 1)
        if f"step_{name}" in kept:
            after[f"step_{name}"] = kept[f"step_{name}"].at[index].set(value)
    return after


class SegmentRunner:
    """The programs of a streamed run, compiled once for each set of shapes."""

    def __init__(self, plain: StreamedRun, thorough: StreamedRun) -> None:
        self.plain, self.thorough = plain, thorough
        self.start = jax.jit(plain.start)
        once = with_one_epoch(plain)
        self.once = jax.jit(once.segment), jax.jit(once.finish)  # lowered for the digest, never compiled
        self.replay = jax.jit(thorough.segment)
        self.ready: dict[Any, tuple[Callable[..., Carry], Callable[..., Carry]]] = {}

    def compiled(
        self, carry: Carry, segment: Any, data: Arrays, hyper: Hyper
    ) -> tuple[Callable[..., Carry], Callable[..., Carry]]:
        """Return `segment` and `finish` compiled for these shapes; `segment` is (inputs, targets)."""
        key = key_of(carry, segment, data, hyper)
        if key not in self.ready:
            place = place_of(0, 0, 0)
            programs = (
                jax.jit(self.plain.segment).lower(carry, place, *segment, data, hyper),
                jax.jit(self.plain.finish).lower(carry, data, hyper),
            )
            self.ready[key] = (programs[0].compile(), programs[1].compile())
        return self.ready[key]

    def digest(self, carry: Carry, segment: Any, data: Arrays, hyper: Hyper) -> str:
        """Return the SHA-256 of both programs as lowered, the same for any number of epochs."""
        carry = of_one_epoch(carry)
        lowered = (
            self.once[0].lower(carry, place_of(0, 0, 0), *segment, data, hyper),
            self.once[1].lower(carry, data, hyper),
        )
        return hashlib.sha256("".join(part.as_text() for part in lowered).encode()).hexdigest()


def place_of(first: int, number: int, count: int) -> Place:
    """Return what `StreamedRun.segment` takes as the place of its steps."""
    return jnp.int32(first), jnp.int32(number), jnp.int32(count)


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def segment_runner_of(
    net: Net, loss: Loss, optimizer: Optimizer, spec: Spec, penalty: Penalty | None, length: int | None
) -> SegmentRunner:
    """Return the programs of these parts, the same ones as long as the parts are the same objects."""
    plain, thorough = (
        make_run(net, loss, optimizer, spec, penalty=penalty, thorough=t, kind=StreamedRun, length=length)
        for t in (False, True)
    )
    return SegmentRunner(plain, thorough)
