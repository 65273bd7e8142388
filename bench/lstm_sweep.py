"""Sixteen LSTMs with a learning rate each, trained side by side on the same batches, against one by one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench import sequences, sweep
from bench.case import Case
from bench.peers import load
from jaxdl import losses, net, optim
from jaxdl.train import Arrays, Spec
from jaxdl.train.sweeps.plan import Parts

NAME = "lstm_sweep"
DESCRIPTION = "16 LSTMs of 28 steps with learning rates from 0.1 to 1, an epoch each: all against one by one"
PEERS = ("torch", "numpy", "alone")
LOWEST, HIGHEST = 0.1, 1.0


@dataclass(frozen=True)
class Problem:
    """Members that differ in weights and learning rate."""

    first: sequences.Problem
    members: int
    epochs: int = 1  # a round

    @property
    def steps(self) -> int:
        return self.first.steps

    def rates(self) -> np.ndarray:
        return np.geomspace(LOWEST, HIGHEST, self.members).astype(np.float32)

    def member(self, member: int) -> sequences.Problem:
        """The problem of one member alone."""
        weights = sequences.make_weights(self.first.cell, self.first.size, seed=member)
        return replace(self.first, weights=weights, learning_rate=float(self.rates()[member]))


class Ours(sweep.Ours):
    """The program of `train.sweep`, an epoch a call."""

    _problem: Any

    def _arrays(self, index: Any) -> Arrays:
        return sequences.arrays(self._problem.first, index)

    def _rates(self) -> np.ndarray:
        return self._problem.rates()

    def _parts(self, spec: Spec) -> Parts:
        network = net.functional(sequences.network(self._problem.first))
        loss, optimizer = losses.softmax_cross_entropy, lambda hyper: optim.sgd(hyper["learning_rate"])
        return Parts(network, loss, optimizer, spec, None)

    def _params(self, initial: Any, ids: Any) -> Any:
        one = jax.tree.map(lambda leaf: leaf[0], initial)
        members = [sequences.fill(one, self._problem.member(i).weights) for i in ids]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


def make_problem(size: sequences.Size, steps: int, members: int) -> Problem:
    return Problem(sequences.make_problem("lstm", size, steps), members)


def _peer(name: str, problem: Problem) -> sweep.OneAfterAnother:
    make: Callable[..., Any] = sequences.Ours if name == "alone" else load(name, problem.first.cell)
    return sweep.OneAfterAnother(make, problem)


def make_case(problem: Problem, peers: tuple[str, ...]) -> Case:
    return Case(
        label=f"{problem.members} x {problem.first.size}",
        ours=partial(sweep.contender, partial(Ours, problem), problem),
        peers={name: partial(sweep.contender, partial(_peer, name, problem), problem) for name in peers},
        units=problem.members * problem.steps * problem.epochs,
        flop=sequences.flop(problem.first.cell, problem.first.size),
        unit="member-step",
        tolerance=sequences.tolerance(),
        most_repeats=9,
    )


def cases(quick: bool) -> list[Case]:
    """One size; a tiny one for the trial run."""
    size, steps, members = (sequences.TINY, 4, 4) if quick else (sequences.SMALL, 16, 16)
    return [make_case(make_problem(size, steps, members), PEERS)]
