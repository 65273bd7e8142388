"""YOLO: what is in every cell of a grid over the image, in one forward pass."""

import dataclasses
import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, _yolo, boxes, initializers
from jaxdl._yolo import YoloOutputs
from jaxdl.anchors.grids import checked_shapes
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.layers import Activation, BatchNorm, Conv
from jaxdl.layers.activation import ACTIVATIONS
from jaxdl.models import _configs
from jaxdl.models._images import check_images
from jaxdl.models._residual import square

BLOCKS = ((16, 2), (32, 2), (32, 1), (64, 2), (64, 1), (64, 1), (128, 1))


@dataclasses.dataclass(frozen=True)
class YoloConfig:
    """What makes a `Yolo`.

    Attributes:
        form: ``"anchors"``, or ``"v1"``, the first paper's.
        blocks: (channels, stride) of each 3x3 convolution; the strides multiply up to the side of a cell.
        anchors: (width, height) of each box of a cell in pixels, in the form with anchors; see
            `jaxdl.anchors.kmeans`.
        boxes: boxes of a cell in v1.
        num_classes: classes of objects.
        in_channels: channels of the images.
        features: (channels, stride) of what a backbone gives that is handed to `Yolo`, and that the blocks
            then work on; None: they see the image.
        activation: after each batch norm.
        norm_momentum: how much of the running statistics a step keeps.
        prior: how likely the form with anchors takes an object to be, before it has learned; in (0, 1).

    Raises:
        ValueError: an entry that is none of these.
        DtypeError: a size that is no whole number, or a number where there is a tuple.
        ShapeError: anchors or blocks that are no pairs.
    """

    form: str = "anchors"
    blocks: tuple[tuple[int, int], ...] = BLOCKS
    anchors: tuple[tuple[float, float], ...] = ((10.0, 18.0), (15.0, 24.0), (24.0, 34.0))
    boxes: int = 2
    num_classes: int = 10
    in_channels: int = 1
    features: tuple[int, int] | None = None
    activation: str = "leaky_relu"
    norm_momentum: float = 0.9
    prior: float = 0.01

    def __post_init__(self) -> None:
        op = "YoloConfig"
        _checks.one_of(op, "form", self.form, _yolo.FORMS)
        _checks.one_of(op, "activation", self.activation, ACTIVATIONS)
        _configs.whole(self, "boxes", "num_classes", "in_channels")
        _configs.number(self, "norm_momentum", 0, 1, "[0, 1)")
        _configs.number(self, "prior", math.ulp(0), 1, "(0, 1)")
        blocks = tuple(_pair(op, "blocks", pair) for pair in _configs.entries(self, "blocks"))
        object.__setattr__(self, "blocks", blocks)
        if self.features is not None:
            object.__setattr__(self, "features", _pair(op, "features", self.features))
        elif not blocks:
            raise ValueError(
                explain(op, "blocks", got="()", expected="at least one block, or a backbone",
                        fix="blocks=((16, 2), ...), or features=(channels, stride)")
            )  # fmt: skip
        shapes = checked_shapes(op, "anchors", _configs.entries(self, "anchors")).tolist()
        object.__setattr__(self, "anchors", tuple((width, height) for width, height in shapes))

    @property
    def stride(self) -> int:
        """Side of a cell in pixels."""
        steps = [stride for _, stride in self.blocks]
        return math.prod(steps) * (1 if self.features is None else self.features[1])

    @property
    def cell(self) -> int:
        """Numbers that the network gives for a cell."""
        if self.form == "v1":
            return self.boxes * 5 + self.num_classes
        return len(self.anchors) * (5 + self.num_classes)


