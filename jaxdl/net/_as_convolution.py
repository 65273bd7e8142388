"""Layer by layer: what a window becomes, and what takes the place of layers that see all of it."""

from typing import Any, NamedTuple, NoReturn

from flax import nnx

from jaxdl import layers as kinds
from jaxdl.errors import ShapeError, explain

OP = "as_convolution"
Pair = tuple[int, int]
BY_POSITION = (kinds.Activation, kinds.BatchNorm, kinds.Dropout, kinds.PReLU, kinds.LocalResponseNorm)
CONVOLUTIONS = (kinds.Conv, kinds.ConnectedConv)
POOLS = (kinds.MaxPool, kinds.AvgPool)
GLOBAL = (kinds.GlobalAvgPool, kinds.GlobalMaxPool)
TAKEN = (*CONVOLUTIONS, *POOLS, *GLOBAL, *BY_POSITION, kinds.Flatten, kinds.Linear)


class Map(NamedTuple):
    """What stands between two layers.

    Attributes:
        extent: height and width of the map of a window, None once it is one vector.
        channels: of the map, 0 before the first layer that says so.
        stride: pixels of the image from one position to the next.
        flat: whether it was flattened, and no dense layer has come since.
    """

    extent: Pair | None
    channels: int
    stride: Pair = (1, 1)
    flat: bool = False


def follow(layers: list[Any], window: Pair) -> list[Map]:
    """Follow a window through the layers, or raise at the first that cannot; one map more than layers."""
    first = next((layer for layer in layers if isinstance(layer, (*CONVOLUTIONS, kinds.Linear))), None)
    maps = [Map(window, 0 if first is None else int(first.in_features))]
    for number, layer in enumerate(layers):
        maps.append(_after(f"layers[{number}], {type(layer).__name__},", layer, maps[-1]))
    if first is None or maps[-1].extent is not None:
        _refuse("without a layer that sees the whole window", "Flatten and Linear, or GlobalAvgPool")
    return maps


def converted(layers: list[Any], maps: list[Map]) -> list[nnx.Module]:
    """Return the layers, those that see the whole window as convolutions and pools of that size."""
    made: list[nnx.Module] = []
    for layer, seen in zip(layers, maps):
        if isinstance(layer, kinds.Linear):
            made.append(_convolution(layer, seen.extent if seen.flat and seen.extent else (1, 1)))
        elif isinstance(layer, GLOBAL):
            pool = kinds.AvgPool if isinstance(layer, kinds.GlobalAvgPool) else kinds.MaxPool
            made.append(pool(seen.extent or (1, 1), strides=1))
        elif not isinstance(layer, kinds.Flatten):
            made.append(layer)
    return made


def _convolution(layer: kinds.Linear, extent: Pair) -> kinds.Conv:
    """Return the dense layer as a convolution: rows of its kernel are positions, then channels."""
    inputs, outputs = layer.in_features // (extent[0] * extent[1]), layer.out_features
    conv = kinds.Conv(inputs, outputs, extent, padding="VALID", use_bias=layer.bias is not None,
                      dtype=layer.dtype, param_dtype=layer.param_dtype, rngs=nnx.Rngs(0))  # fmt: skip
    conv.kernel[...] = layer.kernel[...].reshape(*extent, inputs, outputs)
    if layer.bias is not None:
        conv.bias[...] = layer.bias[...]
    return conv


def _after(name: str, layer: Any, seen: Map) -> Map:
    """Return what a layer makes of a map, or raise where it cannot slide."""
    if isinstance(layer, kinds.Flatten):
        return seen._replace(flat=seen.extent is not None)
    if isinstance(layer, kinds.Linear):
        if not seen.flat:
            return seen._replace(channels=layer.out_features)
        _check_features(name, layer, seen)
        return Map(None, layer.out_features, seen.stride)
    if isinstance(layer, GLOBAL):
        return Map(None, seen.channels, seen.stride)
    if isinstance(layer, BY_POSITION):
        if seen.flat and not _elementwise(layer):
            _refuse(f"with {name} between Flatten and Linear", "it before Flatten or behind Linear")
        return seen
    return _slid(name, layer, seen)


def _slid(name: str, layer: Any, seen: Map) -> Map:
    if not isinstance(layer, (*CONVOLUTIONS, *POOLS)):
        _refuse(f"with {name} of a kind that cannot slide", ", ".join(kind.__name__ for kind in TAKEN))
    size, step = _window(layer)
    if seen.flat or seen.extent is None or len(size) != 2:
        _refuse(f"with {name} where there is no image", "two spatial axes, before Flatten")
    _check_padding(name, layer, size)
    extent = tuple((side - window) // by + 1 for side, window, by in zip(seen.extent, size, step))
    if min(extent) < 1:
        raise ShapeError(
            explain(OP, "window", got=f"such that {name} sees {seen.extent}",
                    expected=f"at least {size} there",
                    fix="the size of image that the network was trained on")
        )  # fmt: skip
    channels = seen.channels
    if isinstance(layer, CONVOLUTIONS):
        channels = layer.out_features if isinstance(layer, kinds.Conv) else len(layer.connections)
    stride = (seen.stride[0] * step[0], seen.stride[1] * step[1])
    return Map((extent[0], extent[1]), channels, stride)


def _window(layer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return size and stride of the window of a convolution or pool."""
    if isinstance(layer, POOLS):
        return layer.window_shape, layer.strides
    if isinstance(layer, kinds.ConnectedConv):
        return layer.kernel_size, (1, 1)
    reach = tuple((k - 1) * d + 1 for k, d in zip(layer.kernel_size, layer.kernel_dilation))
    return reach, tuple(layer.strides)


def _check_padding(name: str, layer: Any, size: tuple[int, ...]) -> None:
    padding = getattr(layer, "padding", "VALID")
    none = padding == "VALID" or (padding == "SAME" and set(size) == {1})
    if not isinstance(padding, str):
        none = not any(side for pair in padding for side in pair)
    if not none or getattr(layer, "ceil_mode", False) or getattr(layer, "input_dilation", 1) not in (1, None):
        _refuse(f"with {name} that pads or spreads its input ({padding!r})",
                'padding="VALID": a crop is padded at its edges, where the whole image goes on')  # fmt: skip


def _check_features(name: str, layer: kinds.Linear, seen: Map) -> None:
    assert seen.extent is not None
    height, width = seen.extent
    if layer.in_features != height * width * seen.channels:
        raise ShapeError(
            explain(OP, "window", got=f"such that {name} sees {height} x {width} x {seen.channels} numbers",
                    expected=f"{layer.in_features} there",
                    fix="the size of image that the network was trained on")
        )  # fmt: skip


def _elementwise(layer: Any) -> bool:
    if isinstance(layer, kinds.PReLU):
        return layer.num_features is None
    return isinstance(layer, kinds.Dropout) or getattr(layer, "kind", "softmax") != "softmax"


def _refuse(got: str, expected: str) -> NoReturn:
    raise ValueError(explain(OP, "net", got=f"a network {got}", expected=expected,
                             fix="train a classifier of windows of such layers"))  # fmt: skip
