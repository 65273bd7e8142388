"""What a compiled program is kept under: its arguments, and the settings of jax that its trace reads."""

from typing import Any

import jax

# Under another value of one of them, the same function of the same shapes is another program.
SETTINGS = (
    "jax_default_device",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_enable_x64",
    "jax_numpy_dtype_promotion",
    "jax_random_seed_offset",
    "jax_threefry_partitionable",
)


def settings() -> tuple[Any, ...]:
    """Return the settings of jax that change what a function is traced and compiled to."""
    return tuple(getattr(jax.config, name) for name in SETTINGS)


def key_of(*arguments: Any) -> tuple[Any, ...]:
    """Return the key of a program of such arguments: structure, shapes, dtypes and settings."""
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves), settings()
