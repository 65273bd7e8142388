"""Non-maximum suppression: batches of images, and one image with many boxes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.peers import load
from bench.timing import compiled
from jaxdl.kernels.nms import nms

NAME = "nms"
DESCRIPTION = (
    "non-maximum suppression, every place kept: the rule's choice, each formulation, torchvision in a loop"
)
PEERS = ("torchvision", "blocks", "loop")
# Of an overlap: 2 minima, 2 maxima, 2 differences, 2 clamps, a product, 2 sums, a division, a comparison.
OPERATIONS = 13


@dataclass(frozen=True)
class Problem:
    """Boxes in 512 x 512 pixels: about 50 centres an image, as a detector gives them, or anywhere."""

    images: int
    boxes: int
    clustered: bool
    outputs: int
    threshold: float = 0.5

    def __str__(self) -> str:
        where = "50 clusters" if self.clustered else "at random"
        places = "" if self.outputs == self.boxes else f", {self.outputs} places"
        return f"{self.images} x {self.boxes} boxes {where}{places}"

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (images, boxes, 4) and scores (images, boxes), float32."""
        rng = np.random.default_rng(0)
        centres = rng.uniform(0, 512, (self.images, self.boxes, 2))
        sizes = np.exp(rng.uniform(np.log(8), np.log(128), (self.images, self.boxes, 2)))
        found = np.concatenate([centres - sizes / 2, centres + sizes / 2], -1)
        if self.clustered:
            which = rng.integers(0, 50, (self.images, self.boxes, 1))
            found = np.take_along_axis(found, which, 1) + rng.normal(0, 4, found.shape)
            found[..., 2:] = np.maximum(found[..., 2:], found[..., :2] + 1)
        return found.astype(np.float32), rng.random((self.images, self.boxes), np.float32)


class Peer(Protocol):
    """What bench/peers/*.py make of a Problem in `nms`."""

    @property
    def compile_s(self) -> float | None: ...

    def run(self) -> object:
        """Treats all images; returns when they are finished."""
        ...

    def chosen(self) -> np.ndarray:
        """The indices chosen (images, outputs), -1 where there is none."""
        ...


class Compiled:
    """All images as one program."""

    def __init__(self, problem: Problem, implementation: str | None = None) -> None:
        self._given = tuple(jnp.asarray(array) for array in problem.arrays())
        one = partial(nms, iou_threshold=problem.threshold, max_outputs=problem.outputs,
                      implementation=implementation)  # fmt: skip
        self._run, self.compile_s = compiled(jax.jit(jax.vmap(one)), *self._given)

    def run(self) -> Any:
        return jax.block_until_ready(self._run(*self._given))

    def chosen(self) -> np.ndarray:
        indices, mask = self.run()
        return np.where(mask, indices, -1)


def _peer(name: str, problem: Problem) -> Peer:
    return load(name, NAME)(problem) if name == "torchvision" else Compiled(problem, name)


def contender(make: Callable[[], Peer]) -> Contender:
    peer = make()
    # As floats: what is compared by a relative tolerance must not be 0 for index 0.
    return Contender(run=peer.run, check=lambda: peer.chosen() + 2.0, compile_s=peer.compile_s)


def make_case(problem: Problem, peers: tuple[str, ...]) -> Case:
    """These peers beside the rule's choice, on one problem."""
    # Every box is looked at with about half of those that are kept, here guessed as a third of all.
    pairs = problem.images * problem.boxes * min(problem.boxes / 3, problem.outputs) / 2
    return Case(
        label=str(problem),
        ours=partial(contender, partial(Compiled, problem)),
        peers={name: partial(contender, partial(_peer, name, problem)) for name in peers},
        units=1,
        flop=OPERATIONS * pairs,
        unit="batch",
        tolerance=1e-9,
        most_repeats=9,
    )


def cases(quick: bool) -> list[Case]:
    """A batch, and one image of 10,000, where no formulation that passes once an output is of use."""
    if quick:
        return [make_case(Problem(2, 200, clustered, 200), PEERS) for clustered in (True, False)]
    return [
        *(make_case(Problem(16, 1000, clustered, 1000), PEERS) for clustered in (True, False)),
        make_case(Problem(16, 1000, True, 100), PEERS[1:]),
        *(make_case(Problem(1, 10_000, clustered, 10_000), PEERS[:1]) for clustered in (True, False)),
    ]
