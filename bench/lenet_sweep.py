"""Sixteen LeNets with a learning rate each, trained side by side on the same batches, against one by one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench import images, lenet, sweep
from bench.case import Case
from bench.peers import load
from jaxdl import losses, net, optim
from jaxdl.models import LeNet5
from jaxdl.train import Spec
from jaxdl.train.sweeps.plan import Parts

NAME = "lenet_sweep"
DESCRIPTION = "16 LeNet-5 with learning rates from 3e-4 to 3e-3, an epoch each: all against one by one"
PEERS = ("torch", "torch_channels_last", "alone")
LOWEST, HIGHEST = 3e-4, 3e-3


@dataclass(frozen=True)
class Problem:
    """Members that differ in kernels and learning rate."""

    first: images.Problem
    members: int
    epochs: int = 1  # a round

    @property
    def steps(self) -> int:
        return self.first.steps

    def rates(self) -> np.ndarray:
        return np.geomspace(LOWEST, HIGHEST, self.members).astype(np.float32)

    def kernels(self, member: int) -> tuple[np.ndarray, ...]:
        return images.make_kernels(lenet.KERNELS, seed=member)

    def member(self, member: int) -> images.Problem:
        """The problem of one member alone."""
        return replace(self.first, kernels=self.kernels(member), learning_rate=float(self.rates()[member]))


class Ours(sweep.Ours):
    """The program of `train.sweep`, an epoch a call."""

    _problem: Any

    def _rates(self) -> np.ndarray:
        return self._problem.rates()

    def _parts(self, spec: Spec) -> Parts:
        dtype = self._problem.first.dtype
        network = net.functional(lambda rngs: LeNet5.modern(rngs=rngs))
        network = net.mixed_precision(network, jnp.dtype(dtype)) if dtype != "float32" else network
        return Parts(
            network,
            losses.softmax_cross_entropy,
            lambda hyper: optim.adam(hyper["learning_rate"]),
            spec,
            None,
        )

    def _params(self, initial: Any, ids: Any) -> Any:
        one = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), initial)
        members = [images.fill(one, self._problem.kernels(i)) for i in ids]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


def make_problem(members: int = 16, n: int = 512, dtype: str = "float32") -> Problem:
    return Problem(lenet.make_problem(n=n, dtype=dtype), members)


def _peer(name: str, problem: Problem) -> sweep.OneAfterAnother:
    make: Callable[..., Any] = lenet.ours if name == "alone" else load(name, lenet.NAME)
    return sweep.OneAfterAnother(make, problem)


def make_case(problem: Problem, peers: tuple[str, ...]) -> Case:
    dtype = problem.first.dtype
    return Case(
        label=f"{problem.members} x LeNet-5, batch {problem.first.batch}, {dtype}",
        ours=partial(sweep.contender, partial(Ours, problem), problem),
        peers={name: partial(sweep.contender, partial(_peer, name, problem), problem) for name in peers},
        units=problem.members * problem.steps * problem.epochs,
        flop=lenet.flop(problem.first.batch),
        unit="member-step",
        tolerance=images.tolerance(dtype),
        dtype=dtype,
        most_repeats=9,
    )


def cases(quick: bool) -> list[Case]:
    """In each dtype that the device multiplies."""
    sizes = {"members": 4, "n": 64} if quick else {}
    return [make_case(make_problem(dtype=dtype, **sizes), PEERS) for dtype in images.dtypes()]
