"""Checks of frozen configs, which store plain Python numbers: a model file cannot hold NumPy's."""

from typing import Any

import jax

from jaxdl import _checks
from jaxdl.errors import DtypeError, explain


def entries(config: Any, name: str, *, fix: str | None = None) -> tuple[Any, ...]:
    """Store the field as a tuple and return it, or raise `DtypeError` where it is a single value."""
    op, value = type(config).__name__, getattr(config, name)
    try:
        # A name alone would come apart into letters.
        found = None if isinstance(value, str) else tuple(value)
    except TypeError:
        found = None
    if found is None:
        raise DtypeError(
            explain(op, name, got=f"{value!r} ({type(value).__name__})", expected="a tuple",
                    fix=fix or f"{name}=({value!r},)")
        )  # fmt: skip
    object.__setattr__(config, name, found)
    return found


def whole(config: Any, *names: str, least: int = 1) -> None:
    """Store the fields as ints of at least `least`, or raise."""
    op = type(config).__name__
    for name in names:
        value = _checks.positive_integer(op, name, getattr(config, name), least=least)
        object.__setattr__(config, name, value)


def widths(config: Any, name: str, *, fix: str | None = None) -> None:
    """Store the field as a tuple of positive ints, or raise."""
    op, found = type(config).__name__, entries(config, name, fix=fix)
    object.__setattr__(config, name, tuple(_checks.positive_integer(op, name, size) for size in found))


def flags(config: Any, *names: str) -> None:
    """Store the fields as bools, or raise."""
    for name in names:
        _checks.one_of(type(config).__name__, name, getattr(config, name), (True, False))
        object.__setattr__(config, name, bool(getattr(config, name)))


def number(config: Any, name: str, low: float, high: float, text: str) -> None:
    """Store the field as a float in [low, high), or raise; traced values stay."""
    value = getattr(config, name)
    _checks.in_range(type(config).__name__, name, value, low, high, text)
    if not isinstance(value, jax.core.Tracer):
        object.__setattr__(config, name, float(value))


def rates(config: Any, *names: str) -> None:
    """Store the fields as floats in [0, 1), or raise; a string names a hyperparameter and stays."""
    for name in names:
        if not isinstance(getattr(config, name), str):
            number(config, name, 0, 1, "[0, 1)")
