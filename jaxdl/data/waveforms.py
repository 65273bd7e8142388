"""Noisy waveforms to tell apart: signals with one spatial axis, as many as one likes."""

from functools import partial

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import explain

WAVEFORMS = ("sine", "square", "sawtooth", "triangle")


def waveforms(
    key: jax.Array,
    count: int,
    *,
    length: int = 128,
    lowest: float = 2.0,
    highest: float = 8.0,
    noise: float = 0.3,
) -> tuple[jax.Array, jax.Array]:
    """Draw sine, square, sawtooth and triangle waves of one power, of any phase and frequency, in noise.

    ``x_t = a f(c t / length + p) + noise e_t`` with e normal, a uniform in [0.7, 1.4], p in [0, 1), and the
    number of cycles c in [lowest, highest); every f has a mean square of 1, so that power tells nothing.

    Args:
        key: random key; the same key draws the same signals.
        count: how many.
        length: samples of a signal.
        lowest: cycles in a signal, at least.
        highest: cycles in a signal, at most; below ``length / 4``, as a corner needs samples.
        noise: standard deviation of the noise.

    Returns:
        Signals (count, length, 1) float32, and their class numbers (count,) int32 in the order of
        `WAVEFORMS`.

    Raises:
        DtypeError: no typed key, or numbers of another kind.
        ValueError: a number out of range.

    Example:
        >>> signals, labels = waveforms(jax.random.key(0), 5)
        >>> signals.shape, [WAVEFORMS[label] for label in labels[:2]]
        ((5, 128, 1), ['triangle', 'square'])
    """
    key, op = _checks.key("waveforms", key), "waveforms"
    count, length = (
        _checks.positive_integer(op, name, value) for name, value in (("count", count), ("length", length))
    )
    _checks.in_range(op, "noise", noise, 0, float("inf"), "[0, inf)")
    _checks.in_range(op, "lowest", lowest, 0, float("inf"), "[0, inf)")
    _checks.in_range(op, "highest", highest, 0, length / 4, f"[0, {length / 4:g}), a quarter of the length")
    if highest <= lowest:
        raise ValueError(
            explain(op, "highest", got=highest, expected=f"above lowest={lowest}",
                    fix="name the fewest cycles first")
        )  # fmt: skip
    return _draw(key, count, length, lowest, highest, noise)


@partial(jax.jit, static_argnums=(1, 2))
def _draw(
    key: jax.Array, count: int, length: int, lowest: float, highest: float, noise: float
) -> tuple[jax.Array, jax.Array]:
    kinds, cycles, phases, sizes, errors = jax.random.split(key, 5)
    labels = jax.random.randint(kinds, (count,), 0, len(WAVEFORMS))

    def column(key: jax.Array, low: float, high: float) -> jax.Array:
        return jax.random.uniform(key, (count, 1), minval=low, maxval=high)

    turns = column(cycles, lowest, highest) * jnp.arange(length)[None] / length + column(phases, 0, 1)
    turns -= jnp.floor(turns)
    waves = jnp.stack(
        [
            jnp.sqrt(2.0) * jnp.sin(2 * jnp.pi * turns),
            jnp.where(turns < 0.5, 1.0, -1.0),
            jnp.sqrt(3.0) * (2 * turns - 1),
            jnp.sqrt(3.0) * (4 * jnp.abs(turns - 0.5) - 1),
        ]
    )
    chosen = jnp.take_along_axis(waves, labels[None, :, None], axis=0)[0]
    signals = column(sizes, 0.7, 1.4) * chosen + noise * jax.random.normal(errors, chosen.shape)
    return signals[..., None], labels
