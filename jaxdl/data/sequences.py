"""Sequences of different length as one array, and one long sequence as many of equal length."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.data._convert import to_single
from jaxdl.data._validate import as_numbers
from jaxdl.errors import DtypeError, ShapeError, explain


def pad(sequences: Sequence[Any], *, length: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Put sequences of different length into one array, each followed by zeros.

    Args:
        sequences: arrays or lists (time,) of tokens, or (time, features) of numbers, each of its own time,
            at least 1.
        length: steps of the result, at least those of the longest; None: as many.

    Returns:
        The padded sequences (batch, time) or (batch, time, features), whole numbers as int32 and others as
        float32, and their lengths (batch,) int32.

    Raises:
        ShapeError: no sequence, one without a step, or unlike shapes.
        DtypeError: what are no numbers.
        ValueError: a sequence that is longer than `length`.
        FormatError: NaN, or a number beyond int32 or float32.

    >>> tokens, lengths = pad([[5, 6, 7], [8]])
    >>> tokens.tolist(), lengths.tolist()
    ([[5, 6, 7], [8, 0, 0]], [3, 1])
    """
    rows = [_row(i, sequence) for i, sequence in enumerate(sequences)]
    shapes = {row.shape[1:] for row in rows}
    if len(shapes) != 1:
        got = f"of features {sorted(shapes)}" if rows else "empty"
        raise ShapeError(
            explain("pad", "sequences", got=got, expected="at least one sequence, all of the same features",
                    fix="pass arrays (time,), or (time, features)")
        )  # fmt: skip
    lengths = np.array([len(row) for row in rows], np.int32)
    time = int(lengths.max()) if length is None else _checks.positive_integer("pad", "length", length)
    if lengths.max() > time:
        longest = int(lengths.argmax())
        raise ValueError(
            explain("pad", "length", got=f"{time}, but sequence {longest} has {lengths[longest]} steps",
                    expected=f"at least {lengths[longest]}", fix="a larger length, or cut the sequences")
        )  # fmt: skip
    whole = all(row.dtype.kind in "iu" for row in rows)
    padded = np.zeros((len(rows), time, *shapes.pop()), np.int32 if whole else np.float32)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded, lengths


def windows(tokens: Any, length: int, *, stride: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Cut one long sequence into windows: inputs, and as targets the same one step later.

    ``inputs[i, t] = tokens[i stride + t]``, ``targets[i, t] = tokens[i stride + t + 1]``. With the stride
    left at `length`, window i + 1 begins where window i ends, so that a network may be handed its carry.

    Args:
        tokens: (time,) or (time, features), numbers.
        length: steps of a window.
        stride: steps from one window to the next; None: `length`, so that every target is there once.

    Returns:
        Inputs and targets (windows, length) or (windows, length, features); the last tokens, which fill no
        window, are left out.

    Raises:
        ShapeError: fewer than ``length + 1`` tokens.
        DtypeError: what are no numbers.
        ValueError: a length or stride below 1.

    >>> inputs, targets = windows([4, 5, 6, 7, 8, 9], 2)
    >>> inputs.tolist(), targets.tolist()
    ([[4, 5], [6, 7]], [[5, 6], [7, 8]])
    """
    row = _row(None, tokens, op="windows")
    length = _checks.positive_integer("windows", "length", length)
    step = length if stride is None else _checks.positive_integer("windows", "stride", stride)
    if len(row) <= length:
        raise ShapeError(
            explain("windows", "tokens", got=f"{len(row)} long", expected=f"at least {length + 1}",
                    fix="a longer text, or a smaller length")
        )  # fmt: skip
    starts = np.arange(0, len(row) - length, step)
    places = starts[:, None] + np.arange(length)[None]
    return row[places], row[places + 1]


def _row(number: int | None, sequence: Any, op: str = "pad") -> np.ndarray:
    argument = "tokens" if number is None else f"sequences[{number}]"
    if isinstance(sequence, str):
        raise DtypeError(
            explain(op, argument, got="a str", expected="numbers", fix="vocabulary.encode(text)")
        )
    row = to_single(op, argument, as_numbers(op, argument, sequence))
    if row.ndim not in (1, 2) or row.size == 0:
        raise ShapeError(
            explain(op, argument, got=f"of shape {row.shape}",
                    expected="(time,) or (time, features), at least one step",
                    fix="leave empty sequences out, or encode them with their end")
        )  # fmt: skip
    return row.astype(np.int32) if row.dtype == np.uint8 else row
