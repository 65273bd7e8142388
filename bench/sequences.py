"""Training of a recurrent layer: the problem, our side of it, and what each peer's file makes of it.

A layer reads (batch, time, inputs); a linear head maps its output at the last step to ten classes. Plain SGD
on the batch mean of the softmax cross-entropy: the update is next to nothing, and is the same everywhere.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from bench.case import Case, Contender
from bench.peers import load
from bench.timing import compiled
from jaxdl import losses, net, optim
from jaxdl.layers import GRU, LSTM, Linear
from jaxdl.train import Arrays, Carry, Program, Spec, make_program

CLASSES = 10
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
LEARNING_RATE = 0.5
CHECKED_STEPS = 8
EPOCHS_RECORDED = 10_000
PEERS = ("torch", "torch_compile", "keras", "linen", "linen_scan", "jax_scan", "numpy")


class Size(NamedTuple):
    """Steps of a sequence, sequences of a batch, features of a step, and features of the layer."""

    time: int
    batch: int
    inputs: int
    features: int

    def __str__(self) -> str:
        return f"T={self.time} B={self.batch} I={self.inputs} H={self.features}"


SMALL, MIDDLE, LARGE = Size(28, 32, 28, 64), Size(100, 32, 64, 128), Size(100, 64, 128, 256)
TINY = Size(5, 4, 3, 8)


@dataclass(frozen=True)
class Problem:
    """Sequences, and weights to start from by name, in the convention of `jaxdl.kernels.recurrent`.

    input (inputs, gates * features), recurrent (features, gates * features), bias (gates * features,), of a
    GRU, which resets after the product, recurrent_bias (features,); head (features, classes) and head_bias.
    Gates of the LSTM: input, forget, candidate, output; of the GRU: reset, update, candidate.
    """

    cell: str
    size: Size
    inputs: np.ndarray  # float32 (n, time, inputs), n a multiple of the batch
    labels: np.ndarray  # int32 (n,)
    weights: dict[str, np.ndarray]
    learning_rate: float = LEARNING_RATE

    @property
    def batch(self) -> int:
        return self.size.batch

    @property
    def steps(self) -> int:
        return len(self.labels) // self.batch


class Peer(Protocol):
    """Trains from problem.weights; what bench/peers/*.py make of a Problem in `lstm` and in `gru`."""

    @property
    def compile_s(self) -> float | None: ...

    def losses(self, order: np.ndarray) -> np.ndarray:
        """Starts anew; the loss of each batch before its update, for an order of (steps, batch) indices."""
        ...

    def weights(self) -> Mapping[str, np.ndarray]:
        """The weights as they are now, in the form of Problem.weights."""
        ...

    def epoch(self) -> None:
        """Shuffles anew and runs problem.steps steps; returns when they are finished."""
        ...


def make_weights(cell: str, size: Size, seed: int = 0) -> dict[str, np.ndarray]:
    """Uniform within 1 / sqrt(features), biases too, as PyTorch starts them."""
    width, rng = GATES[cell] * size.features, np.random.default_rng(seed)
    shapes = {"input": (size.inputs, width), "recurrent": (size.features, width), "bias": (width,)}
    if cell == "gru":
        shapes["recurrent_bias"] = (size.features,)
    shapes |= {"head": (size.features, CLASSES), "head_bias": (CLASSES,)}
    bound = 1 / math.sqrt(size.features)
    return {name: rng.uniform(-bound, bound, shape).astype(np.float32) for name, shape in shapes.items()}


def make_problem(cell: str, size: Size, steps: int, seed: int = 0) -> Problem:
    """Noise with labels that nothing knows, which is as much work as any; `seed` is that of the weights."""
    rng, n = np.random.default_rng(0), steps * size.batch
    inputs = rng.standard_normal((n, size.time, size.inputs), np.float32)
    labels = rng.integers(0, CLASSES, n, dtype=np.int32)
    return Problem(cell, size, inputs, labels, make_weights(cell, size, seed))


def flop(cell: str, size: Size) -> float:
    """Arithmetic of a step: forward, and the gradients of weights and of all inputs but the sequences."""
    time, batch, inputs, features = size
    layer = time * GATES[cell] * features * (2 * inputs + 3 * features)
    return 2.0 * batch * (layer + 3 * features * CLASSES)


class Network(nnx.Module):
    """jaxdl's layer and a linear head."""

    def __init__(self, cell: str, size: Size, *, rngs: nnx.Rngs) -> None:
        make = {"lstm": LSTM, "gru": GRU}[cell]
        self.layer = make(size.inputs, size.features, rngs=rngs)
        self.head = Linear(size.features, CLASSES, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        outputs, _ = self.layer(x)
        return self.head(outputs[:, -1])


def network(problem: Problem) -> Callable[[nnx.Rngs], nnx.Module]:
    """What makes the network of a problem, for `net.functional`."""
    return lambda rngs: Network(problem.cell, problem.size, rngs=rngs)


def _places(tree: Any, weights: Mapping[str, np.ndarray]) -> tuple[list[str], Any]:
    """Which weight each leaf of the parameters is, told by its shape, and the tree's structure."""
    leaves, structure = jax.tree.flatten(tree)
    names = {weight.shape: name for name, weight in weights.items()}
    found = [names.get(leaf.shape, f"none of shape {leaf.shape}") for leaf in leaves]
    if sorted(found) != sorted(weights):
        raise ValueError(f"the parameters are {sorted(found)}, not {sorted(weights)}")
    return found, structure


def fill(tree: Any, weights: Mapping[str, np.ndarray]) -> Any:
    """The parameters `tree` with these weights."""
    found, structure = _places(tree, weights)
    return jax.tree.unflatten(structure, [jnp.asarray(weights[name]) for name in found])


class Ours:
    """jaxdl: `make_program` advanced by an epoch a call, the form in which `fit` runs it."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._network = net.functional(network(problem))
        self._hyper = {"learning_rate": jnp.float32(problem.learning_rate)}
        self._data = arrays(problem)
        program = self._program(Spec(EPOCHS_RECORDED, problem.batch))
        self._carry = self._start(program, self._data)
        run = jax.jit(program.advance, donate_argnums=0)
        self._run, self.compile_s = compiled(run, self._carry, jnp.int32(1), self._data, self._hyper)
        self._done = 0
        self._params = self._carry.params

    def _program(self, spec: Spec) -> Program:
        optimizer = lambda hyper: optim.sgd(hyper["learning_rate"])  # noqa: E731
        return make_program(self._network, losses.softmax_cross_entropy, optimizer, spec)

    def _start(self, program: Program, data: Arrays) -> Carry:
        keys = jax.random.split(jax.random.key(0))
        carry = jax.jit(program.start)(keys[0], keys[1], data, self._hyper)
        return carry._replace(params=fill(carry.params, self._problem.weights))

    def losses(self, order: np.ndarray) -> np.ndarray:
        data = arrays(self._problem, order.ravel())
        program = self._program(Spec(1, self._problem.batch, shuffle="none", step_losses=True))
        carry = jax.jit(program.advance)(self._start(program, data), jnp.int32(1), data, self._hyper)
        self._params = carry.params
        return np.asarray(carry.history["step_loss"][0])

    def weights(self) -> Mapping[str, np.ndarray]:
        names, _ = _places(self._params, self._problem.weights)
        return dict(zip(names, map(np.asarray, jax.tree.leaves(self._params))))

    def epoch(self) -> None:
        self._done += 1
        carry = self._run(self._carry, jnp.int32(self._done), self._data, self._hyper)
        self._carry = jax.block_until_ready(carry)


def arrays(problem: Problem, index: Any = slice(None)) -> Arrays:
    """The examples at `index`, on the device."""
    return Arrays(jnp.asarray(problem.inputs[index]), jnp.asarray(problem.labels[index]))


def order_of(problem: Problem, steps: int = CHECKED_STEPS) -> np.ndarray:
    """(steps, batch) examples that peers are compared on."""
    order = np.random.default_rng(1).permutation(len(problem.labels))
    steps = min(steps, problem.steps)
    return order[: steps * problem.batch].reshape(steps, problem.batch)


def trained(peer: Peer, problem: Problem, order: np.ndarray) -> np.ndarray:
    """Losses of the steps, then of each weight how far it went: 10 + change / (root mean square of all)."""
    found, weights = [peer.losses(order).astype(np.float64)], peer.weights()
    for name, start in problem.weights.items():
        change = weights[name].astype(np.float64).ravel() - start.ravel()
        size = np.sqrt(np.mean(change**2))
        found += [[size], 10 + change / (size or 1)]
    return np.concatenate(found)


def contender(make: Callable[[], Peer], problem: Problem) -> Contender:
    peer = make()
    check = partial(trained, peer, problem, order_of(problem))
    return Contender(run=peer.epoch, check=check, compile_s=peer.compile_s)


def _peer(peer: str, problem: Problem) -> Peer:
    return load(peer, problem.cell)(problem)


def make_case(problem: Problem, peers: Iterable[str], most_repeats: int | None = None) -> Case:
    """These peers side by side with ours, on one problem."""
    return Case(
        label=str(problem.size),
        ours=partial(contender, partial(Ours, problem), problem),
        peers={name: partial(contender, partial(_peer, name, problem), problem) for name in peers},
        units=problem.steps,
        flop=flop(problem.cell, problem.size),
        tolerance=tolerance(),
        most_repeats=most_repeats,
    )


def tolerance() -> float:
    """Relative, of what `trained` gives; float32 products of an accelerator are in TF32."""
    return 1e-3 if jax.default_backend() == "cpu" else 2e-2
