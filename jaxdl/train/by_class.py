"""Batches of a few classes with a few examples of each, as losses over pairs and triplets need them."""

import dataclasses
import hashlib
from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.data import Dataset
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


@dataclasses.dataclass(frozen=True)
class ByClass:
    """Which examples every class has; what `by_class` returns.

    Attributes:
        per_class: examples of each class in a batch.
        examples: how many there are in all.
        digest: SHA-256 of the classes in their order: two orders of equal fields are one program.
        labels: SHA-256 of the sorted labels, to tell labels that are in another order than the examples.
        table: (classes, most) int32, the examples of each class, padded with its first.
        counts: (classes,) int32, how many each class has.
    """

    per_class: int
    examples: int
    digest: str
    labels: str = dataclasses.field(repr=False, compare=False)
    table: np.ndarray = dataclasses.field(repr=False, compare=False)
    counts: np.ndarray = dataclasses.field(repr=False, compare=False)

    def check(self, op: str, examples: int, batch_size: int) -> int:
        """Return how many classes a batch has, or raise where sizes do not fit."""
        if examples != self.examples:
            raise ShapeError(
                explain(op, "shuffle", got=f"the classes of {self.examples} examples",
                        expected=f"of {examples}, those trained on",
                        fix="train.by_class(training, per_class=...)")
            )  # fmt: skip
        classes, rest = divmod(batch_size, self.per_class)
        if rest or not 2 <= classes <= len(self.counts):
            there = len(self.counts)
            raise ValueError(
                explain(op, "batch_size", got=batch_size,
                        expected=f"a multiple of per_class={self.per_class}, of 2 to {there} classes",
                        fix=f"batch_size={min(there, max(2, classes)) * self.per_class}")
            )  # fmt: skip
        return classes

    def check_micro_batches(self, op: str, batch_size: int, accumulate: int) -> None:
        """Raise `ValueError` where micro-batches have not two whole classes each: pairs would be lost."""
        classes, rest = divmod(batch_size // accumulate, self.per_class)
        if accumulate > 1 and (rest or classes < 2):
            whole = batch_size // self.per_class
            fits = [n for n in range(2, whole // 2 + 1) if whole % n == 0 and n <= accumulate]
            raise ValueError(
                explain(op, "accumulate", got=f"{accumulate}, for batches of {whole} classes",
                        expected=f"micro-batches of 2 whole classes or more, of per_class={self.per_class}",
                        fix=f"accumulate={max(fits, default=1)}")
            )  # fmt: skip

    def check_order(self, op: str, targets: Any) -> None:
        """Raise `FormatError` where the targets are the labels of the classes, but in another order."""
        found = targets if isinstance(targets, np.ndarray) else np.zeros(0)
        if found.ndim != 1 or found.dtype.kind not in "iu" or _sorted_digest(found) != self.labels:
            return
        if _digest(np.unique(found, return_inverse=True)[1]) != self.digest:
            raise FormatError(
                explain(op, "shuffle", got="by_class of the targets in another order",
                        expected="the labels in the order of the examples that are trained on",
                        fix="train.by_class(training, per_class=...), of the data that fit is given")
            )  # fmt: skip

    def draw(self, key: jax.Array, *, steps: int, classes: int) -> jax.Array:
        """Return which examples each step sees, (steps, classes * per_class) int32; traceable."""
        first, second = jax.random.split(key)
        chosen = _distinct(first, jnp.full((steps,), len(self.counts), jnp.int32), classes)
        places = _distinct(second, jnp.asarray(self.counts)[chosen], self.per_class)
        found = jnp.asarray(self.table)[chosen[..., None], places]
        return found.reshape(steps, classes * self.per_class)


def by_class(labels: Any, *, per_class: int = 4) -> ByClass:
    """Batches of P classes with K examples of each, for ``fit(..., shuffle=by_class(training))``.

    K is `per_class` and P the batch size over K. Every step draws P of the classes, each as likely as the
    others whatever their sizes, and K different examples of each; an epoch has as many steps as usual. The
    draw is part of the compiled run.

    Args:
        labels: a `Dataset` with labels as targets, or its labels (examples,), integers, known before
            compiling, in the order of the examples that are trained on.
        per_class: K, examples of each class in a batch, at least 2: a class alone has no pair.

    Returns:
        A `ByClass`, to be given as `shuffle`.

    Raises:
        DtypeError: labels that are no integers, or traced.
        ShapeError: labels that are not (examples,).
        ValueError: one class only, or a class with fewer than `per_class` examples. `fit` raises it where
            `per_class` does not divide the batch size, a batch has more classes than there are, or
            `accumulate` leaves micro-batches without two whole classes; and `FormatError` where its targets
            are these labels in another order.

    Example:
        >>> import jax
        >>> from jaxdl.train import batch_order
        >>> labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
        >>> pairs = by_class(labels, per_class=2)
        >>> order = batch_order(jax.random.key(0), 0, examples=9, batch_size=4, shuffle=pairs)
        >>> labels[order].tolist()
        [[1, 1, 2, 2], [0, 0, 2, 2]]

    Reference:
        Hermans, Beyer and Leibe (2017), "In Defense of the Triplet Loss", section 2.
    """
    op = "by_class"
    per_class = _checks.positive_integer(op, "per_class", per_class, least=2)
    found = _labels(op, labels)
    values, classes = np.unique(found, return_inverse=True)
    counts = np.bincount(classes)
    if len(values) < 2:
        raise ValueError(
            explain(op, "labels", got=f"one class only, {values[0]}", expected="2 classes or more",
                    fix="load examples of other classes too: without them nothing can be told apart")
        )  # fmt: skip
    if counts.min() < per_class:
        few = int(np.argmin(counts))
        raise ValueError(
            explain(op, "labels", got=f"{counts[few]} examples of class {values[few]}",
                    expected=f"at least per_class={per_class} of every class",
                    fix=f"per_class={counts[few]}" if counts[few] > 1 else "leave this class out")
        )  # fmt: skip
    starts, column = np.cumsum(counts) - counts, np.arange(counts.max())
    inside = np.where(column < counts[:, None], column, 0)
    table = np.argsort(classes, kind="stable")[starts[:, None] + inside].astype(np.int32)
    digests = _digest(classes), _sorted_digest(found)
    return ByClass(per_class, len(found), *digests, table, counts.astype(np.int32))


def _digest(numbers: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(numbers, np.int64).tobytes()).hexdigest()


def _sorted_digest(labels: np.ndarray) -> str:
    return _digest(np.sort(labels))


def _labels(op: str, labels: Any) -> np.ndarray:
    """Return labels (examples,) of integers, or raise."""
    given = labels.targets if isinstance(labels, Dataset) else labels
    if isinstance(given, jax.core.Tracer):
        raise DtypeError(
            explain(op, "labels", got="traced", expected="labels that are known before compiling",
                    fix="call by_class outside of jit")
        )  # fmt: skip
    try:
        found = np.asarray(given)
    except ValueError:  # ragged
        found = np.asarray(given, object)
    if found.dtype.kind not in "iu":
        kinds = Counter(type(value).__name__ for value in np.ravel(found)[:3].tolist())
        raise DtypeError(
            explain(op, "labels", got=f"of dtype {found.dtype} ({', '.join(kinds)})", expected="integers",
                    fix="np.unique(labels, return_inverse=True)[1]")
        )  # fmt: skip
    if found.ndim != 1 or not found.size:
        raise ShapeError(
            explain(op, "labels", got=f"of shape {found.shape}", expected="(examples,), not empty",
                    fix="pass the label of every example")
        )  # fmt: skip
    return found


def _distinct(key: jax.Array, counts: jax.Array, size: int) -> jax.Array:
    """Return `size` different numbers below each of the counts (..., size): Floyd's sampling."""

    def add(number: jax.Array, chosen: jax.Array) -> jax.Array:
        last = counts - size + number
        drawn = jax.random.randint(jax.random.fold_in(key, number), counts.shape, 0, last + 1, jnp.int32)
        taken = jnp.any(chosen == drawn[..., None], axis=-1)
        return chosen.at[..., number].set(jnp.where(taken, last, drawn))

    nothing = jnp.full((*counts.shape, size), -1, jnp.int32)
    return jax.lax.fori_loop(0, size, add, nothing)
