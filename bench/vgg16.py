"""The forward pass of VGG-16 on four photographs: 62 giga-multiply-adds and 550 MB of weights."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from bench import images
from bench.case import Case, Contender
from bench.conv import comparable
from bench.peers import load
from bench.timing import compiled
from jaxdl import net
from jaxdl.models import VGG, VGGConfig

NAME = "vgg16"
DESCRIPTION = "VGG-16 with random weights, forward, batch 4 at 224 x 224, one call"
PEERS = ("torch", "torch_channels_last", "linen")


@dataclass(frozen=True)
class Problem:
    """A network and images for it; biases are 0, and there is no dropout at inference."""

    stages: tuple[tuple[int, ...], ...] = VGGConfig().stages
    hidden: tuple[int, ...] = (4096, 4096)
    classes: int = 1000
    side: int = 224
    batch: int = 4
    dtype: str = "float32"

    @property
    def last_side(self) -> int:
        return self.side >> len(self.stages)

    @property
    def layers(self) -> list[tuple[tuple[int, ...], int]]:
        """Shape of each kernel, and positions of its output."""
        found: list[tuple[tuple[int, ...], int]] = []
        inputs = 3
        for index, stage in enumerate(self.stages):
            for outputs in stage:
                found.append(((3, 3, inputs, outputs), (self.side >> index) ** 2))
                inputs = outputs
        inputs *= self.last_side**2
        for outputs in (*self.hidden, self.classes):
            found.append(((inputs, outputs), 1))
            inputs = outputs
        return found

    @property
    def flop(self) -> float:
        """Arithmetic of a batch."""
        return float(2 * self.batch * sum(np.prod(shape) * positions for shape, positions in self.layers))

    @cached_property
    def kernels(self) -> tuple[np.ndarray, ...]:
        return images.make_kernels(shape for shape, _ in self.layers)

    @cached_property
    def inputs(self) -> np.ndarray:
        """Images (batch, side, side, 3)."""
        return np.random.default_rng(1).standard_normal((self.batch, self.side, self.side, 3), np.float32)


class Peer(Protocol):
    """A network that is ready; what bench/peers/*.py make of a Problem in `vgg16`."""

    compile_s: float | None

    def logits(self) -> np.ndarray:
        """What it computes of the images, (batch, classes)."""
        ...

    def run(self) -> None:
        """The same, left where it is when it is finished."""
        ...


class Ours:
    """jaxdl: `Net.apply` behind one `jax.jit`; parameters and images are in the dtype already."""

    def __init__(self, problem: Problem) -> None:
        config = VGGConfig(
            stages=problem.stages,
            hidden=problem.hidden,
            pool_to=problem.last_side,
            num_classes=problem.classes,
        )
        network = net.functional(lambda rngs: VGG(config, rngs=rngs))
        shapes, state = jax.eval_shape(network.init, jax.random.key(0))
        zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), (shapes, state))
        params = images.fill(zeros[0], problem.kernels)
        low = (params, zeros[1], jnp.asarray(problem.inputs))
        self._arguments = jax.tree.map(lambda leaf: jnp.asarray(leaf, problem.dtype), low)
        function = jax.jit(lambda params, state, x: network.apply(params, state, x, train=False)[0])
        self._run, self.compile_s = compiled(function, *self._arguments)

    def logits(self) -> np.ndarray:
        return np.asarray(self._run(*self._arguments)).astype(np.float32)

    def run(self) -> None:
        jax.block_until_ready(self._run(*self._arguments))


def _contender(make: Any, problem: Problem) -> Contender:
    peer: Peer = make(problem)
    return Contender(run=peer.run, check=lambda: comparable(peer.logits()), compile_s=peer.compile_s)


def _peer(name: str, problem: Problem) -> Peer:
    return load(name, NAME)(problem)


def make_case(problem: Problem, peers: tuple[str, ...]) -> Case:
    return Case(
        label=f"batch {problem.batch} at {problem.side}, {problem.dtype}",
        ours=partial(_contender, Ours, problem),
        peers={name: partial(_contender, partial(_peer, name), problem) for name in peers},
        units=1,
        flop=problem.flop,
        unit="batch",
        tolerance=images.tolerance(problem.dtype),
        dtype=problem.dtype,
        most_repeats=7,
    )


def cases(quick: bool) -> list[Case]:
    """In each dtype that the device multiplies; the trial run takes a network that is small throughout."""
    small: dict[str, Any] = {"stages": ((8, 8), (16,)), "hidden": (32,), "classes": 10, "side": 32}
    return [make_case(Problem(**(small if quick else {}), dtype=dtype), PEERS) for dtype in images.dtypes()]
