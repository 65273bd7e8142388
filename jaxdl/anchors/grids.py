"""Anchors of some shapes around the centre of every cell of a grid."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain


def grid(rows: int, columns: int, *, stride: float, shapes: Any) -> jax.Array:
    """Return the anchors of a grid: each shape around the centre of each cell.

    The box of shape (w, h) in the cell of row r and column c is ``((c + .5) s - w / 2, (r + .5) s - h / 2,
    (c + .5) s + w / 2, (r + .5) s + h / 2)`` at stride s. Anchors may reach beyond the image.

    Args:
        rows: cells from top to bottom, at least 1.
        columns: cells from left to right, at least 1.
        stride: side of a cell in pixels, above 0.
        shapes: (shapes, 2), width and height in pixels, above 0.

    Returns:
        Boxes (rows * columns * shapes, 4) xyxy in pixels, float32: rows first, then columns, shapes last.

    Raises:
        DtypeError: a number that is not whole, or shapes that are no numbers.
        ShapeError: shapes that are not (shapes, 2), or none.
        ValueError: no cell, or a stride or side that is not above 0 and finite.

    Example:
        >>> grid(1, 2, stride=8, shapes=((4, 6),)).tolist()
        [[2.0, 1.0, 6.0, 7.0], [10.0, 1.0, 14.0, 7.0]]

    Reference:
        Ren et al. (2015), "Faster R-CNN".
    """
    rows, columns = (_checks.positive_integer("grid", name, value)
                     for name, value in (("rows", rows), ("columns", columns)))  # fmt: skip
    if isinstance(stride, jax.core.Tracer):
        raise DtypeError(
            explain(
                "grid", "stride", got="traced", expected="a number", fix="functools.partial(grid, stride=8)"
            )
        )
    _positive("grid", "stride", stride)
    sides = checked_shapes("grid", "shapes", shapes)
    y, x = ((np.arange(count) + 0.5) * float(stride) for count in (rows, columns))
    centres = np.stack(np.broadcast_arrays(x[None, :, None], y[:, None, None]), -1)
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], -1)
    return jnp.asarray(boxes.reshape(-1, 4), jnp.float32)


def shapes(sizes: Sequence[float], ratios: Sequence[float] = (1.0,)) -> tuple[tuple[float, float], ...]:
    """Return the shapes of every size in every ratio: ``w = size / sqrt(ratio)``, ``h = size * sqrt(ratio)``.

    A shape has the area ``size ** 2``, whatever its ratio.

    Args:
        sizes: square roots of the areas, in pixels, above 0.
        ratios: height over width, above 0.

    Returns:
        Pairs (width, height) in pixels: all ratios of the first size, then those of the next.

    Raises:
        DtypeError: a single number, or entries that are no numbers.
        ValueError: none, or an entry that is not above 0 and finite.

    Example:
        >>> shapes((16, 32), (1, 4))
        ((16.0, 16.0), (8.0, 32.0), (32.0, 32.0), (16.0, 64.0))
    """
    found = {}
    for name, values in (("sizes", sizes), ("ratios", ratios)):
        if isinstance(values, str) or not np.iterable(values) or any(map(np.iterable, values)):
            raise DtypeError(
                explain("shapes", name, got=repr(values), expected="a tuple of numbers", fix=f"{name}=(...,)")
            )
        if not len(values):
            raise ValueError(
                explain("shapes", name, got="empty", expected="at least one number", fix=f"{name}=(...,)")
            )
        for value in values:
            _positive("shapes", name, value)
        found[name] = [float(value) for value in values]
    return tuple(
        (size / math.sqrt(ratio), size * math.sqrt(ratio))
        for size in found["sizes"] for ratio in found["ratios"]
    )  # fmt: skip


def _positive(op: str, argument: str, value: Any) -> None:
    _checks.in_range(op, argument, value, math.ulp(0), math.inf, "(0, inf)")


def checked_shapes(op: str, argument: str, value: Any, *, count: int | None = None) -> np.ndarray:
    """Return widths and heights (shapes, 2) as float64, or raise; `count` says how many there must be."""
    try:
        sides = np.asarray(value)
    except (ValueError, jax.errors.TracerArrayConversionError):  # ragged, or traced
        sides = np.asarray(None)
    if sides.dtype.kind not in "iuf":
        raise DtypeError(
            explain(op, argument, got=repr(value), expected="pairs (width, height) of numbers, not traced",
                    fix=f"{argument}=((16, 16), ...)")
        )  # fmt: skip
    if sides.ndim != 2 or sides.shape[1] != 2 or len(sides) != (count or max(len(sides), 1)):
        raise ShapeError(
            explain(op, argument, got=f"of shape {sides.shape}",
                    expected=f"({count or 'shapes'}, 2), width and height", fix=f"{argument}=((16, 16), ...)")
        )  # fmt: skip
    if not (np.isfinite(sides) & (sides > 0)).all():
        raise ValueError(
            explain(op, argument, got=sides.tolist(), expected="sides above 0", fix="give sides in pixels")
        )
    return sides.astype(np.float64)
