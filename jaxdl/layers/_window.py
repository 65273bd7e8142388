"""Checks of windows at the door of convolutions and pools."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain

PADDINGS = ("SAME", "SAME_LOWER", "VALID")
# Arguments of kernels that are wrong whatever the shapes are.
NO_SHAPES = ("implementation", "scale")
Padding = str | Sequence[tuple[int, int]]


def sizes(op: str, argument: str, value: Any, axes: int | None = None) -> tuple[int, ...]:
    """Return whole numbers of at least 1 by spatial axis; one number stands for `axes` of them."""
    if axes is not None and not isinstance(value, Sequence):
        value = (value,) * axes
    if isinstance(value, str) or not isinstance(value, Sequence) or not 1 <= len(value) <= 3:
        raise ShapeError(
            explain(op, argument, got=repr(value), expected="1, 2 or 3 whole numbers, one a spatial axis",
                    fix=f"{argument}=(3, 3) for images")
        )  # fmt: skip
    if axes is not None and len(value) != axes:
        raise ShapeError(
            explain(op, argument, got=repr(value), expected=f"{axes} whole numbers, as many as the window",
                    fix=f"{argument}={(1,) * axes}")
        )  # fmt: skip
    return tuple(_checks.positive_integer(op, argument, size) for size in value)


def pads(op: str, value: Any, axes: int, names: tuple[str, ...] = PADDINGS) -> Padding:
    """Return a name in `names`, or pairs (before, after) by spatial axis."""
    if isinstance(value, str):
        _checks.one_of(op, "padding", value, names)
        return value
    pairs = tuple(value) if isinstance(value, Sequence) else ()
    fine = len(pairs) == axes and all(isinstance(pair, Sequence) and len(pair) == 2 for pair in pairs)
    if not fine or any(type(p) is not int for pair in pairs for p in pair):
        raise ShapeError(
            explain(op, "padding", got=repr(value),
                    expected=f"one of {names} or {axes} pairs (before, after) of whole numbers",
                    fix=f"padding={((1, 1),) * axes}")
        )  # fmt: skip
    return tuple((before, after) for before, after in pairs)


def batch(op: str, value: Any, axes: int) -> jax.Array:
    """Return a floating array, or raise `ShapeError` unless it is a batch with so many spatial axes."""
    x = _checks.floating(op, "x", value)
    if x.ndim != axes + 2:
        names = ", ".join(("depth", "height", "width")[-axes:] if axes > 1 else ("length",))
        fix = (
            "x[None] adds a batch of one" if x.ndim == axes + 1 else f"a window of {axes} axes takes no other"
        )
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}", expected=f"(batch, {names}, channels)", fix=fix)
        )
    return x


@contextmanager
def named_errors() -> Iterator[None]:
    """Raise what a kernel says of a shape or a dtype as `ShapeError` or `DtypeError`; the rest as it is."""
    try:
        yield
    except ValueError as error:
        if re.search(f"argument '({'|'.join(NO_SHAPES)})'", str(error)):
            raise
        raise ShapeError(str(error)) from None
    except TypeError as error:
        raise DtypeError(str(error)) from None
