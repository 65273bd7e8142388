"""What networks of given proposals are fed with: images, regions and their mask, in a dict."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks, boxes
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.models._images import check_layout

NAMES = ("image", "proposals", "proposal_mask")


class Proposed(NamedTuple):
    """Images, and regions of them.

    Attributes:
        images: (batch, height, width, channels) floating.
        regions: (batch, regions, 4) xyxy in pixels, zeros where there is none.
        mask: (batch, regions) bool.
        sizes: (batch, 2), height and width of each image.
    """

    images: jax.Array
    regions: jax.Array
    mask: jax.Array
    sizes: jax.Array


def read(op: str, x: Any, channels: int) -> Proposed:
    """Check a dict ``{"image", "proposals", "proposal_mask"}`` and return what is in it, or raise.

    An image with an unsound proposal, not finite or with x2 < x1 or y2 < y1, is NaN altogether, and so is all
    that follows from it.
    """
    if not isinstance(x, Mapping) or set(x) != set(NAMES):
        got = f"a dict of {sorted(map(str, x))}" if isinstance(x, Mapping) else f"a {type(x).__name__}"
        raise DtypeError(
            explain(op, "x", got=got, expected=f"a dict of {', '.join(NAMES)}",
                    fix="{'image': images, 'proposals': boxes, 'proposal_mask': mask}, the last two of "
                    "proposals.propose(images)")
        )  # fmt: skip
    images = pixels(op, "image", x["image"])
    check_layout(op, images, ("height", "width"), channels)
    regions = boxes.formats.checked(op, "proposals", x["proposals"])
    mask = _checks.array(op, "proposal_mask", x["proposal_mask"]) != 0
    if regions.ndim != 3 or len(regions) != len(images) or mask.shape != regions.shape[:2]:
        raise ShapeError(
            explain(op, "proposals", got=f"of shape {regions.shape}, with a mask {mask.shape}",
                    expected=f"({len(images)}, regions, 4) and ({len(images)}, regions), one row an image",
                    fix="proposals.propose(images) returns both")
        )  # fmt: skip
    # What stands in padded places may be anything, and reaches neither features nor gradient.
    regions = jnp.where(mask[..., None], regions, 0).astype(jnp.float32)
    ordered = (regions[..., 2:] >= regions[..., :2]).all((1, 2))
    sound = ordered & jnp.isfinite(regions).all((1, 2))
    images = jnp.where(sound[:, None, None, None], images, jnp.nan)
    sizes = jnp.broadcast_to(jnp.asarray(images.shape[1:3], jnp.float32), (len(images), 2))
    return Proposed(images, regions, mask, sizes)


def pixels(op: str, argument: str, images: Any) -> jax.Array:
    """Return images as floats: bytes divided by 255, floats as they are."""
    found = _checks.array(op, argument, images)
    if found.dtype == jnp.uint8:
        return found.astype(jnp.float32) / 255
    return _checks.floating(op, argument, found)
