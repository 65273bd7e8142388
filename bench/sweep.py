"""Many small networks trained side by side on the same batches, against one after another."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench import mlp
from bench.case import Case, Contender
from bench.peers import load
from jaxdl import data, losses, net, optim, scaling, train
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import Arrays, Carry, Spec
from jaxdl.train.sweeps.members import Members
from jaxdl.train.sweeps.plan import Parts, Plan

NAME = "sweep"
DESCRIPTION = (
    "64 networks 784-16-16-10, and 256 of 64-32-10 on digits, by four epochs each: all against one by one"
)
PEERS = ("torch", "numpy", "numpy_plain", "alone")
CHECKED_MEMBERS, CHECKED_STEPS = 3, 20
EPOCHS_RECORDED = 500
# Epochs a round: `train.sweep` calls its program for 0.2 s at a time, which is as many.
EPOCHS = 4


@dataclass(frozen=True)
class Problem:
    """Members that differ in their weights alone, so that any of them can be held to any peer."""

    first: mlp.Problem
    members: int
    epochs: int = EPOCHS  # a round

    @property
    def steps(self) -> int:
        return self.first.steps

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.first.sizes

    def weights(self, member: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """float32 (in, out), (out,) of each layer."""
        rng = np.random.default_rng(member)
        return [
            ((rng.normal(size=(m, n)) / np.sqrt(m)).astype(np.float32), np.zeros(n, np.float32))
            for m, n in pairwise(self.sizes)
        ]

    def member(self, member: int) -> mlp.Problem:
        """The problem of one member alone."""
        return replace(self.first, weights=self.weights(member))


class Ours:
    """The program of `train.sweep`, advanced by a few epochs a call, with what `strategy` and rule choose."""

    def __init__(self, problem: Problem, strategy: str | None = None, at_once: int | None = None) -> None:
        self._problem, self._choice = problem, (strategy, at_once)
        plan, carry = self._started(Spec(EPOCHS_RECORDED, problem.first.batch), self._arrays(slice(None)))
        slots = len(plan.ids)
        hyper = {"learning_rate": self._rates()[plan.ids]}
        self._active, hyper = plan.form.place((np.ones(slots, bool), hyper), 0)
        self._carry, self._rest = carry, (plan.arrays, hyper)
        self._runner, self._form = plan.runner(slots), plan.form
        begin = time.perf_counter()
        # Compiled already by the choice of the strategy, unless that is cached.
        self._advance = self._runner.compiled(carry, self._active, jnp.int32(1), *self._rest)
        self.compile_s = self._chosen_s + time.perf_counter() - begin
        self._done = 0

    def _arrays(self, index: Any) -> Arrays:
        first = self._problem.first
        return Arrays(
            jnp.asarray(first.inputs[index]), jnp.asarray(first.labels[index]), scaling=scaling.pixels()
        )

    def _rates(self) -> np.ndarray:
        """The learning rate of each member."""
        return np.full(self._problem.members, self._problem.first.learning_rate, np.float32)

    def _parts(self, spec: Spec) -> Parts:
        problem = self._problem
        squared = problem.first.loss == "squared"
        config = MLPConfig(
            sizes=problem.sizes, activation="sigmoid", output="sigmoid" if squared else "identity"
        )
        loss = _squared if squared else losses.softmax_cross_entropy
        network = net.functional(lambda rngs: MLP(config, rngs=rngs))
        return Parts(network, loss, lambda hyper: optim.sgd(hyper["learning_rate"]), spec, None)

    def _params(self, initial: Any, ids: Any) -> Any:
        """The parameters of the members `ids`, in the form of those that the program starts with."""
        weights = [self._problem.weights(i) for i in ids]
        layers = {
            i: {
                name: jnp.asarray(np.stack([w[i][part] for w in weights]))
                for part, name in enumerate(("kernel", "bias"))
            }
            for i in range(len(self._problem.sizes) - 1)
        }
        return {"layers": layers}

    def _started(self, spec: Spec, arrays: Arrays) -> tuple[Plan, Carry]:
        count, rates = self._problem.members, {"learning_rate": self._rates()}
        members = Members(rates, np.arange(count, dtype=np.uint32), np.arange(count))
        shard = train.shard.members() if _devices() > 1 else None
        plan = Plan(self._parts(spec), arrays, members, shared=True, shard=shard)
        begin = time.perf_counter()
        plan.choose(*self._choice, None, print)
        self._chosen_s = time.perf_counter() - begin
        ids, (keys, orders) = plan.ids, members.keys()
        apart = plan.form.place((keys[ids], {"learning_rate": rates["learning_rate"][ids]}), 0)
        carry = plan.runner(len(ids)).start(apart[0], plan.form.place(orders[0], None), plan.arrays, apart[1])
        carry = carry._replace(params=self._params(carry.params, ids))
        return plan, plan.form.place(carry, plan.form.axes)

    def losses(self, order: np.ndarray) -> np.ndarray:
        spec = Spec(1, self._problem.first.batch, shuffle="none", step_losses=True)
        plan, carry = self._started(spec, self._arrays(order.ravel()))
        runner, rest = plan.runner(len(plan.ids)), (jnp.int32(1), plan.arrays, self._rest[1])
        after = runner.run(runner.chunk, carry, self._active, *rest)
        return np.asarray(after.history["step_loss"][:CHECKED_MEMBERS, 0])

    def epochs(self) -> None:
        self._done += self._problem.epochs
        stop = self._form.place(np.int32(self._done), None)
        self._carry = self._runner.run(self._advance, self._carry, self._active, stop, *self._rest)


class OneAfterAnother:
    """A peer of the workload `mlp`, once for each member: the weights change nothing in its speed."""

    def __init__(self, make: Callable[[mlp.Problem], mlp.Peer], problem: Problem) -> None:
        self._runs = [make(problem.member(i)) for i in range(min(CHECKED_MEMBERS, problem.members))]
        self._problem, self.compile_s = problem, self._runs[0].compile_s

    def losses(self, order: np.ndarray) -> np.ndarray:
        return np.stack([run.losses(order) for run in self._runs])

    def epochs(self) -> None:
        for member in range(self._problem.members):
            for _ in range(self._problem.epochs):
                self._runs[member % len(self._runs)].epoch()


def _squared(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    return losses.squared_error(outputs, jax.nn.one_hot(labels, 10), outputs="sum")


def _devices() -> int:
    """Two with XLA_FLAGS=--xla_force_host_platform_device_count=2: half of the members on each core."""
    return jax.device_count()


def classic(quick: bool) -> Problem:
    """64 networks on 2,048 images like MNIST's: PyTorch takes seconds for an epoch of all."""
    return Problem(mlp.make_problem(32, n=256 if quick else 2048), 6 if quick else 64)


