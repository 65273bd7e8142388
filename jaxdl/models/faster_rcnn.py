"""Faster R-CNN: one network proposes regions and names them, on features that both stages share."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, anchors
from jaxdl.anchors.grids import checked_shapes
from jaxdl.boxes import Detections
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.losses import FasterRCNNOutputs, ProposalOutputs, RegionOutputs
from jaxdl.losses._detectors import both_checked
from jaxdl.models import _backbones, _configs, _regions
from jaxdl.models._images import check_layout
from jaxdl.models._proposals import ProposalNetwork, propose

TRUE_BOXES = {"image", "boxes", "mask"}


@dataclasses.dataclass(frozen=True)
class FasterRCNNConfig:
    """What makes a `FasterRCNN`.

    Attributes:
        stages: channels of the 3x3 convolutions of the backbone, stage by stage; between two stages the image
            is halved. Not looked at where a backbone is given.
        anchors: (width, height) in pixels of the anchors around every cell; `anchors.kmeans` finds such.
        num_classes: kinds of objects, without the background.
        in_channels: channels of the images.
        proposal_width: channels of the region proposal network.
        candidates: best anchors of an image that enter the suppression.
        proposals: regions of an image that the second stage sees, at most.
        proposal_iou: of proposals that overlap by more, the better one stays.
        min_size: least side of a proposal in pixels.
        pool_size: rows and columns that a region is brought to.
        sampling_ratio: bilinear samples along each side of such a cell.
        hidden: units of the dense layers behind.
        class_agnostic: four offsets a region for all classes, instead of four a class.

    Raises:
        ValueError: an entry out of range, or nothing in a tuple.
        DtypeError: a number that is not whole, or a number where there is a tuple.
        ShapeError: anchors that are no pairs.
    """

    stages: tuple[tuple[int, ...], ...] = ((16,), (32,), (64, 64))
    anchors: tuple[tuple[float, float], ...] = ((16.0, 16.0), (24.0, 24.0), (32.0, 32.0))
    num_classes: int = 10
    in_channels: int = 1
    proposal_width: int = 64
    candidates: int = 200
    proposals: int = 50
    proposal_iou: float = 0.7
    min_size: float = 2.0
    pool_size: int = 7
    sampling_ratio: int = 2
    hidden: tuple[int, ...] = (128,)
    class_agnostic: bool = False

    def __post_init__(self) -> None:
        _configs.whole(self, "num_classes", "in_channels", "proposal_width", "candidates", "proposals",
                       "pool_size", "sampling_ratio")  # fmt: skip
        _configs.widths(self, "hidden")
        _backbones.stages(self)
        shapes = checked_shapes("FasterRCNNConfig", "anchors", _configs.entries(self, "anchors")).tolist()
        object.__setattr__(self, "anchors", tuple((width, height) for width, height in shapes))
        _configs.number(self, "proposal_iou", 0, math.nextafter(1, 2), "[0, 1]")
        _configs.number(self, "min_size", 0, math.inf, "[0, inf)")
        _configs.flags(self, "class_agnostic")


class FasterRCNN(nnx.Module):
    """Features; a region proposal network on them; RoI align of the proposals; a head that names them.

    It returns a `losses.FasterRCNNOutputs`, the same in training and in evaluation: `losses.faster_rcnn`
    learns from it, `detect` reads it. In training it draws the seeds by which the loss samples anchors and
    regions; in evaluation they are fixed, so that losses compare. No gradient goes through the places of
    proposals (approximate joint training). Both sides of an image must be multiples of the stride of the
    backbone.

    Args:
        config: sizes of both stages, and of the backbone where none is given.
        backbone: a module that maps images to features (batch, height / s, width / s, channels) with one
            stride s, such as ``nnx.Sequential(*vgg.features[:10])``. A model file holds no backbone of one's
            own: such a network is loaded by ``train.load(path, net=net)``.
        rngs: the random streams of the constructor; "sampling", where there is one, draws the seeds.

    Raises:
        ShapeError: when called, images of another shape, or features that do not lie on a grid over them.
        DtypeError: when called, images that are not floating.

    Example:
        >>> config = FasterRCNNConfig(stages=((2,), (4,)), proposals=5)
        >>> images = jnp.ones((2, 16, 24, 1))
        >>> outputs = nnx.eval_shape(lambda: FasterRCNN(config, rngs=nnx.Rngs(0))(images))
        >>> outputs.proposals.objectness.shape, outputs.regions.logits.shape
        ((2, 288), (2, 5, 11))

    Reference:
        Ren et al. (2015), with the RoI align of He et al. (2017).
    """

    def __init__(
        self, config: FasterRCNNConfig, *, backbone: nnx.Module | None = None, rngs: nnx.Rngs
    ) -> None:
        # What the config does not describe must not be rebuilt from it.
        self.config = config if backbone is None else None
        self.options = config
        if backbone is None:
            backbone = _backbones.Backbone(config.stages, config.in_channels, rngs=rngs)
        self.backbone: Any = backbone
        channels, self.stride = _backbones.probed("FasterRCNN", self.backbone, config.in_channels)
        self.proposer = ProposalNetwork(channels, config.proposal_width, len(config.anchors), rngs=rngs)
        self.head = _regions.RegionHead(
            channels, config.num_classes, pool_size=config.pool_size, hidden=config.hidden,
            sampling_ratio=config.sampling_ratio, class_agnostic=config.class_agnostic, rngs=rngs,
        )  # fmt: skip
        self.deterministic = False
        self.rngs = rngs["sampling"].fork()

    def set_view(self, *, deterministic: bool | None = None, **others: Any) -> dict[str, Any]:
        """Switch between training and evaluation; called by ``flax.nnx.view``."""
        if deterministic is not None:
            self.deterministic = deterministic
        return others

    def __call__(self, x: Any) -> FasterRCNNOutputs:
        """Map images (batch, height, width, channels) to what is said of every anchor and proposal.

        A dict ``{"image": ..., "boxes": (batch, objects, 4), "mask": (batch, objects)}`` adds the true boxes
        to the proposals in training, so that the second stage learns before the first has; in evaluation the
        boxes are not looked at.
        """
        given = x if isinstance(x, Mapping) else {"image": x}
        images = self._images(given)
        _backbones.check_sides("FasterRCNN", images, self.stride)
        features = self.backbone(images)
        places = anchors.grid(*features.shape[1:3], stride=self.stride, shapes=self.options.anchors)
        first = self._first(features, places)
        regions, mask = self._proposals(first, places, images)
        if len(given) > 1 and not self.deterministic:
            regions, mask = _with_true(regions, mask, given["boxes"], given["mask"])
        logits, offsets = (
            _single(said) for said in self.head(features, regions, spatial_scale=1 / self.stride)
        )
        sizes = jnp.broadcast_to(jnp.asarray(images.shape[1:3], jnp.float32), (len(images), 2))
        return FasterRCNNOutputs(first, RegionOutputs(logits, offsets, regions, mask, first.seeds ^ 1, sizes))

    def _images(self, given: Mapping[str, Any]) -> jax.Array:
        if set(given) not in ({"image"}, TRUE_BOXES):
            raise DtypeError(
                explain("FasterRCNN", "x", got=f"a dict of {sorted(map(str, given))}",
                        expected=f"images, or a dict of {sorted(TRUE_BOXES)}", fix="pass the images alone")
            )  # fmt: skip
        images = _checks.floating("FasterRCNN", "x", given["image"])
        check_layout("FasterRCNN", images, ("height", "width"), self.options.in_channels)
        return images

    def _first(self, features: jax.Array, places: jax.Array) -> ProposalOutputs:
        objectness, offsets = (_single(said) for said in self.proposer(features))
        seeds = jnp.zeros(len(features), jnp.uint32)
        if not self.deterministic:
            seeds = jax.random.bits(self.rngs(), seeds.shape, jnp.uint32)
        return ProposalOutputs(objectness, offsets, jnp.broadcast_to(places, offsets.shape), seeds)

    def _proposals(
        self, first: ProposalOutputs, places: jax.Array, images: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        options = self.options
        _, height, width, _ = images.shape
        return propose(first.objectness, first.offsets, places, (height, width),
                       count=options.proposals, candidates=options.candidates,
                       iou_threshold=options.proposal_iou, min_size=options.min_size)  # fmt: skip


def detect(
    outputs: FasterRCNNOutputs,
    *,
    score_threshold: float | jax.Array = 0.05,
    iou_threshold: float | jax.Array = 0.5,
    max_outputs: int = 100,
) -> Detections:
    """Return the objects found: ``softmax`` scores, a box a class, threshold, and suppression by class.

    A pure function, to be compiled together with the network or called on what `predict` returned.

    Args:
        outputs: what a `FasterRCNN` returns in evaluation.
        score_threshold: scores up to it find nothing.
        iou_threshold: of boxes of one class that overlap by more, the best stays.
        max_outputs: places of the result.

    Returns:
        `boxes.Detections` with `max_outputs` places an image.

    Raises:
        DtypeError: `outputs` is no `losses.FasterRCNNOutputs`.
        ShapeError: arrays that do not fit each other.
        ValueError: a threshold outside [0, 1], or `max_outputs` below 1.

    Example:
        >>> config, images = FasterRCNNConfig(stages=((2,), (4,)), proposals=5), jnp.ones((2, 16, 24, 1))
        >>> run = lambda: detect(FasterRCNN(config, rngs=nnx.Rngs(0))(images), max_outputs=8)
        >>> nnx.eval_shape(run).boxes.shape
        (2, 8, 4)
    """
    regions = both_checked("detect", outputs).regions
    return _regions.detections(regions, score_threshold=score_threshold, iou_threshold=iou_threshold,
                               max_outputs=max_outputs)  # fmt: skip


def _single(x: jax.Array) -> jax.Array:
    """Return at least float32: in fewer digits a corner would move by a pixel."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _with_true(regions: jax.Array, mask: jax.Array, places: Any, there: Any) -> tuple[jax.Array, jax.Array]:
    places, there = _checks.array("FasterRCNN", "boxes", places), _checks.array("FasterRCNN", "mask", there)
    if places.ndim != 3 or places.shape != (len(regions), *there.shape[1:], 4):
        raise ShapeError(
            explain("FasterRCNN", "boxes", got=f"of shape {places.shape}, with a mask {there.shape}",
                    expected="(batch, objects, 4) and (batch, objects)",
                    fix="pass those of the targets")
        )  # fmt: skip
    # What stands in padded places may be anything, and reaches neither features nor gradient.
    places = jnp.where(there[..., None] != 0, places.astype(regions.dtype), 0)
    return jnp.concatenate([regions, places], 1), jnp.concatenate([mask, there != 0], 1)
