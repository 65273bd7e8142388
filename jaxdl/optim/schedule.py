"""Schedules: functions ``step -> rate`` whose own hyperparameters may be traced."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _hyper
from jaxdl.errors import explain
from jaxdl.optim.rate import Scalar

Schedule = Callable[[Any], jax.Array]


def warmup_cosine(
    peak: Scalar, *, warmup: Scalar, total: Scalar, start: Scalar = 0.0, end: Scalar = 0.0
) -> Schedule:
    """Rise linearly to the peak, then fall as ``end + (peak - end) (1 + cos(pi u)) / 2``.

    u goes from 0 at step `warmup` to 1 at step `total`, and the rate stays at `end` from there on.

    Args:
        peak: highest rate; may be traced.
        warmup: steps of the rise, at least 0; may be traced.
        total: steps of rise and fall together, above `warmup`; may be traced.
        start: rate of step 0; may be traced.
        end: rate from step `total` on; may be traced.

    Returns:
        ``schedule(step) -> rate``, for any rule of this package. The rate is NaN at all steps where
        a traced value is out of range, or a traced `total` not above `warmup`.

    Raises:
        ValueError: a concrete value out of range.

    Example:
        >>> rate = warmup_cosine(1.0, warmup=2, total=6)
        >>> [round(float(rate(step)), 2) for step in range(8)]
        [0.0, 0.5, 1.0, 0.85, 0.5, 0.15, 0.0, 0.0]

    Reference:
        Loshchilov and Hutter (2017). Equals ``optax.warmup_cosine_decay_schedule``, which takes no traced
        peak or warm-up.
    """
    op = "warmup_cosine"
    named = (("peak", peak), ("start", start), ("end", end), ("warmup", warmup))
    peak, start, end, warmup = (_hyper.not_negative(op, name, value) for name, value in named)
    total = _hyper.positive(op, "total", total)
    if not any(isinstance(value, jax.core.Tracer) for value in (warmup, total)) and total <= warmup:
        raise ValueError(
            explain(op, "total", got=total, expected=f"above warmup={warmup}",
                    fix="total counts the steps of rise and fall together")
        )  # fmt: skip
    # NaN when any of them is, so that all steps are, and not only those that use what is out of range.
    fall = jnp.asarray(total - warmup + 0 * (peak + start + end), jnp.result_type(float))

    def schedule(step: Any) -> jax.Array:
        step = jnp.asarray(step, fall.dtype)
        rising = start + (peak - start) * step / jnp.maximum(warmup, 1)
        done = jnp.where(fall > 0, jnp.clip((step - warmup) / fall, 0, 1), jnp.nan)
        falling = end + (peak - end) * 0.5 * (1 + jnp.cos(jnp.pi * done))
        return jnp.where((step < warmup) & (fall > 0), rising, falling)

    return schedule


def geometric(first: Scalar, *, last: Scalar, steps: Scalar) -> Schedule:
    """Go from one rate to another by equal factors: ``first (last / first)^(t / (steps - 1))``.

    Args:
        first: rate of step 0, positive; may be traced.
        last: rate of step ``steps - 1`` and of all later ones, positive; may be traced.
        steps: number of steps, at least 2; may be traced.

    Returns:
        ``schedule(step) -> rate``; NaN where a traced value is out of range.

    Raises:
        ValueError: a concrete value out of range.

    Example:
        >>> rate = geometric(0.01, last=10.0, steps=4)
        >>> [round(float(rate(step)), 2) for step in range(6)]
        [0.01, 0.1, 1.0, 10.0, 10.0, 10.0]

    Reference:
        Equals ``optax.exponential_decay(first, steps - 1, last / first)`` up to the last step.
    """
    named = (("first", first), ("last", last))
    first, last = (_hyper.positive("geometric", name, value) for name, value in named)
    steps = _hyper.number("geometric", "steps", steps, 2, float("inf"), "[2, inf)")

    def schedule(step: Any) -> jax.Array:
        share = jnp.clip(jnp.asarray(step, jnp.result_type(float)) / (steps - 1), 0, 1)
        return first * jnp.exp(share * jnp.log(jnp.asarray(last / first)))

    return schedule
