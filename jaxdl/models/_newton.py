"""Newton's method with a line search, as one compiled loop, for convex costs."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl import descent
from jaxdl.models._linear import tangent_solve

Cost = Callable[[jax.Array], jax.Array]
HALVINGS = 20
POLISH = 3
RUNNING = -1


class _Carry(NamedTuple):
    v: jax.Array
    steps: jax.Array
    quiet: jax.Array
    status: jax.Array


def minimise(
    cost: Cost,
    hessian: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    hopeless: Callable[[jax.Array], jax.Array],
    *,
    tolerance: Any,
    max_steps: int,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the minimum of a convex cost of a flat vector, differentiable, with status and steps.

    ``hopeless(v)`` is a status that proves at v that there is no minimum, or -1. The loop ends when a step
    is below `tolerance`, as a share of the largest coefficient, or when the cost has been flat to rounding
    for a few more steps, which polish the result.
    """
    gradient = jax.grad(cost)

    def advance(carry: _Carry) -> _Carry:
        v, slope = carry.v, gradient(carry.v)
        step = -_solved(hessian(v), slope)
        size, before = _searched(cost, v, step, slope @ step)
        moved = v + size * step
        flat = -(slope @ step) <= 2 * jnp.finfo(v.dtype).eps * jnp.abs(before)
        small = jnp.max(jnp.abs(step)) <= tolerance * jnp.max(jnp.abs(moved))
        quiet = carry.quiet + flat
        status = jnp.where(small | (quiet >= POLISH), descent.CONVERGED, RUNNING)
        proof = hopeless(moved)
        status = jnp.where(proof >= 0, proof, status)
        status = jnp.where(jnp.isfinite(moved).all(), status, descent.NOT_FINITE)
        return _Carry(moved, carry.steps + 1, quiet, status.astype(jnp.int32))

    def solve(_: Any, start: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        begin = _Carry(start, jnp.int32(0), jnp.int32(0), hopeless(start).astype(jnp.int32))
        end = lax.while_loop(lambda c: (c.status == RUNNING) & (c.steps < max_steps), advance, begin)
        status = jnp.where(end.status == RUNNING, descent.OUT_OF_STEPS, end.status)
        # As floats: custom_root knows no derivative of an integer beside the root.
        return end.v, (status.astype(start.dtype), end.steps.astype(start.dtype))

    v, (status, steps) = lax.custom_root(gradient, start, solve, tangent_solve, has_aux=True)
    return v, status.astype(jnp.int32), steps.astype(jnp.int32)


def _solved(matrix: jax.Array, target: jax.Array) -> jax.Array:
    # A trace of damping keeps a singular matrix solvable; the optimum, where the target is 0, stays.
    damping = 8 * jnp.finfo(matrix.dtype).eps * math.sqrt(len(target)) * jnp.max(jnp.diag(matrix))
    factor = jax.scipy.linalg.cho_factor(matrix + damping * jnp.eye(len(target), dtype=matrix.dtype))
    return jax.scipy.linalg.cho_solve(factor, target)


def _searched(cost: Cost, v: jax.Array, step: jax.Array, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the first of 1, 1/2, 1/4, ... at which the cost falls enough, and the cost before."""
    before = cost(v)
    noise = 4 * jnp.finfo(v.dtype).eps * jnp.abs(before)

    def too_far(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        size, halvings = carry
        value = cost(v + size * step)
        return ~(value <= before + 1e-4 * size * slope + noise) & (halvings < HALVINGS)

    size, _ = lax.while_loop(too_far, lambda c: (c[0] / 2, c[1] + 1), (jnp.ones((), v.dtype), jnp.int32(0)))
    return size, before
