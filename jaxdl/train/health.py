"""The health of a run: what left the finite numbers, and at which step, found in the compiled program."""

import functools
from collections.abc import Mapping
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
    "loss": "lower the learning rate, scale the inputs, or look for tokens, lengths, labels or boxes out of "
    "range, or for batches of one class, of which no pairs are made (train.by_class)",
    "gradient": "lower the learning rate, or look for a division by zero or a log of zero in the loss",
    "parameters": "lower the learning rate",
}


def probe(gradients: Any, *, thorough: bool = False) -> jax.Array:
    """Return a number that is finite when the gradients of a step are: ``sum |g|`` over the biases.

    Every gradient is read only when `thorough`, since that costs a pass over all parameters; a network
    without any leaf of rank 1 has its smallest gradient read. The absolute value keeps XLA from summing
    each bias gradient anew from the batch.
    """
    leaves = jax.tree.leaves(gradients)
    if thorough:
        return jnp.where(jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in leaves])), 0.0, jnp.nan)
    small = [leaf for leaf in leaves if leaf.ndim <= 1] or sorted(leaves, key=lambda g: g.size)[:1]
    return sum((jnp.sum(jnp.abs(leaf.astype(jnp.float32))) for leaf in small), jnp.zeros(()))


def words(ys: dict[str, jax.Array], wrong: jax.Array) -> jax.Array:
    """Return the bits of what is wrong in each step, 0 where it is healthy, int32 (steps,).

    ``"cost"``, ``"probe"`` and ``"after"`` are taken out of `ys`, what the steps have recorded.
    """
    bad = (~jnp.isfinite(ys.pop("cost")), ~jnp.isfinite(ys.pop("probe")), wrong)
    bits = (jnp.where(flag, bit, 0) for flag, bit in zip(bad, (LOSS, GRADIENT, LABEL), strict=True))
    return sum(bits, ys.pop("after", jnp.int32(0))).astype(jnp.int32)


def wrong_labels(outputs: Any, targets: Any, indices: jax.Array, meaning: str) -> jax.Array:
    """Tell for each step whether its batch holds a label outside [0, classes), bool (steps,)."""
    found = [_wrong(one, classes, indices) for one, classes in labels(outputs, targets, meaning).values()]
    return functools.reduce(jnp.logical_or, found) if found else jnp.zeros(len(indices), bool)


def _wrong(labels: jax.Array, classes: int, indices: jax.Array) -> jax.Array:
    bad = (labels < 0) | (labels >= classes)
    rows = jnp.any(bad.reshape(len(bad), -1), axis=1)
    return jnp.any(rows[indices], axis=1)


def labels(outputs: Any, targets: Any, meaning: str = "classes") -> dict[str, tuple[Any, int]]:
    """Return what are class numbers among the targets, with the number of classes, by name or ``""``.

    Of targets that are a dict it is known where the outputs are a dict too, by their common names; what else
    a dict holds, the loss alone can judge. Labels that are identities have no bound.
    """
    if meaning == "identities":
        return {}
    if isinstance(outputs, Mapping) and isinstance(targets, Mapping):
        pairs = {name: (outputs[name], targets[name]) for name in targets if name in outputs}
    else:
        pairs = {"": (outputs, targets)}
    return {name: (found, out.shape[-1]) for name, (out, found) in pairs.items() if labelled(out, found)}


def entry(name: str) -> str:
    """Return what an error adds to name one array of a dict, nothing where there is none."""
    return f"['{name}']" if name else ""


def labelled(outputs: Any, targets: Any) -> bool:
    """Tell whether targets are class numbers for outputs (..., classes)."""
    if not (hasattr(outputs, "ndim") and hasattr(targets, "dtype")):
        return False
    if outputs.ndim == 0 or outputs.shape[-1] == 1:
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
