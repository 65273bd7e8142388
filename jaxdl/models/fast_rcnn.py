"""Fast R-CNN: one pass over the image, and a head that names given regions from the features they share."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks
from jaxdl.boxes import Detections
from jaxdl.losses import RegionOutputs
from jaxdl.losses._detectors import regions_checked
from jaxdl.models import _backbones, _configs, _proposed, _regions


@dataclasses.dataclass(frozen=True)
class FastRCNNConfig:
    """What makes a `FastRCNN`.

    Attributes:
        stages: channels of the 3x3 convolutions of the backbone, stage by stage; between two stages the image
            is halved. Not looked at where a backbone is given.
        num_classes: kinds of objects, without the background.
        in_channels: channels of the images.
        pool_size: rows and columns that a region is brought to.
        pooling: ``"max"``, the RoI pooling of the paper, or ``"align"``.
        hidden: units of the dense layers behind.

    Raises:
        ValueError: an entry out of range, or nothing in a tuple.
        DtypeError: a number that is not whole, or a number where there is a tuple.
    """

    stages: tuple[tuple[int, ...], ...] = ((16,), (32,), (64, 64))
    num_classes: int = 10
    in_channels: int = 1
    pool_size: int = 6
    pooling: str = "max"
    hidden: tuple[int, ...] = (128,)

    def __post_init__(self) -> None:
        _configs.whole(self, "num_classes", "in_channels", "pool_size")
        _configs.widths(self, "hidden")
        _backbones.stages(self)
        _checks.one_of("FastRCNNConfig", "pooling", self.pooling, _regions.POOLINGS)


class FastRCNN(nnx.Module):
    """Features of the whole image; RoI pooling of the proposals; a head that names and moves them.

    It takes ``{"image": (batch, height, width, channels), "proposals": (batch, regions, 4), "proposal_mask":
    (batch, regions)}``; bytes are divided by 255, floats taken as they are. The proposals come from
    `proposals.propose`, to train on with `proposals.add_truth`. It returns a `losses.RegionOutputs`, the same
    in training and in evaluation: `losses.region_heads` learns from it, `detect` reads it. In training it
    draws the seeds by which the loss samples regions; in evaluation they are 0.

    Args:
        config: sizes of the head, and of the backbone where none is given.
        backbone: a module that maps images to features (batch, height / s, width / s, channels) with one
            stride s. A model file holds no backbone of one's own: ``train.load(path, net=net)``.
        rngs: the random streams of the constructor; "sampling", where there is one, draws the seeds.

    Raises:
        ShapeError: when called, arrays of another shape, or sides that the backbone does not divide.
        DtypeError: when called, something else than the dict.

    Example:
        >>> config = FastRCNNConfig(stages=((2,), (4,)), pooling="align")
        >>> x = {"image": jnp.ones((2, 16, 24, 1)), "proposals": jnp.ones((2, 5, 4)),
        ...      "proposal_mask": jnp.ones((2, 5), bool)}
        >>> nnx.eval_shape(lambda: FastRCNN(config, rngs=nnx.Rngs(0))(x)).logits.shape
        (2, 5, 11)

    Reference:
        Girshick (2015).
    """

    def __init__(self, config: FastRCNNConfig, *, backbone: nnx.Module | None = None, rngs: nnx.Rngs) -> None:
        # What the config does not describe must not be rebuilt from it.
        self.config = config if backbone is None else None
        self.options = config
        self.backbone = (
            _backbones.Backbone(config.stages, config.in_channels, rngs=rngs)
            if backbone is None
            else backbone
        )
        channels, self.stride = _backbones.probed("FastRCNN", self.backbone, config.in_channels)
        self.head = _regions.RegionHead(
            channels, config.num_classes,
            pool_size=config.pool_size, hidden=config.hidden, pooling=config.pooling, rngs=rngs,
        )  # fmt: skip
        self.deterministic = False
        self.rngs = rngs["sampling"].fork()

    def set_view(self, *, deterministic: bool | None = None, **others: Any) -> dict[str, Any]:
        """Switch between training and evaluation; called by ``flax.nnx.view``."""
        if deterministic is not None:
            self.deterministic = deterministic
        return others

    def __call__(self, x: Any) -> RegionOutputs:
        """Map a dict of images, proposals and their mask to what is said of every proposal."""
        images, regions, mask, sizes = _proposed.read("FastRCNN", x, self.options.in_channels)
        _backbones.check_sides("FastRCNN", images, self.stride)
        logits, offsets = self.head(self.backbone(images), regions, spatial_scale=1 / self.stride)
        seeds = jnp.zeros(len(images), jnp.uint32)
        if not self.deterministic:
            seeds = jax.random.bits(self.rngs(), (len(images),), jnp.uint32)
        return RegionOutputs(logits, offsets, regions, mask, seeds, sizes)


def detect(
    outputs: RegionOutputs,
    *,
    score_threshold: float | jax.Array = 0.05,
    iou_threshold: float | jax.Array = 0.5,
    max_outputs: int = 100,
) -> Detections:
    """Return the objects found: ``softmax`` scores, a box a class, threshold, and suppression by class.

    A pure function, to be compiled together with the network or called on what `predict` returned; for an
    `RCNN` too.

    Args:
        outputs: what a `FastRCNN`, or an `RCNN` of images, returns in evaluation.
        score_threshold: scores up to it find nothing.
        iou_threshold: of boxes of one class that overlap by more, the best stays.
        max_outputs: places of the result.

    Returns:
        `boxes.Detections` with `max_outputs` places an image; none where an image has no proposals.

    Raises:
        DtypeError: `outputs` is no `losses.RegionOutputs`.
        ShapeError: arrays that do not fit each other.
        ValueError: a threshold outside [0, 1], or `max_outputs` below 1.

    Example:
        >>> shapes = (1, 5, 3), (1, 5, 8), (1, 5, 4), (1, 5), (1,), (1, 2)
        >>> jax.eval_shape(detect, RegionOutputs(*map(jnp.ones, shapes))).boxes.shape
        (1, 100, 4)
    """
    regions = regions_checked("detect", outputs)
    return _regions.detections(regions, score_threshold=score_threshold, iou_threshold=iou_threshold,
                               max_outputs=max_outputs)  # fmt: skip
