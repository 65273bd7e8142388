"""Plain SGD of a 784-16-16-10 network: the step is so small that overhead decides."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.peers import load
from bench.timing import compiled
from jaxdl import losses, net, optim, scaling
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import Arrays, Carry, Spec, make_program

NAME = "mlp"
DESCRIPTION = "784-16-16-10 sigmoid network, plain SGD on uint8 images, shuffled every epoch"
PEERS = ("numpy", "numpy_plain", "linen", "nnx_jit", "torch", "keras", "sklearn")
SIZES = (784, 16, 16, 10)
BATCHES = (10, 32, 128)
CHECKED_STEPS = 50


@dataclass(frozen=True)
class Problem:
    """One batch size of the workload. Pixels are scaled by 1/255; the loss is a batch mean.

    "squared": sigmoid on every layer, the sum over outputs of (a - onehot)^2.
    "cross_entropy": sigmoid on the hidden layers, softmax cross-entropy of the output.
    """

    inputs: np.ndarray  # uint8 (n, 784), n a multiple of the batch
    labels: np.ndarray  # int32 (n,)
    weights: list[tuple[np.ndarray, np.ndarray]]  # float32 (in, out), (out,)
    batch: int
    learning_rate: float
    loss: str
    sizes: tuple[int, ...] = SIZES

    @property
    def steps(self) -> int:
        return len(self.labels) // self.batch


class Peer(Protocol):
    """Trains from problem.weights; what bench/peers/*.py make of a Problem in `mlp`."""

    @property
    def compile_s(self) -> float | None:
        """Seconds of compilation; None where nothing is compiled."""
        ...

    def losses(self, order: np.ndarray) -> np.ndarray:
        """The loss of each batch before its update, for an order of (steps, batch) indices."""
        ...

    def epoch(self) -> None:
        """Shuffles anew and runs problem.steps steps; returns when they are finished."""
        ...


def make_digits(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images like MNIST's in sparsity: three soft blobs a class, shifted, dimmed and noisy."""
    centres = rng.uniform(7, 21, (10, 3, 2, 1, 1))
    grid = np.indices((28, 28))
    blobs = np.exp(-((grid - centres) ** 2).sum(2) / 8).max(1)
    shifts = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    templates = np.stack([np.roll(blobs, shift, (1, 2)) for shift in shifts]).astype(np.float32)
    labels = rng.integers(0, 10, n, dtype=np.int32)
    images = templates[rng.integers(0, len(shifts), n), labels].reshape(n, 784)
    images *= rng.uniform(0.6, 1.2, (n, 1)).astype(np.float32)
    images += rng.normal(0, 0.1, images.shape).astype(np.float32) * (images > 0.1)
    pixels = np.where(images > 0.1, np.clip(images, 0, 1) * 255, 0)
    return pixels.astype(np.uint8), labels


def make_problem(batch: int, loss: str = "squared", n: int = 8192, seed: int = 0) -> Problem:
    """A learnable problem; n is cut to whole batches, since some peers cannot drop the last."""
    rng = np.random.default_rng(seed)
    inputs, labels = make_digits(n // batch * batch, rng)
    weights = [
        (
            (rng.normal(size=(rows, columns)) / np.sqrt(rows)).astype(np.float32),
            np.zeros(columns, np.float32),
        )
        for rows, columns in pairwise(SIZES)
    ]
    return Problem(inputs, labels, weights, batch, learning_rate=0.5, loss=loss)


EPOCHS_RECORDED = 10_000


class Ours:
    """jaxdl: `make_program` advanced by an epoch a call, the form in which `fit` runs it."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._start, self._advance = self._program(problem, Spec(EPOCHS_RECORDED, problem.batch))
        self._data = _arrays(problem.inputs, problem.labels)
        self._hyper = {"learning_rate": jnp.float32(problem.learning_rate)}
        self._carry = self._start(self._data)
        run = jax.jit(self._advance, donate_argnums=0)
        self._run, self.compile_s = compiled(run, self._carry, jnp.int32(1), self._data, self._hyper)
        self._done = 0

    def _program(self, problem: Problem, spec: Spec) -> tuple[Callable[..., Carry], Callable[..., Carry]]:
        output = "sigmoid" if problem.loss == "squared" else "identity"
        config = MLPConfig(sizes=problem.sizes, activation="sigmoid", output=output)
        network = net.functional(lambda rngs: MLP(config, rngs=rngs))
        loss = _squared if problem.loss == "squared" else losses.softmax_cross_entropy
        program = make_program(network, loss, lambda hyper: optim.sgd(hyper["learning_rate"]), spec)
        layers = {
            i: {"kernel": jnp.asarray(w), "bias": jnp.asarray(b)} for i, (w, b) in enumerate(problem.weights)
        }

        def start(data: Arrays) -> Carry:
            keys = jax.random.split(jax.random.key(0))
            hyper = {"learning_rate": jnp.float32(problem.learning_rate)}
            return program.start(keys[0], keys[1], data, hyper)._replace(params={"layers": layers})

        return start, program.advance

    def losses(self, order: np.ndarray) -> np.ndarray:
        index = order.ravel()
        data = _arrays(self._problem.inputs[index], self._problem.labels[index])
        spec = Spec(1, self._problem.batch, shuffle="none", step_losses=True)
        start, advance = self._program(self._problem, spec)
        return np.asarray(advance(start(data), 1, data, self._hyper).history["step_loss"][0])

    def epoch(self) -> None:
        self._done += 1
        carry = self._run(self._carry, jnp.int32(self._done), self._data, self._hyper)
        self._carry = jax.block_until_ready(carry)


def _arrays(inputs: np.ndarray, labels: np.ndarray) -> Arrays:
    return Arrays(jnp.asarray(inputs), jnp.asarray(labels), scaling=scaling.pixels())


def _squared(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    return losses.squared_error(outputs, jax.nn.one_hot(labels, 10), outputs="sum")


def flop(batch: int, sizes: tuple[int, ...] = SIZES) -> float:
    """Arithmetic of a step: forward, and the gradients of weights and of all inputs but x."""
    first, *rest = (rows * columns for rows, columns in pairwise(sizes))
    return 2 * batch * (2 * first + 3 * sum(rest))


def _contender(make: Callable[[], Peer], problem: Problem) -> Contender:
    peer = make()
    steps = min(CHECKED_STEPS, problem.steps)
    order = np.random.default_rng(1).permutation(len(problem.labels))[: steps * problem.batch]
    order = order.reshape(steps, problem.batch)
    return Contender(run=peer.epoch, check=partial(peer.losses, order), compile_s=peer.compile_s)


def _peer(name: str, problem: Problem) -> Peer:
    return load(name, NAME)(problem)


def make_case(problem: Problem, peers: tuple[str, ...]) -> Case:
    """All of these peers side by side with ours, on one problem."""
    makers = {name: partial(_peer, name, problem) for name in peers}
    return Case(
        label=f"batch {problem.batch}, {problem.loss.replace('_', ' ')}",
        ours=partial(_contender, partial(Ours, problem), problem),
        peers={name: partial(_contender, make, problem) for name, make in makers.items()},
        units=problem.steps,
        flop=flop(problem.batch),
    )


def cases(quick: bool) -> list[Case]:
    """Three batch sizes; scikit-learn knows only the cross-entropy, so it is a case of its own."""
    n = 1024 if quick else 8192
    squared = tuple(name for name in PEERS if name != "sklearn")
    pairs = (("squared", squared), ("cross_entropy", ("sklearn",)))
    return [make_case(make_problem(batch, loss, n), peers) for loss, peers in pairs for batch in BATCHES]
