"""Multi-head attention: value, gradients by queries, keys and values, and a step along them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from bench import images
from bench.case import Case, Contender
from bench.conv import comparable
from bench.peers import load
from bench.timing import compiled
from jaxdl.kernels.attention import multi_head_attention

NAME = "attention"
DESCRIPTION = (
    "multi-head attention, value and gradient: the rule's choice, each formulation, PyTorch and plain JAX"
)
PEERS = ("torch", "jax_scan", "plain", "xla", "cudnn")
# A run has steps for so much arithmetic, within limits: a loop of one step would be no loop.
RUN_FLOP, RUN_STEPS = 2e9, (2, 16)


@dataclass(frozen=True)
class Problem:
    """Queries, keys and values (batch, time, features) of normal numbers, features in `heads` equal shares.

    The loss of a step is half the square of the context; the three arrays go a little along its slope. With
    lengths, a sequence attends to its own half to whole of the time; causal, no step to a later one.
    """

    batch: int
    time: int
    features: int
    heads: int
    causal: bool = False
    ragged: bool = False
    dtype: str = "float32"

    def __str__(self) -> str:
        sizes = f"B={self.batch} T={self.time} C={self.features} heads={self.heads}"
        return ", ".join((sizes, *("causal",) * self.causal, *("ragged",) * self.ragged, self.dtype))

    @property
    def flop(self) -> float:
        """Arithmetic of a step: two products forward, four back, of all pairs, whatever a mask hides."""
        return 12.0 * self.batch * self.time**2 * self.features

    @property
    def steps(self) -> int:
        """Steps of a run."""
        low, high = RUN_STEPS
        return min(max(int(RUN_FLOP // self.flop), low), high)

    @property
    def rate(self) -> float:
        return 1e-2

    def arrays(self) -> np.ndarray:
        """Queries, keys and values, float32 (3, batch, time, features)."""
        rng = np.random.default_rng(0)
        return rng.standard_normal((3, self.batch, self.time, self.features), np.float32)

    def mask(self) -> np.ndarray | None:
        """(batch, time), True where attended; None where all is."""
        if not self.ragged:
            return None
        rng = np.random.default_rng(1)
        lengths = rng.integers(-(-self.time // 2), self.time + 1, (self.batch, 1))
        return np.arange(self.time) < lengths


class Peer(Protocol):
    """What bench/peers/*.py make of a Problem in `attention`."""

    @property
    def compile_s(self) -> float | None: ...

    def run(self) -> object:
        """Takes problem.steps steps from the start; returns when they are finished."""
        ...

    def slopes(self) -> Sequence[np.ndarray]:
        """Of the last of so many steps, by queries, keys and values."""
        ...


class Scanned:
    """The steps in a `lax.scan`; `attend(query, keys, values, mask)` gives the context."""

    def __init__(self, problem: Problem, attend: Callable[..., jax.Array]) -> None:
        self._problem, self._attend = problem, attend
        dtype, mask = jnp.dtype(problem.dtype), problem.mask()
        given = jnp.asarray(problem.arrays(), dtype), None if mask is None else jnp.asarray(mask)
        self._given = (tuple(given[0]), given[1])
        self._run, self.compile_s = compiled(jax.jit(self._steps), *self._given)

    def _steps(self, start: tuple[jax.Array, ...], mask: jax.Array | None) -> tuple[jax.Array, ...]:
        def loss(arrays: tuple[jax.Array, ...]) -> jax.Array:
            context = self._attend(*arrays, mask).astype(jnp.float32)
            return 0.5 * jnp.vdot(context, context)

        def step(carry: Any, _: None) -> Any:
            arrays, _ = carry
            slopes = jax.grad(loss)(arrays)
            rate = jnp.asarray(self._problem.rate, arrays[0].dtype)
            return (tuple(array - rate * slope for array, slope in zip(arrays, slopes)), slopes), None

        return jax.lax.scan(step, (start, start), None, self._problem.steps)[0][1]

    def run(self) -> Any:
        return jax.block_until_ready(self._run(*self._given))

    def slopes(self) -> Sequence[np.ndarray]:
        return [np.asarray(slope) for slope in self.run()]


def ours(problem: Problem, implementation: str | None = None) -> Scanned:
    def attend(query: jax.Array, keys: jax.Array, values: jax.Array, mask: jax.Array | None) -> jax.Array:
        return multi_head_attention(
            query, keys, values, num_heads=problem.heads, mask=mask, causal=problem.causal,
            implementation=implementation,
        ).context  # fmt: skip

    return Scanned(problem, attend)


def _peer(name: str, problem: Problem) -> Peer:
    return load(name, NAME)(problem) if name in ("torch", "jax_scan") else ours(problem, name)


def contender(make: Callable[[], Peer]) -> Contender:
    peer = make()
    return Contender(run=peer.run, check=lambda: comparable(peer.slopes()), compile_s=peer.compile_s)


def make_case(problem: Problem, peers: tuple[str, ...]) -> Case:
    """These peers beside the rule's choice, on one problem."""
    return Case(
        label=str(problem),
        ours=partial(contender, partial(ours, problem)),
        peers={name: partial(contender, partial(_peer, name, problem)) for name in peers},
        units=problem.steps,
        flop=problem.flop,
        tolerance=images.tolerance(problem.dtype),
        dtype=problem.dtype,
        most_repeats=9,
    )


def cases(quick: bool) -> list[Case]:
    """Three sizes, in each dtype that the device multiplies; cuDNN's takes half precision alone."""
    tiny = (Problem(2, 5, 8, 2, causal=True, ragged=True),)
    sizes = (
        Problem(32, 64, 128, 4),
        Problem(32, 64, 128, 4, ragged=True),
        Problem(4, 512, 256, 8, causal=True),
    )
    if jax.default_backend() != "cpu":
        sizes = (*sizes, Problem(16, 1024, 1024, 16, causal=True))
    found = []
    for dtype in images.dtypes():
        peers = PEERS if dtype == "bfloat16" and jax.default_backend() == "gpu" else PEERS[:-1]
        for size in tiny if quick else sizes:
            found.append(make_case(replace(size, dtype=dtype), peers))
    return found
