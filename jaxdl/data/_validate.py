"""Checks of whole arrays on the host, made once a data set by `Dataset` and by the trainer."""

from collections.abc import Iterable, Sequence
from typing import Any, SupportsInt

import numpy as np

from jaxdl.errors import DtypeError, FormatError, ShapeError, explain

EMBEDDED = "; labels='identities' where the outputs are embeddings"


def as_numbers(op: str, argument: str, value: Any) -> np.ndarray:
    """Return `value` as an array of real numbers, or raise an error that names what it is instead.

    Raises:
        ShapeError: for ragged lists.
        DtypeError: for objects, strings, dates, complex numbers.
        FormatError: for a masked array with masked entries, whose mask NumPy would drop in silence.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise FormatError(
            explain(op, argument, got=f"masked in {np.ma.count_masked(value)} places",
                    expected="no missing values", fix=f"{argument}.filled(...), or drop those rows")
        )  # fmt: skip
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(
            explain(op, argument, got="ragged (its rows differ in length)",
                    expected="rows of equal length", fix="pad or cut the rows to one length")
        ) from error  # fmt: skip
    if array.dtype.kind not in "biuf":
        raise DtypeError(
            explain(op, argument, got=f"of dtype {array.dtype}", expected="real numbers",
                    fix=f"encode them as numbers, or np.asarray({argument}, dtype=np.float32)")
        )  # fmt: skip
    return array


def position(index: Iterable[SupportsInt], names: Sequence[str] | None = None) -> str:
    """Word the place of one entry, counted from 0.

    >>> position((3, 1), ("height", "age"))
    "row 3, column 1 ('age')"
    >>> position((3, 0, 5))
    'row 3, position (0, 5)'
    """
    row, *rest = (int(i) for i in index)
    if not rest:
        return f"row {row}"
    if len(rest) > 1:
        return f"row {row}, position {tuple(rest)}"
    name = f" ({names[rest[0]]!r})" if names is not None else ""
    return f"row {row}, column {rest[0]}{name}"


def check_finite(
    array: np.ndarray,
    *,
    op: str = "check_finite",
    argument: str = "array",
    names: Sequence[str] | None = None,
) -> None:
    """Raise `FormatError` with the place of the first NaN or infinity.

    Args:
        array: (batch, ...) numbers; integers pass at once.
        op: the function to name in the message.
        argument: the argument to name in the message.
        names: a name for each feature of the last axis of a (batch, features) array.

    Raises:
        FormatError: row and column of the first entry that is not finite.

    >>> check_finite(np.array([[1.0, 2.0], [3.0, np.nan]]))
    Traceback (most recent call last):
    jaxdl.errors.FormatError: check_finite: argument 'array' is nan at row 1, column 1; expected...
    """
    if array.dtype.kind != "f":
        return
    finite = np.isfinite(array)
    if finite.all():
        return
    index = np.unravel_index(int(np.argmin(finite)), array.shape)
    count = array.size - np.count_nonzero(finite)
    raise FormatError(
        explain(op, argument, got=f"{array[index]} at {position(index, names)}",
                expected=f"finite numbers ({count} of {array.size} are not)",
                fix="drop those rows or fill those entries in")
    )  # fmt: skip


def check_labels(
    labels: np.ndarray, classes: int, *, op: str = "check_labels", argument: str = "labels"
) -> None:
    """Raise unless every label is an integer in [0, classes).

    Args:
        labels: (batch, ...) integers.
        classes: number of classes.
        op: the function to name in the message.
        argument: the argument to name in the message.

    Raises:
        DtypeError: the labels are not integers.
        FormatError: row and value of the first label out of range.

    >>> check_labels(np.array([0, 1, -1]), 2)
    Traceback (most recent call last):
    jaxdl.errors.FormatError: check_labels: argument 'labels' is -1 at row 2; expected...
    """
    if labels.dtype.kind not in "iu":
        raise DtypeError(
            explain(op, argument, got=f"of dtype {labels.dtype}", expected="integer class labels",
                    fix=f"{argument}.astype(np.int32), or leave out the classes for a regression")
        )  # fmt: skip
    bad = (labels < 0) | (labels >= classes)
    if not bad.any():
        return
    index = np.unravel_index(int(np.argmax(bad)), labels.shape)
    from_one = labels.min() == 1 and labels.max() == classes
    raise FormatError(
        explain(op, argument, got=f"{labels[index]} at {position(index)}",
                expected=f"labels in [0, {classes}), one for each of {classes} classes",
                fix=f"the labels count from 1: pass {argument} - 1" if from_one
                else "drop or relabel those rows, or name every class" + EMBEDDED * (op == "fit"))
    )  # fmt: skip
