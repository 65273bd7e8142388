"""Formulations of pooling against each other, forward and backward, alone and in a scan of steps."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.timing import compiled
from jaxdl.kernels.pool import IMPLEMENTATIONS, avg_pool, max_pool

NAME = "pool"
DESCRIPTION = "a pool and its gradient, alone and in a scan: the rule's choice against each formulation"
PEERS = IMPLEMENTATIONS
BATCH = 32
# (shape of an image, window, stride): LeNet's two pools, AlexNet's first, ResNet's first, GoogLeNet's branch.
SHAPES = (
    ((28, 28, 6), 2, 2),
    ((10, 10, 16), 2, 2),
    ((55, 55, 64), 3, 2),
    ((112, 112, 64), 3, 2),
    ((28, 28, 192), 3, 1),
    ((56, 56, 64), 2, 2),
)
POOLS = {"max": max_pool, "avg": avg_pool}
Size = tuple[tuple[int, ...], int, int]


def _contender(implementation: str | None, kind: str, size: Size, batch: int, steps: int) -> Contender:
    shape, window, stride = size
    x = jnp.asarray(np.random.default_rng(0).normal(size=(batch, *shape)), jnp.float32)

    def cost(x: jax.Array) -> jax.Array:
        y = POOLS[kind](x, (window, window), (stride, stride), implementation=implementation)
        return jnp.sum(jnp.square(y))

    def step(x: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        value, gradient = jax.value_and_grad(cost)(x)
        return x - jnp.float32(1e-2) * gradient, value

    def run(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return step(x, None) if steps == 1 else jax.lax.scan(step, x, length=steps)

    program, seconds = compiled(jax.jit(run), x)
    return Contender(
        run=lambda: jax.block_until_ready(program(x)),
        check=lambda: np.ravel(program(x)[1]),
        compile_s=seconds,
    )


def _case(kind: str, size: Size, batch: int, steps: int) -> Case:
    makers: dict[str, Callable[[], Contender]] = {
        name: partial(_contender, name, kind, size, batch, steps) for name in IMPLEMENTATIONS
    }
    shape, window, stride = size
    outputs = batch * shape[-1] * ((shape[0] - window) // stride + 1) ** 2
    return Case(
        label=f"{kind}, {'x'.join(map(str, shape))}, {window}x{window} by {stride}, "
        f"{'alone' if steps == 1 else 'scan'}",
        ours=partial(_contender, None, kind, size, batch, steps),
        peers=makers,
        units=steps,
        flop=2 * outputs * window**2,
    )


def cases(quick: bool) -> list[Case]:
    """Both pools at every size, one step alone and a scan of steps; the trial run takes one small case."""
    if quick:
        return [_case("max", SHAPES[1], 4, 2)]
    return [_case(kind, size, BATCH, steps) for kind in POOLS for size in SHAPES for steps in (1, 8)]
