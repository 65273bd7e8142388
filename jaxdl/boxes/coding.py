"""Boxes as offsets from anchors, and back: what regressors learn."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl.boxes.formats import checked, cxcywh_to_xyxy, xyxy_to_cxcywh

# A side grows at most by this factor in one step, as in torchvision.
MAX_RATIO = 62.5


def encode(boxes: Any, anchors: Any) -> jax.Array:
    """Return ``((cx - cxa) / wa, (cy - cya) / ha, log(w / wa), log(h / ha))`` of boxes (..., 4) xyxy."""
    box = xyxy_to_cxcywh(checked("encode", "boxes", boxes))
    anchor = xyxy_to_cxcywh(checked("encode", "anchors", anchors))
    shift = (box[..., :2] - anchor[..., :2]) / anchor[..., 2:]
    return jnp.concatenate([shift, jnp.log(box[..., 2:] / anchor[..., 2:])], -1)


def decode(offsets: Any, anchors: Any) -> jax.Array:
    """Return the boxes (..., 4) xyxy that `encode` gives these offsets."""
    offset = checked("decode", "offsets", offsets)
    anchor = xyxy_to_cxcywh(checked("decode", "anchors", anchors))
    centre = anchor[..., :2] + offset[..., :2] * anchor[..., 2:]
    size = anchor[..., 2:] * jnp.exp(jnp.minimum(offset[..., 2:], jnp.log(MAX_RATIO)))
    return cxcywh_to_xyxy(jnp.concatenate([centre, size], -1))
