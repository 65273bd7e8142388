"""The layers of torchvision's networks: their names and shapes there, and their places here."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

Shape = tuple[int, ...]
Place = tuple[str | int, ...]

_STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
_INCEPTION = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


class Layer(NamedTuple):
    """A layer with parameters.

    Attributes:
        name: what torchvision calls it.
        kind: ``"conv"``, ``"linear"`` or ``"norm"``.
        kernel: shape of its weight in torch: (out, in, height, width), (out, in) or (features,).
        bias: whether it has one.
        map: (channels, height, width) of the map that was flattened for it, or ().
    """

    name: str
    kind: str
    kernel: Shape
    bias: bool = True
    map: Shape = ()

    @property
    def place(self) -> Place:
        """Where it is in our trees, which are named as torchvision's but for lists of blocks."""
        dotted = re.sub(r"^layer(\d)", lambda found: f"layers.{int(found[1]) - 1}", self.name)
        dotted = re.sub(r"^aux(\d)", lambda found: f"aux.{int(found[1]) - 1}", dotted)
        dotted = re.sub(r"^inception(\d[a-e])", r"inception.\1", dotted)
        return tuple(int(part) if part.isdigit() else part for part in dotted.split("."))


class Sizes(NamedTuple):
    """What may differ between two networks of the same name."""

    num_classes: int = 1000
    in_channels: int = 3
    auxiliary: bool = False


def conv(name: str, inputs: int, outputs: int, size: int, *, bias: bool = False) -> Layer:
    """A convolution with a square window."""
    return Layer(name, "conv", (outputs, inputs, size, size), bias)


def linear(name: str, inputs: int, outputs: int, *, flattened: Shape = ()) -> Layer:
    """A dense layer."""
    return Layer(name, "linear", (outputs, inputs), map=flattened)


def norm(name: str, features: int) -> Layer:
    """A batch norm."""
    return Layer(name, "norm", (features,))


def alexnet(sizes: Sizes) -> Iterator[Layer]:
    """Five convolutions, three dense layers."""
    inputs = sizes.in_channels
    for index, outputs, size in ((0, 64, 11), (3, 192, 5), (6, 384, 3), (8, 256, 3), (10, 256, 3)):
        yield conv(f"features.{index}", inputs, outputs, size, bias=True)
        inputs = outputs
    yield from _classifier(sizes, (256, 6, 6), (1, 4, 6))


def vgg(depth: int, batch_norm: bool, sizes: Sizes) -> Iterator[Layer]:
    """Stages of 3 x 3 convolutions, which keep their biases before a batch norm too."""
    index, inputs = 0, sizes.in_channels
    for count, outputs in zip(_STAGES[depth], (64, 128, 256, 512, 512), strict=True):
        for _ in range(count):
            yield conv(f"features.{index}", inputs, outputs, 3, bias=True)
            if batch_norm:
                yield norm(f"features.{index + 1}", outputs)
            index, inputs = index + 2 + batch_norm, outputs
        index += 1
    yield from _classifier(sizes, (512, 7, 7), (0, 3, 6))


def _classifier(sizes: Sizes, flattened: Shape, places: tuple[int, int, int]) -> Iterator[Layer]:
    channels, height, width = flattened
    first, second, last = (f"classifier.{index}" for index in places)
    yield linear(first, channels * height * width, 4096, flattened=flattened)
    yield linear(second, 4096, 4096)
    yield linear(last, 4096, sizes.num_classes)


def resnet(depth: int, sizes: Sizes) -> Iterator[Layer]:
    """A stem, four stages of blocks, a dense layer."""
    yield conv("conv1", sizes.in_channels, 64, 7)
    yield norm("bn1", 64)
    inputs = 64
    for stage, count in enumerate(_BLOCKS[depth], start=1):
        width = 32 * 2**stage
        for index in range(count):
            chain = _basic(inputs, width) if depth < 50 else _bottleneck(inputs, width)
            outputs = chain[-1][1]
            for part, (before, after, size) in enumerate(chain, start=1):
                yield conv(f"layer{stage}.{index}.conv{part}", before, after, size)
                yield norm(f"layer{stage}.{index}.bn{part}", after)
            if index == 0 and (stage > 1 or inputs != outputs):
                yield conv(f"layer{stage}.0.downsample.0", inputs, outputs, 1)
                yield norm(f"layer{stage}.0.downsample.1", outputs)
            inputs = outputs
    yield linear("fc", inputs, sizes.num_classes)


