"""What jax.numpy has, with another derivative."""

import jax
import jax.numpy as jnp


def magnitude(x: jax.Array) -> jax.Array:
    """Return ``|x|`` with derivative 0 at 0, as torch has it; that of ``jnp.abs`` is 1 there."""
    return x * jnp.sign(x)
