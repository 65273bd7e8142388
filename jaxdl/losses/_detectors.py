"""What detectors of two stages return: the same in training and in evaluation, images first."""

from typing import Any, NamedTuple

import jax

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain


class RegionOutputs(NamedTuple):
    """What a network says of regions of images; the first class of the logits is the background.

    Attributes:
        logits: (batch, regions, 1 + classes), of the background and of each class.
        offsets: (batch, regions, 4 classes), four numbers a class, or (batch, regions, 4) for all classes
            together: offsets of `boxes.encode` from the region, in units of `losses.OFFSET_SCALES`.
        regions: (batch, regions, 4) xyxy in pixels.
        mask: (batch, regions) bool, False where there is no region.
        seeds: (batch,) uint32, what the sampling of the loss is drawn by.
        sizes: (batch, 2), height and width of each image in pixels.

    Example:
        >>> import jax.numpy as jnp
        >>> shapes = ((1, 5, 3), (1, 5, 8), (1, 5, 4), (1, 5), (1,), (1, 2))
        >>> RegionOutputs(*map(jnp.zeros, shapes)).logits.shape
        (1, 5, 3)
    """

    logits: jax.Array
    offsets: jax.Array
    regions: jax.Array
    mask: jax.Array
    seeds: jax.Array
    sizes: jax.Array

    @property
    def num_classes(self) -> int:
        """Labels of targets lie in [0, num_classes)."""
        return self.logits.shape[-1] - 1


class ProposalOutputs(NamedTuple):
    """What a region proposal network says of every anchor.

    Attributes:
        objectness: (batch, anchors), logits of there being an object, of whatever class.
        offsets: (batch, anchors, 4), as `boxes.encode` counts them from the anchor.
        anchors: (batch, anchors, 4) xyxy in pixels, the same for all images.
        seeds: (batch,) uint32, what the sampling of the loss is drawn by.

    Example:
        >>> import jax.numpy as jnp
        >>> ProposalOutputs(*map(jnp.zeros, ((1, 9), (1, 9, 4), (1, 9, 4), (1,)))).objectness.shape
        (1, 9)
    """

    objectness: jax.Array
    offsets: jax.Array
    anchors: jax.Array
    seeds: jax.Array


class FasterRCNNOutputs(NamedTuple):
    """Both stages of a Faster R-CNN.

    Attributes:
        proposals: `ProposalOutputs`, of every anchor.
        regions: `RegionOutputs`, of what the first stage proposed.

    Example:
        >>> import jax.numpy as jnp
        >>> first = ProposalOutputs(*map(jnp.zeros, ((1, 9), (1, 9, 4), (1, 9, 4), (1,))))
        >>> shapes = ((1, 5, 3), (1, 5, 8), (1, 5, 4), (1, 5), (1,), (1, 2))
        >>> FasterRCNNOutputs(first, RegionOutputs(*map(jnp.zeros, shapes))).regions.mask.shape
        (1, 5)
    """

    proposals: ProposalOutputs
    regions: RegionOutputs

    @property
    def num_classes(self) -> int:
        """Labels of targets lie in [0, num_classes)."""
        return self.regions.num_classes


def regions_checked(op: str, outputs: Any) -> RegionOutputs:
    """Return arrays that fit each other, or raise."""
    _kind(op, outputs, RegionOutputs)
    found = RegionOutputs(*(_checks.array(op, f"outputs.{name}", v) for name, v in outputs._asdict().items()))
    logits = _checks.floating(op, "outputs.logits", found.logits)
    if logits.ndim != 3 or logits.shape[-1] < 2:
        raise ShapeError(
            explain(op, "outputs.logits", got=f"of shape {logits.shape}",
                    expected="(batch, regions, 1 + classes), the background first",
                    fix="give the background an output of its own, the first")
        )  # fmt: skip
    batch, regions, outs = logits.shape
    widths = (4, 4 * (outs - 1))
    _fits(op, "offsets", found.offsets, *((batch, regions, width) for width in widths))
    _fits(op, "regions", found.regions, (batch, regions, 4))
    _fits(op, "mask", found.mask, (batch, regions))
    _fits(op, "seeds", found.seeds, (batch,))
    _fits(op, "sizes", found.sizes, (batch, 2))
    return found


def proposals_checked(op: str, outputs: Any) -> ProposalOutputs:
    """Return arrays that fit each other, or raise."""
    _kind(op, outputs, ProposalOutputs)
    found = ProposalOutputs(
        *(_checks.array(op, f"outputs.{name}", v) for name, v in outputs._asdict().items())
    )
    objectness = _checks.floating(op, "outputs.objectness", found.objectness)
    if objectness.ndim != 2:
        raise ShapeError(
            explain(op, "outputs.objectness", got=f"of shape {objectness.shape}", expected="(batch, anchors)",
                    fix="objectness.reshape(batch, -1)")
        )  # fmt: skip
    for name in ("offsets", "anchors"):
        _fits(op, name, getattr(found, name), (*objectness.shape, 4))
    _fits(op, "seeds", found.seeds, objectness.shape[:1])
    return found


def both_checked(op: str, outputs: Any) -> FasterRCNNOutputs:
    """Return both stages, each checked, or raise."""
    _kind(op, outputs, FasterRCNNOutputs)
    return FasterRCNNOutputs(proposals_checked(op, outputs.proposals), regions_checked(op, outputs.regions))


def _kind(op: str, outputs: Any, kind: type) -> None:
    if not isinstance(outputs, kind):
        raise DtypeError(
            explain(op, "outputs", got=f"a {type(outputs).__name__}", expected=f"a {kind.__name__}",
                    fix="pass what the network returns")
        )  # fmt: skip


def _fits(op: str, name: str, value: jax.Array, *shapes: tuple[int, ...]) -> None:
    if value.shape not in shapes:
        expected = " or ".join(map(str, dict.fromkeys(shapes)))
        raise ShapeError(
            explain(op, f"outputs.{name}", got=f"of shape {value.shape}", expected=expected,
                    fix="pass what the network returns")
        )  # fmt: skip
