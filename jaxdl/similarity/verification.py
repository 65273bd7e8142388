"""Is this the same person (1:1), and who is it (1:K)."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.losses import DISTANCES, _pairwise
from jaxdl.losses.similarity import _distance
from jaxdl.similarity import _labels

UNKNOWN = -1


class Verification(NamedTuple):
    """Whether each pair is taken for the same kind, booleans (pairs,), and its distance (pairs,)."""

    same: jax.Array
    distances: jax.Array


class Recognition(NamedTuple):
    """Labels (queries,), -1 for nobody in the gallery, and the distance to the nearest there (queries,)."""

    labels: jax.Array
    distances: jax.Array


def verify(
    first: jax.Array, second: jax.Array, *, threshold: float | jax.Array, form: str = "euclidean"
) -> Verification:
    """Verify pairs, 1:1: row by row they are of the same kind where ``d <= threshold``.

    Args:
        first: floating array (pairs, features).
        second: floating array (pairs, features).
        threshold: distance of 0 or more, of `choose_threshold` for the same form, or a traced scalar.
        form: ``"euclidean"`` or ``"squared_euclidean"``.

    Returns:
        `Verification`; in a compiled program embeddings that are not finite, or a bad threshold, are the same
        as nothing, at distance NaN.

    Raises:
        DtypeError: embeddings that are not floating, or a threshold that is no number.
        ShapeError: embeddings that are not (pairs, features), or of different shapes.
        FormatError: embeddings that are not finite.
        ValueError: a threshold below 0 or not finite, or an unknown form.

    Example:
        >>> a, b = jnp.zeros((2, 2)), jnp.array([[3.0, 4.0], [0.1, 0.0]])
        >>> verify(a, b, threshold=1.0).same.tolist()
        [False, True]
    """
    op = "verify"
    first, second = _labels.finite(op, "first", first), _labels.finite(op, "second", second)
    _checks.same_shape(op, "first", first, "second", second)
    _checks.one_of(op, "form", form, DISTANCES)
    return _verified(first, second, _limit(op, threshold, first), form=form)


def recognise(
    queries: jax.Array,
    gallery: jax.Array,
    labels: jax.Array,
    *,
    threshold: float | jax.Array,
    form: str = "euclidean",
) -> Recognition:
    """Recognise, 1:K: the label of the nearest in the gallery, or -1 where that is beyond the threshold.

    Args:
        queries: floating array (queries, features).
        gallery: embeddings of those who are known (n, features), one or several of each.
        labels: integers (n,) of 0 or more, whose embeddings these are.
        threshold: distance of 0 or more up to which somebody is known; or a traced scalar.
        form: ``"euclidean"`` or ``"squared_euclidean"``.

    Returns:
        `Recognition`. Of equally near ones the first in the gallery; in a compiled program embeddings that
        are not finite, or a bad threshold, are nobody, at distance NaN.

    Raises:
        DtypeError: embeddings that are not floating, labels that are not integers, or a threshold that is no
            number.
        ShapeError: embeddings that are not (n, features) of as many features, an empty gallery, or labels
            that are not (n,).
        FormatError: embeddings that are not finite, or labels below 0 or beyond the device's integers.
        ValueError: a threshold below 0 or not finite, or an unknown form.

    Example:
        >>> gallery, names = jnp.array([[0.0], [1.0], [9.0]]), jnp.array([7, 7, 3])
        >>> recognise(jnp.array([[1.2], [8.8], [5.0]]), gallery, names, threshold=0.5).labels.tolist()
        [7, 3, -1]

    Reference:
        With a threshold beyond all distances it is ``sklearn.neighbors.KNeighborsClassifier(1)``.
    """
    op = "recognise"
    queries, gallery = _labels.finite(op, "queries", queries), _labels.finite(op, "gallery", gallery)
    _checks.one_of(op, "form", form, DISTANCES)
    if queries.shape[1] != gallery.shape[1]:
        raise ShapeError(
            explain(op, "gallery", got=f"of shape {gallery.shape}", expected=f"(n, {queries.shape[1]})",
                    fix="embed both by the same network")
        )  # fmt: skip
    names = _pairwise.kinds_of(op, labels, gallery)
    # Signed: nobody is -1, which unsigned numbers would turn into their largest.
    signed = names.astype(jnp.int64 if names.dtype == jnp.uint64 else jnp.int32)
    names = signed if jnp.issubdtype(names.dtype, jnp.unsignedinteger) else _checks.widened(names)
    if not isinstance(names, jax.core.Tracer) and np.asarray(names).min() < 0:
        raise FormatError(
            explain(op, "labels", got=f"{np.asarray(names).min()}",
                    expected=f"0 or more in {names.dtype}: -1 is for nobody",
                    fix="number the people from 0")
        )  # fmt: skip
    return _recognised(queries, gallery, names, _limit(op, threshold, queries), form=form)


@partial(jax.jit, static_argnames="form")
def _verified(first: jax.Array, second: jax.Array, threshold: jax.Array, *, form: str) -> Verification:
    d = _known(_distance(first, second, form), threshold)
    return Verification(d <= threshold, d)


@partial(jax.jit, static_argnames="form")
def _recognised(
    queries: jax.Array, gallery: jax.Array, names: jax.Array, threshold: jax.Array, *, form: str
) -> Recognition:
    table = _pairwise.table(queries, gallery, form)
    d = _known(jnp.min(table, 1), threshold)
    return Recognition(jnp.where(d <= threshold, names[jnp.argmin(table, 1)], UNKNOWN), d)


def _limit(op: str, threshold: float | jax.Array, like: jax.Array) -> jax.Array:
    _checks.in_range(op, "threshold", threshold, 0, float("inf"), "[0, inf)")
    return jnp.asarray(threshold, like.dtype)


def _known(d: jax.Array, threshold: jax.Array) -> jax.Array:
    """Return the distances, NaN where one is not finite or the threshold means nothing."""
    return jnp.where(jnp.isfinite(d) & jnp.isfinite(threshold) & (threshold >= 0), d, jnp.nan)
