"""What `fit` costs beyond the bare compiled run: the bar, the history, the health check, the chunks."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.mlp import flop, make_digits
from bench.timing import compiled
from jaxdl import losses, net, optim, scaling
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import Arrays, Spec, door, fit, make_train

NAME = "bookkeeping"
DESCRIPTION = "`fit` with its bar, history and health check, against bare `make_train` in one call"
PEERS = ("make_train",)
SIZES = (784, 16, 16, 10)
CONFIG = MLPConfig(sizes=SIZES, activation="sigmoid")
RATE, SEED = 0.5, 0


@dataclass(frozen=True)
class Problem:
    """One run: images and labels, and how long they are trained."""

    inputs: np.ndarray
    labels: np.ndarray
    batch: int
    epochs: int

    @property
    def steps(self) -> int:
        return len(self.labels) // self.batch * self.epochs


NETWORK = net.functional(lambda rngs: MLP(CONFIG, rngs=rngs))
SCALING = scaling.pixels()


def sgd(hyper: dict[str, jax.Array]) -> object:
    return optim.sgd(hyper["learning_rate"])


class Fit:
    """`fit` as a user calls it, its bar written into a file, as in a log."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        with contextlib.redirect_stdout(io.StringIO()):
            self.compile_s = self._fit("off").timing.compile

    def _fit(self, progress: str) -> object:
        problem = self._problem
        return fit(
            NETWORK,
            (problem.inputs, problem.labels),
            loss=losses.softmax_cross_entropy,
            optimizer=sgd,
            hyper={"learning_rate": RATE},
            scaling=SCALING,
            epochs=problem.epochs,
            batch_size=problem.batch,
            seed=SEED,
            progress=progress,
        )

    def run(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self._fit("bar")

    def losses(self) -> np.ndarray:
        return self._fit("off").history["loss"]


class Bare:
    """The same run as one call of the compiled `make_train`, its examples on the device already."""

    def __init__(self, problem: Problem) -> None:
        spec = Spec(problem.epochs, problem.batch)
        train = make_train(NETWORK, losses.softmax_cross_entropy, sgd, spec)
        data = Arrays(jnp.asarray(problem.inputs), jnp.asarray(problem.labels), scaling=SCALING)
        self._given = (*door.keys(SEED), data, {"learning_rate": jnp.float32(RATE)})
        self._run, self.compile_s = compiled(jax.jit(train), *self._given)

    def run(self) -> None:
        jax.block_until_ready(self._run(*self._given))

    def losses(self) -> np.ndarray:
        return np.asarray(self._run(*self._given).history["loss"])


def _contender(kind: Callable[[Problem], Fit | Bare], problem: Problem) -> Contender:
    made = kind(problem)
    return Contender(run=made.run, check=made.losses, compile_s=made.compile_s)


def make_problem(batch: int, epochs: int, n: int = 8192) -> Problem:
    """Images like MNIST's, a whole number of batches."""
    inputs, labels = make_digits(n // batch * batch, np.random.default_rng(0))
    return Problem(inputs, labels, batch, epochs)


def make_case(problem: Problem) -> Case:
    return Case(
        label=f"batch {problem.batch}, {problem.epochs} epochs of {len(problem.labels)}",
        ours=partial(_contender, Fit, problem),
        peers={"make_train": partial(_contender, Bare, problem)},
        units=problem.steps,
        flop=flop(problem.batch),
        tolerance=1e-4,
    )


def cases(quick: bool) -> list[Case]:
    """Runs of seconds: what `fit` checks at its door, 40 ms, is a larger share of shorter ones."""
    epochs, n = (4, 1024) if quick else (200, 8192)
    return [make_case(make_problem(batch, epochs, n)) for batch in (32, 128)]
