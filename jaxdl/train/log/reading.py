"""Reading what was logged, as a `History`."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from jaxdl.errors import FormatError, explain
from jaxdl.train.history import History
from jaxdl.train.log.text import CSV, ENTRY, NAMED, JSONLines

MAX_BYTES = 2**30
VALUES = {text: float(name) for name, text in NAMED.items()}


def read(path: str | Path) -> History:
    """Read a log of JSON lines or CSV.

    Args:
        path: a file that `log.JSONLines` or `log.CSV` wrote, ``.jsonl`` or ``.csv``. It may be read while the
            run goes on: a last line without its end, as a killed run too may leave, is left out.

    Returns:
        The `History`: float32 arrays (epochs, ...) by name, bit by bit what was recorded.

    Raises:
        FormatError: it is no such log: epochs are missing, or a line is not like the others.
        ValueError: another suffix.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> from jaxdl.train import log
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log.CSV(f"{folder}/a.csv").write({"loss": np.float32([0.5, 0.25])})
        ...     read(f"{folder}/a.csv")["loss"].tolist()
        [0.5, 0.25]
    """
    path = Path(path)
    kinds = {
        suffix: parse for kind, parse in ((JSONLines, _json_lines), (CSV, _table)) for suffix in kind.suffixes
    }
    if path.suffix not in kinds:
        raise ValueError(
            explain("log.read", "path", got=repr(str(path)), expected=f"a file of {', '.join(kinds)}",
                    fix="TensorBoard's events are read by TensorBoard")
        )  # fmt: skip
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(f"log.read: {path} is larger than {MAX_BYTES} bytes. Fix: pass a log")
    try:
        text = path.read_bytes().decode()
        rows = kinds[path.suffix](text[: text.rfind("\n") + 1])
        return _history(rows)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, csv.Error) as error:
        raise FormatError(
            f"log.read: {path} is no log of metrics ({error}). Fix: pass a log of train.log"
        ) from error


def _json_lines(text: str) -> list[dict[str, Any]]:
    rows = [json.loads(line, parse_constant=_refuse) for line in text.split("\n")[:-1]]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is no JSON object")
    return rows


def _table(text: str) -> list[dict[str, Any]]:
    header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    for number, line in enumerate(lines, 1):
        if len(line) != len(header) or len(set(header)) != len(header):
            raise ValueError(f"row {number} has {len(line)} cells for {len(set(header))} columns")
        cells = {
            name: VALUES.get(cell) if cell in VALUES else float(cell) for name, cell in zip(header, line)
        }
        rows.append(_gathered(cells))
    return rows


def _gathered(cells: dict[str, Any]) -> dict[str, Any]:
    """Put the entries ``w[0,1]`` of a row back into arrays."""
    row: dict[str, Any] = {}
    for label, value in cells.items():
        entry = ENTRY.fullmatch(label)
        if entry is None:
            row[label] = value
        else:
            row.setdefault(entry[1], {})[tuple(map(int, entry[2].split(",")))] = value
    return {name: _array(name, value) if isinstance(value, dict) else value for name, value in row.items()}


def _array(name: str, entries: dict[tuple[int, ...], float]) -> np.ndarray:
    shape = tuple(max(places) + 1 for places in zip(*entries, strict=True))
    if math.prod(shape) != len(entries) or list(entries) != list(np.ndindex(*shape)):
        raise ValueError(f"columns of '{name}' are missing")
    return np.array(list(entries.values()), np.float32).reshape(shape)


def _history(rows: list[dict[str, Any]]) -> History:
    for number, row in enumerate(rows, 1):
        if row.pop("epoch", None) != number or row.keys() != rows[0].keys():
            raise ValueError(f"record {number} is not of epoch {number}, or has other names than the first")
    return History(
        {name: np.stack([_single(row[name]) for row in rows]) for name in (rows[0] if rows else ())}
    )


def _single(value: Any) -> np.ndarray:
    """Return a value as float32; text is a number by name, and nothing else."""
    if isinstance(value, list):
        return np.stack([_single(part) for part in value]) if value else np.zeros(0, np.float32)
    if isinstance(value, str):
        value = VALUES[value]
    if isinstance(value, bool) or not isinstance(value, int | float | np.ndarray):
        raise TypeError(f"{value!r} is no number")
    return np.asarray(value, np.float32)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
