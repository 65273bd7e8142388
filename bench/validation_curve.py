"""Penalties times training-set sizes, cross-validated: one compiled program against fits one by one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.peers import load
from bench.timing import first_call
from jaxdl import data, losses, select
from jaxdl.models import linear_regression, logistic_regression

NAME = "validation_curve"
DESCRIPTION = "20 penalties x 10 training-set sizes x 5 folds of ridge and of logistic regression"
PEERS = ("sklearn",)
FOLDS = 5


@dataclass(frozen=True)
class Problem:
    """One grid. The losses are means of squared errors, or cross-entropies in nats."""

    model: str  # "ridge" or "logistic"
    inputs: np.ndarray  # float32 (examples, features), standardised
    targets: np.ndarray  # float32, or int32 of 0 and 1
    penalties: np.ndarray  # float32 (values,)
    sizes: np.ndarray  # int (sizes,)
    folds: data.Folds

    @property
    def fits(self) -> int:
        return len(self.penalties) * len(self.sizes) * len(self.folds)


class Peer(Protocol):
    """What bench/peers/*.py make of a Problem in `validation_curve`."""

    @property
    def compile_s(self) -> float | None:
        """Seconds of compilation; None where nothing is compiled."""
        ...

    def grid(self) -> np.ndarray:
        """Mean held-out losses (folds, sizes, penalties)."""
        ...


def standardised(inputs: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1, over all examples: the folds share it, as do the peers."""
    return ((inputs - inputs.mean(0)) / inputs.std(0)).astype(np.float32)


def make_problem(model: str, quick: bool = False) -> Problem:
    """Diabetes for ridge regression, breast cancer for logistic regression."""
    found = data.load_diabetes(scaled=False) if model == "ridge" else data.load_breast_cancer()
    inputs = standardised(found.inputs)
    folds = data.folds(found, FOLDS, seed=0)
    sizes = np.linspace(60, 340, 3 if quick else 10).astype(int)
    penalties = np.logspace(-1, 3, 4 if quick else 20).astype(np.float32)
    return Problem(model, inputs, found.targets, penalties, sizes, folds)


FITS: dict[str, tuple[Callable, Callable]] = {
    "ridge": (linear_regression.fit, losses.squared_error),
    "logistic": (
        logistic_regression.fit,
        lambda logits, labels: losses.binary_cross_entropy(logits, labels.astype(jnp.float32)),
    ),
}
# Newton's steps wait for the slowest of the fits that run at once. Measured, us a fit: 765 for all at once,
# 705 for 20, 516 for 8, 571 for 4, 664 one by one. Ridge does not iterate.
BATCH_SIZES: dict[str, int | None] = {"ridge": None, "logistic": 8}


class Ours:
    """`select.validation_curve`, data and checks of the host included in every call."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._fit, self._loss = FITS[problem.model]
        self.compile_s: float | None = first_call(self.grid)

    def grid(self) -> np.ndarray:
        problem = self._problem
        curve = select.validation_curve(
            self._fit,
            self._loss,
            (problem.inputs, problem.targets),
            values={"l2": problem.penalties},
            sizes=problem.sizes,
            folds=problem.folds,
            batch_size=BATCH_SIZES[problem.model],
        )
        return curve.cv_losses


def _contender(make: Callable[[], Peer]) -> Contender:
    peer = make()
    return Contender(run=peer.grid, check=peer.grid, compile_s=peer.compile_s)


def _peer(name: str, problem: Problem) -> Peer:
    return load(name, NAME)(problem)


def make_case(problem: Problem) -> Case:
    examples, features = problem.inputs.shape
    return Case(
        label=f"{problem.model}, {examples}x{features}, {problem.fits} fits",
        ours=partial(_contender, partial(Ours, problem)),
        peers={name: partial(_contender, partial(_peer, name, problem)) for name in PEERS},
        units=problem.fits,
        flop=2 * examples * features**2,
        unit="fit",
        tolerance=1e-3,
    )


def cases(quick: bool) -> list[Case]:
    """Ridge and logistic regression."""
    return [make_case(make_problem(model, quick)) for model in FITS]
