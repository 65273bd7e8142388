"""Random splits of a data set: disjoint, exhaustive, repeatable, every class in every part."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxdl._checks import positive_integer
from jaxdl.data.dataset import Dataset
from jaxdl.errors import FormatError, explain

_ROUNDING = 1e-9  # 0.29 * 100 is 28.999999999999996


def split(
    dataset: Dataset,
    fractions: Sequence[float] | Mapping[str, float] = (0.8, 0.2),
    *,
    seed: int = 0,
    stratify: bool = True,
) -> tuple[Dataset, ...]:
    """Split a data set at random into parts that share no example and leave none out.

    The sizes are n * fractions, rounded by largest remainder. Stratified, each class is divided
    like the whole, to within one example; and if that leaves a class out of a part, the part gets
    one example of it from the class's largest part. Regressions and labels of more than one axis
    are shuffled and cut.

    Args:
        dataset: the examples.
        fractions: a fraction of the whole for each part, summing to 1; or a mapping from names,
            used in messages, to them.
        seed: a whole number in [0, 2**32); the same seed gives the same split everywhere.
        stratify: keep the proportions of the classes.

    Returns:
        One `Dataset` for each fraction, in their order, shuffled, with the same classes and names.

    Raises:
        ValueError: fractions that are not positive or do not sum to 1; a seed out of range.
        FormatError: a class, or the whole, has fewer examples than there are parts.

    >>> dataset = Dataset(np.arange(20.0)[:, None], [0, 1] * 10, classes=("even", "odd"))
    >>> train, test = split(dataset, (0.7, 0.3), seed=3)
    >>> len(train), len(test), np.bincount(test.targets).tolist()
    (14, 6, [3, 3])
    """
    shares = _shares(fractions)
    order = shuffled("split", len(dataset), seed)
    stratified = stratify and dataset.classes is not None and dataset.targets.ndim == 1
    labels = dataset.targets if stratified else np.zeros(len(dataset), np.int32)
    present, counts = np.unique(labels, return_counts=True)
    short = np.flatnonzero(counts < len(shares))
    if short.size:
        raise _too_few(dataset, int(present[short[0]]), int(counts[short[0]]), stratified, shares)
    part = np.empty(len(dataset), np.int32)
    for label, cells in zip(present, _table(counts, shares), strict=True):
        part[order[labels[order] == label]] = np.repeat(np.arange(len(shares)), cells)
    return tuple(dataset.take(order[part[order] == j]) for j in range(len(shares)))


def _shares(fractions: Sequence[float] | Mapping[str, float]) -> np.ndarray:
    pairs = fractions.items() if isinstance(fractions, Mapping) else enumerate(fractions)
    listed: dict[str | int, float] = dict(pairs)
    for name, value in listed.items():
        if isinstance(value, bool) or not 0 < value <= 1:  # False for NaN as well
            raise ValueError(
                explain("split", "fractions", got=f"{value!r} for part {name!r}",
                        expected="a fraction in (0, 1]", fix="leave the part out, or give it some")
            )  # fmt: skip
    if not listed or abs(sum(listed.values()) - 1) > 1e-6:
        raise ValueError(
            explain("split", "fractions", got=f"{fractions!r}, summing to {sum(listed.values()):g}",
                    expected="a sum of 1", fix="name a part for the rest, and ignore it")
        )  # fmt: skip
    shares = np.array(list(listed.values()), np.float64)
    return shares / shares.sum()


def shuffled(op: str, count: int, seed: int) -> np.ndarray:
    """Return the numbers below `count` in an order that hangs on the seed alone."""
    seed = positive_integer(op, "seed", seed, least=0)
    if seed >= 2**32:
        raise ValueError(
            explain(op, "seed", got=seed, expected="a whole number in [0, 2**32)",
                    fix="seed % 2**32")
        )  # fmt: skip
    # NumPy promises the same raw stream in every version, but not the same permutation().
    return np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable")


def _table(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return how many examples of each class go to each part, (classes, parts).

    Rounding every class by itself would add up: a hundred classes of three, halved, would give
    200 and 100. So the sizes of the parts are rounded first, and each class gives its remainder to
    the parts that lack most: the construction of Gale and Ryser.
    """
    sizes = _floor(counts.sum() * shares)
    rest = np.argsort(sizes - counts.sum() * shares, kind="stable")[: counts.sum() - sizes.sum()]
    sizes[rest] += 1
    exact = counts[:, None] * shares
    table = _floor(exact)
    for cells, count, ideal in zip(table, counts, exact, strict=True):
        lack = sizes - table.sum(axis=0)
        by_need = np.lexsort((cells - ideal, -lack))
        cells[by_need[: count - cells.sum()]] += 1
    for cells in table:
        while 0 in cells:
            cells[cells.argmin()] += 1
            cells[cells.argmax()] -= 1
    return table


def _floor(values: np.ndarray) -> np.ndarray:
    return np.floor(values + _ROUNDING).astype(np.int64)


def _too_few(dataset: Dataset, label: int, count: int, stratified: bool, shares: np.ndarray) -> FormatError:
    classes = dataset.classes or ()
    what = f"class {label} ({classes[label]!r})" if stratified else "the data set"
    return FormatError(
        explain("split", "dataset", got=f"too small: {what} has {count} examples",
                expected=f"at least {len(shares)}, one for each part",
                fix="leave that class out, or pass stratify=False" if stratified else "fewer parts")
    )  # fmt: skip