def _basic(inputs: int, width: int) -> tuple[Shape, ...]:
    return (inputs, width, 3), (width, width, 3)


def _bottleneck(inputs: int, width: int) -> tuple[Shape, ...]:
    return (inputs, width, 1), (width, width, 3), (width, 4 * width, 1)


def googlenet(sizes: Sizes) -> Iterator[Layer]:
    """A stem, nine Inception blocks, a dense layer, and two auxiliary heads where they are wanted."""
    yield from _unit("conv1", sizes.in_channels, 64, 7)
    yield from _unit("conv2", 64, 64, 1)
    yield from _unit("conv3", 64, 192, 3)
    for block, (inputs, single, narrow, middle, narrower, wide, pooled) in _INCEPTION.items():
        units: tuple[tuple[str, int, int, int], ...] = (
            ("branch1", inputs, single, 1),
            ("branch2.0", inputs, narrow, 1), ("branch2.1", narrow, middle, 3),
            ("branch3.0", inputs, narrower, 1), ("branch3.1", narrower, wide, 3),
            ("branch4.1", inputs, pooled, 1),
        )  # fmt: skip
        for branch, *rest in units:
            yield from _unit(f"inception{block}.{branch}", *rest)
    for index, inputs in ((1, 512), (2, 528)) if sizes.auxiliary else ():
        yield from _unit(f"aux{index}.conv", inputs, 128, 1)
        yield linear(f"aux{index}.fc1", 2048, 1024, flattened=(128, 4, 4))
        yield linear(f"aux{index}.fc2", 1024, sizes.num_classes)
    yield linear("fc", 1024, sizes.num_classes)


def _unit(name: str, inputs: int, outputs: int, size: int) -> Iterator[Layer]:
    yield conv(f"{name}.conv", inputs, outputs, size)
    yield norm(f"{name}.bn", outputs)


NETWORKS: dict[str, Callable[[Sizes], Iterator[Layer]]] = {
    "alexnet": alexnet,
    **{f"vgg{depth}": partial(vgg, depth, False) for depth in _STAGES},
    **{f"vgg{depth}_bn": partial(vgg, depth, True) for depth in _STAGES},
    **{f"resnet{depth}": partial(resnet, depth) for depth in _BLOCKS},
    "googlenet": googlenet,
}


class Entry(NamedTuple):
    """An array of a layer: its shape in torch, and its tree and name here (none: it is not kept)."""

    shape: Shape
    layer: Layer
    tree: str
    leaf: str

    @property
    def ours(self) -> Shape:
        """Its shape here."""
        if self.leaf != "kernel":
            return self.shape
        outputs, inputs, *window = self.shape
        return (*window, inputs, outputs)

    @property
    def name(self) -> str:
        """Its tree, place and name here, with slashes."""
        return "/".join(map(str, (self.tree, *self.layer.place, self.leaf)))


def entries(layer: Layer) -> dict[str, Entry]:
    """Return the arrays of a layer by torch's names, in torch's order."""
    features = layer.kernel[:1]
    weight = "scale" if layer.kind == "norm" else "kernel"
    found: dict[str, tuple[Any, ...]] = {"weight": (layer.kernel, layer, "params", weight)}
    if layer.bias:
        found["bias"] = (features, layer, "params", "bias")
    if layer.kind == "norm":
        found["running_mean"] = (features, layer, "state", "mean")
        found["running_var"] = (features, layer, "state", "var")
        found["num_batches_tracked"] = ((), layer, "", "")
    return {f"{layer.name}.{name}": Entry(*given) for name, given in found.items()}


def state_dict(name: str, sizes: Sizes) -> dict[str, Entry]:
    """Return every array of a network by torch's names, in torch's order."""
    return {key: entry for layer in NETWORKS[name](sizes) for key, entry in entries(layer).items()}