class Yolo(nnx.Module):
    """Blocks of 3x3 convolution, batch norm and activation; a 1x1 convolution gives each cell its numbers.

    These are ``boxes * 5 + classes`` in v1, the boxes first, and ``anchors * (5 + classes)`` in the form with
    anchors. The first paper has dense layers in place of the last convolution; here all cells share theirs,
    so that images of any size will do whose sides the stride divides.

    Args:
        config: form, blocks and boxes.
        backbone: a module from images (batch, height, width, in_channels) to ``config.features``; None: the
            blocks are all there is. A model file of such a network holds no config: `train.load` is given
            the network.
        rngs: the random streams of the constructor.

    Raises:
        ValueError: a backbone without ``config.features``, or the reverse.
        ShapeError: when called, images that do not fit, or features other than the config says.

    Example:
        >>> config = YoloConfig(blocks=((4, 2), (8, 2)), num_classes=3)
        >>> images = jnp.ones((2, 8, 12, 1))
        >>> found = nnx.eval_shape(lambda: Yolo(config, rngs=nnx.Rngs(0))(images))
        >>> found.boxes.shape, found.confidence.shape, found.classes.shape
        ((2, 2, 3, 3, 4), (2, 2, 3, 3), (2, 2, 3, 3, 3))

    Reference:
        Redmon et al. (2016), "You Only Look Once"; Redmon and Farhadi (2017), "YOLO9000".
    """

    def __init__(self, config: YoloConfig, *, backbone: nnx.Module | None = None, rngs: nnx.Rngs) -> None:
        if (backbone is None) != (config.features is None):
            raise ValueError(
                explain("Yolo", "backbone", got="None" if backbone is None else "given",
                        expected=f"what fits config.features={config.features}",
                        fix="hand in the backbone, and features=(channels, stride) in the config")
            )  # fmt: skip
        # A file that holds the config alone could not build the backbone.
        self.config = config if backbone is None else None
        self.plan = config
        self.backbone = backbone
        inputs = config.in_channels if config.features is None else config.features[0]
        self.layers = nnx.List()
        for width, stride in config.blocks:
            self.layers.append(square(inputs, width, 3, stride, rngs=rngs))
            self.layers.append(BatchNorm(width, momentum=config.norm_momentum, rngs=rngs))
            self.layers.append(Activation(config.activation))
            inputs = width
        self.head = Conv(inputs, config.cell, (1, 1), kernel_init=initializers.normal(stddev=0.01),
                         bias_init=partial(_bias, config), rngs=rngs)  # fmt: skip

    def __call__(self, x: jax.Array) -> YoloOutputs:
        """Map images (batch, height, width, in_channels) to raw outputs by cell; the stride divides sides."""
        config = self.plan
        x = check_images("Yolo", x, channels=config.in_channels, least=config.stride)
        grid = _grid(x, config.stride)
        if self.backbone is not None:
            x = self.backbone(x)
            _check_features(x, grid, config)
        for layer in self.layers:
            x = layer(x)
        return _split(self.head(x), config)


def detect(
    outputs: YoloOutputs,
    config: YoloConfig,
    *,
    score_threshold: float | jax.Array = 0.05,
    iou_threshold: float | jax.Array = 0.5,
    max_outputs: int = 50,
    candidates: int = 300,
) -> boxes.Detections:
    """Decode what a `Yolo` gives, and suppress what overlaps: pure, one program together with the network.

    The score of a class is ``C p(c)`` in v1, and ``sigmoid(o) softmax(z)_c`` in the form with anchors; boxes
    are clipped to the image.

    Args:
        outputs: of the network in evaluation, (batch, rows, columns, ...).
        config: of the network.
        score_threshold: what has no larger score is no detection.
        iou_threshold: in [0, 1]; of boxes of one class that overlap by more, the best stays.
        max_outputs: places of the result, at least 1.
        candidates: pairs of a box and a class that enter the suppression, those of the highest scores.

    Returns:
        `Detections` with the images first, scores falling, zeros where the mask is False.

    Raises:
        DtypeError: outputs that are no `YoloOutputs` of floating arrays, or no config.
        ShapeError: outputs that are not of this config.
        ValueError: a threshold outside [0, 1], or a count below 1.

    Example:
        >>> config = YoloConfig(blocks=((4, 4),), anchors=((4, 4),), num_classes=2)
        >>> outputs = YoloOutputs(jnp.zeros((1, 1, 2, 1, 4)), jnp.full((1, 1, 2, 1), 3.0),
        ...                       jnp.array([9.0, -9.0]).reshape(1, 1, 1, 1, 2).repeat(2, 2))
        >>> found = jax.jit(partial(detect, config=config, max_outputs=3))(outputs)
        >>> found.boxes[0].tolist(), found.labels[0].tolist(), found.mask[0].tolist()
        ([[0.0, 0.0, 4.0, 4.0], [4.0, 0.0, 8.0, 4.0], [0.0, 0.0, 0.0, 0.0]], [0, 0, 0], [True, True, False])
    """
    if not isinstance(config, YoloConfig):
        raise DtypeError(
            explain("detect", "config", got=f"a {type(config).__name__}", expected="a YoloConfig",
                    fix="the config that the network was made with")
        )  # fmt: skip
    outputs = _yolo.checked_outputs("detect", outputs, config.form)
    rows, columns, count = outputs.confidence.shape[1:]
    expected = config.boxes if config.form == "v1" else len(config.anchors)
    if count != expected or outputs.classes.shape[-1] != config.num_classes:
        raise ShapeError(
            explain("detect", "outputs", got=f"of {count} boxes a cell, {outputs.classes.shape[-1]} classes",
                    expected=f"{expected} and {config.num_classes}", fix="the config of the network")
        )  # fmt: skip
    if config.form == "v1":
        corners = _yolo.boxes_v1(outputs.boxes, config.stride)
        scores = outputs.confidence[..., None] * outputs.classes[..., None, :]
    else:
        corners = _yolo.boxes_anchors(outputs.boxes, jnp.array(config.anchors), config.stride)
        scores = jax.nn.sigmoid(outputs.confidence)[..., None] * jax.nn.softmax(outputs.classes, -1)
    corners = boxes.clip(corners, rows * config.stride, columns * config.stride)
    found = partial(boxes.detections, score_threshold=score_threshold, iou_threshold=iou_threshold,
                    max_outputs=max_outputs, candidates=candidates)  # fmt: skip
    batch = corners.shape[0]
    return jax.vmap(found)(corners.reshape(batch, -1, 4), scores.reshape(batch, -1, config.num_classes))


