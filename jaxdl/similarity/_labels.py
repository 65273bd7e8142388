"""Labels that are known before anything is compiled, and the places of each class's examples."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, FormatError, explain
from jaxdl.losses import _pairwise

AT_ONCE = 2**22  # numbers, 16 MiB


class Places(NamedTuple):
    """Places (classes, most) of the examples of each class, filled up with 0, and their counts (classes,)."""

    rows: np.ndarray
    counts: np.ndarray


def known(op: str, labels: Any) -> np.ndarray:
    """Return integer labels (n,) as NumPy has them, or raise."""
    if isinstance(labels, jax.core.Tracer):
        raise DtypeError(
            explain(op, "labels", got="traced", expected="labels that are known before compiling",
                    fix="close over them: jax.jit(lambda embeddings: ...)")
        )  # fmt: skip
    _checks.integer(op, "labels", labels)
    # Not what the check returns: inside a program a constant is traced as well.
    return np.asarray(labels)


def places(labels: np.ndarray, *, least: int = 1) -> Places:
    """Return where the classes of at least so many examples stand."""
    _, kinds, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(kinds, kind="stable")
    starts = np.cumsum(counts) - counts
    column = np.arange(counts.max(initial=0))
    inside = column[None] < counts[:, None]
    rows = np.where(inside, order[np.where(inside, starts[:, None] + column[None], 0)], 0)
    kept = counts >= least
    return Places(rows[kept].astype(np.int32), counts[kept].astype(np.int32))


def finite(op: str, argument: str, value: Any) -> jax.Array:
    """Return floating embeddings (n, features) in float32 or wider, or raise where they are not finite."""
    found = _pairwise.matrix(op, argument, value)
    if not isinstance(found, jax.core.Tracer):
        bad = np.flatnonzero(~np.isfinite(np.asarray(found, np.float64)).all(1))
        if len(bad):
            raise FormatError(
                explain(op, argument, got=f"not finite at {bad[0]}", expected="finite numbers",
                        fix="look for the network's first number that is not finite")
            )  # fmt: skip
    return _checks.single(found)


def each(function: Callable[[jax.Array], Any], keys: jax.Array, numbers: int) -> Any:
    """Return ``vmap(function)(keys)``, in parts where all would hold more than `AT_ONCE` numbers."""
    if len(keys) * numbers <= AT_ONCE:
        return jax.vmap(function)(keys)
    return jax.lax.map(function, keys, batch_size=max(1, AT_ONCE // numbers))


def draw(key: jax.Array, rows: jax.Array, counts: jax.Array, classes: int, examples: int) -> jax.Array:
    """Return rows (classes, examples) of classes and examples that are drawn without replacement."""
    of_classes, of_examples = jax.random.split(key)
    kinds = jax.lax.top_k(jax.random.uniform(of_classes, counts.shape), classes)[1]
    places = jax.random.uniform(of_examples, (classes, rows.shape[1]))
    there = jnp.arange(rows.shape[1])[None] < counts[kinds][:, None]
    chosen = jax.lax.top_k(jnp.where(there, places, -1), examples)[1]
    return jnp.take_along_axis(rows[kinds], chosen, axis=1)
