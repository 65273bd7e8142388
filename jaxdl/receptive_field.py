"""Which part of the input a unit sees: worked out for a stack of layers, and measured for any network."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdl import _checks, _influence
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.kernels import conv

Box = tuple[tuple[int, int], ...]
Sizes = int | Sequence[int]


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution or a pooling, as far as receptive fields go; one number, or one a spatial axis.

    Attributes:
        kernel: positions under the window.
        stride: step of the window.
        padding: positions put before the first one; those after the last one move no field.
        dilation: distance of the positions under the window.
    """

    kernel: Sizes
    stride: Sizes = 1
    padding: Sizes = 0
    dilation: Sizes = 1


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """The part of the input that a unit sees, by spatial axis, in pixels.

    Unit p along an axis sees the pixels from ``offset + p stride`` to ``offset + p stride + size - 1``.

    Attributes:
        size: pixels along each axis.
        stride: how far the field moves from a unit to the next.
        offset: first pixel that unit 0 sees; negative where padding lets it look over the edge.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: tuple[int, ...]

    def box(self, position: Sequence[int]) -> Box:
        """Return ((start, stop), ...) of the unit at `position`, which may stick out of the image."""
        starts = [o + p * s for o, p, s in zip(self.offset, position, self.stride, strict=True)]
        return tuple((start, start + size) for start, size in zip(starts, self.size))

    def crop(self, position: Sequence[int], shape: Sequence[int]) -> Box:
        """Return what of `box` lies within an image of this (height, width)."""
        box = zip(self.box(position), shape, strict=True)
        return tuple((min(max(start, 0), size), max(min(stop, size), 0)) for (start, stop), size in box)


@dataclasses.dataclass(frozen=True, eq=False)
class Fields:
    """What every unit of a layer sees of images of one size, cut off at the edges of the image.

    Attributes:
        shape: of the images, (space..., channels).
        start: by spatial axis the first pixel of each unit, (positions along the axis, units).
        stop: by spatial axis the pixel behind the last one. A unit that depends on no pixel along the
            axis has its start at its stop.
    """

    shape: tuple[int, ...]
    start: tuple[np.ndarray, ...]
    stop: tuple[np.ndarray, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """Positions of the layer along each spatial axis."""
        return tuple(len(starts) for starts in self.start)

    @property
    def units(self) -> int:
        """Channels of the layer."""
        return int(self.start[0].shape[1])

    def box(self, position: Sequence[int], unit: int = 0) -> Box:
        """Return ((start, stop), ...) of the pixels that a unit at `position` depends on.

        Raises:
            ValueError: a position that the layer does not have.
        """
        for p, start in zip(position, self.start, strict=True):
            if not 0 <= p < len(start):
                raise ValueError(
                    explain("Fields.box", "position", got=tuple(position),
                            expected=f"positions below {tuple(len(s) for s in self.start)}, counted from 0",
                            fix="a position of the layer's output")
                )  # fmt: skip
        sides = zip(self.start, self.stop, position, strict=True)
        return tuple((int(start[p, unit]), int(stop[p, unit])) for start, stop, p in sides)

    def field(self, unit: int = 0) -> ReceptiveField:
        """Return size, stride and offset of a unit, read off the positions that no edge cuts.

        Raises:
            ValueError: at every position an edge cuts the field: the images are too small to tell.
        """
        sides = [_regular(start[:, unit], stop[:, unit]) for start, stop in zip(self.start, self.stop)]
        size, stride, offset = zip(*sides)
        return ReceptiveField(size, stride, offset)


def stack(layers: Sequence[Layer], *, axes: int = 2) -> ReceptiveField:
    """Work out the receptive field of layers on top of each other, from the first one up.

    From r = 1, j = 1, start = 0, a layer of kernel k, stride s, padding p and dilation d makes
    ``r += d (k - 1) j``, ``start -= p j`` and ``j *= s``, with j the stride so far (the jump) and start the
    first pixel of unit 0.

    Args:
        layers: a `Layer` for each convolution and pooling; elementwise layers change nothing.
        axes: number of spatial axes.

    Returns:
        The `ReceptiveField` of the last layer.

    Raises:
        DtypeError: an entry that is no `Layer`, or sizes that are not whole numbers.
        ShapeError: sizes for another number of axes.
        ValueError: a kernel, stride or dilation below 1, a negative padding.

    Example:
        >>> stack([Layer(5), Layer(2, stride=2), Layer(5), Layer(2, stride=2)])
        ReceptiveField(size=(16, 16), stride=(4, 4), offset=(0, 0))

    Reference:
        Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), arXiv:1603.07285.
    """
    axes = _checks.positive_integer("stack", "axes", axes)
    fields = [(1, 1, 0)] * axes
    for layer in layers:
        if not isinstance(layer, Layer):
            raise DtypeError(explain("stack", "layers", got=f"a list with a {type(layer).__name__}",
                                     expected="a list of Layer", fix="Layer(3, stride=2)"))  # fmt: skip
        sizes = zip(*(_by_axis(layer, field.name, axes) for field in dataclasses.fields(Layer)))
        fields = [_next(*field, *size) for field, size in zip(fields, sizes)]
    size, stride, offset = zip(*fields)
    return ReceptiveField(size, stride, offset)


def measure(
    net: Any,
    params: Any,
    state: Any,
    shape: Sequence[int],
    *,
    layer: str,
    hyper: Mapping[str, Any] | None = None,
) -> Fields:
    """Find the pixels that every unit of a layer depends on, whatever the network: branches, skips, dilation.

    The network is traced in evaluation mode, and followed operation by operation: each entry keeps the box
    of the pixels that reach it. No value matters, so weights of 0 and idle ReLUs count as seeing. A box may
    hold pixels that are skipped, such as those between the taps of a dilated kernel.

    Padding lets fields look over the edge of the image: the boxes are cut off there. That is what
    `ReceptiveField.crop` gives, less what no unit depends on: the last pixels that a stride leaves over, and
    those behind the last tap of a dilated kernel that is still inside.

    Args:
        net: a network of `jaxdl.net.functional` or `from_linen`; see `Net.trace`.
        params: its parameters, or their shapes, as ``jax.eval_shape(net.init, key)`` gives them.
        state: its state, or its shapes.
        shape: of one image, (space..., channels), such as (height, width, channels).
        layer: path of the module, as `Net.trace` names it.
        hyper: hyperparameters that the network reads.

    Returns:
        The `Fields`.

    Raises:
        TypeError: a network without a trace.
        DtypeError: sizes that are not whole numbers.
        ShapeError: a layer without spatial axes, or a shape without any.
        ValueError: an unknown layer (the message names those there are), or an operation before it that
            cannot be followed, such as a sort or a while loop.

    Example:
        >>> import jax
        >>> from flax import nnx
        >>> from jaxdl.layers import Conv, MaxPool
        >>> from jaxdl.net import functional
        >>> net = functional(lambda rngs: nnx.Sequential(Conv(1, 2, (3, 3), rngs=rngs), MaxPool((2, 2))))
        >>> fields = measure(net, *net.init(jax.random.key(0)), (8, 8, 1), layer="layers/1")
        >>> fields.field(), fields.box((0, 1))
        (ReceptiveField(size=(4, 4), stride=(2, 2), offset=(-1, -1)), ((0, 3), (1, 5)))
    """
    _traced("measure", net)
    shape = tuple(_checks.positive_integer("measure", "shape", size) for size in shape)
    if len(shape) < 2:
        raise ShapeError(explain("measure", "shape", got=shape, expected="(space..., channels)",
                                 fix="shape=(28, 28, 1)"))  # fmt: skip

    def outputs(x: Any, params: Any, state: Any) -> Any:
        found = net.trace(params, state, x, train=False, hyper=hyper)
        return layer_output("measure", found, layer, len(shape) + 1)

    with conv.using("xla"):  # other formulations multiply by matrices with zeros in them
        reach = _influence.follow(outputs, shape, params, state)
    starts, stops = [], []
    for axis in range(len(shape) - 1):
        others = tuple(i for i in range(1, reach.ndim - 1) if i != axis + 2)
        first, last = reach[2 * axis].min(tuple(i - 1 for i in others)), reach[2 * axis + 1]
        last = -last.min(tuple(i - 1 for i in others))
        seen = first != _influence.NONE
        starts.append(np.where(seen, first, 0))
        stops.append(np.where(seen, last + 1, 0))
    return Fields(shape, tuple(starts), tuple(stops))


def layer_output(op: str, outputs: Mapping[str, Any], layer: Any, rank: int) -> Any:
    """Return the outputs of a layer, or raise unless it is one with a channel axis behind spatial ones.

    Args:
        op: the function to name in the message.
        outputs: what `Net.trace` returned.
        layer: path of the layer.
        rank: axes that it must have: batch, space and channels.

    Returns:
        The array (batch, space..., channels).

    Raises:
        ValueError: there is no such layer; the message names those there are.
        ShapeError: its rank is another one.

    Example:
        >>> from jaxdl.net import LayerOutput
        >>> layer_output("f", {"conv": LayerOutput(np.ones((1, 2, 2, 3)), "Conv")}, "conv", 4).shape
        (1, 2, 2, 3)
    """
    _checks.one_of(op, "layer", layer, tuple(outputs))
    value = outputs[layer].value
    if value.ndim != rank:
        spatial = [path for path, output in outputs.items() if output.value.ndim == rank]
        raise ShapeError(
            explain(op, "layer", got=f"'{layer}', whose outputs have the shape {value.shape}",
                    expected=f"outputs of {rank} axes, (batch, space..., channels)",
                    fix=f"choose one of {', '.join(spatial) or 'another network: this one has none'}")
        )  # fmt: skip
    return value


def _traced(op: str, net: Any) -> None:
    if getattr(net, "trace", None) is None:
        raise TypeError(
            explain(op, "net", got=f"a {type(net).__name__} whose outputs inside cannot be seen",
                    expected="a Net of net.functional or net.from_linen",
                    fix="jaxdl.net.functional(lambda rngs: ...)")
        )  # fmt: skip


def _next(
    size: int, jump: int, start: int, kernel: int, stride: int, padding: int, dilation: int
) -> tuple[int, int, int]:
    return size + dilation * (kernel - 1) * jump, jump * stride, start - padding * jump


def _by_axis(layer: Layer, name: str, axes: int) -> tuple[int, ...]:
    given = getattr(layer, name)
    sizes = tuple(given) if isinstance(given, tuple | list) else (given,) * axes
    if len(sizes) != axes:
        raise ShapeError(explain("stack", name, got=sizes, expected=f"one number, or {axes}",
                                 fix=f"pass axes={len(sizes)} for so many spatial axes"))  # fmt: skip
    least = 0 if name == "padding" else 1
    return tuple(_checks.positive_integer("stack", name, size, least=least) for size in sizes)


def _regular(start: np.ndarray, stop: np.ndarray) -> tuple[int, int, int]:
    """Return size, stride and offset along one axis, of the widest of positions with neighbours like them."""
    steps = np.diff(start)
    even = np.flatnonzero((steps == np.diff(stop)) & (steps > 0))
    if not even.size:
        raise ValueError(
            explain("Fields.field", "shape",
                    got="cut by the edges everywhere, or irregular, as behind a transposed convolution",
                    expected="two neighbours whose fields are alike and a step apart",
                    fix="measure with larger images, or use the boxes")
        )  # fmt: skip
    i = int(even[np.argmax((stop - start)[even])])
    return int(stop[i] - start[i]), int(steps[i]), int(start[i] - i * steps[i])