def digits(quick: bool) -> Problem:
    """256 networks on two thirds of the real digits."""
    found = data.load_digits()
    count = 128 if quick else 1184
    pixels = (found.inputs[:count] * 15).astype(np.uint8)
    first = mlp.Problem(
        pixels, found.targets[:count].astype(np.int32), [], 32, 0.5, "cross_entropy", (64, 32, 10)
    )
    return Problem(first, 6 if quick else 256)


def contender(make: Callable[[], Any], problem: Problem) -> Contender:
    peer = make()
    steps = min(CHECKED_STEPS, problem.steps)
    order = np.random.default_rng(1).permutation(len(problem.first.labels))[: steps * problem.first.batch]
    order = order.reshape(steps, problem.first.batch)
    return Contender(run=peer.epochs, check=partial(peer.losses, order), compile_s=peer.compile_s)


def _peer(name: str, problem: Problem) -> OneAfterAnother:
    return OneAfterAnother(mlp.Ours if name == "alone" else load(name, mlp.NAME), problem)


def make_case(problem: Problem, peers: tuple[str, ...]) -> Case:
    sizes = "-".join(map(str, problem.sizes))
    where = f", {_devices()} devices" if _devices() > 1 else ""
    return Case(
        label=f"{problem.members} x {sizes}, batch {problem.first.batch}{where}",
        ours=partial(contender, partial(Ours, problem), problem),
        peers={name: partial(contender, partial(_peer, name, problem), problem) for name in peers},
        units=problem.members * problem.steps * problem.epochs,
        flop=mlp.flop(problem.first.batch, problem.sizes),
        unit="member-step",
    )


def cases(quick: bool) -> list[Case]:
    """NumPy's peer is written for two hidden layers, so the digits are without it."""
    return [make_case(classic(quick), PEERS), make_case(digits(quick), ("torch", "alone"))]
