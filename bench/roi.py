"""Pooling of regions, value and gradient by the features, on maps of three sizes and on a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.conv import comparable, tolerance
from bench.peers import load
from bench.timing import compiled
from jaxdl.kernels import roi

NAME = "roi"
DESCRIPTION = "RoI align and pool, value and gradient: the rule's choice, each formulation, torchvision"
PEERS = ("torchvision", *roi.IMPLEMENTATIONS)
STRIDE = 16
GRID = (7, 7)
SAMPLES = 2


@dataclass(frozen=True)
class Problem:
    """Boxes of 32 to 400 pixels in images of `side` cells of 16 pixels, and the slope of a loss."""

    kind: str  # "align" or "pool"
    side: int
    images: int = 1
    boxes: int = 512  # of all images together
    channels: int = 64

    def __str__(self) -> str:
        return (
            f"{self.kind}, {self.images} x {self.boxes // self.images} boxes, "
            f"{self.side}x{self.side}x{self.channels}"
        )

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features (images, side, side, channels), boxes (images, boxes, 4), slopes (..., 7, 7, channels)."""
        rng, edge = np.random.default_rng(0), self.side * STRIDE
        shape = (self.images, self.boxes // self.images)
        centre = rng.uniform(0, edge, (*shape, 2))
        size = np.exp(rng.uniform(np.log(32), np.log(min(400, edge)), (*shape, 2)))
        boxes = np.concatenate([centre - size / 2, centre + size / 2], -1).clip(0, edge)
        features = rng.standard_normal((self.images, self.side, self.side, self.channels), np.float32)
        slopes = rng.standard_normal((*shape, *GRID, self.channels), np.float32)
        return features, boxes.astype(np.float32), slopes

    @property
    def flop(self) -> float:
        """Arithmetic of value and gradient: four cells a sample; comparisons of a maximum are not counted."""
        entries = self.boxes * GRID[0] * GRID[1] * self.channels
        return 2.0 * 2 * entries * 4 * SAMPLES**2 if self.kind == "align" else 2.0 * entries


class Peer(Protocol):
    """What bench/peers/*.py make of a Problem in `roi`."""

    @property
    def compile_s(self) -> float | None: ...

    def run(self) -> object:
        """Takes value and gradient; returns when they are finished."""
        ...

    def results(self) -> tuple[np.ndarray, np.ndarray]:
        """The value (images, boxes, 7, 7, channels) and the gradient by the features, channels last."""
        ...


class Compiled:
    """All images as one program."""

    def __init__(self, problem: Problem, implementation: str | None = None) -> None:
        self._given = tuple(jnp.asarray(array) for array in problem.arrays())
        pool = partial(roi.roi_align if problem.kind == "align" else roi.roi_pool, output_size=GRID)
        chosen = {"implementation": implementation} if problem.kind == "align" else {}
        self._pool = jax.vmap(partial(pool, spatial_scale=1 / STRIDE, **chosen))
        self._run, self.compile_s = compiled(jax.jit(self._both), *self._given)

    def _both(self, features: jax.Array, boxes: jax.Array, slopes: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, back = jax.vjp(lambda x: self._pool(x, boxes), features)
        return value, back(slopes)[0]

    def run(self) -> Any:
        return jax.block_until_ready(self._run(*self._given))

    def results(self) -> tuple[np.ndarray, np.ndarray]:
        value, slope = self.run()
        return np.asarray(value), np.asarray(slope)


def _peer(name: str, problem: Problem) -> Peer:
    return load(name, NAME)(problem) if name == "torchvision" else Compiled(problem, name)


def contender(make: Callable[[], Peer]) -> Contender:
    peer = make()
    return Contender(run=peer.run, check=lambda: comparable(peer.results()), compile_s=peer.compile_s)


def make_case(problem: Problem) -> Case:
    """Torchvision and, of `roi_align`, each formulation beside the rule's choice."""
    return Case(
        label=str(problem),
        ours=partial(contender, partial(Compiled, problem)),
        peers={name: partial(contender, partial(_peer, name, problem))
               for name in (PEERS if problem.kind == "align" else PEERS[:1])},
        units=1,
        flop=problem.flop,
        unit="batch",
        tolerance=tolerance(),
        most_repeats=9,
    )  # fmt: skip


def cases(quick: bool) -> list[Case]:
    """Both kinds on three maps, and a batch of images; the trial run takes a small map."""
    if quick:
        return [make_case(Problem(kind, 8, 2, 16, 8)) for kind in ("align", "pool")]
    kinds, sides = ("align", "pool"), (25, 50, 100)
    single = [Problem(kind, side) for kind in kinds for side in sides]
    return [make_case(problem) for problem in (*single, *(Problem(kind, 50, images=8) for kind in kinds))]
