"""The compiled programs of a run, kept for the next run of the same parts and shapes."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from jaxdl.net import Net
from jaxdl.train.loop import make_run, program_of
from jaxdl.train.replay import Report, make_approach, replay
from jaxdl.train.run import Run
from jaxdl.train.spec import Arrays, Carry, Hyper, Loss, Optimizer, Penalty, Result, Spec

PROGRAMS_KEPT = 16
Kind = TypeVar("Kind", bound=Run)


class Runner:
    """The programs of one (net, loss, optimizer, spec), compiled once for each set of shapes."""

    def __init__(self, plain: Run, careful: Run, spec: Spec) -> None:
        self.run, self.program, self.thorough = plain, program_of(plain), program_of(careful)
        program, thorough = self.program, self.thorough
        self.start = jax.jit(program.start)
        self.chooses = spec.early_stopping is not None or spec.average is not None
        self.result = jax.jit(program.result) if self.chooses else program.result
        self.advance = jax.jit(program.advance)
        self.once = jax.jit(with_one_epoch(plain).advance)  # lowered for the digest, never compiled
        # Compiled only when a chunk diverged: it reads every gradient, and so finds the first bad step.
        self.replay = jax.jit(thorough.advance)
        self.approach = jax.jit(make_approach(plain))
        self.ready: dict[Any, jax.stages.Compiled] = {}  # `advance`, by shapes
        self.ends: dict[Any, jax.stages.Compiled] = {}  # `start` and `result`

    def report(self, before: Carry, step: int, steps: int, *, data: Arrays, hyper: Hyper) -> Report:
        """Replay a step at which the run diverged, from the state before its chunk of epochs of `steps`."""
        epoch, index = divmod(step, steps)
        carry = self.replay(before, jnp.int32(epoch), data, hyper)
        carry, batch = self.approach(carry, jnp.int32(index), data, hyper)
        return replay(self.run, carry, index, batch, data, hyper)

    def started(self, keys: tuple[jax.Array, jax.Array], arrays: Arrays, hyper: Hyper) -> jax.stages.Compiled:
        """Return `start` compiled for these shapes: ``(key, order, arrays, hyper) -> Carry``."""
        return _compiled(self.ends, self.start, *keys, arrays, hyper)

    def compiled(self, carry: Carry, arrays: Arrays, hyper: Hyper) -> jax.stages.Compiled:
        """Return `advance` compiled for these shapes: ``(carry, stop, arrays, hyper) -> Carry``."""
        return _compiled(self.ready, self.advance, carry, jnp.int32(1), arrays, hyper)

    def finished(self, carry: Carry) -> Callable[[Carry], Result]:
        """Return `result` compiled for these shapes, where there is anything to compute."""
        return _compiled(self.ends, self.result, carry) if self.chooses else self.program.result

    def digest(self, carry: Carry, arrays: Arrays, hyper: Hyper) -> str:
        """Return the SHA-256 of `advance` as the compiler gets it, the same for any number of epochs."""
        text = self.once.lower(of_one_epoch(carry), jnp.int32(1), arrays, hyper).as_text()
        return hashlib.sha256(text.encode()).hexdigest()


def with_one_epoch(run: Kind) -> Kind:
    """Return a run as it would be with one epoch."""
    return dataclasses.replace(run, spec=dataclasses.replace(run.spec, epochs=1))


def of_one_epoch(carry: Carry) -> Carry:
    """Return a state whose history has one row, as a shape."""

    def row(values: Any) -> Any:
        sharding = values.sharding if getattr(values, "committed", False) else None
        return jax.ShapeDtypeStruct((1, *values.shape[1:]), values.dtype, sharding=sharding)

    return carry._replace(history={name: row(values) for name, values in carry.history.items()})


def _compiled(kept: dict[Any, jax.stages.Compiled], function: Any, *arguments: Any) -> jax.stages.Compiled:
    leaves, structure = jax.tree.flatten(arguments)
    shapes = (function, structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
    if shapes not in kept:
        kept[shapes] = function.lower(*arguments).compile()
    return kept[shapes]


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def runner_of(net: Net, loss: Loss, optimizer: Optimizer, spec: Spec, penalty: Penalty | None) -> Runner:
    """Return the programs of these parts, the same ones as long as the parts are the same objects."""
    runs: list[Run] = [
        make_run(net, loss, optimizer, spec, penalty=penalty, thorough=thorough) for thorough in (False, True)
    ]
    return Runner(runs[0], runs[1], spec)
