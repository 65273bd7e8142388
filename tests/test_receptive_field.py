"""Receptive fields: the formula, the measurement, and what happens when single pixels are lit."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jaxdl import _influence, net
from jaxdl.kernels import conv
from jaxdl.layers import Activation, AvgPool, Conv, MaxPool
from jaxdl.models import LeNet5
from jaxdl.receptive_field import Layer, ReceptiveField, measure, stack

SHAPE = (15, 12, 1)


def lit(function: Callable[[Any], Any], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last pixel, by axis, at which each output answers to a single lit pixel.

    `function` must rise with its input and give 0 for 0: then nothing cancels, and a maximum hides nothing.
    """
    pixels = int(np.prod(shape[:-1]))
    images = np.eye(pixels, dtype=np.float32).reshape(pixels, *shape[:-1], 1)
    outputs = np.asarray(jax.jit(function)(jnp.asarray(np.broadcast_to(images, (pixels, *shape)))))
    seen = (outputs > 0).reshape(*shape[:-1], *outputs.shape[1:])
    first, last = [], []
    for axis in range(len(shape) - 1):
        along = seen.any(tuple(i for i in range(len(shape) - 1) if i != axis))
        first.append(along.argmax(0))
        last.append(len(along) - 1 - along[::-1].argmax(0))
    return np.stack(first), np.stack(last)


def check(function: Callable[[Any], Any], shape: tuple[int, ...] = SHAPE) -> None:
    # Other formulations multiply by zeros, and round where nothing is.
    with conv.using("xla"):
        reach = _influence.follow(function, shape)[:, 0]
        first, last = lit(function, shape)
    np.testing.assert_array_equal(reach[::2], first)
    np.testing.assert_array_equal(-reach[1::2], last)


class Branches(nnx.Module):
    """A residual block, a strided one with a projection, and branches of three windows side by side."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.inner = nnx.Sequential(
            Conv(1, 2, (3, 3), rngs=rngs), Activation("relu"), Conv(2, 1, (3, 3), rngs=rngs)
        )
        self.strided = Conv(1, 2, (3, 3), strides=2, rngs=rngs)
        self.shortcut = Conv(1, 2, (1, 1), strides=2, rngs=rngs)
        self.windows = nnx.List([Conv(2, 1, (size, size), rngs=rngs) for size in (1, 3, 5)])
        self.joined = Activation("relu")

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.inner(x)
        x = self.shortcut(x) + self.strided(x)
        return self.joined(jnp.concatenate([window(x) for window in self.windows], axis=-1))


def chain(rngs: nnx.Rngs) -> nnx.Module:
    """VGG's beginning, then a stride, a dilation and an overlapping pooling."""
    return nnx.Sequential(
        Conv(1, 2, (3, 3), rngs=rngs), Activation("relu"), Conv(2, 2, (3, 3), rngs=rngs), MaxPool((2, 2)),
        Conv(2, 2, (3, 3), strides=2, padding=((1, 1), (1, 1)), rngs=rngs),
        Conv(2, 2, (3, 1), kernel_dilation=2, padding="VALID", rngs=rngs),
        AvgPool((2, 3), strides=(1, 2), padding=((0, 0), (1, 1))),
    )  # fmt: skip


LAYERS = (
    Layer(3, padding=1), None, Layer(3, padding=1), Layer(2, stride=2), Layer(3, stride=2, padding=1),
    Layer((3, 1), dilation=2), Layer((2, 3), stride=(1, 2), padding=(0, 1)),
)  # fmt: skip


def positive(made: net.Net) -> tuple[Any, Any]:
    params, state = made.init(jax.random.key(0))
    return jax.tree.map(jnp.abs, params), state


def test_stack_equals_the_numbers_of_the_textbook() -> None:
    vgg = [Layer(3, padding=1) if width else Layer(2, stride=2) for width in (1, 1, 0) * 2 + (1, 1, 1, 0) * 3]
    assert stack(vgg).size == (212, 212)
    assert stack(vgg).stride == (32, 32)
    assert stack(vgg[:-1]).size == (196, 196)
    resnet = [Layer(7, 2, 3), Layer(3, 2, 1), *[Layer(3, 1, 1)] * 4]
    for _ in range(3):
        resnet += [Layer(3, 2, 1), *[Layer(3, 1, 1)] * 3]
    assert stack(resnet) == ReceptiveField((435, 435), (32, 32), (-217, -217))
    assert stack([], axes=1) == ReceptiveField((1,), (1,), (0,))
    assert stack([Layer(3, dilation=4)], axes=3).size == (9, 9, 9)


def test_boxes_stick_out_and_are_cropped() -> None:
    field = stack([Layer(5, padding=2), Layer(2, stride=2)])
    assert field.box((0, 13)) == ((-2, 4), (24, 30))
    assert field.crop((0, 13), (28, 28)) == ((0, 4), (24, 28))
    assert field.crop((100, 0), (28, 28)) == ((28, 28), (0, 4))


