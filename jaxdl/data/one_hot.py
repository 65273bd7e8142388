"""Columns of numbers and of categories, as the rows of numbers that a model takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdl.data._validate import as_numbers, check_finite
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


def one_hot(
    columns: Mapping[str, Any], *, categories: Mapping[str, Sequence[str]] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Encode each column of text as a column of 0 and 1 for each category; columns of numbers stay.

    Args:
        columns: arrays or sequences (examples,) by name: numbers, or strings.
        categories: for columns of text, their categories in order, so that training and test data agree;
            a column that is not named has those that occur in it, sorted.

    Returns:
        inputs (examples, features) float32, and a name for each feature: that of the column, or
        ``column=category``.

    Raises:
        DtypeError: a column of neither numbers nor strings.
        FormatError: a category that is not named, a missing number.
        ShapeError: no column, no example, or columns of different length.

    Example:
        >>> inputs, names = one_hot({"ear": ["pointy", "floppy", "pointy"], "weight": [7.2, 9.1, 8.4]})
        >>> names
        ('ear=floppy', 'ear=pointy', 'weight')
        >>> inputs[0].round(1).tolist()
        [0.0, 1.0, 7.199999809265137]

    Reference:
        The text columns equal ``sklearn.preprocessing.OneHotEncoder``.
    """
    known = dict(categories or {})
    strange = [name for name in known if name not in columns]
    if strange:
        raise _bad(
            ShapeError, "categories", f"for {strange}", f"columns among {list(columns)}", "name a column"
        )
    if not columns:
        raise _bad(ShapeError, "columns", "empty", "at least one column", "name the columns of the table")
    encoded = {name: _column(name, values, known.get(name)) for name, values in columns.items()}
    lengths = {name: len(values) for name, (values, _) in encoded.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        expected = "columns of one length, at least 1"
        raise _bad(ShapeError, "columns", f"of lengths {lengths}", expected, "one value an example")
    inputs = np.concatenate([values for values, _ in encoded.values()], axis=1)
    return inputs, tuple(label for _, labels in encoded.values() for label in labels)


def _column(name: str, values: Any, categories: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    array, argument = np.asarray(values), f"columns[{name!r}]"
    if array.ndim != 1:
        raise _bad(ShapeError, argument, f"of shape {array.shape}", "(examples,)", "one value an example")
    if categories is None and array.dtype.kind not in "UO":
        numbers = as_numbers("one_hot", argument, array).astype(np.float32)
        check_finite(numbers, op="one_hot", argument=argument)
        return numbers[:, None], [name]
    found = array.tolist()
    if not all(isinstance(value, str) for value in found):
        got, fix = "not of strings throughout", "word missing values, as 'unknown'"
        raise _bad(DtypeError, argument, got, "numbers or strings", fix)
    order = sorted(set(found)) if categories is None else list(categories)
    strange = sorted(set(found) - set(order))
    if strange or len(set(order)) < len(order):
        got = f"{strange[0]!r} at row {found.index(strange[0])}" if strange else "of categories named twice"
        raise _bad(FormatError, argument, got, f"categories {order}", "name every category once")
    hot = array[:, None] == np.array(order)[None, :]
    return hot.astype(np.float32), [f"{name}={category}" for category in order]


def _bad(error: type[Exception], argument: str, got: str, expected: str, fix: str) -> Exception:
    return error(explain("one_hot", argument, got=got, expected=expected, fix=fix))
