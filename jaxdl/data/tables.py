"""Tables of numbers in CSV files: a strict reader whose errors name file, line and column."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from jaxdl._checks import one_of
from jaxdl.data._csv import Row, bad_table, read_rows
from jaxdl.data.dataset import Dataset
from jaxdl.errors import FormatError

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class _Table:
    """The rows of a file, and the names of its columns where it has a header."""

    path: Path
    names: tuple[str, ...] | None
    rows: list[Row]

    def bad(self, line: int, column: int, what: str) -> FormatError:
        name = repr(self.names[column]) if self.names else str(column)
        return bad_table(self.path, f"line {line}, column {name}: {what}")


def load_csv(
    path: str | os.PathLike[str],
    *,
    target: int | str = -1,
    classes: Sequence[str] | Literal["infer"] | None = None,
    delimiter: str = ",",
    header: bool | Literal["infer"] = "infer",
    max_bytes: int = 2**28,
) -> Dataset:
    """Return the table in a CSV file: one column is the target, all others are features.

    The target is a regression when all its cells are numbers, unless `classes` says otherwise, and
    otherwise a classification, whose classes are the different cells in sorted order. A column that
    mixes numbers with text is refused: it may be a slip of the pen. Cells may stand in double
    quotes; blanks around them are dropped. Lines are counted from 1, columns from 0.

    Args:
        path: the file, UTF-8.
        target: the column of the targets, by position (-1 is the last) or by name.
        classes: None as above; ``"infer"`` makes classes of numbers too, sorted by value where all
            are whole; a sequence of names fixes their order, so that train and test files agree.
        delimiter: the character between two cells.
        header: whether the first line names the columns; ``"infer"`` takes it for a header when
            none of its features is a number, and refuses to guess when only some are.
        max_bytes: refuse a larger file.

    Returns:
        inputs (rows, columns - 1) float32, targets (rows,), `names` from the header.

    Raises:
        FormatError: with line and column: text where a number is due, a missing value, a row of
            another length, an empty file, bytes that are not UTF-8, a class not in `classes`.
        OSError: the file cannot be read.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "pets.csv")
    >>> _ = path.write_text("height,weight,pet\\n30,4,cat\\n60,25,dog\\n")
    >>> dataset = load_csv(path)
    >>> dataset.names, dataset.classes, dataset.targets.tolist()
    (('height', 'weight'), ('cat', 'dog'), [0, 1])
    """
    one_of("load_csv", "header", header, ("infer", True, False))
    path = Path(path)
    rows = read_rows(path, delimiter, max_bytes)
    if header == "infer":
        header = isinstance(target, str) or _has_header(path, rows, target)
    table = _table(path, rows, header)
    column = _column(table, target)
    features = [i for i in range(len(rows[0].cells)) if i != column]
    inputs = np.array([[_number(table, row, i) for i in features] for row in table.rows], np.float32)
    names = tuple(table.names[i] for i in features) if table.names else None
    targets, known = _targets(table, column, classes)
    return Dataset(inputs, targets, known, names)


def _has_header(path: Path, rows: list[Row], target: int) -> bool:
    first = rows[0].cells
    column = target % len(first)
    numbers = [bool(_NUMBER.fullmatch(cell)) for cell in first]
    features = numbers[:column] + numbers[column + 1 :]
    if not any(features):
        return True
    below = rows[1].cells[column] if len(rows) > 1 else first[column]
    if all(features) and (numbers[column] or not _NUMBER.fullmatch(below)):
        return False
    at = numbers.index(False)
    raise bad_table(
        path,
        f"line 1, column {at}: {first[at]!r} is not a number, but others on this line are. "
        "Fix: header=True if the line names the columns, header=False if not",
    )


def _table(path: Path, rows: list[Row], header: bool) -> _Table:
    if not header:
        return _Table(path, None, rows)
    names = tuple(rows[0].cells)
    for i, name in enumerate(names):
        if not name or name in names[:i]:
            raise bad_table(path, f"line 1, column {i}: the name {name!r} is empty or there twice")
    if len(rows) == 1:
        raise bad_table(path, "has a header and no rows")
    return _Table(path, names, rows[1:])


def _column(table: _Table, target: int | str) -> int:
    width = len(table.rows[0].cells)
    if isinstance(target, str):
        if table.names is None or target not in table.names:
            known = f"the header has {', '.join(table.names)}" if table.names else "there is no header"
            raise bad_table(table.path, f"has no column {target!r}: {known}")
        return table.names.index(target)
    if not -width <= target < width:
        raise bad_table(table.path, f"has no column {target}: there are {width}, counted from 0")
    return target % width


def _number(table: _Table, row: Row, column: int) -> float:
    cell = row.cells[column]
    if _missing(cell):
        raise table.bad(row.line, column, f"the value is missing ({cell!r})")
    if not _NUMBER.fullmatch(cell):
        raise table.bad(row.line, column, f"{cell[:40]!r} is not a number")
    if abs(value := float(cell)) > _LARGEST:
        raise table.bad(row.line, column, f"{cell[:40]} does not fit float32; scale the column first")
    return value


def _targets(
    table: _Table, column: int, classes: Sequence[str] | Literal["infer"] | None
) -> tuple[np.ndarray, tuple[str, ...] | None]:
    cells = [row.cells[column] for row in table.rows]
    numbers = [bool(_NUMBER.fullmatch(cell)) for cell in cells]
    if classes is None and any(numbers):
        return np.array([_number(table, row, column) for row in table.rows], np.float32), None
    inferred = classes is None or isinstance(classes, str)
    if classes is None or isinstance(classes, str):
        one_of("load_csv", "classes", classes, (None, "infer"))
        whole = all(map(_WHOLE.fullmatch, cells))
        known = sorted(set(cells), key=_by_value if whole else None)
    else:
        known = list(classes)
    labels = {name: label for label, name in enumerate(known)}
    for row, cell in zip(table.rows, cells, strict=True):
        if cell not in labels or (inferred and _missing(cell)):
            word = "the class is missing" if _missing(cell) else f"{cell!r} is none of the classes"
            raise table.bad(row.line, column, word)
    return np.array([labels[cell] for cell in cells], np.int32), tuple(known)


def _by_value(cell: str) -> tuple[float, str]:
    return float(cell), cell  # int() refuses 4,301 digits


def _missing(cell: str) -> bool:
    return cell.lower() in _MISSING
