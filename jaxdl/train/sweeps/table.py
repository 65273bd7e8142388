"""The results of a sweep, one row a member: to be read, sorted and written."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain

SHOWN = 20


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Columns of equal length by name.

    Attributes:
        columns: arrays (rows,) by name, of numbers or strings.

    Raises:
        DtypeError: a column that is no NumPy array of numbers or strings.
        ShapeError: a column that is not (rows,), or lengths that differ.

    Example:
        >>> table = Table({"member": np.arange(3), "loss": np.array([2.0, np.nan, 1.0])})
        >>> table.sorted("loss").columns["member"].tolist()
        [2, 0, 1]
        >>> print(table.sorted("loss"))
        member  loss
             2     1
             0     2
             1   nan
    """

    columns: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        for name, value in self.columns.items():
            if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufU":
                got = (
                    f"of dtype {value.dtype}"
                    if isinstance(value, np.ndarray)
                    else f"a {type(value).__name__}"
                )
                raise DtypeError(
                    explain("Table", f"columns['{name}']", got=got,
                            expected="a NumPy array of numbers or strings", fix="np.asarray(...)")
                )  # fmt: skip
        shapes = {name: value.shape for name, value in self.columns.items()}
        if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
            raise ShapeError(
                explain("Table", "columns", got=f"of shapes {shapes}", expected="(rows,), equal lengths",
                        fix="give each column one value a row")
            )  # fmt: skip

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Go through the rows, each a dict of Python values."""
        for i in range(len(self)):
            yield {name: _python(value[i]) for name, value in self.columns.items()}

    def sorted(self, name: str, *, mode: str = "min", last: np.ndarray | None = None) -> "Table":
        """Return the rows by the values of a column, the least (``"min"``) or greatest (``"max"``) first.

        NaN comes last in both; rows of equal value keep their order.

        Args:
            name: of the column.
            mode: ``"min"`` or ``"max"``.
            last: rows that come behind all others whatever their value, bool (rows,), or None.

        Raises:
            ShapeError: `last` is not (rows,).
            ValueError: no such column, or an unknown mode.
        """
        _checks.one_of("Table.sorted", "mode", mode, ("min", "max"))
        if name not in self.columns:
            raise ValueError(
                explain("Table.sorted", "name", got=repr(name), expected=f"one of {list(self.columns)}",
                        fix="name a column of the table")
            )  # fmt: skip
        values = self.columns[name]
        behind = np.zeros(len(self), bool) if last is None else np.asarray(last)
        if behind.shape != values.shape:
            raise ShapeError(
                explain("Table.sorted", "last", got=f"of shape {behind.shape}", expected=f"{values.shape}",
                        fix="one bool a row")
            )  # fmt: skip
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
        ranks = np.unique(values, return_inverse=True)[1] * (1 if mode == "min" else -1)
        order = np.lexsort((ranks, missing, behind))
        return Table({key: value[order] for key, value in self.columns.items()})

    def head(self, count: int) -> "Table":
        """Return the first rows."""
        return Table({name: value[:count] for name, value in self.columns.items()})

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the rows as CSV with a header line, and write them to a file where there is a path."""
        out = io.StringIO()
        writer = csv.DictWriter(out, list(self.columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self)
        return _written(out.getvalue(), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the rows as a JSON list of objects, and write them to a file where there is a path.

        What is not finite becomes null, as JSON has no NaN.
        """
        rows = [
            {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}
            for row in self
        ]
        return _written(json.dumps(rows, indent=1, allow_nan=False) + "\n", path)

    def __repr__(self) -> str:
        return f"Table({len(self)} rows of {', '.join(self.columns)})"

    def __str__(self) -> str:
        cells = {name: [name, *map(_cell, value[:SHOWN])] for name, value in self.columns.items()}
        widths = {name: max(map(len, column)) for name, column in cells.items()}
        lines = [
            "  ".join(column[i].rjust(widths[name]) for name, column in cells.items())
            for i in range(min(len(self), SHOWN) + 1)
        ]
        more = len(self) - SHOWN
        return "\n".join([*lines, *([f"... and {more} more"] if more > 0 else [])])


def _python(value: Any) -> Any:
    """Return a Python value; 0.1 of float32 is 0.1, not 0.10000000149."""
    return float(str(value)) if isinstance(value, np.floating) else value.item()


def _cell(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text)
    return text
