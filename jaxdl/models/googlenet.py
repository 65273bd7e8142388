"""GoogLeNet: a stem, nine Inception blocks and a mean, with two auxiliary heads in training."""

import dataclasses
from typing import Any, Self

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.layers import Dropout, GlobalAvgPool, Linear, LocalResponseNorm, MaxPool
from jaxdl.losses import WithAuxiliary
from jaxdl.models import _configs
from jaxdl.models._images import Window, check_images, extent_after, smallest
from jaxdl.models.inception import (
    AUXILIARY_POOLS,
    AUXILIARY_SIDE,
    AUXILIARY_WINDOW,
    INITS,
    AuxiliaryHead,
    ConvUnit,
    Inception,
    InceptionWidths,
)

SZEGEDY = (
    (
        InceptionWidths("3a", 64, (96, 128), (16, 32), 32),
        InceptionWidths("3b", 128, (128, 192), (32, 96), 64),
    ),
    (
        InceptionWidths("4a", 192, (96, 208), (16, 48), 64),
        InceptionWidths("4b", 160, (112, 224), (24, 64), 64),
        InceptionWidths("4c", 128, (128, 256), (24, 64), 64),
        InceptionWidths("4d", 112, (144, 288), (32, 64), 64),
        InceptionWidths("4e", 256, (160, 320), (32, 128), 128),
    ),
    (
        InceptionWidths("5a", 256, (160, 320), (32, 128), 128),
        InceptionWidths("5b", 384, (192, 384), (48, 128), 128),
    ),
)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
POOL = Window(3, 2, ceil=True)


@dataclasses.dataclass(frozen=True)
class GoogLeNetConfig:
    """What makes a GoogLeNet.

    Attributes:
        stages: the Inception blocks, with a max pooling between stages.
        stem: channels of the three convolutions before the blocks: 7 x 7 with stride 2, 1 x 1, 3 x 3.
        wide_window: side of the kernel of the widest branch, 5; torchvision has 3 by mistake and keeps it.
        batch_norm: normalise every convolution, instead of giving it a bias.
        response_norm: local response norms in the stem, ``n=5, k=2, alpha=1e-4, beta=0.75``.
        last_pool: side of the window of the last max pooling: 3, or 2 as in torchvision.
        auxiliary: names of the blocks that an auxiliary head follows; ``()`` for none.
        auxiliary_widths: channels and hidden units of an auxiliary head.
        auxiliary_pool: ``"adaptive"``, or ``"window"`` of 5 x 5 with stride 3, for `image_size` only.
        auxiliary_dropout: rate in the auxiliary heads, or the name of a hyperparameter that holds it.
        image_size: side of the images that auxiliary heads with ``"window"`` are made for.
        num_classes: outputs.
        in_channels: channels of the images.
        dropout: rate before the last layer, or the name of a hyperparameter that holds it.
        transform_input: take images normalised by the mean and deviation of ImageNet and bring them to
            ``(pixel - 0.5) / 0.5``, which the weights that torchvision publishes expect.
        init: ``"he"``, ``"glorot"``, or ``"torchvision"`` for kernels of N(0, 0.01^2). The paper says
            nothing of it.

    Raises:
        ValueError: an entry that is none of these.
        DtypeError: a size that is no whole number, or a number where there is a tuple.
        ShapeError: an `image_size` of which the auxiliary heads do not get 4 x 4.
    """

    stages: tuple[tuple[InceptionWidths, ...], ...] = SZEGEDY
    stem: tuple[int, int, int] = (64, 64, 192)
    wide_window: int = 3
    batch_norm: bool = True
    response_norm: bool = False
    last_pool: int = 2
    auxiliary: tuple[str, ...] = ()
    auxiliary_widths: tuple[int, int] = (128, 1024)
    auxiliary_pool: str = "adaptive"
    auxiliary_dropout: float | str = 0.7
    image_size: int = 224
    num_classes: int = 1000
    in_channels: int = 3
    dropout: float | str = 0.2
    transform_input: bool = False
    init: str = "he"

    def __post_init__(self) -> None:
        _configs.entries(self, "auxiliary")
        rows = _configs.entries(self, "stages", fix="stages=jaxdl.models.googlenet.SZEGEDY")
        object.__setattr__(self, "stages", tuple(map(_stage, rows)))
        self._check_sizes()
        _configs.flags(self, "batch_norm", "response_norm", "transform_input")
        choices = {
            "init": INITS,
            "auxiliary_pool": AUXILIARY_POOLS,
            "wide_window": (3, 5),
            "last_pool": (2, 3),
        }
        for name, known in choices.items():
            _checks.one_of("GoogLeNetConfig", name, getattr(self, name), known)
        _configs.whole(self, "wide_window", "last_pool")
        _configs.rates(self, "dropout", "auxiliary_dropout")
        self._check_blocks()

    def _check_sizes(self) -> None:
        _configs.whole(self, "num_classes", "in_channels", "image_size")
        for name, count in (("stem", 3), ("auxiliary_widths", 2)):
            fix = f"{name}={getattr(type(self), name)}"
            _configs.widths(self, name, fix=fix)
            if len(getattr(self, name)) != count:
                raise ValueError(explain("GoogLeNetConfig", name, got=getattr(self, name),
                                         expected=f"{count} widths", fix=fix))  # fmt: skip

    def _check_blocks(self) -> None:
        names = [row.name for row in self.rows]
        if not self.stages or not all(self.stages) or len({*names}) < len(names):
            raise ValueError(explain("GoogLeNetConfig", "stages", got=f"of blocks {names}",
                                     expected="a block or more a stage, each with a name of its own",
                                     fix="stages=jaxdl.models.googlenet.SZEGEDY"))  # fmt: skip
        for name in self.auxiliary:
            _checks.one_of("GoogLeNetConfig", "auxiliary", name, names)
        if self.transform_input and self.in_channels != 3:
            raise ValueError(
                explain("GoogLeNetConfig", "transform_input", got=f"True for {self.in_channels} channels",
                        expected="images of 3 channels", fix="transform_input=False")
            )  # fmt: skip
        for name in self.auxiliary if self.exact_size else ():
            stage = next(i for i, rows in enumerate(self.stages) if name in [row.name for row in rows])
            side = extent_after(self.image_size, (*self.windows(stage), AUXILIARY_WINDOW))
            if side != AUXILIARY_SIDE:
                raise ShapeError(explain("GoogLeNetConfig", "image_size", got=self.image_size,
                                         expected=f"one of which '{name}' leaves 4 x 4 after 5 x 5 windows",
                                         fix="auxiliary_pool='adaptive'"))  # fmt: skip

    @property
    def rows(self) -> tuple[InceptionWidths, ...]:
        """The blocks of all stages."""
        return sum(self.stages, ())

    @property
    def exact_size(self) -> int | None:
        """Side of the only images that are taken, or None."""
        return self.image_size if self.auxiliary and self.auxiliary_pool == "window" else None

    @property
    def pools(self) -> tuple[Window, ...]:
        """The max poolings between stages."""
        between = len(self.stages) - 1
        return (POOL,) * (between - 1) + (Window(self.last_pool, 2, ceil=True),) * min(between, 1)

    def windows(self, stage: int = -1) -> tuple[Window, ...]:
        """Return the windows that shrink an image on its way into a stage; -1 is the last."""
        pools = self.pools if stage == -1 else self.pools[:stage]
        return (Window(7, 2, 3), POOL, POOL, *pools)


