"""The points of a sweep: which values of the hyperparameters are tried together."""

import dataclasses
import itertools
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.select.search import Range


@dataclasses.dataclass(frozen=True, eq=False)
class Points(Mapping[str, np.ndarray]):
    """Values of hyperparameters by name, each (points,): point i takes entry i of each.

    ``a * b`` takes every point of a with every point of b; ``a + b`` takes those of a, then those of b.

    Attributes:
        columns: numbers (points,) by name, kept as float32; arrays of integers as int32.

    Raises:
        ShapeError: no values, or lengths that differ.
        DtypeError: a value that is no real number.
        ValueError: a value that is not finite in float32.

    Example:
        >>> points = Points({"rate": [0.1, 0.2]}) * Points({"l2": [0.0, 1.0, 2.0]})
        >>> points.count, points["l2"].tolist()
        (6, [0.0, 1.0, 2.0, 0.0, 1.0, 2.0])
    """

    columns: Mapping[str, Any]

    def __post_init__(self) -> None:
        found = {name: column("Points", name, value) for name, value in self.columns.items()}
        lengths = {name: len(value) for name, value in found.items()}
        if len(set(lengths.values())) > 1:
            raise ShapeError(
                explain("Points", "columns", got=f"of lengths {lengths}", expected="equal lengths",
                        fix="points.grid takes every combination")
            )  # fmt: skip
        object.__setattr__(self, "columns", found)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __iter__(self) -> Any:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def count(self) -> int:
        """Number of points; 1 where there is no hyperparameter."""
        return len(next(iter(self.columns.values()), (None,)))

    def __mul__(self, other: "Points") -> "Points":
        _other("*", other)
        if shared := sorted(set(self) & set(other)):
            raise ValueError(
                explain("Points", "*", got=f"a second set of values for {shared}",
                        expected="names of its own on each side", fix="join values of one name with +")
            )  # fmt: skip
        left = {name: np.repeat(value, other.count) for name, value in self.items()}
        return Points(left | {name: np.tile(value, self.count) for name, value in other.items()})

    def __add__(self, other: "Points") -> "Points":
        _other("+", other)
        if set(self) != set(other):
            raise ValueError(
                explain("Points", "+", got=f"points over {sorted(other)}", expected=f"over {sorted(self)}",
                        fix="give both the same hyperparameters; * combines different ones")
            )  # fmt: skip
        return Points({name: np.concatenate([value, other[name]]) for name, value in self.items()})


def grid(**values: Any) -> Points:
    """Take every combination of the values; the last name runs fastest.

    Args:
        values: numbers by name of the hyperparameter, a sequence or an array, or one number.

    Returns:
        `Points`, as many as the product of the lengths.

    Raises:
        ShapeError: no values.
        DtypeError: a value that is no real number.
        ValueError: a value that is not finite in float32.

    Example:
        >>> grid(learning_rate=[0.1, 1.0], l2=[0, 1, 2])["l2"].tolist()
        [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]
    """
    columns = {
        name: column("grid", name, [value] if np.ndim(value) == 0 else value)
        for name, value in values.items()
    }
    combinations = list(itertools.product(*columns.values()))
    return Points({name: np.array([row[i] for row in combinations]) for i, name in enumerate(columns)})


def zip(**values: Any) -> Points:
    """Take the first values together, the second ones together, and so on.

    Args:
        values: numbers by name of the hyperparameter, sequences or arrays of one length.

    Returns:
        `Points`, as many as that length.

    Raises:
        ShapeError: no values, or lengths that differ.
        DtypeError: a value that is no real number.
        ValueError: a value that is not finite in float32.

    Example:
        >>> zip(learning_rate=[0.1, 1.0], momentum=[0.9, 0.0])["momentum"].tolist()
        [0.8999999761581421, 0.0]
    """
    return Points(values)


