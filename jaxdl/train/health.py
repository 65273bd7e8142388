"""The health word of a step: what left the finite numbers, found inside the compiled program."""

from typing import Any

import jax
import jax.numpy as jnp

LOSS, GRADIENT, LABEL, PARAMETERS = 1, 2, 4, 8
CAUSES = {LABEL: "label", LOSS: "loss", GRADIENT: "gradient", PARAMETERS: "parameters"}
SENTENCES = {
    "label": "a label lies outside [0, classes)",
    "loss": "the loss is not finite",
    "gradient": "a gradient is not finite",
    "parameters": "a parameter is not finite",
}
FIXES = {
    "label": "check the targets against the number of outputs",
    "loss": "lower the learning rate, or scale the inputs",
    "gradient": "lower the learning rate, or look for a division by zero or a log of zero in the loss",
    "parameters": "lower the learning rate",
}


def step_word(objective: jax.Array, gradients: Any, outputs: Any, targets: Any) -> jax.Array:
    """Return the bits of what is wrong in a step, 0 when it is healthy.

    Only gradients of rank 1 and below (biases) are read, since a full norm costs a pass over all
    parameters; a network without any has its smallest gradient read.
    """
    leaves = jax.tree.leaves(gradients)
    small = [leaf for leaf in leaves if leaf.ndim <= 1] or sorted(leaves, key=lambda g: g.size)[:1]
    total = sum((jnp.sum(leaf.astype(jnp.float32)) for leaf in small), jnp.zeros(()))
    word = jnp.where(jnp.isfinite(objective), 0, LOSS)
    word = word | jnp.where(jnp.isfinite(total), 0, GRADIENT)
    if labelled(outputs, targets):
        wrong = jnp.any((targets < 0) | (targets >= outputs.shape[-1]))
        word = word | jnp.where(wrong, LABEL, 0)
    return word.astype(jnp.int32)


def labelled(outputs: Any, targets: Any) -> bool:
    """Tell whether targets are class numbers for outputs (..., classes)."""
    if not (hasattr(outputs, "ndim") and hasattr(targets, "dtype")):
        return False
    return targets.ndim == outputs.ndim - 1 and jnp.issubdtype(targets.dtype, jnp.integer)


def parameters_word(params: Any) -> jax.Array:
    """Return the bit for parameters that are not finite, else 0."""
    floats = [x for x in jax.tree.leaves(params) if jnp.issubdtype(x.dtype, jnp.floating)]
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in floats]
    return jnp.where(jnp.all(jnp.array(finite)), 0, PARAMETERS).astype(jnp.int32)


def cause(word: int) -> str:
    """Name the most telling bit of a word."""
    return next(name for bit, name in CAUSES.items() if word & bit)
