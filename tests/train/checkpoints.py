"""A state with every kind of leaf, for the tests of checkpoints."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

RECORD = {"seed": 3, "hyper": {"rate": 0.1}}


def tree(step: int) -> dict[str, Any]:
    """Every kind of leaf that a state may hold."""
    return {
        "params": {"w": jnp.full((3, 2), step, jnp.float32), "half": jnp.full(5, step, jnp.bfloat16)},
        "state": [jnp.arange(4) + step, jnp.array([True, False]), np.full(3, step, np.float64)],
        "key": jax.random.key(step),
        "keys": jax.random.split(jax.random.key(step, impl="rbg"), 2),
        "empty": jnp.zeros((0, 2)),
        "epoch": jnp.int32(step),
    }


def same(a: Any, b: Any) -> bool:
    def equal(x: Any, y: Any) -> bool:
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        return x.dtype == y.dtype and np.asarray(x).tobytes() == np.asarray(y).tobytes()

    return jax.tree.structure(a) == jax.tree.structure(b) and all(jax.tree.leaves(jax.tree.map(equal, a, b)))


def step_folder(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}"
