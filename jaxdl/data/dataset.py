"""`Dataset`: examples and their targets as two NumPy arrays, checked when they are put together."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxdl.data._convert import convert_inputs, convert_strings, convert_targets
from jaxdl.data._validate import as_numbers, position
from jaxdl.errors import DtypeError, ShapeError, explain


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples with their targets: a classification when `classes` are named, else a regression.

    Both arrays are read-only. Memory that somebody could still write to is copied, so that what was
    checked here stays true. uint8 stays uint8 (images), bool becomes uint8, other integers int32
    (tokens), and floats, float64 among them, become float32.

    Args:
        inputs: (batch, ...) numbers, two axes or more. Lists are taken through `np.asarray`.
        targets: with `classes`, (batch,) or (batch, ...) integers in [0, classes), kept as int32;
            without, (batch,) or (batch, outputs) numbers, kept as float32, integers (counts) too.
        classes: the name of each class, in the order of the labels.
        names: the name of each feature, for (batch, features) inputs only.

    Raises:
        ShapeError: an array is empty, ragged or of the wrong rank; lengths differ.
        DtypeError: objects, strings or complex numbers; float labels; names that are not strings.
        FormatError: NaN, infinity, a label out of range, a number beyond float32 or int32, a name
            given twice; with the row and column of the first.

    >>> dataset = Dataset([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [0, 1, 0], classes=("cat", "dog"))
    >>> dataset
    Dataset(3 examples, inputs float32 (2,), 2 classes)
    >>> dataset.take([2]).inputs
    array([[4., 5.]], dtype=float32)
    """

    inputs: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        names = convert_strings("names", self.names)
        classes = convert_strings("classes", self.classes)
        inputs = convert_inputs(self.inputs, names)
        targets = convert_targets(self.targets, classes)
        if len(inputs) != len(targets):
            raise ShapeError(
                explain("Dataset", "targets", got=f"of length {len(targets)}",
                        expected=f"one for each of the {len(inputs)} examples",
                        fix="make the lengths of inputs and targets equal")
            )  # fmt: skip
        for field, value in zip(
            ("inputs", "targets", "classes", "names"),
            (_frozen(inputs), _frozen(targets), classes, names),
            strict=True,
        ):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def features(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.inputs.shape[1:]

    def take(self, indices: Any) -> "Dataset":
        """Return the examples at `indices`, in that order.

        Args:
            indices: (count,) whole numbers in [-len, len), as a list, range or array.

        Returns:
            A new `Dataset` of count examples, with the same classes and names.

        Raises:
            DtypeError: the indices are not whole numbers; a mask is not taken for 0 and 1.
            IndexError: an index is out of range.
        """
        index = as_numbers("Dataset.take", "indices", indices)
        if index.dtype.kind not in "iu" or index.ndim != 1:
            raise DtypeError(
                explain("Dataset.take", "indices", got=f"{index.dtype} of shape {index.shape}",
                        expected="a list of whole numbers",
                        fix="np.flatnonzero(mask) makes indices of a mask")
            )  # fmt: skip
        bad = np.flatnonzero((index < -len(self)) | (index >= len(self)))
        if bad.size:
            raise IndexError(
                explain("Dataset.take", "indices", got=f"{index[bad[0]]} at {position(bad[:1])}",
                        expected=f"an index of {len(self)} examples", fix="leave it out")
            )  # fmt: skip
        inputs, targets = self.inputs[index], self.targets[index]
        for array in (inputs, targets):
            array.flags.writeable = False
        return Dataset(inputs, targets, self.classes, self.names)

    def __repr__(self) -> str:
        inputs = f"inputs {self.inputs.dtype} {self.features}"
        if self.classes is not None:
            count = len(self.classes)
            return f"Dataset({len(self)} examples, {inputs}, {count} class{'es' * (count != 1)})"
        return f"Dataset({len(self)} examples, {inputs}, targets float32 {self.targets.shape[1:]})"


def _frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only array over memory that nobody can write to; copied only if need be."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if array.flags.writeable or owner.flags.writeable or not isinstance(owner.base, bytes | None):
        array = array.copy()
    array.flags.writeable = False
    return array
