"""Training of networks of images: the problem, our side of it, and what every peer's file makes of it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from bench.case import Case, Contender
from bench.mlp import Peer
from bench.peers import load
from bench.timing import compiled
from jaxdl import losses, net, scaling
from jaxdl.train import Arrays, Carry, Program, Spec, make_program

CHECKED_STEPS = 8
EPOCHS_RECORDED = 10_000


@dataclass(frozen=True)
class Problem:
    """Images, and kernels to start from; biases start at 0, scales of batch norm at 1.

    Pixels are scaled by 1/255; the loss is the batch mean of the softmax cross-entropy. In ``"bfloat16"``
    products are taken in it, while parameters, optimizer and loss stay float32.
    """

    inputs: np.ndarray  # uint8 (n, height, width, channels), n a multiple of the batch
    labels: np.ndarray  # int32 (n,)
    kernels: tuple[np.ndarray, ...]  # (height, width, in, out) or (in, out), in the order of the network
    batch: int
    learning_rate: float
    dtype: str = "float32"

    @property
    def steps(self) -> int:
        return len(self.labels) // self.batch


def make_kernels(shapes: Iterable[tuple[int, ...]], seed: int = 0) -> tuple[np.ndarray, ...]:
    """He's initialisation."""
    rng = np.random.default_rng(seed)
    return tuple(
        rng.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / np.prod(shape[:-1])))
        for shape in shapes
    )


def fill(tree: Any, kernels: Iterable[np.ndarray]) -> Any:
    """The parameters `tree` with these kernels: convolutions, then dense layers, by number."""
    paths, structure = jax.tree_util.tree_flatten_with_path(tree)
    names = [jax.tree_util.keystr(path) for path, _ in paths]
    wanted = [i for i, name in enumerate(names) if "kernel" in name]
    wanted.sort(key=lambda i: (-paths[i][1].ndim, _natural(names[i])))
    found = dict(zip(wanted, kernels, strict=True))
    for i, kernel in found.items():
        if paths[i][1].shape != kernel.shape:
            raise ValueError(f"{names[i]} has shape {paths[i][1].shape}, its kernel {kernel.shape}")
    leaves = [jnp.asarray(found.get(i, leaf)) for i, (_, leaf) in enumerate(paths)]
    return jax.tree.unflatten(structure, leaves)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


class Ours:
    """jaxdl: `make_program` advanced by an epoch a call, the form in which `fit` runs it.

    An epoch shuffles, gathers, scales the bytes and checks the health of every step, as a user's does.
    """

    def __init__(
        self,
        problem: Problem,
        make: Callable[[nnx.Rngs], nnx.Module],
        optimizer: Callable[[Any], optax.GradientTransformation],
    ) -> None:
        self._problem, self._optimizer = problem, optimizer
        network = net.functional(make)
        low = problem.dtype != "float32"
        self._network = net.mixed_precision(network, jnp.dtype(problem.dtype)) if low else network
        self._hyper = {"learning_rate": jnp.float32(problem.learning_rate)}
        self._data = arrays(problem)
        program = self._program(Spec(EPOCHS_RECORDED, problem.batch))
        self._carry = self._start(program, self._data)
        run = jax.jit(program.advance, donate_argnums=0)
        self._run, self.compile_s = compiled(run, self._carry, jnp.int32(1), self._data, self._hyper)
        self._done = 0

    def _program(self, spec: Spec) -> Program:
        return make_program(self._network, losses.softmax_cross_entropy, self._optimizer, spec)

    def _start(self, program: Program, data: Arrays) -> Carry:
        keys = jax.random.split(jax.random.key(0))
        carry = jax.jit(program.start)(keys[0], keys[1], data, self._hyper)
        return carry._replace(params=fill(carry.params, self._problem.kernels))

    def losses(self, order: np.ndarray) -> np.ndarray:
        data = arrays(self._problem, order.ravel())
        program = self._program(Spec(1, self._problem.batch, shuffle="none", step_losses=True))
        carry = jax.jit(program.advance)(self._start(program, data), jnp.int32(1), data, self._hyper)
        return np.asarray(carry.history["step_loss"][0])

    def epoch(self) -> None:
        self._done += 1
        carry = self._run(self._carry, jnp.int32(self._done), self._data, self._hyper)
        self._carry = jax.block_until_ready(carry)


def arrays(problem: Problem, index: Any = slice(None)) -> Arrays:
    """The examples at `index`, on the device, as bytes."""
    inputs, labels = jnp.asarray(problem.inputs[index]), jnp.asarray(problem.labels[index])
    return Arrays(inputs, labels, scaling=scaling.pixels())


def order_of(problem: Problem, steps: int = CHECKED_STEPS) -> np.ndarray:
    """(steps, batch) examples that peers are compared on."""
    order = np.random.default_rng(1).permutation(len(problem.labels))
    steps = min(steps, problem.steps)
    return order[: steps * problem.batch].reshape(steps, problem.batch)


def contender(make: Callable[[], Peer], problem: Problem) -> Contender:
    peer = make()
    return Contender(run=peer.epoch, check=partial(peer.losses, order_of(problem)), compile_s=peer.compile_s)


def make_case(
    name: str,
    problem: Problem,
    ours: Callable[[Problem], Peer],
    peers: Iterable[str],
    flop: float,
    most_repeats: int | None = None,
) -> Case:
    """The peers of the workload `name` beside ours, on one problem."""
    makers = {peer: partial(_peer, peer, name, problem) for peer in peers}
    return Case(
        label=f"batch {problem.batch}, {problem.dtype}",
        ours=partial(contender, partial(ours, problem), problem),
        peers={peer: partial(contender, make, problem) for peer, make in makers.items()},
        units=problem.steps,
        flop=flop,
        tolerance=tolerance(problem.dtype),
        dtype=problem.dtype,
        most_repeats=most_repeats,
    )


def _peer(peer: str, name: str, problem: Problem) -> Peer:
    return load(peer, name)(problem)


def dtypes() -> tuple[str, ...]:
    """What is timed on this device: a CPU multiplies bfloat16 by way of float32."""
    return ("float32",) if jax.default_backend() == "cpu" else ("float32", "bfloat16")


def tolerance(dtype: str) -> float:
    """Relative, of a loss after a few steps; float32 products of an accelerator are in TF32."""
    if dtype != "float32":
        return 5e-2
    return 1e-3 if jax.default_backend() == "cpu" else 2e-2
