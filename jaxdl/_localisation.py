"""The vector ``[p, bx, by, bh, bw, c1, ...]`` of localisation, which loss, metric and model read alike."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks, boxes
from jaxdl.errors import ShapeError, explain

FORMS = ("cross_entropy", "squared_error")


class Parts(NamedTuple):
    """The vector in its parts.

    Attributes:
        presence: p as the network gives it, (batch,): a logit, or with squared errors the number itself.
        box: (batch, 4), bx, by, bh, bw: centre, height and width as shares of the image.
        classes: (batch, classes), logits or numbers.
    """

    presence: jax.Array
    box: jax.Array
    classes: jax.Array


class Object(NamedTuple):
    """What is to be localised: `box` as in `Parts`, label (batch,), there (batch,) bool, poison (batch,)."""

    box: jax.Array
    label: jax.Array
    there: jax.Array
    poison: jax.Array


def parts(op: str, outputs: Any) -> Parts:
    """Take outputs (batch, 5 + classes) apart, or raise."""
    outputs = _checks.floating(op, "outputs", outputs)
    if outputs.ndim != 2 or outputs.shape[1] < 6:
        raise ShapeError(
            explain(op, "outputs", got=f"of shape {outputs.shape}",
                    expected="(batch, 5 + classes): p, bx, by, bh, bw and one number a class",
                    fix="a network of 5 + classes outputs, such as models.Localiser")
        )  # fmt: skip
    return Parts(outputs[:, 0], outputs[:, 1:5], outputs[:, 5:])


def target(op: str, targets: Any, outputs: Parts, shape: tuple[int, int]) -> Object:
    """Read the one object or none of each image, or raise."""
    examples, classes = outputs.classes.shape
    if not isinstance(targets, Mapping) or not {"boxes", "labels", "mask"} <= set(targets):
        raise ShapeError(
            explain(op, "targets", got=f"a {type(targets).__name__} of {list(targets)[:4]}"
                    if isinstance(targets, Mapping) else f"a {type(targets).__name__}",
                    expected="a mapping of boxes, labels and mask",
                    fix="targets of data.scenes(..., objects=(0, 1))")
        )  # fmt: skip
    for name, wanted in (("boxes", (examples, 1, 4)), ("labels", (examples, 1)), ("mask", (examples, 1))):
        if jnp.shape(targets[name]) != wanted:
            raise ShapeError(
                explain(op, f"targets['{name}']", got=f"of shape {jnp.shape(targets[name])}",
                        expected=f"{wanted}: at most one object an image",
                        fix="a detector finds several; data.scenes(..., objects=(0, 1)) has one or none")
            )  # fmt: skip
    truth = boxes.truth(op, targets, classes)
    # An unsound object counts as one, so that its poison reaches the gradient of every output.
    there = truth.mask[:, 0] | ~truth.good
    box = jnp.where(there[:, None], relative(truth.boxes[:, 0], shape), 0)
    return Object(box, truth.labels[:, 0], there, jnp.where(truth.good, 1, jnp.nan))


def relative(corners: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Return bx, by, bh, bw of boxes (..., 4) xyxy in pixels: height before width."""
    x, y, w, h = jnp.moveaxis(boxes.xyxy_to_cxcywh(corners), -1, 0)
    return jnp.stack([x / shape[1], y / shape[0], h / shape[0], w / shape[1]], -1)


def pixels(box: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Return boxes xyxy in pixels of (..., 4) bx, by, bh, bw; a negative side counts as 0."""
    x, y, h, w = jnp.moveaxis(box, -1, 0)
    sides = (jnp.maximum(w, 0) * shape[1], jnp.maximum(h, 0) * shape[0])
    return boxes.cxcywh_to_xyxy(jnp.stack([x * shape[1], y * shape[0], *sides], -1))


def present(presence: jax.Array, form: str) -> jax.Array:
    """Return the chance that there is an object, in [0, 1]."""
    return jax.nn.sigmoid(presence) if form == "cross_entropy" else jnp.clip(presence, 0, 1)
