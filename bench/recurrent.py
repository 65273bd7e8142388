"""Recurrent layers by formulation; `python -m bench.recurrent_table` prints the milliseconds of all.

What is timed is a loop of steps, as in training: value and gradient of half the square of all outputs, and an
update of the weights, so that nothing can be moved out of the loop. A first layer has no input gradient and
is fed a new batch in every step; members, each with weights of its own, share it.
"""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.conv import comparable
from bench.sequences import GATES, LARGE, MIDDLE, SMALL, Size
from bench.timing import compiled
from jaxdl.kernels import recurrent
from jaxdl.kernels.recurrent import IMPLEMENTATIONS

NAME = "recurrent"
DESCRIPTION = "recurrent layers trained in a scan: the rule's choice against each formulation"
PEERS = IMPLEMENTATIONS
# A run has steps for so much arithmetic, within limits: a loop of one step would be no loop.
RUN_FLOP, RUN_STEPS = 1e9, (2, 16)


@dataclasses.dataclass(frozen=True)
class Shape:
    """One layer. Members have weights of their own; where ragged, sequences are half to whole as long."""

    cell: str
    size: Size
    members: int = 1
    first: bool = True  # of its network: no input gradient
    ragged: bool = False

    @property
    def name(self) -> str:
        extra = (f"{self.members} members",) * (self.members > 1)
        extra += ("inner",) * (not self.first) + ("ragged",) * self.ragged
        return ", ".join((f"{self.cell} {self.size}", *extra))

    @property
    def steps(self) -> int:
        """Steps of a run."""
        low, high = RUN_STEPS
        return min(max(int(RUN_FLOP // self.flop), low), high)

    @property
    def flop(self) -> float:
        """Arithmetic of a step of all members; padded steps count, since they are computed."""
        time, batch, inputs, features = self.size
        taps = (2 if self.first else 3) * inputs + 3 * features
        return 2.0 * self.members * time * batch * GATES[self.cell] * features * taps


SHAPES = (
    Shape("lstm", SMALL),
    Shape("lstm", MIDDLE),
    Shape("lstm", LARGE),
    Shape("lstm", MIDDLE._replace(inputs=128), first=False),
    Shape("lstm", SMALL, ragged=True),
    Shape("lstm", SMALL, members=16),
    Shape("lstm", MIDDLE, members=4),
    Shape("lstm", Size(16, 32, 32, 128)),
    Shape("lstm", Size(200, 32, 2, 64)),
    Shape("lstm", Size(50, 1, 64, 64)),
    Shape("gru", SMALL),
    Shape("gru", MIDDLE),
    Shape("gru", LARGE),
    Shape("gru", SMALL, ragged=True),
    Shape("gru", SMALL, members=16),
    Shape("gru", MIDDLE._replace(inputs=128), first=False),
    Shape("rnn", SMALL),
    Shape("rnn", MIDDLE),
    Shape("rnn", SMALL, members=16),
)
# What `python -m bench recurrent` holds the rule to.
TIMED = tuple(SHAPES[i] for i in (0, 1, 2, 5, 10, 14, 16))


def make_weights(shape: Shape, rng: np.random.Generator) -> recurrent.Weights:
    """Weights of all members, (members, ...) where there are several."""
    features, bound = shape.size.features, 1 / math.sqrt(shape.size.features)
    width = GATES[shape.cell] * features
    several = (shape.members,) if shape.members > 1 else ()

    def draw(*part: int) -> jax.Array:
        return jnp.asarray(rng.uniform(-bound, bound, several + part), jnp.float32)

    inner = draw(features) if shape.cell == "gru" else None
    return recurrent.Weights(draw(shape.size.inputs, width), draw(features, width), draw(width), inner)


def _loss(
    shape: Shape, implementation: str | None, weights: recurrent.Weights, x: jax.Array, lengths: Any
) -> jax.Array:
    # From the input, so that it is an array of the step.
    zero = jnp.broadcast_to(0 * x[:, 0, :1], (len(x), shape.size.features))
    carry = (zero, zero) if shape.cell == "lstm" else zero
    run = getattr(recurrent, shape.cell)
    y, _ = run(x, carry, weights, lengths=lengths, implementation=implementation)
    return 0.5 * jnp.vdot(y, y)


def _moved(tree: Any, slopes: Any, rate: float) -> Any:
    return jax.tree.map(lambda leaf, slope: leaf - rate * slope, tree, slopes)


def program(shape: Shape, implementation: str | None) -> Callable[..., Any]:
    """(weights, inputs, lengths) -> the weights after the steps, and the loss of each."""
    loss = partial(_loss, shape, implementation)
    time, batch, *_ = shape.size
    rate = 1e-2 / (time * batch)

    def fed(weights: recurrent.Weights, xs: jax.Array, lengths: Any) -> Any:
        def step(weights: recurrent.Weights, x: jax.Array) -> Any:
            value, slopes = jax.value_and_grad(loss)(weights, x, lengths)
            return _moved(weights, slopes, rate), value

        return jax.lax.scan(step, weights, xs)

    def carried(weights: recurrent.Weights, x: jax.Array, lengths: Any) -> Any:
        def step(carry: Any, _: None) -> Any:
            value, slopes = jax.value_and_grad(loss, (0, 1))(*carry, lengths)
            return _moved(carry, slopes, rate), value

        return jax.lax.scan(step, (weights, x), None, shape.steps)

    function = fed if shape.first else carried
    axes = (0, None if shape.first else 0, None)
    return function if shape.members == 1 else jax.vmap(function, in_axes=axes)


def arguments(shape: Shape) -> tuple[recurrent.Weights, jax.Array, jax.Array | None]:
    """What a seed gives for a program."""
    rng, (time, batch, inputs, _) = np.random.default_rng(0), shape.size
    several = (shape.steps,) if shape.first else (shape.members,) * (shape.members > 1)
    weights = make_weights(shape, rng)
    x = rng.standard_normal((*several, batch, time, inputs), np.float32)
    lengths = rng.integers(-(-time // 2), time + 1, batch, dtype=np.int32) if shape.ragged else None
    return weights, jnp.asarray(x), None if lengths is None else jnp.asarray(lengths)


def contender(shape: Shape, implementation: str | None) -> Contender:
    """The layer's program, compiled."""
    given = arguments(shape)
    run, compile_s = compiled(jax.jit(program(shape, implementation)), *given)
    return Contender(
        run=lambda: jax.block_until_ready(run(*given)),
        check=lambda: np.concatenate([comparable(array) for array in _changes(run(*given), given)]),
        compile_s=compile_s,
    )


def _changes(result: Any, given: Any) -> list[np.ndarray]:
    """How far each weight went, and the losses; a carried input moves too little to be told from rounding."""
    ends, losses = result
    weights = ends if isinstance(ends, recurrent.Weights) else ends[0]
    changes = jax.tree.map(lambda end, start: np.asarray(end) - np.asarray(start), weights, given[0])
    return [*jax.tree.leaves(changes), np.asarray(losses)]


def tolerance() -> float:
    """Relative, of what a contender's check gives; float32 products of an accelerator are in TF32."""
    return 1e-3 if jax.default_backend() == "cpu" else 2e-2


def _possible(shape: Shape, implementation: str) -> bool:
    """Whether the formulation is for this device and this layer; cuDNN's is for one LSTM at a time."""
    plain = shape.cell == "lstm" and not shape.ragged and shape.members == 1
    return implementation != "cudnn" or (plain and jax.default_backend() == "gpu")


def make_case(shape: Shape) -> Case:
    """The rule's choice against each formulation."""
    names = [name for name in IMPLEMENTATIONS if _possible(shape, name)]
    return Case(
        label=shape.name,
        ours=partial(contender, shape, None),
        peers={name: partial(contender, shape, name) for name in names},
        units=shape.steps,
        flop=shape.flop,
        tolerance=tolerance(),
        most_repeats=7,
    )


def cases(quick: bool) -> list[Case]:
    """Seven layers; the trial run takes one."""
    return [make_case(shape) for shape in (TIMED[:1] if quick else TIMED)]