class GoogLeNet(nnx.Module):
    """A stem, Inception blocks, the mean over all positions, and one dense layer.

    With auxiliary heads a call in training returns a `jaxdl.losses.WithAuxiliary` of main and auxiliary
    logits, for which `jaxdl.losses.auxiliary_cross_entropy` is the loss; in evaluation it returns the main
    logits alone, and the heads cost nothing. Attributes are named as torchvision's, but for the blocks, which
    are ``inception["3a"]`` and so on, and the auxiliary heads, which are a list.

    Args:
        config: stem, blocks, heads and initialiser.
        rngs: the random streams of the constructor.

    Raises:
        ShapeError: when called, images of another rank or number of channels, or too small ones.
        DtypeError: when called, images that are not floating.

    Example:
        >>> stages = ((InceptionWidths("3a", 4, (2, 4), (2, 4), 4),),)
        >>> config = GoogLeNetConfig(stages=stages, stem=(4, 4, 8), auxiliary=("3a",), num_classes=3)
        >>> def run(train, x):
        ...     model = GoogLeNet(config, rngs=nnx.Rngs(0))
        ...     return nnx.view(model, deterministic=not train, use_running_average=not train)(x)
        >>> images = jnp.ones((2, 32, 32, 3))
        >>> nnx.eval_shape(lambda: run(False, images)).shape
        (2, 3)
        >>> outputs = nnx.eval_shape(lambda: run(True, images))
        >>> outputs.main.shape, [z.shape for z in outputs.auxiliary]
        ((2, 3), [(2, 3)])

    Reference:
        Szegedy et al. (2015).
    """

    def __init__(self, config: GoogLeNetConfig, *, rngs: nnx.Rngs) -> None:
        self.config = config
        self.deterministic = False
        options: dict[str, Any] = {"batch_norm": config.batch_norm, "init": config.init, "rngs": rngs}
        first, narrow, wide = config.stem
        self.conv1 = ConvUnit(config.in_channels, first, 7, strides=2, **options)
        self.maxpool1 = _max_pool(POOL)
        self.lrn1 = _response_norm() if config.response_norm else None
        self.conv2 = ConvUnit(first, narrow, 1, **options)
        self.conv3 = ConvUnit(narrow, wide, 3, **options)
        self.lrn2 = _response_norm() if config.response_norm else None
        self.maxpool2 = _max_pool(POOL)
        inputs = [wide, *(row.outputs for row in config.rows)]
        self.inception = nnx.Dict({
            row.name: Inception(width, row, wide_window=config.wide_window, **options)
            for width, row in zip(inputs, config.rows)
        })  # fmt: skip
        self.pools = nnx.List(_max_pool(window) for window in config.pools)
        widths = {row.name: row.outputs for row in config.rows}
        self.aux = nnx.List(
            AuxiliaryHead(widths[name], config.auxiliary_widths, config.num_classes,
                          pool=config.auxiliary_pool, dropout=config.auxiliary_dropout, **options)
            for name in config.auxiliary
        )  # fmt: skip
        self.avgpool = GlobalAvgPool()
        self.dropout = Dropout(config.dropout, rngs=rngs)
        self.fc = Linear(inputs[-1], config.num_classes, kernel_init=INITS[config.init](), rngs=rngs)
        self.smallest = smallest(config.windows())

    @classmethod
    def paper(
        cls,
        *,
        rngs: nnx.Rngs,
        auxiliary: bool = False,
        num_classes: int = 1000,
        in_channels: int = 3,
        **options: Any,
    ) -> Self:
        """The network of the paper, without batch norm: 6,998,552 parameters without auxiliary heads.

        With them it takes images of 224 x 224 only. `options` are fields of `GoogLeNetConfig`.
        """
        given: dict[str, Any] = {
            "wide_window": 5, "batch_norm": False, "response_norm": True, "last_pool": 3,
            "auxiliary_pool": "window", "dropout": 0.4,
        }  # fmt: skip
        return cls(_config(auxiliary, num_classes, in_channels, given | options), rngs=rngs)

    @classmethod
    def torchvision(
        cls,
        *,
        rngs: nnx.Rngs,
        auxiliary: bool = False,
        num_classes: int = 1000,
        in_channels: int = 3,
        **options: Any,
    ) -> Self:
        """The network that torchvision ships, with batch norm: 6,624,904 parameters.

        With auxiliary heads 13,004,888. `options` are fields of `GoogLeNetConfig`.
        """
        return cls(_config(auxiliary, num_classes, in_channels, options), rngs=rngs)

    def set_view(self, *, deterministic: bool | None = None) -> None:
        """Switch between training and evaluation; called by ``flax.nnx.view``."""
        if deterministic is not None:
            self.deterministic = deterministic

    def __call__(self, x: jax.Array) -> jax.Array | WithAuxiliary:
        """Map images (batch, height, width, channels) to logits (batch, classes)."""
        config = self.config
        x = check_images("GoogLeNet", x, channels=config.in_channels, least=self.smallest,
                         exactly=config.exact_size)  # fmt: skip
        x = self._stem(_transformed(x) if config.transform_input else x)
        found = {}
        for stage, rows in enumerate(config.stages):
            x = self.pools[stage - 1](x) if stage else x
            for row in rows:
                x = self.inception[row.name](x)
                found[row.name] = x
        logits = self.fc(self.dropout(self.avgpool(x)))
        if self.deterministic or not config.auxiliary:
            return logits
        heads = zip(self.aux, config.auxiliary, strict=True)
        return WithAuxiliary(logits, tuple(head(found[name]) for head, name in heads))

    def _stem(self, x: jax.Array) -> jax.Array:
        x = self.maxpool1(self.conv1(x))
        x = self.conv2(x if self.lrn1 is None else self.lrn1(x))
        x = self.conv3(x)
        return self.maxpool2(x if self.lrn2 is None else self.lrn2(x))


