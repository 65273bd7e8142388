"""`Dataset`: examples and their targets as NumPy arrays, checked when they are put together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxdl.data._convert import convert_inputs, convert_strings, convert_targets
from jaxdl.data._named import Named, check_counts, count, each, numbers, shape_of, singles
from jaxdl.data._validate import as_numbers, position
from jaxdl.errors import DtypeError, ShapeError, explain


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples with their targets: a classification when `classes` are named, else a regression.

    All arrays are read-only. Memory that somebody could still write to is copied, so that what was
    checked here stays true. uint8 stays uint8 (images), bool becomes uint8, other integers int32
    (tokens), and floats, float64 among them, become float32.

    Args:
        inputs: (batch, ...) numbers, two axes or more. Lists are taken through `np.asarray`. Or a dict of
            such by name, where one axis is enough, such as "sequence" (batch, time, features) and "lengths"
            (batch,).
        targets: with `classes`, (batch,) or (batch, ...) integers in [0, classes), kept as int32;
            without, (batch,) or (batch, outputs) numbers, kept as float32, integers (counts) too. Or, without
            `classes`, a dict of arrays by name, whose integers stay integers.
        classes: the name of each class, in the order of the labels.
        names: the name of each feature, for (batch, features) inputs only.

    Raises:
        ShapeError: an array is empty, ragged or of the wrong rank; lengths differ.
        DtypeError: objects, strings or complex numbers; float labels; names that are not strings; dicts in
            dicts.
        FormatError: NaN, infinity, a label out of range, a number beyond float32 or int32, a name
            given twice; with the row and column of the first.

    >>> dataset = Dataset([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [0, 1, 0], classes=("cat", "dog"))
    >>> dataset
    Dataset(3 examples, inputs float32 (2,), 2 classes)
    >>> dataset.take([2]).inputs
    array([[4., 5.]], dtype=float32)
    """

    inputs: Named
    targets: Named
    classes: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        names = convert_strings("names", self.names)
        classes = convert_strings("classes", self.classes)
        inputs = _inputs(self.inputs, names)
        targets = _targets(self.targets, classes)
        if count(inputs) != count(targets):
            raise ShapeError(
                explain("Dataset", "targets", got=f"of length {count(targets)}",
                        expected=f"one for each of the {count(inputs)} examples",
                        fix="make the lengths of inputs and targets equal")
            )  # fmt: skip
        for field, value in zip(
            ("inputs", "targets", "classes", "names"),
            (each("Dataset", "", inputs, _frozen), each("Dataset", "", targets, _frozen), classes, names),
            strict=True,
        ):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return count(self.inputs)

    @property
    def features(self) -> Any:
        """The shape of one example, by name where the inputs have names."""
        return shape_of(self.inputs)

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

        def taken(_: str, array: np.ndarray) -> np.ndarray:
            rows = array[index]
            rows.flags.writeable = False
            return rows

        inputs, targets = (each("Dataset.take", "", part, taken) for part in (self.inputs, self.targets))
        return Dataset(inputs, targets, self.classes, self.names)

    def __repr__(self) -> str:
        inputs = f"inputs {_told(self.inputs)}"
        if self.classes is not None:
            classes = len(self.classes)
            return f"Dataset({len(self)} examples, {inputs}, {classes} class{'es' * (classes != 1)})"
        return f"Dataset({len(self)} examples, {inputs}, targets {_told(self.targets)})"


def _told(value: Named) -> str:
    """Word dtype and shape of an example: ``float32 (2,)``, with names ``lengths int32 (), ...``."""
    told = each("", "", value, lambda _, array: f"{array.dtype} {array.shape[1:]}")
    return told if isinstance(told, str) else ", ".join(f"{name} {text}" for name, text in told.items())


def _inputs(value: Any, names: tuple[str, ...] | None) -> Named:
    if not isinstance(value, Mapping):
        return convert_inputs(value, names)
    if names is not None:
        raise ShapeError(
            explain("Dataset", "names", got=f"{len(names)} names", expected="None, for a dict of inputs",
                    fix="leave the names out: every array has one already")
        )  # fmt: skip
    return _dict("inputs", value)


def _targets(value: Any, classes: tuple[str, ...] | None) -> Named:
    if not isinstance(value, Mapping):
        return convert_targets(value, classes)
    if classes is not None:
        raise DtypeError(
            explain("Dataset", "targets", got="a dict of arrays, with classes",
                    expected="one array of labels",
                    fix="leave the classes out, or pass the labels alone")
        )  # fmt: skip
    return _dict("targets", value)


def _dict(argument: str, value: Mapping[str, Any]) -> Named:
    arrays = numbers("Dataset", argument, value)
    check_counts("Dataset", {argument: arrays})
    return singles("Dataset", argument, arrays)


def _frozen(_: str, array: np.ndarray) -> np.ndarray:
    """Return a read-only array over memory that nobody can write to; copied only if need be."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if array.flags.writeable or owner.flags.writeable or not isinstance(owner.base, bytes | None):
        array = array.copy()
    array.flags.writeable = False
    return array
