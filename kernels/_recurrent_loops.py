"""The loop over time: plainly scanned, or with a derivative of its own."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._recurrent_cells import Cell, Parts, Weights, backward, forward, weight_gradients


def project(x: jax.Array, weights: Weights) -> jax.Array:
    """Return ``x W + b`` of rows (rows, in)."""
    return x @ weights.input + weights.bias[None]


def scanned(
    cell: Cell, reverse: bool, x: jax.Array, here: jax.Array | None, carry: Parts, weights: Weights
) -> tuple[jax.Array, Parts]:
    """Run a cell over (time, batch, in); return the outputs (time, batch, features) and the last carry.

    Where `here` (time, batch, 1) is False the carry is held, and put out.
    """

    def body(carry: Parts, item: Any) -> tuple[Parts, jax.Array]:
        x, here = item
        carry = _held(here, forward(cell, weights, project(x, weights), carry)[0], carry)
        return carry, carry[0]

    carry, y = lax.scan(body, carry, (x, here), reverse=reverse)
    return y, carry


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def differentiated(
    cell: Cell,
    reverse: bool,
    form: str,
    x: jax.Array,
    here: jax.Array | None,
    carry: Parts,
    weights: Weights,
) -> tuple[jax.Array, Parts]:
    """Run a cell as `scanned` does, with a derivative of its own; `form` is a name of `recurrent.py`."""
    return _run(cell, reverse, form, x, here, carry, weights)[0]


def _run(
    cell: Cell,
    reverse: bool,
    form: str,
    x: jax.Array,
    here: jax.Array | None,
    carry: Parts,
    weights: Weights,
) -> tuple[tuple[jax.Array, Parts], Any]:
    hoisted = form == "hoisted"

    def body(carry: Parts, item: Any) -> Any:
        row, here = item
        projected = row if hoisted else project(row, weights)
        after, kept = forward(cell, weights, projected, carry)
        after = _held(here, after, carry)
        return after, (after, kept)

    rows = project(x.reshape(-1, x.shape[-1]), weights).reshape(*x.shape[:2], -1) if hoisted else x
    last, (states, kept) = lax.scan(body, carry, (rows, here), reverse=reverse)
    return (states[0], last), (x, here, carry, weights, states, kept)


def _back(cell: Cell, reverse: bool, form: str, saved: Any, slopes: Any) -> Any:
    x, here, carry, weights, states, kept = saved
    before = jax.tree.map(partial(_shifted, reverse), carry, states)
    found_in = partial(weight_gradients, cell, weights)

    def body(held: Any, item: Any) -> Any:
        (slopes, total), (slope, here, x, kept, before, after) = held, item
        slopes = (slopes[0] + slope, *slopes[1:])
        found, delta = backward(cell, weights, kept, before, after, slopes)
        delta = delta if here is None else jnp.where(here, delta, 0)
        if form == "summed":
            total = jax.tree.map(jnp.add, total, found_in(x, kept, before, after, delta))
            delta = delta @ weights.input.T
        return (_held(here, found, slopes), total), delta

    total = jax.tree.map(jnp.zeros_like, weights) if form == "summed" else None
    items = (slopes[0], here, x, kept, before, states)
    (first, total), deltas = lax.scan(body, (slopes[1], total), items, reverse=not reverse)
    if form == "summed":
        return deltas, None, first, total
    rows = jax.tree.map(_rows, (x, kept, before, states, deltas))
    return (rows[-1] @ weights.input.T).reshape(x.shape), None, first, found_in(*rows)


differentiated.defvjp(_run, _back)


def _rows(steps: jax.Array) -> jax.Array:
    return steps.reshape(-1, steps.shape[-1])


def _held(here: jax.Array | None, new: Parts, old: Parts) -> Parts:
    return new if here is None else tuple(jnp.where(here, a, b) for a, b in zip(new, old))


def _shifted(reverse: bool, first: jax.Array, states: jax.Array) -> jax.Array:
    """Return the states before each step."""
    parts = (states[1:], first[None]) if reverse else (first[None], states[:-1])
    return jnp.concatenate(parts)
