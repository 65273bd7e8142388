"""Metrics as text: a JSON object a line, or a row of a CSV table."""

import csv
import io
import json
import re
from typing import Any

import numpy as np

from jaxdl.errors import explain
from jaxdl.train.log.writer import Curves, Writer, columns

# JSON has no such numbers: written as these strings, as in the JSON form of Protocol Buffers.
NAMED = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
ENTRY = re.compile(r"(.*)\[(\d+(?:,\d+)*)\]", re.DOTALL)


def number(value: Any) -> float | str:
    """Return the shortest decimal that gives back a float32; NaN and infinities by name."""
    text = str(np.float32(value))
    return NAMED[text] if text in NAMED else float(text)


class _Text(Writer):
    def head(self, curves: Curves) -> list[bytes]:
        if "epoch" in curves:
            raise ValueError(
                explain(f"log.{type(self).__name__}", "name", got="'epoch'",
                        expected="another name: every record says its epoch under this one", fix="rename it")
            )  # fmt: skip
        return []

    def split(self, content: bytes) -> list[bytes]:
        return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]


class JSONLines(_Text):
    """One JSON object a line and epoch: ``{"epoch": 1, "loss": 0.25, "valid_loss": "NaN"}``.

    Epochs count from 1. Arrays are nested lists. Every line is valid JSON (RFC 8259), which has no NaN: what
    is not finite is one of the strings ``"NaN"``, ``"Infinity"``, ``"-Infinity"``, so that nothing is lost.
    Numbers are the shortest decimals that give back the recorded float32.

    Args:
        path: the file, by custom ``.jsonl``; its folder is made where there is none.
        overwrite: begin a new run in a file that holds something; otherwise that is an error.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "a.jsonl"
        ...     JSONLines(path).write({"loss": np.float32([0.5, np.nan])})
        ...     print(path.read_text(), end="")
        {"epoch": 1, "loss": 0.5}
        {"epoch": 2, "loss": "NaN"}
    """

    suffixes = (".jsonl", ".ndjson")

    def records(self, curves: Curves, epoch: int) -> list[bytes]:
        """Return the line of an epoch."""
        row = {name: _nested(np.asarray(values)[epoch]) for name, values in curves.items()}
        return [json.dumps({"epoch": epoch + 1, **row}, allow_nan=False, ensure_ascii=False).encode() + b"\n"]


class CSV(_Text):
    """A table with a header and a row an epoch: ``epoch,loss,valid_loss``.

    Epochs count from 1. An array of a record takes a column an entry, ``w[0,1]``. What is not finite is
    ``NaN``, ``Infinity`` or ``-Infinity``, which pandas and NumPy read.

    Args:
        path: the file, by custom ``.csv``; its folder is made where there is none.
        overwrite: begin a new run in a file that holds something; otherwise that is an error.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "a.csv"
        ...     CSV(path).write({"loss": np.float32([0.5]), "w": np.float32([[1, 2]])})
        ...     print(path.read_text(), end="")
        epoch,loss,w[0],w[1]
        1,0.5,1.0,2.0
    """

    suffixes = (".csv",)

    def head(self, curves: Curves) -> list[bytes]:
        """Return the header."""
        for name, values in curves.items():
            if "\n" in name or "\r" in name or (ENTRY.fullmatch(name) and np.ndim(values) == 1):
                raise ValueError(
                    explain("log.CSV", "name", got=repr(name),
                            expected="a name of one line that does not end like 'w[0]'",
                            fix="rename it, or log.JSONLines, which takes any name")
                )  # fmt: skip
        return [*super().head(curves), _row(["epoch", *(label for label, *_ in columns(curves))])]

    def records(self, curves: Curves, epoch: int) -> list[bytes]:
        """Return the row of an epoch."""
        values = [number(np.asarray(curves[name])[(epoch, *index)]) for _, name, index in columns(curves)]
        return [_row([epoch + 1, *values])]


def _row(cells: list[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _nested(values: Any) -> Any:
    return [_nested(part) for part in values] if np.ndim(values) else number(values)
