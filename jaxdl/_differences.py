"""Values of a function around a point, along its entries or random directions, and the quotients of them."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

OFFSETS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)  # in steps; exact in binary


def default_step(*dtypes: Any) -> float:
    """Return the power of two next to ``eps^(1/3)``, where the errors O(h^2) and O(eps/h) balance."""
    return 2.0 ** -round(min(jnp.finfo(dtype).nmant for dtype in dtypes) / 3)


def steps(x: jax.Array, base: float, step: Any) -> jax.Array:
    """Return the step of each entry: `step`, or `base` times the power of two below the entry, at least 1.

    NaN where `step` is lost in the rounding of the entry: the quotient would be a plausible 0.
    """
    if step is not None:
        h = jnp.full(x.shape, step, x.dtype)
        return jnp.where(h > 4 * jnp.finfo(x.dtype).eps * jnp.abs(x), h, jnp.nan)
    # A power of two leaves x + h and x - h without rounding, so that 2h is their true distance.
    return jnp.ldexp(jnp.asarray(base, x.dtype), jnp.frexp(jnp.maximum(jnp.abs(x), 1))[1] - 1)


class Probes(NamedTuple):
    """Directions to move along: each within one stretch of the flat point, of length 1.

    Attributes:
        start: first entry of each stretch.
        stop: the entry after its last.
        row: which row of `signs` it takes.
        h: the step.
        signs: (rows, entries), +1 and -1.
    """

    start: Any
    stop: Any
    row: Any
    h: Any
    signs: Any

    def direction(self, probe: Any, size: int) -> jax.Array:
        """Return the direction of one probe, by entry of the flat point."""
        place, start, stop = jnp.arange(size), self.start[probe], self.stop[probe]
        inside = (place >= start) & (place < stop)
        signs = self.signs[self.row[probe]]
        return jnp.where(inside, signs, 0) / jnp.sqrt((stop - start).astype(signs.dtype))


def by_entry(h: jax.Array) -> Probes:
    """Return a probe along every entry."""
    index = jnp.arange(h.size)
    return Probes(index, index + 1, jnp.zeros_like(index), h, jnp.ones((1, h.size), h.dtype))


def values(
    f: Callable[[jax.Array], jax.Array], x: jax.Array, probes: Probes, offsets: Sequence[float] = OFFSETS
) -> jax.Array:
    """Return ``f(x + t h_i v_i)`` as (probes, offsets), in one compiled loop."""
    count = len(probes.h)

    @jax.jit
    def run(x: jax.Array, probes: Probes) -> jax.Array:
        def at(point: tuple[jax.Array, jax.Array]) -> jax.Array:
            probe, offset = point
            return f(x + offset * probes.h[probe] * probes.direction(probe, x.size))

        probe = jnp.repeat(jnp.arange(count), len(offsets))
        return jax.lax.map(at, (probe, jnp.tile(jnp.asarray(offsets, x.dtype), count)))

    return run(x, probes).reshape(count, len(offsets))


@dataclasses.dataclass(frozen=True)
class Quotients:
    """Slopes by probe, from values at `OFFSETS` steps.

    Attributes:
        central: ``(4 D(h/2) - D(h)) / 3`` of central differences ``D(h) = (f(x + h v) - f(x - h v)) / 2h``.
        left: ``(f(x) - f(x - h v)) / h``.
        right: ``(f(x + h v) - f(x)) / h``.
        noise: what rounding of the values alone can change in a quotient.
        kink: the one-sided slopes stay apart as the step is halved: the point lies on a kink.
        near: their distance does not shrink in proportion to the step, as at any smooth point.
    """

    central: np.ndarray
    left: np.ndarray
    right: np.ndarray
    noise: np.ndarray
    kink: np.ndarray
    near: np.ndarray


def quotients(table: np.ndarray, h: np.ndarray, eps: float, tolerance: float) -> Quotients:
    """Return the slopes of values (probes, 7) and whether a kink lies between the points."""
    values = np.asarray(table, np.float64)
    low2, low, low_half, centre, high_half, high, high2 = values.T
    with np.errstate(invalid="ignore"):
        left, right = (centre - low) / h, (high - centre) / h
        # Differences of one-sided slopes at 2h, h and h/2: proportional to the step where f is smooth.
        bends = [
            np.abs(up - 2 * centre + down) / (k * h)
            for k, up, down in ((2, high2, low2), (1, high, low), (0.5, high_half, low_half))
        ]
        constant = np.ptp(values, axis=1) == 0
        noise = np.where(constant, 0.0, 32 * eps * np.max(np.abs(values), axis=1) / h)
        size = np.maximum(np.abs(left), np.abs(right))
        kink = (bends[1] > noise + tolerance * size) & (bends[2] > 0.75 * bends[1])
        uneven = [np.abs(bends[i] - 2 * bends[i + 1]) > 0.25 * bends[i] + noise for i in range(2)]
        # Richardson: the errors O(h^2) of two central differences cancel.
        central = (4 * (high_half - low_half) / h - (high - low) / (2 * h)) / 3
    return Quotients(central, left, right, noise, kink, kink | uneven[0] | uneven[1])
