"""Splits by class: what is tested on was never seen in training, not one example of it."""

from collections.abc import Sequence

import numpy as np

from jaxdl._checks import positive_integer
from jaxdl.data.dataset import Dataset
from jaxdl.data.split import shuffled
from jaxdl.errors import DtypeError, FormatError, explain


def split_classes(dataset: Dataset, sizes: Sequence[int], *, seed: int = 0) -> tuple[Dataset, ...]:
    """Split a data set into parts that share no class: each class goes whole into one of them, at random.

    Args:
        dataset: a classification, one label an example.
        sizes: how many classes each part gets; together all of them.
        seed: a whole number in [0, 2**32); the same seed gives the same split everywhere.

    Returns:
        One `Dataset` for each size, the examples in their order, the labels numbered anew from 0 on, with the
        names of its classes in their order.

    Raises:
        DtypeError: the data set is no classification, or a size is no whole number.
        ValueError: a size below 1, sizes that do not sum to the number of classes, or a seed out of range.
        FormatError: a class has no example.

    >>> people = Dataset(np.zeros((6, 2)), [0, 0, 1, 1, 2, 2], classes=("Ada", "Emmy", "Kurt"))
    >>> train, test = split_classes(people, (2, 1), seed=0)
    >>> train.classes, test.classes, test.targets.tolist()
    (('Emmy', 'Kurt'), ('Ada',), [0, 0])
    """
    op = "split_classes"
    if not isinstance(dataset, Dataset) or dataset.classes is None or np.ndim(dataset.targets) != 1:
        got = repr(dataset) if isinstance(dataset, Dataset) else f"a {type(dataset).__name__}"
        raise DtypeError(
            explain(op, "dataset", got=got, expected="a classification, one label an example",
                    fix="Dataset(inputs, labels, classes=names)")
        )  # fmt: skip
    names, counts = dataset.classes, np.bincount(dataset.targets, minlength=len(dataset.classes))
    if not counts.all():
        raise FormatError(
            explain(op, "dataset", got=f"without an example of {names[int(counts.argmin())]!r}",
                    expected="examples of each class", fix="name the classes that are there")
        )  # fmt: skip
    if not isinstance(sizes, Sequence | np.ndarray):
        raise DtypeError(
            explain(op, "sizes", got=repr(sizes), expected="a number of classes for each part",
                    fix=f"({len(names) - 1}, 1)")
        )  # fmt: skip
    numbers = [positive_integer(op, "sizes", size) for size in sizes]
    if sum(numbers) != len(names):
        raise ValueError(
            explain(op, "sizes", got=f"{tuple(numbers)}, together {sum(numbers)}",
                    expected=f"numbers that sum to the {len(names)} classes",
                    fix="name a part for the rest, and ignore it")
        )  # fmt: skip
    order = shuffled(op, len(names), seed)
    return tuple(_part(dataset, np.sort(part)) for part in np.split(order, np.cumsum(numbers)[:-1]))


def _part(dataset: Dataset, classes: np.ndarray) -> Dataset:
    chosen = dataset.take(np.flatnonzero(np.isin(dataset.targets, classes)))
    labels = np.searchsorted(classes, chosen.targets).astype(np.int32)
    return Dataset(chosen.inputs, labels, tuple((dataset.classes or ())[number] for number in classes),
                   chosen.names)  # fmt: skip
