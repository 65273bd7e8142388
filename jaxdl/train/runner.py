"""The compiled programs of a run, kept for the next run of the same parts and shapes."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl.net import Net
from jaxdl.train.loop import Program, make_program
from jaxdl.train.spec import Arrays, Carry, Hyper, Loss, Optimizer, Penalty, Spec

PROGRAMS_KEPT = 16


class Runner:
    """The programs of one (net, loss, optimizer, spec), compiled once for each set of shapes."""

    def __init__(self, program: Program, thorough: Program, spec: Spec) -> None:
        self.program, self.thorough = program, thorough
        self.start = jax.jit(program.start)
        chooses = spec.early_stopping is not None or spec.average is not None
        self.result = jax.jit(program.result) if chooses else program.result
        self.advance = jax.jit(program.advance)
        # Compiled only when a chunk diverged: it reads every gradient, and so finds the first bad step.
        self.replay = jax.jit(thorough.advance)
        self.ready: dict[Any, Callable[..., Carry]] = {}

    def compiled(self, carry: Carry, arrays: Arrays, hyper: Hyper) -> Callable[..., Carry]:
        """Return `advance` compiled for these shapes."""
        leaves, structure = jax.tree.flatten((carry, arrays, hyper))
        shapes = (structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        if shapes not in self.ready:
            self.ready[shapes] = self.advance.lower(carry, jnp.int32(1), arrays, hyper).compile()
        return self.ready[shapes]


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def runner_of(net: Net, loss: Loss, optimizer: Optimizer, spec: Spec, penalty: Penalty | None) -> Runner:
    """Return the programs of these parts, the same ones as long as the parts are the same objects."""
    plain, thorough = (
        make_program(net, loss, optimizer, spec, penalty=penalty, thorough=t) for t in (False, True)
    )
    return Runner(plain, thorough, spec)