def test_measured_equals_the_formula_and_the_lit_pixels_in_a_chain() -> None:
    made = net.functional(chain)
    params, state = positive(made)
    names = [f"layers/{index}" for index in range(len(LAYERS))]
    for index, name in enumerate(names):
        fields = measure(made, params, state, (64, 64, 1), layer=name)
        assert fields.field(1) == stack([layer for layer in LAYERS[: index + 1] if layer])
    check(lambda x: made.trace(params, state, x, train=False)[names[-1]].value, (24, 14, 1))


def test_every_box_equals_the_crop_of_the_formula() -> None:
    made = net.functional(lambda rngs: LeNet5.modern(rngs=rngs))
    formula = stack([Layer(5, padding=2), Layer(2, stride=2), Layer(5), Layer(2, stride=2)])
    shapes = jax.eval_shape(made.init, jax.random.key(0))
    fields = measure(made, *shapes, (28, 28, 1), layer="layers/5")
    assert (fields.positions, fields.units) == ((5, 5), 16)
    for position in np.ndindex(5, 5):
        for unit in (0, 15):
            assert fields.box(position, unit) == formula.crop(position, (28, 28))


def test_residual_and_inception_branches_have_fields_of_their_own() -> None:
    made = net.functional(lambda rngs: Branches(rngs=rngs))
    params, state = positive(made)
    fields = measure(made, params, state, (48, 48, 1), layer="joined")
    wide = [Layer(3, padding=1)] * 2
    # SAME puts nothing before the first pixel of an even image where the stride is 2.
    for unit, size in enumerate((1, 3, 5)):
        assert fields.field(unit) == stack([*wide, Layer(3, stride=2), Layer(size, padding=size // 2)])
    check(lambda x: made.apply(params, state, x, train=False)[0])


def test_follows_what_else_a_network_may_do() -> None:
    order, keep = jnp.array([3, 0, 0, 2]), jnp.eye(12)[:, ::3]
    window = jnp.ones((2, 2, 1, 4))

    def body(carry: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
        carry = carry + weight * jnp.pad(carry, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]
        return carry, carry[:, 3]

    functions: dict[str, Callable[[Any], Any]] = {
        "moves": lambda x: jnp.flip(jnp.swapaxes(x[:, ::2, 1:], 1, 2), 1)[:, jnp.newaxis],
        "gather": lambda x: x[:, order],
        "update": lambda x: lax.dynamic_update_slice(x, 2 * x[:, :2], (0, 5, 0, 0)),
        "scan": lambda x: lax.scan(body, x, jnp.ones(3))[0],
        "reverse scan": lambda x: jnp.moveaxis(lax.scan(body, x, jnp.ones(3), reverse=True)[1], 0, 1),
        "split": lambda x: jnp.split(x, 3, axis=1)[1],
        "cumulative": lambda x: jnp.cumsum(x, axis=2),
        "columns": lambda x: jnp.broadcast_to(x.max(1, keepdims=True), x.shape),
        "product": lambda x: jnp.einsum("bhwc,hv->bvwc", x, jnp.ones((15, 3))),
        "transposed": lambda x: lax.conv_transpose(
            x, window, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
        "groups": lambda x: lax.conv_general_dilated(
            jnp.concatenate([x, x[:, ::-1]], -1), window, (2, 1), ((1, 0), (0, 2)), rhs_dilation=(1, 3),
            dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=2,
        ),
        "checkpoint": jax.checkpoint(lambda x: jax.jit(lambda y: y[:, 1:])(x) + jax.nn.relu(x[:, :-1])),
        "branches": lambda x: lax.cond(keep.sum() > 0, lambda y: y[:, :-2], lambda y: y[:, :-2] * 2, x),
    }  # fmt: skip
    for function in functions.values():
        check(function)


def test_positions_that_see_nothing_are_empty() -> None:
    made = net.functional(
        lambda rngs: nnx.Sequential(Conv(1, 1, (1, 1), padding=((2, 0), (0, 0)), rngs=rngs))
    )
    fields = measure(made, *made.init(jax.random.key(0)), (5, 5, 1), layer="layers/0")
    assert [fields.box((row, 1))[0] for row in (0, 1, 2, 6)] == [(0, 0), (0, 0), (0, 1), (4, 5)]


def test_zero_weights_count_as_seeing() -> None:
    made = net.functional(
        lambda rngs: nnx.Sequential(Conv(1, 1, (3, 3), kernel_init=nnx.initializers.zeros, rngs=rngs))
    )
    fields = measure(made, *made.init(jax.random.key(0)), (9, 9, 1), layer="layers/0")
    assert fields.field().size == (3, 3)


def test_says_what_it_cannot_tell() -> None:
    made = net.functional(chain)
    fields = measure(made, *made.init(jax.random.key(0)), (24, 24, 1), layer="layers/6")
    with pytest.raises(ValueError, match=r"cut by the edges everywhere.*larger images"):
        fields.field()

    def trace(params: Any, state: Any, x: Any, **_: Any) -> Any:
        start = jnp.argmax(x[0, :, 0, 0])
        return {"a": net.LayerOutput(lax.dynamic_slice_in_dim(x, start, 2, 1), "a")}

    with pytest.raises(ValueError, match="computes indices from its input"):
        measure(net.Net(made.init, made.apply, trace=trace), {}, {}, (5, 5, 1), layer="a")
