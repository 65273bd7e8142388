"""Pairs of examples: drawn for verification, and those that a network gets most wrong."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.losses import DISTANCES, _pairwise
from jaxdl.similarity import _labels


class Pairs(NamedTuple):
    """Rows of each pair, integers (count, 2), and whether they are of the same class, integers (count,)."""

    indices: jax.Array
    same: jax.Array


class HardestPairs(NamedTuple):
    """Pairs that a threshold gets wrong first, rows (count, 2) and their distances (count,).

    Attributes:
        same: of the same class and farthest apart, the farthest first.
        same_distances: their distances, falling.
        other: of two classes and nearest to each other, the nearest first.
        other_distances: their distances, rising.
    """

    same: jax.Array
    same_distances: jax.Array
    other: jax.Array
    other_distances: jax.Array


def pairs(key: jax.Array, labels: Any, count: int) -> Pairs:
    """Draw pairs of two different examples, half of the same class and half of two, in random order.

    A class is drawn first, each as likely as another, and then its examples; no pair is of an example and
    itself, while a pair may be drawn more than once.

    Args:
        key: key by which they are drawn.
        labels: integers (n,), known before compiling.
        count: number of pairs; of an odd one the odd pair is of two classes.

    Returns:
        `Pairs`.

    Raises:
        DtypeError: no typed key, labels that are no integers or traced, or a count that is not whole.
        ShapeError: labels that are not (n,).
        ValueError: a count below 2, one class only, or no class of two examples.

    Example:
        >>> labels = np.array([0, 0, 1, 1, 2])
        >>> found = pairs(jax.random.key(0), labels, 4)
        >>> ends = labels[np.asarray(found.indices)]
        >>> bool(((ends[:, 0] == ends[:, 1]) == found.same).all()), int(found.same.sum())
        (True, 2)
    """
    op = "pairs"
    key, count = _checks.key(op, key), _checks.positive_integer(op, "count", count, least=2)
    known = _classed(op, labels)
    places, several = _labels.places(known), _labels.places(known, least=2)
    if not len(several.counts):
        raise ValueError(
            explain(op, "labels", got="without two examples of a class", expected="a class of two or more",
                    fix="more examples of each class")
        )  # fmt: skip
    return _draw(key, *map(jnp.asarray, (*several, *places)), count=count)


def hardest_pairs(
    embeddings: jax.Array, labels: Any, *, count: int = 8, distinct: bool = False, form: str = "euclidean"
) -> HardestPairs:
    """Find the farthest pairs of the same class and the nearest pairs of different classes.

    Args:
        embeddings: floating array (n, features), finite.
        labels: integers (n,), known before compiling.
        count: pairs of each kind; memory is that of (n, n) numbers.
        distinct: only the hardest pair of each class, and of each two classes: one odd example would
            otherwise be in all of them.
        form: ``"euclidean"`` or ``"squared_euclidean"``.

    Returns:
        `HardestPairs`, the smaller row of each pair first.

    Raises:
        DtypeError: embeddings that are not floating, labels that are no integers or traced.
        ShapeError: embeddings that are not (n, features), or labels that are not (n,).
        FormatError: embeddings that are not finite, or so large that their distances are not.
        ValueError: fewer than `count` pairs of either kind, or an unknown form.

    Example:
        >>> x = jnp.array([[0.0], [1.0], [4.0], [6.0]])
        >>> found = hardest_pairs(x, np.array([0, 0, 1, 1]), count=1)
        >>> found.same.tolist(), found.other.tolist(), float(found.other_distances[0])
        ([[2, 3]], [[1, 2]], 3.0)
    """
    op = "hardest_pairs"
    x, count = _labels.finite(op, "embeddings", embeddings), _checks.positive_integer(op, "count", count)
    _checks.one_of(op, "form", form, DISTANCES)
    known = _classed(op, labels)
    _pairwise.one_each(op, known.shape, x)
    _checks.one_of(op, "distinct", distinct, (True, False))
    sizes = np.unique(known, return_counts=True)[1].astype(np.int64)
    same = int((sizes * (sizes - 1)).sum()) // 2
    other = len(known) * (len(known) - 1) // 2 - same
    if distinct:
        same, other = int((sizes > 1).sum()), len(sizes) * (len(sizes) - 1) // 2
    if min(same, other) < count:
        raise ValueError(
            explain(op, "count", got=count, expected=f"at most {min(same, other)}: there are {same} pairs of "
                    f"the same class and {other} of two", fix=f"count={max(min(same, other), 1)}")
        )  # fmt: skip
    kinds = np.unique(known, return_inverse=True)[1].astype(np.int32)
    classes = len(sizes) if distinct else None
    found = _hardest(x, jnp.asarray(kinds), count=count, classes=classes, form=form)
    sound = jnp.isfinite(found.same_distances).all() & jnp.isfinite(found.other_distances).all()
    if not isinstance(sound, jax.core.Tracer) and not bool(sound):
        raise FormatError(
            explain(op, "embeddings", got="so large that distances overflow", expected="finite distances",
                    fix="similarity.normalise(embeddings)")
        )  # fmt: skip
    return found


@partial(jax.jit, static_argnames=("count", "classes", "form"))
def _hardest(x: jax.Array, labels: jax.Array, *, count: int, classes: int | None, form: str) -> HardestPairs:
    d = _pairwise.table(x, x, form)
    same = labels[:, None] == labels[None]
    before = jnp.arange(len(x))[:, None] < jnp.arange(len(x))[None]
    found = []
    for sign, kind in ((1, same), (-1, ~same)):
        hardness = jnp.where(before & kind, sign * d, -jnp.inf).reshape(-1)
        hardness = hardness if classes is None else _hardest_of_each(hardness, labels, classes)
        values, places = jax.lax.top_k(hardness, count)
        found += [jnp.stack(jnp.unravel_index(places, d.shape), 1), sign * values]
    return HardestPairs(*found)


def _hardest_of_each(hardness: jax.Array, labels: jax.Array, classes: int) -> jax.Array:
    """Keep the hardest pair of each two classes, the first of equals; all others become -infinity."""
    low, high = jnp.minimum(labels[:, None], labels[None]), jnp.maximum(labels[:, None], labels[None])
    group, place = (low * classes + high).reshape(-1), jnp.arange(hardness.size)
    hardest = jax.ops.segment_max(hardness, group, classes**2)[group] == hardness
    first = jax.ops.segment_min(jnp.where(hardest, place, hardness.size), group, classes**2)[group]
    return jnp.where(place == first, hardness, -jnp.inf)


@partial(jax.jit, static_argnames="count")
def _draw(
    key: jax.Array, several: jax.Array, of_several: jax.Array, rows: jax.Array, of_rows: jax.Array,
    *, count: int,
) -> Pairs:  # fmt: skip
    half = count // 2
    first, second, order = jax.random.split(key, 3)
    numbers = of_rows.size + 2 * rows.shape[1]
    same = _labels.each(lambda key: _labels.draw(key, several, of_several, 1, 2)[0],
                        jax.random.split(first, half), numbers)  # fmt: skip
    other = _labels.each(lambda key: _labels.draw(key, rows, of_rows, 2, 1)[:, 0],
                         jax.random.split(second, count - half), numbers)  # fmt: skip
    shuffled = jax.random.permutation(order, count)
    return Pairs(jnp.concatenate([same, other])[shuffled], (shuffled < half).astype(jnp.int32))


def _classed(op: str, labels: Any) -> np.ndarray:
    known = _labels.known(op, labels)
    if known.ndim != 1:
        raise ShapeError(
            explain(op, "labels", got=f"of shape {known.shape}", expected="(n,)", fix="labels.reshape(-1)")
        )  # fmt: skip
    if len(np.unique(known)) < 2:
        raise ValueError(
            explain(op, "labels", got=f"of {len(np.unique(known))} class", expected="at least two classes",
                    fix="examples of another class, to be told apart from")
        )  # fmt: skip
    return known
