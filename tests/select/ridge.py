"""A small ridge regression of the estimator contract, for the tests of model selection."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import losses


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Linear:
    weights: jax.Array
    bias: jax.Array

    def __call__(self, inputs: jax.Array) -> jax.Array:
        return inputs @ self.weights + self.bias


def ridge(inputs: Any, targets: Any, *, weights: Any = None, l2: Any = 0.0) -> Linear:
    """Minimise ``sum w (y - x.b - c)^2 + l2 |b|^2``: scikit-learn's ``Ridge(alpha=l2)``."""
    weights = jnp.ones(len(inputs)) if weights is None else weights
    share = weights / weights.sum()
    centre, level = share @ inputs, share @ targets
    x, y = inputs - centre[None, :], targets - level
    gram = (x * weights[:, None]).T @ x + l2 * jnp.eye(x.shape[1])
    slopes = jnp.linalg.solve(gram, x.T @ (weights * y))
    return Linear(slopes, level - centre @ slopes)


def squared(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    return losses.squared_error(outputs, targets)


def cubic(examples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return powers 1 to 8 of x in [-1, 1], and a noisy cubic."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, examples)
    y = 3 * x**3 - 2 * x + rng.normal(0, 0.2, examples)
    return (x[:, None] ** np.arange(1, 9)).astype(np.float32), y.astype(np.float32)
