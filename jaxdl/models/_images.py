"""What networks of images ask of their input, and the arithmetic of windows that says how small it may be."""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


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


def check_images(op: str, x: Any, *, channels: int, least: int, exactly: int | None = None) -> jax.Array:
    """Return images (batch, height, width, channels), or raise `ShapeError` or `DtypeError`.

    Height and width are at least `least`; both are `exactly` where that is given.
    """
    x = _checks.floating(op, "x", x)
    if x.ndim != 4:
        fix = "x[None] for a single image" if x.ndim == 3 else "x.reshape(batch, height, width, channels)"
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}",
                    expected=f"(batch, height, width, {channels})", fix=fix)
        )  # fmt: skip
    if x.shape[3] != channels:
        first = x.shape[1] == channels
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}", expected=f"(batch, height, width, {channels})",
                    fix="jnp.moveaxis(x, 1, -1): channels come last" if first else
                    f"in_channels={x.shape[3]}")
        )  # fmt: skip
    if exactly is not None and x.shape[1:3] != (exactly, exactly):
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}",
                    expected=f"images of {exactly} x {exactly}: the head is made for them",
                    fix="jax.image.resize")
        )  # fmt: skip
    if min(x.shape[1:3]) < least:
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}",
                    expected=f"images of at least {least} x {least}: of smaller ones nothing is left to the "
                    "last layers", fix="jax.image.resize")
        )  # fmt: skip
    return x
