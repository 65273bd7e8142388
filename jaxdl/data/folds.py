"""Folds for cross-validation: every example is held out exactly once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jaxdl._checks import positive_integer
from jaxdl.data.dataset import Dataset
from jaxdl.data.split import shuffled
from jaxdl.errors import DtypeError, FormatError, explain


@dataclass(frozen=True, eq=False, repr=False)
class Folds:
    """A data set divided into folds, as pairs of data sets, as indices and as weights.

    Attributes:
        dataset: the examples.
        numbers: (examples,) int32, the fold in which each example is held out.
        count: number of folds.

    >>> dataset = Dataset(np.arange(6.0)[:, None], [0, 1] * 3, classes=("even", "odd"))
    >>> thirds = folds(dataset, 3)
    >>> [(len(training), len(valid)) for training, valid in thirds]
    [(4, 2), (4, 2), (4, 2)]
    >>> thirds.training.shape, thirds.training.sum(axis=1).tolist()
    ((3, 6), [4.0, 4.0, 4.0])
    """

    dataset: Dataset
    numbers: np.ndarray
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[Dataset, Dataset]]:
        return (self[fold] for fold in range(self.count))

    def __getitem__(self, fold: int) -> tuple[Dataset, Dataset]:
        """Return the training and the validation part of a fold, in the order of the data set."""
        training, valid = self.indices(fold)
        return self.dataset.take(training), self.dataset.take(valid)

    def indices(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of the training and of the validation examples of a fold, rising.

        Args:
            fold: a whole number in [0, count).

        Returns:
            Two int64 arrays that share no index and together hold each one.

        Raises:
            IndexError: there is no such fold.
        """
        if not 0 <= fold < self.count:
            raise IndexError(
                explain("Folds.indices", "fold", got=fold, expected=f"a fold in [0, {self.count})",
                        fix="count from 0")
            )  # fmt: skip
        held = self.numbers == fold
        return np.flatnonzero(~held), np.flatnonzero(held)

    @property
    def training(self) -> np.ndarray:
        """Weights (folds, examples) float32: 1 where a fold trains on the example, 0 where it is held out."""
        return (self.numbers[None, :] != np.arange(self.count)[:, None]).astype(np.float32)

    @property
    def validation(self) -> np.ndarray:
        """Weights (folds, examples) float32: 1 where a fold holds the example out."""
        return 1 - self.training

    def __repr__(self) -> str:
        return f"Folds({self.count} folds of {self.dataset!r})"


def folds(dataset: Dataset, count: int = 5, *, seed: int = 0, stratify: bool = True) -> Folds:
    """Divide a data set at random into folds of equal size, each class equally among them.

    The sizes of two folds differ by one at most, and so do, stratified, their numbers of examples of a
    class. Regressions and labels of more than one axis are shuffled and cut.

    Args:
        dataset: the examples.
        count: number of folds, 2 or more; the number of examples gives leave-one-out.
        seed: a whole number in [0, 2**32); the same seed gives the same folds everywhere.
        stratify: keep the proportions of the classes.

    Returns:
        The `Folds`.

    Raises:
        DtypeError: no `Dataset`, or a count or seed that is no whole number.
        ValueError: fewer than 2 folds, or a seed out of range.
        FormatError: a class, or the whole, has fewer examples than there are folds.

    >>> halves = folds(Dataset(np.arange(8.0)[:, None], np.arange(8.0)), 2, seed=1)
    >>> [valid.tolist() for _, valid in map(halves.indices, range(2))]
    [[0, 2, 3, 7], [1, 4, 5, 6]]

    Reference:
        As ``sklearn.model_selection.StratifiedKFold(shuffle=True)`` and ``KFold(shuffle=True)``, from
        another random stream.
    """
    if not isinstance(dataset, Dataset):
        raise DtypeError(
            explain("folds", "dataset", got=f"a {type(dataset).__name__}", expected="a Dataset",
                    fix="data.Dataset(inputs, targets)")
        )  # fmt: skip
    count = positive_integer("folds", "count", count, least=2)
    order = shuffled("folds", len(dataset), seed)
    stratified = stratify and dataset.classes is not None and dataset.targets.ndim == 1
    if stratified:
        _, sizes = np.unique(dataset.targets, return_counts=True)
        order = order[np.argsort(dataset.targets[order], kind="stable")]
    else:
        sizes = np.array([len(dataset)])
    if sizes.min() < count:
        raise FormatError(
            explain("folds", "dataset", got=f"too small: {'a class' if stratified else 'it'} has "
                    f"{sizes.min()} examples", expected=f"at least {count}, one for each fold",
                    fix="fewer folds" + (", or stratify=False" if stratified else ""))
        )  # fmt: skip
    numbers = np.empty(len(dataset), np.int32)
    # Dealt out like cards, class after class: each fold gets every count-th of a class.
    numbers[order] = np.arange(len(dataset)) % count
    numbers.flags.writeable = False
    return Folds(dataset, numbers, count)
