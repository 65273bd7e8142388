"""How a step comes to its batch: gathered with the whole epoch, or by itself."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl.train.shard import ALONE, Plan
from jaxdl.train.spec import Arrays

# Bytes of examples up to which an epoch is copied: integers of less than 32 bits, and all else.
# A batch of fewer bytes costs more to gather by itself than as a part of the epoch.
COPIED_NARROW, COPIED_WIDE, SMALL_BATCH = 256 * 2**20, 4 * 2**20, 8 * 2**10


def fetcher(data: Arrays, indices: jax.Array, plan: Plan = ALONE) -> tuple[Callable[[Any], Any], Any]:
    """Gather the whole epoch at once where the copy is faster, else step by step: a measured rule.

    Bytes gathered in the step are converted one by one; wide rows gathered by the epoch go through memory
    twice. `plan` splits each batch over devices. See "Fetching batches" in bench/NOTES.md.
    """
    examples = (data.inputs, data.targets)
    leaves = jax.tree.leaves(examples)
    sizes = [leaf.size * leaf.dtype.itemsize for leaf in leaves]
    narrow = leaves[sizes.index(max(sizes))].dtype.itemsize < 4

    def take(index: jax.Array) -> Any:
        return jax.tree.map(lambda leaf: jnp.asarray(leaf).at[index].get(mode="promise_in_bounds"), examples)

    few = sum(sizes) // len(leaves[0]) * indices.shape[1] < SMALL_BATCH
    if sum(sizes) <= (COPIED_NARROW if narrow or few else COPIED_WIDE):
        return (lambda batch: batch), plan.batch(take(indices), axis=1)
    # Kept apart from what follows: fused into two products, the gather would be done twice.
    return (lambda index: lax.optimization_barrier(plan.batch(take(index)))), indices
