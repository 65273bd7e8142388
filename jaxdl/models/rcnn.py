"""R-CNN: a classifier of images, run on a crop of the image at every proposal."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.layers import Activation, BatchNorm, Conv, Flatten, Linear, MaxPool
from jaxdl.losses import CropOutputs, RegionOutputs
from jaxdl.models import _configs, _proposed
from jaxdl.models._images import check_layout
from jaxdl.models.fast_rcnn import detect as detect
from jaxdl.proposals import warp


@dataclasses.dataclass(frozen=True)
class RCNNConfig:
    """What makes an `RCNN`.

    Attributes:
        widths: channels of the blocks of the classifier, each of which halves the crop. Not looked at where a
            classifier is given, and neither is `hidden`.
        hidden: units of its dense layer.
        num_classes: kinds of objects, without the background.
        in_channels: channels of the images.
        crop_size: side of a crop in pixels.
        context: pixels of the surroundings along each edge of a crop; see `proposals.warp`.

    Raises:
        ValueError: an entry out of range, or crops that are too small for the blocks.
        DtypeError: a number that is not whole.
    """

    widths: tuple[int, ...] = (16, 32, 64)
    hidden: int = 128
    num_classes: int = 10
    in_channels: int = 1
    crop_size: int = 32
    context: int = 2

    def __post_init__(self) -> None:
        _configs.widths(self, "widths")
        _configs.whole(self, "hidden", "num_classes", "in_channels", "crop_size")
        _configs.whole(self, "context", least=0)
        for name, least in (("context", 2 * self.context + 1), ("widths", 2 ** len(self.widths))):
            if self.crop_size < least:
                raise ValueError(
                    explain("RCNNConfig", name, got=getattr(self, name),
                            expected=f"less, for crops of {self.crop_size} pixels a side",
                            fix=f"crop_size={least}")
                )  # fmt: skip

    @property
    def outputs(self) -> int:
        """Numbers that a classifier gives of a crop: logits of 1 + classes, four offsets a class."""
        return 1 + 5 * self.num_classes


class RCNN(nnx.Module):
    """A classifier of crops that also says where in the crop, or beyond its edge, the object lies.

    Of crops (batch, size, size, channels) it returns a `losses.CropOutputs`: that is how it is trained, with
    `proposals.crops` and `losses.crop_heads`. Of ``{"image": (batch, height, width, channels), "proposals":
    (batch, regions, 4), "proposal_mask": (batch, regions)}`` it warps every proposal to a crop and returns a
    `losses.RegionOutputs`, which `detect` reads. Bytes of images in the dict are divided by 255, so that one
    trains on crops with ``scaling=scaling.pixels()``; floats are taken as they are.

    Args:
        config: sizes of the crops, and of the classifier where none is given.
        classifier: a module that maps crops to (batch, `config.outputs`) numbers, such as any classifier of
            this package with ``num_classes=config.outputs``. A model file holds no classifier of one's
            own: ``train.load(path, net=net)``.
        rngs: the random streams of the constructor.

    Raises:
        ShapeError: when called, arrays of another shape, or a classifier of another number of outputs.
        DtypeError: when called, something else than crops or the dict.

    Example:
        >>> config = RCNNConfig(widths=(2, 4), hidden=8, crop_size=16)
        >>> crops = jnp.ones((3, 16, 16, 1))
        >>> nnx.eval_shape(lambda: RCNN(config, rngs=nnx.Rngs(0))(crops)).offsets.shape
        (3, 40)

    Reference:
        Girshick et al. (2014), with the softmax in the place of support vector machines, and the regression
        of boxes trained together with it.
    """

    def __init__(self, config: RCNNConfig, *, classifier: nnx.Module | None = None, rngs: nnx.Rngs) -> None:
        # What the config does not describe must not be rebuilt from it.
        self.config = config if classifier is None else None
        self.options = config
        self.classifier: Any = _classifier(config, rngs) if classifier is None else classifier

    def __call__(self, x: Any) -> CropOutputs | RegionOutputs:
        """Map crops, or a dict of images, proposals and their mask, to what is said of each."""
        if not isinstance(x, Mapping):
            return self._said(_checks.floating("RCNN", "x", x))
        found, options = _proposed.read("RCNN", x, self.options.in_channels), self.options
        crops = warp(found.images, found.regions, size=options.crop_size, context=options.context)
        said = self._said(crops.reshape(found.mask.size, *crops.shape[2:]))
        logits, offsets = (part.reshape(*found.mask.shape, part.shape[-1]) for part in said)
        seeds = jnp.zeros(len(logits), jnp.uint32)
        return RegionOutputs(logits, offsets, found.regions, found.mask, seeds, found.sizes)

    def _said(self, crops: jax.Array) -> CropOutputs:
        options = self.options
        check_layout("RCNN", crops, ("height", "width"), options.in_channels)
        if crops.shape[1:3] != (options.crop_size,) * 2:
            raise ShapeError(
                explain("RCNN", "x", got=f"of shape {crops.shape}",
                        expected=f"crops of {options.crop_size} x {options.crop_size}",
                        fix=f"proposals.crops(..., size={options.crop_size}), or a dict with the images")
            )  # fmt: skip
        found = self.classifier(crops)
        if found.shape != (len(crops), options.outputs):
            raise ShapeError(
                explain("RCNN", "classifier", got=f"one that gives {found.shape}",
                        expected=f"({len(crops)}, {options.outputs})", fix=f"num_classes={options.outputs}")
            )  # fmt: skip
        return CropOutputs(found[:, : 1 + options.num_classes], found[:, 1 + options.num_classes :])


def _classifier(config: RCNNConfig, rngs: nnx.Rngs) -> nnx.Module:
    layers: list[nnx.Module] = []
    for inputs, width in zip((config.in_channels, *config.widths), config.widths):
        layers += [Conv(inputs, width, (3, 3), use_bias=False, rngs=rngs), BatchNorm(width, rngs=rngs),
                   Activation("relu"), MaxPool((2, 2))]  # fmt: skip
    side = config.crop_size // 2 ** len(config.widths)
    last = (config.in_channels, *config.widths)[-1]
    layers += [Flatten(), Linear(last * side**2, config.hidden, rngs=rngs), Activation("relu"),
               Linear(config.hidden, config.outputs, rngs=rngs)]  # fmt: skip
    return nnx.Sequential(*layers)
