"""An activation as a module, so that what it returns has a place in the network."""

from collections.abc import Callable

import jax
from flax import nnx

from jaxdl import _checks, activations

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "identity": activations.identity,
    "leaky_relu": activations.leaky_relu,
    "relu": activations.relu,
    "scaled_tanh": activations.scaled_tanh,
    "sigmoid": activations.sigmoid,
    "softmax": activations.softmax,
    "softsign": activations.softsign,
    "step": activations.step,
    "swish": activations.swish,
    "tanh": activations.tanh,
}


class Activation(nnx.Module):
    """An activation as a layer: ``y = g(x)``, without parameters.

    `Net.trace`, and with it `jaxdl.probe`, sees the outputs of modules; a bare function call it does not.

    Args:
        kind: name of the activation, such as ``"relu"``.

    Raises:
        ValueError: a kind that is not in `ACTIVATIONS`.

    Example:
        >>> import jax.numpy as jnp
        >>> Activation("relu")(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def __init__(self, kind: str) -> None:
        _checks.one_of("Activation", "kind", kind, ACTIVATIONS)
        self.kind = kind

    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply the activation to `x`, a floating array (batch, ...)."""
        return ACTIVATIONS[self.kind](x)
