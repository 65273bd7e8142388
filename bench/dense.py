"""Formulations of the dense product against each other, inside a scan, forward and backward and update."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.timing import compiled
from jaxdl.kernels.dense import IMPLEMENTATIONS, dot_general

NAME = "dense"
DESCRIPTION = "one dense layer trained in a scan: the rule's choice against each formulation"
PEERS = IMPLEMENTATIONS
STEPS = 64
SHAPES = ((784, 16), (784, 32), (784, 64), (784, 128), (64, 32), (256, 10))
BATCHES = (10, 32, 128, 512)
WHOLE = (((1,), (0,)), ((), ()))


def _contender(implementation: str | None, batch: int, shape: tuple[int, int]) -> Contender:
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.integers(0, 256, (STEPS, batch, shape[0]), dtype=np.uint8))
    w = jnp.asarray(rng.normal(size=shape) / shape[0], jnp.float32)

    def cost(w: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.mean(jnp.sum(jnp.square(dot_general(x, w, WHOLE, implementation=implementation) - 1), 1))

    def step(w: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, gradient = jax.value_and_grad(cost)(w, x.astype(jnp.float32) * jnp.float32(1 / 255))
        return w - jnp.float32(1e-3) * gradient, value

    run, seconds = compiled(jax.jit(lambda w, x: jax.lax.scan(step, w, x)), w, x)
    return Contender(
        run=lambda: jax.block_until_ready(run(w, x)),
        check=lambda: np.asarray(run(w, x)[1]),
        compile_s=seconds,
    )


def _case(batch: int, shape: tuple[int, int]) -> Case:
    makers: dict[str, Callable[[], Contender]] = {
        name: partial(_contender, name, batch, shape) for name in IMPLEMENTATIONS
    }
    return Case(
        label=f"batch {batch}, {shape[0]} to {shape[1]}",
        ours=partial(_contender, None, batch, shape),
        peers=makers,
        units=STEPS,
        flop=4 * batch * shape[0] * shape[1],
    )


def cases(quick: bool) -> list[Case]:
    """Every batch of every shape; the trial run takes one."""
    pairs = [(batch, shape) for shape in SHAPES for batch in BATCHES]
    return [_case(batch, shape) for batch, shape in (pairs[:1] if quick else pairs)]
