"""From what the user passes to the few dtypes of a `Dataset`: nothing is lost in silence."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxdl.data._validate import as_numbers, check_finite, check_labels, position
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain

_INT32 = np.iinfo(np.int32)


def convert_inputs(value: Any, names: tuple[str, ...] | None) -> np.ndarray:
    """Return (batch, ...) inputs as uint8, int32 or float32."""
    array = as_numbers("Dataset", "inputs", value)
    if array.ndim < 2 or array.size == 0:
        raise ShapeError(
            explain("Dataset", "inputs", got=f"of shape {array.shape}",
                    expected="(batch, ...), two axes or more, none of them empty",
                    fix="inputs[:, None] for one feature an example" if array.size else "pass data")
        )  # fmt: skip
    if names is not None and (array.ndim != 2 or len(names) != array.shape[1]):
        raise ShapeError(
            explain("Dataset", "names", got=f"{len(names)} names",
                    expected=f"one for each feature of (batch, features), here {array.shape}",
                    fix="leave the names out, or name every feature")
        )  # fmt: skip
    return to_single("Dataset", "inputs", array, names)


def convert_targets(value: Any, classes: tuple[str, ...] | None) -> np.ndarray:
    """Return int32 labels where there are classes, and float32 targets where there are none."""
    array = as_numbers("Dataset", "targets", value)
    if array.ndim == 0 or array.size == 0:
        raise ShapeError(
            explain("Dataset", "targets", got=f"of shape {array.shape}",
                    expected="one target for each example", fix="pass at least one")
        )  # fmt: skip
    if classes is None:
        return _float32("Dataset", "targets", array, None)
    if array.ndim == 2 and array.shape[1] == 1:
        raise ShapeError(
            explain("Dataset", "targets", got=f"of shape {array.shape}",
                    expected=f"({len(array)},) class labels", fix="targets[:, 0]")
        )  # fmt: skip
    check_labels(array, len(classes), op="Dataset", argument="targets")
    return array.astype(np.int32, copy=False)


def to_single(op: str, argument: str, array: np.ndarray, names: tuple[str, ...] | None = None) -> np.ndarray:
    """Return bytes as they are, bool as uint8, other integers as int32, floats as float32, all checked.

    Raises:
        FormatError: the place of a number that is not finite, or does not fit.
    """
    if array.dtype.kind == "f":
        return _float32(op, argument, array, names)
    return array.astype(np.uint8) if array.dtype == bool else _integers(op, argument, array)


def _float32(op: str, argument: str, array: np.ndarray, names: tuple[str, ...] | None) -> np.ndarray:
    check_finite(array, op=op, argument=argument, names=names)
    with np.errstate(over="ignore"):
        out = array.astype(np.float32, copy=False)
    if out is not array:
        finite = np.isfinite(out)
        if not finite.all():
            index = np.unravel_index(int(np.argmin(finite)), array.shape)
            raise _too_large(op, argument, array, index, names)
    return out


def _integers(op: str, argument: str, array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    bad = (array < _INT32.min) | (array > _INT32.max)
    if bad.any():
        raise _too_large(op, argument, array, np.unravel_index(int(np.argmax(bad)), array.shape), None)
    return array.astype(np.int32, copy=False)


def _too_large(op: str, argument: str, array: np.ndarray, index: Any, names: Any) -> FormatError:
    kind = "float32" if array.dtype.kind == "f" else "int32"
    return FormatError(
        explain(op, argument, got=f"{array[index]} at {position(index, names)}",
                expected=f"a number that fits {kind}", fix="scale the data first")
    )  # fmt: skip


def convert_strings(argument: str, value: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return class or feature names as a tuple of different, non-empty strings."""
    if value is None:
        return None
    names = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    if isinstance(value, str) or not all(isinstance(name, str) for name in names):
        raise DtypeError(
            explain("Dataset", argument, got=repr(value)[:80], expected="a tuple of strings",
                    fix=f"{argument}=tuple(map(str, ...))")
        )  # fmt: skip
    twice = next((name for i, name in enumerate(names) if not name or name in names[:i]), None)
    if twice is not None or not names:
        raise FormatError(
            explain("Dataset", argument, got=f"{twice!r} twice" if twice else "empty",
                    expected="different names, none of them empty", fix="name each once")
        )  # fmt: skip
    return tuple(str(name) for name in names)