def random(key: jax.Array, count: int, **ranges: Range) -> Points:
    """Draw points from ranges, each hyperparameter by itself.

    What is drawn for a name follows from the key and the name alone: another name more changes nothing.

    Args:
        key: a key of its own for what is drawn.
        count: number of points.
        ranges: what `log` or `linear` returned, by name of the hyperparameter.

    Returns:
        `Points` (count,).

    Raises:
        DtypeError: `key` is no typed key, `count` no whole number, or a range is something else.
        ValueError: a count below 1, or no range.

    Example:
        >>> drawn = random(jax.random.key(0), 100, learning_rate=log(1e-4, 1.0), dropout=linear(0, 0.5))
        >>> bool((drawn["learning_rate"] < 1e-2).mean() > 0.3), float(drawn["dropout"].max()) <= 0.5
        (True, True)
    """
    key = _checks.key("random", key)
    _checks.positive_integer("random", "count", count)
    if not ranges:
        raise ValueError(
            explain("random", "ranges", got="empty", expected="a range by name",
                    fix="points.random(key, 64, learning_rate=points.log(1e-4, 1.0))")
        )  # fmt: skip
    for name, value in ranges.items():
        if not isinstance(value, Range):
            raise DtypeError(
                explain("random", name, got=f"a {type(value).__name__}", expected="a range",
                        fix=f"{name}=points.log(1e-4, 1.0) or points.linear(0.0, 1.0)")
            )  # fmt: skip
    return Points({name: _draw(key, count, name, value) for name, value in ranges.items()})


def log(low: float, high: float) -> Range:
    """Make a range that is uniform in the logarithm: each decade is as likely as the next.

    Args:
        low: least value, above 0.
        high: greatest value, above `low`.

    Returns:
        A `jaxdl.select.Range`.

    Raises:
        ValueError: bounds that are not finite, not in order, or not above 0.
        DtypeError: a bound that is no number.

    Example:
        >>> log(1e-4, 1.0).scale
        'log'
    """
    return Range(low, high, "log")


def linear(low: float, high: float) -> Range:
    """Make a range that is uniform.

    Args:
        low: least value.
        high: greatest value, above `low`.

    Returns:
        A `jaxdl.select.Range`.

    Raises:
        ValueError: bounds that are not finite or not in order.
        DtypeError: a bound that is no number.

    Example:
        >>> linear(0.0, 0.5).ends
        (0.0, 0.5)
    """
    return Range(low, high, "linear")


def column(op: str, name: str, value: Any) -> np.ndarray:
    """Return values (points,) as float32, or raise; arrays of integers as int32, as `fit` has them."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise DtypeError(
            explain(op, name, got=f"of dtype {array.dtype}", expected="real numbers",
                    fix="pass numbers; what is no number is static and compiles another program")
        )  # fmt: skip
    if array.ndim != 1 or not len(array):
        raise ShapeError(
            explain(op, name, got=f"of shape {array.shape}", expected="values (points,), at least one",
                    fix=f"{name}=[0.1, 0.2]")
        )  # fmt: skip
    whole = array.dtype.kind != "f" and isinstance(value, np.ndarray | jax.Array)
    cast = np.int32 if whole else np.float32
    most = np.iinfo(np.int32).max if whole else np.finfo(np.float32).max
    wrong = ~np.isfinite(array) | (np.abs(array.astype(np.float64)) > most)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            explain(op, name, got=f"{array[at]} at index {at}", expected=f"finite in {np.dtype(cast)}",
                    fix="leave the value out")
        )  # fmt: skip
    return array.astype(cast)


def _draw(key: jax.Array, count: int, name: str, value: Range) -> np.ndarray:
    low, high = value.ends
    share = jax.random.uniform(jax.random.fold_in(key, zlib.crc32(name.encode())), (count,))
    drawn = low + (high - low) * np.asarray(share, np.float64)
    # Rounding to float32, and exp of log, may leave the range by a little.
    return np.clip(np.exp(drawn) if value.scale == "log" else drawn, value.low, value.high)


def _other(operator: str, other: Any) -> None:
    if not isinstance(other, Points):
        raise DtypeError(
            explain("Points", operator, got=f"a {type(other).__name__}", expected="Points",
                    fix="points.grid(...), points.random(...) or points.zip(...)")
        )  # fmt: skip