def _config(auxiliary: bool, num_classes: int, in_channels: int, options: dict[str, Any]) -> GoogLeNetConfig:
    _checks.one_of("GoogLeNet", "auxiliary", auxiliary, (True, False))
    heads = ("4a", "4d") if auxiliary else ()
    return GoogLeNetConfig(auxiliary=heads, num_classes=num_classes, in_channels=in_channels, **options)


def _stage(rows: Any) -> tuple[InceptionWidths, ...]:
    """Return the rows of a stage; a model file brings them as dicts."""
    known = rows if isinstance(rows, tuple | list) else ()
    found = tuple(InceptionWidths(**row) if isinstance(row, dict) else row for row in known)
    if not isinstance(rows, tuple | list) or not all(isinstance(row, InceptionWidths) for row in found):
        raise DtypeError(explain("GoogLeNetConfig", "stages", got=f"a tuple that holds {rows!r}",
                                 expected="tuples of InceptionWidths",
                                 fix="stages=jaxdl.models.googlenet.SZEGEDY"))  # fmt: skip
    return found


def _max_pool(window: Window) -> MaxPool:
    return MaxPool((window.size,) * 2, strides=(window.stride,) * 2, ceil_mode=window.ceil)


def _response_norm() -> LocalResponseNorm:
    return LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)


def _transformed(x: jax.Array) -> jax.Array:
    """Return images normalised for ImageNet as ``(pixel - 0.5) / 0.5``."""
    mean, std = (jnp.asarray(values, x.dtype).reshape(1, 1, 1, 3) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (x * std + mean - 0.5) / 0.5
