"""Arrays by name: inputs or targets may be a dict of arrays, each with the examples first."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jaxdl.data._convert import to_single
from jaxdl.data._validate import as_numbers
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain

# An array, or a dict of arrays by name: what follows the checks takes both through `jax.tree`.
Named = Any


def each(op: str, argument: str, value: Any, function: Callable[[str, Any], Any]) -> Named:
    """Return ``function(argument, value)``, or of a dict that of each array, called ``argument['name']``."""
    if not isinstance(value, Mapping):
        return function(argument, value)
    _check_names(op, argument, value)
    return {name: function(f"{argument}['{name}']", value[name]) for name in sorted(value)}


def numbers(op: str, argument: str, value: Any) -> Named:
    """Return real numbers, or raise; see `as_numbers`."""
    return each(op, argument, value, partial(as_numbers, op))


def singles(op: str, argument: str, value: Named) -> Named:
    """Return numbers of the few dtypes that the device has, all finite; see `to_single`."""
    return each(op, argument, value, partial(to_single, op))


def count(value: Named) -> int:
    """Return the number of examples."""
    first = next(iter(value.values())) if isinstance(value, dict) else value
    return int(first.shape[0])


def shape_of(value: Named) -> Any:
    """Return the shape of one example, by name where there are names."""
    return each("", "", value, lambda _, array: tuple(array.shape[1:]))


def dtype_of(value: Named) -> Any:
    """Return the dtype, by name where there are names."""
    return each("", "", value, lambda _, array: array.dtype)


def words(value: Named) -> str:
    """Word dtypes and shapes: ``float32[8, 2]``, or ``{lengths: int32[8], sequence: float32[8, 5, 2]}``."""
    told = each("", "", value, lambda _, array: f"{array.dtype}{list(array.shape)}")
    return told if isinstance(told, str) else f"{{{', '.join(f'{k}: {v}' for k, v in told.items())}}}"


def check_counts(op: str, parts: Mapping[str, Named]) -> None:
    """Raise `ShapeError` that names the first array without examples, or with another number of them."""
    arrays: dict[str, Any] = {}
    for argument, value in parts.items():
        each(op, argument, value, arrays.__setitem__)
    first, examples = next((name, array.shape[:1]) for name, array in arrays.items())
    for name, array in arrays.items():
        if len(array.shape) < 1 or array.shape[0] == 0:
            raise ShapeError(
                explain(op, name, got=f"of shape {tuple(array.shape)}",
                        expected="(examples, ...) with at least one example",
                        fix="put the examples on the first axis of every array")
            )  # fmt: skip
        if array.shape[:1] != examples:
            raise ShapeError(
                explain(op, name, got=f"of shape {tuple(array.shape)}",
                        expected=f"{examples[0]} examples, as many as in {first}",
                        fix="give every array one entry an example")
            )  # fmt: skip


def check_pair(op: str, argument: str, inputs: Named, targets: Named, *, expected: str, fix: str) -> None:
    """Raise `ShapeError` unless all arrays have as many examples, and inputs without names a second axis."""
    features = isinstance(inputs, dict) or len(inputs.shape) >= 2
    if features and (isinstance(inputs, dict) or isinstance(targets, dict)):
        check_counts(op, {f"{argument}[0]": inputs, f"{argument}[1]": targets})
        return
    told = words(targets) if isinstance(targets, dict) else targets.shape
    if not features or len(targets.shape) < 1 or not inputs.shape[0] == targets.shape[0] > 0:
        raise ShapeError(
            explain(op, argument, got=f"inputs {inputs.shape} and targets {told}", expected=expected, fix=fix)
        )


def _check_names(op: str, argument: str, value: Mapping[Any, Any]) -> None:
    if not value:
        raise FormatError(
            explain(op, argument, got="an empty dict", expected="one array or more, by name",
                    fix="{'sequence': x, 'lengths': lengths}")
        )  # fmt: skip
    for name, entry in value.items():
        if not isinstance(name, str) or not name:
            raise DtypeError(
                explain(op, argument, got=f"a dict with the name {name!r}", expected="names that are strings",
                        fix="{'sequence': x, 'lengths': lengths}")
            )  # fmt: skip
        if isinstance(entry, Mapping):
            raise DtypeError(
                explain(op, f"{argument}['{name}']", got="a dict within a dict", expected="an array",
                        fix=f"one flat dict, with names such as '{name}_{next(iter(entry), 'x')}'")
            )  # fmt: skip
