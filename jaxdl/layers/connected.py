"""A convolution whose outputs see only some of the inputs, by a table."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.kernels.conv import conv_general_dilated


class ConnectedConv(nnx.Module):
    """Convolution (VALID, stride 1) in which output o is connected with the inputs of row o of a table.

    It has one window of weights for each connection, and no others: they are laid into a kernel of all
    pairs, zero where there is no connection.

    Args:
        in_features: channels of the input.
        connections: for each output channel, the numbers of its input channels.
        kernel_size: (height, width) of the window.
        rngs: the random streams of the constructor. Weights are ``U(-2.4 / n, 2.4 / n)``, n the inputs of
            the output, and biases 0.

    Raises:
        ValueError: an output without inputs, or an input that is not there or named twice.
        ShapeError: an input of another shape than (batch, height, width, in), or smaller than the window.

    Example:
        >>> layer = ConnectedConv(3, ((0, 1), (2,)), (5, 5), rngs=nnx.Rngs(0))
        >>> layer.kernel.shape, layer(jnp.ones((1, 14, 14, 3))).shape
        ((5, 5, 3), (1, 10, 10, 2))

    Reference:
        LeCun, Bottou, Bengio and Haffner (1998), table I.
    """

    def __init__(
        self,
        in_features: int,
        connections: Sequence[Sequence[int]],
        kernel_size: Sequence[int],
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.in_features = _checks.positive_integer("ConnectedConv", "in_features", in_features)
        self.connections = tuple(tuple(inputs) for inputs in connections)
        _check(self.connections, self.in_features)
        self.kernel_size = tuple(kernel_size)
        area = self.kernel_size[0] * self.kernel_size[1]
        limits = [2.4 / (area * len(inputs)) for inputs in self.connections for _ in inputs]
        shape = (*self.kernel_size, len(limits))
        drawn = jax.random.uniform(rngs.params(), shape, minval=-1.0, maxval=1.0)
        self.kernel = nnx.Param(drawn * jnp.asarray(limits, drawn.dtype).reshape(1, 1, -1))
        self.bias = nnx.Param(jnp.zeros(len(self.connections)))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `x` (batch, height, width, in) to (batch, height - window + 1, ..., outputs)."""
        x = _checks.floating("ConnectedConv", "x", x)
        small = x.ndim != 4 or any(a < b for a, b in zip(x.shape[1:3], self.kernel_size))
        if small or x.shape[-1] != self.in_features:
            raise ShapeError(
                explain("ConnectedConv", "x", got=f"of shape {x.shape}",
                        expected=f"(batch, height, width, {self.in_features}), at least {self.kernel_size}",
                        fix="channels last, images no smaller than the window")
            )  # fmt: skip
        numbers = ("NHWC", "HWIO", "NHWC")
        y = conv_general_dilated(x, self._whole(), (1, 1), "VALID", dimension_numbers=numbers)
        return y + self.bias[...].reshape(1, 1, 1, -1)

    def _whole(self) -> jax.Array:
        """Return the kernel of all pairs, (height, width, in, out)."""
        kernel = self.kernel[...]
        # A gather, as the transpose of a product with a 0-1 matrix would count as arithmetic of the layer.
        padded = jnp.pad(kernel, ((0, 0), (0, 0), (0, 1)))
        return padded[:, :, _places(self.connections, self.in_features)]


def _places(connections: tuple[tuple[int, ...], ...], count: int) -> np.ndarray:
    """Return for each pair (in, out) the number of its connection; one past the last where there is none."""
    total = sum(map(len, connections))
    places = np.full((count, len(connections)), total)
    number = 0
    for output, inputs in enumerate(connections):
        places[list(inputs), output] = range(number, number + len(inputs))
        number += len(inputs)
    return places


def _check(connections: tuple[tuple[Any, ...], ...], count: int) -> None:
    for inputs in connections or ((),):
        known = all(isinstance(i, int) and 0 <= i < count for i in inputs)
        if not (inputs and known and len(set(inputs)) == len(inputs)):
            raise ValueError(
                explain("ConnectedConv", "connections", got=f"a table with the row {inputs}",
                        expected=f"for each output at least one of the inputs 0 to {count - 1}, none twice",
                        fix="connections=((0, 1), (1, 2))")
            )  # fmt: skip
