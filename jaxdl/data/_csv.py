"""The rows of a CSV file, with the lines they start on: bytes, encoding and widths checked."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jaxdl.errors import FormatError, explain


class Row(NamedTuple):
    """The cells of one row, stripped of blanks, and the line that it starts on, counted from 1."""

    line: int
    cells: list[str]


def read_rows(path: Path, delimiter: str, max_bytes: int) -> list[Row]:
    """Return the rows of a file, two cells or more each, all of one width; at least one row."""
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"':
        raise ValueError(
            explain("load_csv", "delimiter", got=repr(delimiter), expected="one character between two cells",
                    fix="delimiter=';' or delimiter='\\t', say")
        )  # fmt: skip
    rows = list(_rows(path, _text(path, max_bytes), delimiter))
    _check_widths(path, rows)
    return rows


def bad_table(path: Path, what: str) -> FormatError:
    """Return the error for a file."""
    return FormatError(f"load_csv: {path}: {what}")


def _text(path: Path, limit: int) -> str:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size + 1) if size <= limit else b""
    if size > limit:
        raise bad_table(path, f"has {size} bytes, more than the {limit} allowed (max_bytes)")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise bad_table(path, f"line {line}: holds a NUL byte; this is no text file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise bad_table(path, f"line {line}: is not UTF-8 ({error.reason})") from error


def _rows(path: Path, text: str, delimiter: str) -> Iterator[Row]:
    """Yield the rows with the lines they start on; blank lines may only stand at the end."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line, blank = 1, 0
    try:
        for cells in reader:
            if not cells:
                blank = blank or line
            elif blank:
                raise bad_table(path, f"line {blank}: is blank, and rows follow it")
            else:
                yield Row(line, [cell.strip() for cell in cells])
            line = reader.line_num + 1
    except csv.Error as error:
        raise bad_table(path, f"line {line}: {error}") from error


def _check_widths(path: Path, rows: list[Row]) -> None:
    if not rows:
        raise bad_table(path, "is empty")
    width = len(rows[0].cells)
    if width < 2:
        raise bad_table(path, "line 1: has one column; expected two or more. Fix: delimiter=...")
    for row in rows:
        if len(row.cells) != width:
            raise bad_table(path, f"line {row.line}: has {len(row.cells)} cells where line 1 has {width}")
