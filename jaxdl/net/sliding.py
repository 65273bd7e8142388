"""A classifier of windows as one convolution over larger images: its dense layers become convolutions."""

import dataclasses
from typing import Any

import jax
import numpy as np
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.layers import _window
from jaxdl.net import _as_convolution
from jaxdl.net.contract import Net, Tree, require
from jaxdl.net.from_nnx import functional

OP = "as_convolution"


@dataclasses.dataclass(frozen=True)
class SlidingWindows:
    """A classifier that looks at every window of an image at once; see `as_convolution`.

    Attributes:
        net: maps images (batch, height, width, channels) to outputs (batch, rows, columns, classes).
        params: its parameters: those that were given, kernels of dense layers shaped as convolutions.
        state: its running statistics.
        window: height and width of the window in pixels.
        stride: steps of the window in pixels, down and to the right.
    """

    net: Net
    params: Tree
    state: Tree
    window: tuple[int, int]
    stride: tuple[int, int]

    def boxes(self, height: int, width: int) -> np.ndarray:
        """Return the windows (rows, columns, 4) xyxy that the outputs for such images are of."""
        spaces = ((height, self.window[0], self.stride[0]), (width, self.window[1], self.stride[1]))
        y, x = (np.arange(0, side - window + 1, step) for side, window, step in spaces)
        grid = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1).astype(np.float32)
        return np.concatenate([grid, grid + np.asarray(self.window[::-1], np.float32)], -1)


def as_convolution(net: Net, params: Tree, state: Tree, *, window: int | tuple[int, int]) -> SlidingWindows:
    """Turn a classifier of windows into the same network over images of any size.

    The dense layer behind ``Flatten`` becomes a convolution whose window is the whole map that it sees, and
    later ones convolutions of 1x1: on the window itself there is one output, on larger images one every
    `stride` pixels, equal to that of the cropped window up to rounding. The work that windows share is done
    once. A 14-pixel classifier with one pooling by two has 1x1, 2x2, 8x8 outputs on 14, 16, 28 pixels.

    Padding would put zeros around every crop, which the whole image has only at its edge: convolutions and
    pools must have none. The module calls its ``layers`` in turn, as `models.WindowClassifier`,
    `models.LeNet5` on windows of 32, and `flax.nnx.Sequential` do; that nothing else happens in it is
    tried on one window.

    Args:
        net: made by `functional`; its module has ``layers``: Conv, ConnectedConv, MaxPool, AvgPool,
            Activation, BatchNorm, Dropout, PReLU, LocalResponseNorm, GlobalAvgPool, GlobalMaxPool, Flatten
            and Linear.
        params: its trained parameters.
        state: its running statistics.
        window: side of the window in pixels, or (height, width).

    Returns:
        `SlidingWindows`.

    Raises:
        TypeError: `net` is no `Net`.
        DtypeError: `net` is not of a module with layers, or `window` is no whole number.
        ShapeError: the window does not fit the network.
        ValueError: a layer that pads, of another kind, or a module that does more than call its layers.

    Example:
        >>> from jaxdl.models import WindowClassifier, WindowClassifierConfig
        >>> config = WindowClassifierConfig(window=6, width=2, kernel_size=3, units=(4,), num_classes=3)
        >>> net = functional(lambda rngs: WindowClassifier(config, rngs=rngs))
        >>> slid = as_convolution(net, *net.init(jax.random.key(0)), window=6)
        >>> apply, images = slid.net.apply, jax.ShapeDtypeStruct((1, 12, 10, 1), "float32")
        >>> jax.eval_shape(lambda x: apply(slid.params, slid.state, x, train=False)[0], images).shape
        (1, 4, 3, 3)
        >>> slid.boxes(12, 10)[3, 2].tolist()
        [4.0, 6.0, 10.0, 12.0]

    Reference:
        Sermanet et al., OverFeat (2014), section 3.5; Matan, Burges, LeCun and Denker (1992).
    """
    require(OP, net)
    module: Any = net.bind(params, state) if net.bind is not None else None
    if net.bind is None or not hasattr(module, "layers"):
        raise DtypeError(
            explain(OP, "net", got="a network without layers to be seen",
                    expected="one of a module that calls its `layers` in turn",
                    fix="net.functional(lambda rngs: nnx.Sequential(...))")
        )  # fmt: skip
    bind: Any = net.bind
    height, width = _window.sizes(OP, "window", window, 2)
    maps = _as_convolution.follow(list(module.layers), (height, width))

    def make(rngs: nnx.Rngs) -> nnx.Module:
        layers = _as_convolution.converted(list(bind(params, state).layers), maps)
        return FullyConvolutional(layers, (height, width))

    slid = functional(make)
    # The parameters are those of the module, whatever the key.
    new_params, new_state = slid.init(jax.random.key(0))
    _same((net, params, state), (slid, new_params, new_state), (height, width, maps[0].channels))
    return SlidingWindows(slid, new_params, new_state, (height, width), maps[-1].stride)


class FullyConvolutional(nnx.Module):
    """Layers without any that is bound to one size of image.

    Args:
        layers: called in turn.
        window: height and width that the smallest image has.

    Example:
        >>> from jaxdl.layers import MaxPool
        >>> FullyConvolutional([MaxPool((2, 2))], (2, 2))(jax.numpy.ones((1, 6, 4, 1))).shape
        (1, 3, 2, 1)
    """

    def __init__(self, layers: list[nnx.Module], window: tuple[int, int]) -> None:
        self.layers = nnx.List(layers)
        self.window = window

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images (batch, height, width, channels) to (batch, rows, columns, classes)."""
        x = _checks.floating("SlidingWindows", "x", x)
        if x.ndim != 4 or any(side < least for side, least in zip(x.shape[1:3], self.window)):
            raise ShapeError(
                explain("SlidingWindows", "x", got=f"of shape {x.shape}",
                        expected=f"(batch, height, width, channels), at least a window of {self.window}",
                        fix="images no smaller than the window, channels last")
            )  # fmt: skip
        for layer in self.layers:
            x = layer(x)
        return x


def _same(ours: tuple[Net, Tree, Tree], slid: tuple[Net, Tree, Tree], shape: tuple[int, int, int]) -> None:
    """Raise `ValueError` unless both networks agree on a window of noise."""
    noise = jax.random.uniform(jax.random.key(0), (1, *shape))

    def both(first: Any, second: Any) -> tuple[jax.Array, jax.Array]:
        wanted, _ = ours[0].apply(first[0], first[1], noise, train=False)
        found, _ = slid[0].apply(second[0], second[1], noise, train=False)
        return wanted, found

    wanted, found = jax.jit(both)(ours[1:], slid[1:])
    if wanted.size != found.size or not np.allclose(wanted.ravel(), found.ravel(), rtol=1e-3, atol=1e-4):
        raise ValueError(
            explain(OP, "net", got="a module whose outputs are not those of its layers in turn",
                    expected="one that does nothing else: no padding of images, no branches",
                    fix="put everything into layers; LeNet5 needs window=32, as it pads images of 28")
        )  # fmt: skip
