"""What networks of images ask of their input, and the arithmetic of windows that says how small it may be."""

import itertools
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain

USUAL_CHANNELS = (1, 3)
NOTHING_LEFT = "of smaller ones nothing is left to the last layers"

ONE_POSITION = "of smaller ones the last stage that halves gets a single position, around which are zeros"


class Window(NamedTuple):
    """A window that slides along an axis; `ceil` counts a last position that hangs over the end."""

    size: int
    stride: int = 1
    padding: int = 0
    ceil: bool = False

    def positions(self, extent: int) -> int:
        """Return how many positions the window has on an axis of this extent, as torch counts them."""
        room = extent + 2 * self.padding - self.size
        if not self.ceil:
            return max(room // self.stride + 1, 0)
        found = -(-room // self.stride) + 1
        # A position that begins in the padding behind the axis sees nothing of it.
        return max(found - ((found - 1) * self.stride >= extent + self.padding), 0)


def extent_after(extent: int, windows: Iterable[Window]) -> int:
    """Return what is left of an axis after windows in turn, 0 where one of them has no position."""
    for window in windows:
        extent = window.positions(extent) if extent > 0 else 0
    return extent


def smallest(windows: Iterable[Window]) -> int:
    """Return the smallest extent of an image that leaves one position after windows in turn."""
    chain = tuple(windows)
    return next(extent for extent in itertools.count(1) if extent_after(extent, chain) >= 1)


def check_layout(op: str, x: jax.Array, axes: tuple[str, ...], channels: int) -> None:
    """Raise `ShapeError` unless `x` is (batch, axes..., channels); the fix is that of the likely mistake."""
    if x.ndim != len(axes) + 2 or x.shape[-1] != channels:
        expected = f"(batch, {', '.join(axes)}, {channels})"
        fix = _channels_fix(x, channels) if x.ndim == len(axes) + 2 else _rank_fix(x, axes, channels)
        raise ShapeError(explain(op, "x", got=f"of shape {x.shape}", expected=expected, fix=fix))


def _channels_fix(x: jax.Array, channels: int) -> str:
    last = "jnp.moveaxis(x, 1, -1): channels come last"
    if x.shape[1] == channels:
        return last
    if x.shape[1] in USUAL_CHANNELS and x.shape[-1] not in USUAL_CHANNELS:
        return f"{last}; and in_channels={x.shape[1]}"
    return f"in_channels={x.shape[-1]}"


def _rank_fix(x: jax.Array, axes: tuple[str, ...], channels: int) -> str:
    single = "for a single image" if len(axes) == 2 else "for a single input"
    grey = "" if channels == 1 else "; and in_channels=1"
    if x.ndim == len(axes) + 1:
        if x.shape[-1] == channels:
            return f"x[None] {single}"
        if x.shape[0] == channels > 1:
            return f"jnp.moveaxis(x, 0, -1)[None] {single}: channels come last"
        return f"x[..., None] for one channel{grey}"
    if x.ndim == len(axes) and (x.ndim != 2 or x.shape[0] == x.shape[1]):
        return f"x[None, ..., None] {single} of one channel{grey}"
    if x.ndim == len(axes) == 2:
        side = math.isqrt(x.shape[1] // channels)
        if side * side * channels == x.shape[1] > 0:
            return f"x.reshape(-1, {side}, {side}, {channels})"
    return f"x.reshape(batch, {', '.join(axes)}, channels)"


def check_images(
    op: str,
    x: Any,
    *,
    channels: int,
    least: int,
    exactly: int | None = None,
    reason: str = NOTHING_LEFT,
    fix: str = "jax.image.resize",
) -> jax.Array:
    """Return images (batch, height, width, channels), or raise `ShapeError` or `DtypeError`.

    Height and width are at least `least`, for the `reason`, and `fix` says what else to do; both are
    `exactly` where that is given.
    """
    x = _checks.floating(op, "x", x)
    check_layout(op, x, ("height", "width"), channels)
    if exactly is not None and x.shape[1:3] != (exactly, exactly):
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}",
                    expected=f"images of {exactly} x {exactly}: the head is made for them",
                    fix="jax.image.resize")
        )  # fmt: skip
    if min(x.shape[1:3]) < least:
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}",
                    expected=f"images of at least {least} x {least}: {reason}", fix=fix)
        )  # fmt: skip
    return x
