"""Decision trees: growing one, and predicting with it, on as many rows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.peers import load
from bench.timing import first_call
from jaxdl.models import decision_tree

NAME = "tree"
DESCRIPTION = "decision tree by entropy on 20 numeric features, two classes, a tenth of the labels noise"
PEERS = ("sklearn",)
FEATURES, CLASSES = 20, 2


@dataclass(frozen=True)
class Problem:
    """Examples to grow a tree from, as many to predict, and the depth it may have."""

    inputs: np.ndarray  # float32 (n, 20)
    targets: np.ndarray  # int32 (n,)
    fresh: np.ndarray  # float32 (n, 20)
    fresh_targets: np.ndarray
    max_depth: int | None


class Peer(Protocol):
    """What bench/peers/*.py make of a Problem in `tree`; it is fitted when it is made."""

    def fit(self) -> None:
        """Grows the tree anew."""
        ...

    def predict(self) -> np.ndarray:
        """The classes of the fresh examples."""
        ...

    def root_gain(self) -> float:
        """Information gain of the first question, in bits."""
        ...


def make_problem(n: int, max_depth: int | None, seed: int = 0) -> Problem:
    """Gaussian features; the class is the sign of a sum of products, which takes many questions."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(2 * n, FEATURES)).astype(np.float32)
    score = inputs[:, 0] * inputs[:, 1] + inputs[:, 2] + 0.5 * inputs[:, 3] * np.abs(inputs[:, 4])
    noise = rng.random(2 * n) < 0.1
    targets = ((score > 0) ^ noise).astype(np.int32)
    return Problem(inputs[:n], targets[:n], inputs[n:], targets[n:], max_depth)


class Ours:
    """jaxdl: grown on the host, predicting as one compiled program."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._fresh = jnp.asarray(problem.fresh)
        self.fit()

    def fit(self) -> None:
        self.tree = decision_tree.fit(
            self._problem.inputs, self._problem.targets, classes=CLASSES, max_depth=self._problem.max_depth
        )
        jax.block_until_ready(self.tree)

    def predict(self) -> np.ndarray:
        return np.asarray(self.tree.predict(self._fresh))

    def root_gain(self) -> float:
        return float(self.tree.gain[0])


def _contender(make: Callable[[], Peer], task: str, problem: Problem) -> Contender:
    peer = make()

    def check() -> np.ndarray:
        return np.array([peer.root_gain(), np.mean(peer.predict() == problem.fresh_targets)])

    run = getattr(peer, task)
    return Contender(run=run, check=check, compile_s=first_call(run) if isinstance(peer, Ours) else None)


def _peer(name: str, problem: Problem) -> Peer:
    return load(name, NAME)(problem)


def _case(task: str, problem: Problem) -> Case:
    makers = {name: partial(_peer, name, problem) for name in PEERS}
    n, depth = len(problem.targets), problem.max_depth
    limit = "of any depth" if depth is None else f"of depth {depth}"
    return Case(
        label=f"{task} {n:,} examples, {limit}",
        ours=partial(_contender, partial(Ours, problem), task, problem),
        peers={name: partial(_contender, make, task, problem) for name, make in makers.items()},
        units=1,
        # One comparison for each value and level of growing, and for each level of predicting.
        flop=float(n * (depth or np.log2(n)) * (FEATURES if task == "fit" else 1)),
        unit=task,
        tolerance=0.01,  # ties are broken otherwise, which is felt in accuracy on fresh examples
    )


def cases(quick: bool) -> list[Case]:
    """Depth 10 and no limit, each grown and asked."""
    n = 2_000 if quick else 100_000
    return [_case(task, make_problem(n, depth)) for task in ("fit", "predict") for depth in (10, None)]
