"""Recurrent layers as networks: called with a dict of x, lengths and carry; parameters of which none is 0."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxdl import net


class Called(nnx.Module):
    """A recurrent layer, called with a dict."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __call__(self, x: dict[str, Any]) -> Any:
        return self.layer(**x)


def network(make: Any, *sizes: Any, **options: Any) -> net.Net:
    return net.functional(lambda rngs: Called(make(*sizes, rngs=rngs, **options)))


def drawn(made: net.Net, seed: int = 0) -> Any:
    """Return parameters drawn at once, which takes no program of their initialisers."""
    params = jax.eval_shape(made.init, jax.random.key(0))[0]
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), params)