def _split(y: jax.Array, config: YoloConfig) -> YoloOutputs:
    """Take the numbers of each cell apart."""
    if config.form == "v1":
        one, classes = jnp.split(y, [config.boxes * 5], -1)
        one = one.reshape(*one.shape[:-1], config.boxes, 5)
        return YoloOutputs(one[..., :4], one[..., 4], classes)
    one = y.reshape(*y.shape[:-1], len(config.anchors), 5 + config.num_classes)
    return YoloOutputs(one[..., :4], one[..., 4], one[..., 5:])


def _bias(config: YoloConfig, key: jax.Array, shape: Any, dtype: Any = jnp.float32) -> jax.Array:
    """Start objectness at its prior, or the many empty places would drown the first steps."""
    if config.form == "v1":
        return jnp.zeros(shape, dtype)
    one = jnp.zeros((len(config.anchors), 5 + config.num_classes), dtype)
    return one.at[:, 4].set(-math.log(1 / config.prior - 1)).reshape(shape)


def _grid(x: jax.Array, stride: int) -> tuple[int, int]:
    height, width = x.shape[1:3]
    if height % stride or width % stride:
        raise ShapeError(
            explain("Yolo", "x", got=f"of shape {x.shape}", expected=f"sides that {stride} divides",
                    fix=f"pad to ({-(-height // stride) * stride}, {-(-width // stride) * stride})")
        )  # fmt: skip
    return height // stride, width // stride


def _check_features(x: jax.Array, grid: tuple[int, int], config: YoloConfig) -> None:
    channels, _ = config.features or (0, 0)
    after = math.prod(stride for _, stride in config.blocks)
    wanted = (grid[0] * after, grid[1] * after, channels)
    if x.ndim != 4 or x.shape[1:] != wanted:
        raise ShapeError(
            explain("Yolo", "backbone", got=f"one that gives {x.shape}",
                    expected=f"(batch, {', '.join(map(str, wanted))})",
                    fix=f"features=(channels, stride) other than {config.features}")
        )  # fmt: skip


def _pair(op: str, argument: str, value: Any) -> tuple[int, int]:
    try:
        first, second = value
    except (TypeError, ValueError):
        raise ShapeError(
            explain(op, argument, got=repr(value), expected="a pair (channels, stride)",
                    fix=f"{argument} of pairs such as (32, 2)")
        ) from None  # fmt: skip
    return _checks.positive_integer(op, argument, first), _checks.positive_integer(op, argument, second)
