"""Features of whole images for detectors: what a backbone is asked for, and how coarse its grid is."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.layers import Activation, BatchNorm, Conv, MaxPool
from jaxdl.models import _configs

# Nothing is computed at this size. Of a smaller image a stride such as 24 could not be told from 23.
PROBED_SIDE = 2048


class Backbone(nnx.Module):
    """Stages of 3x3 convolutions, batch norm and ReLU, with max pooling between two stages.

    Args:
        stages: channels of the convolutions of each stage.
        inputs: channels of the images.
        rngs: the random streams of the constructor.
    """

    def __init__(self, stages: tuple[tuple[int, ...], ...], inputs: int, *, rngs: nnx.Rngs) -> None:
        layers: list[nnx.Module] = []
        for number, stage in enumerate(stages):
            layers += [MaxPool((2, 2))] if number else []
            for width in stage:
                layers += [Conv(inputs, width, (3, 3), use_bias=False, rngs=rngs),
                           BatchNorm(width, rngs=rngs), Activation("relu")]  # fmt: skip
                inputs = width
        self.layers = nnx.List(layers)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images (batch, height, width, channels) to features of a lower resolution."""
        for layer in self.layers:
            x = layer(x)
        return x


def stages(config: Any) -> None:
    """Store the field `stages` as tuples of widths in a tuple, none of them empty, or raise."""
    op, fix = type(config).__name__, "stages=((16,), (32, 32))"
    found = _configs.entries(config, "stages", fix=fix)
    if not found or not all(isinstance(row, tuple | list) and row for row in found):
        raise (ValueError if not found or () in found else DtypeError)(
            explain(op, "stages", got=found, expected="tuples in a tuple, none empty", fix=fix)
        )
    widths = (tuple(_checks.positive_integer(op, "stages", width) for width in row) for row in found)
    object.__setattr__(config, "stages", tuple(widths))


def probed(op: str, backbone: nnx.Module, inputs: int) -> tuple[int, int]:
    """Return the channels of the features and the pixels a cell, without computing any."""
    graph, state = nnx.split(backbone)

    def run(state: Any, x: jax.Array) -> Any:
        merged: Any = nnx.merge(graph, state)
        return merged(x)

    images = jax.ShapeDtypeStruct((2, PROBED_SIDE, PROBED_SIDE, inputs), jnp.float32)
    found = jax.eval_shape(run, state, images)
    if getattr(found, "ndim", 0) != 4:
        raise ShapeError(
            explain(op, "backbone", got=f"a module that gives {found}",
                    expected="features (batch, height, width, channels)",
                    fix="leave out what follows the convolutions")
        )  # fmt: skip
    return int(found.shape[-1]), max(1, round(PROBED_SIDE / max(1, found.shape[1])))


def check_sides(op: str, images: jax.Array, stride: int) -> None:
    """Raise `ShapeError` unless the stride divides both sides of images (batch, height, width, channels)."""
    up = [max(1, -(-side // stride)) * stride for side in images.shape[1:3]]
    if tuple(up) != images.shape[1:3]:
        raise ShapeError(
            explain(op, "x", got=f"of shape {images.shape}",
                    expected=f"sides that are multiples of the backbone's stride, {stride}",
                    fix=f"pad the images to {up[0]} x {up[1]}")
        )  # fmt: skip
