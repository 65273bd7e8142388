"""Mini-batch SGD of logistic regression: two products with a vector a step, so moving the data decides."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.peers import load
from bench.timing import compiled
from jaxdl import losses, optim
from jaxdl.net import Net, from_pair
from jaxdl.train import Arrays, Carry, Spec, make_program

NAME = "logistic"
DESCRIPTION = "logistic regression on 100,000 x 100 floats, mini-batch SGD, shuffled every epoch"
PEERS = ("numpy", "torch", "sklearn")
EXAMPLES, FEATURES, BATCH = 100_000, 100, 256
CHECKED_STEPS = 50
EPOCHS_RECORDED = 10_000


@dataclass(frozen=True)
class Problem:
    """A problem with noisy labels. The loss is the batch mean of the cross-entropy; weights start at 0.

    scikit-learn's SGDClassifier takes single examples: it is compared at a batch of 1.
    """

    inputs: np.ndarray  # float32 (n, features), n a multiple of the batch
    targets: np.ndarray  # float32 (n,), 0 or 1
    batch: int
    learning_rate: float

    @property
    def steps(self) -> int:
        return len(self.targets) // self.batch


def make_problem(batch: int, n: int = EXAMPLES, learning_rate: float = 0.1) -> Problem:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(n // batch * batch, FEATURES)).astype(np.float32)
    logits = inputs @ rng.normal(size=FEATURES).astype(np.float32) / 3
    targets = (rng.random(len(inputs)) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    return Problem(inputs, targets, batch, learning_rate)


def network() -> Net:
    def init(key: jax.Array) -> dict[str, jax.Array]:
        return {"kernel": jnp.zeros(FEATURES), "bias": jnp.zeros(())}

    return from_pair(init, lambda params, x: x @ params["kernel"] + params["bias"])


class Ours:
    """jaxdl: `make_program` advanced by an epoch a call, the form in which `fit` runs it."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._start, self._advance = self._program(Spec(EPOCHS_RECORDED, problem.batch))
        self._data = Arrays(jnp.asarray(problem.inputs), jnp.asarray(problem.targets))
        self._hyper = {"learning_rate": jnp.float32(problem.learning_rate)}
        self._carry = self._start(self._data)
        run = jax.jit(self._advance, donate_argnums=0)
        self._run, self.compile_s = compiled(run, self._carry, jnp.int32(1), self._data, self._hyper)
        self._done = 0

    def _program(self, spec: Spec) -> tuple[Callable[[Arrays], Carry], Callable[..., Carry]]:
        program = make_program(
            network(), losses.binary_cross_entropy, lambda hyper: optim.sgd(hyper["learning_rate"]), spec
        )
        hyper = {"learning_rate": jnp.float32(self._problem.learning_rate)}

        def start(data: Arrays) -> Carry:
            return program.start(jax.random.key(0), jax.random.key(1), data, hyper)

        return start, program.advance

    def losses(self, order: np.ndarray) -> np.ndarray:
        index = order.ravel()
        data = Arrays(jnp.asarray(self._problem.inputs[index]), jnp.asarray(self._problem.targets[index]))
        start, advance = self._program(Spec(1, self._problem.batch, shuffle="none", step_losses=True))
        return np.asarray(advance(start(data), 1, data, self._hyper).history["step_loss"][0])

    def epoch(self) -> None:
        self._done += 1
        carry = self._run(self._carry, jnp.int32(self._done), self._data, self._hyper)
        self._carry = jax.block_until_ready(carry)


def _contender(make: Callable[[], Ours], problem: Problem) -> Contender:
    peer = make()
    steps = min(CHECKED_STEPS, problem.steps)
    order = np.random.default_rng(1).permutation(len(problem.targets))[: steps * problem.batch]
    order = order.reshape(steps, problem.batch)
    return Contender(run=peer.epoch, check=partial(peer.losses, order), compile_s=peer.compile_s)


def _peer(name: str, problem: Problem) -> Ours:
    return load(name, NAME)(problem)


def make_case(problem: Problem, peers: tuple[str, ...]) -> Case:
    """All of these peers side by side with ours, on one problem."""
    makers = {name: partial(_peer, name, problem) for name in peers}
    return Case(
        label=f"{len(problem.targets):,} x {FEATURES}, batch {problem.batch}",
        ours=partial(_contender, partial(Ours, problem), problem),
        peers={name: partial(_contender, make, problem) for name, make in makers.items()},
        units=problem.steps,
        flop=4 * problem.batch * FEATURES,
    )


def cases(quick: bool) -> list[Case]:
    """The batch of 256 against NumPy and PyTorch; single examples against scikit-learn."""
    n = 4096 if quick else EXAMPLES
    return [
        make_case(make_problem(BATCH, n), ("numpy", "torch")),
        make_case(make_problem(1, n // 4, learning_rate=0.01), ("sklearn",)),
    ]
