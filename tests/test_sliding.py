"""A classifier of windows as one convolution equals cropping and classifying every window."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import layers, models, net, plot
from jaxdl.errors import DtypeError, ShapeError

SMALL = models.WindowClassifierConfig(width=3, units=(7, 6))


def classifier(config: Any = SMALL) -> net.Net:
    return net.functional(lambda rngs: models.WindowClassifier(config, rngs=rngs))


def sequence(*make: Any) -> net.Net:
    return net.functional(lambda rngs: nnx.Sequential(*(one(rngs) for one in make)))


def cropped(whole: net.SlidingWindows, net_: net.Net, trees: Any, images: np.ndarray) -> np.ndarray:
    """Crop every window, and classify all of them as one batch."""
    boxes = whole.boxes(*images.shape[1:3]).astype(int)
    crops = [images[:, y1:y2, x1:x2] for x1, y1, x2, y2 in boxes.reshape(-1, 4)]
    outputs, _ = jax.jit(lambda x: net_.apply(*trees, x, train=False))(np.concatenate(crops))
    rows = np.asarray(outputs).reshape(len(crops), len(images), -1)
    return np.moveaxis(rows, 0, 1).reshape(len(images), *boxes.shape[:2], -1)


@pytest.fixture(scope="module")
def slid() -> tuple[net.SlidingWindows, net.Net, Any]:
    small = classifier()
    params, state = small.init(jax.random.key(1))
    # Biases away from 0, so that they are seen.
    params = jax.tree.map(lambda x: x + 0.01, params)
    return net.as_convolution(small, params, state, window=14), small, (params, state)


@pytest.mark.parametrize(("side", "outputs"), [(14, 1), (16, 2), (28, 8)])
def test_fourteen_pixels_by_one_two_and_eight(slid: Any, side: int, outputs: int) -> None:
    whole, small, trees = slid
    images = np.random.default_rng(side).random((2, side, side, 1), np.float32)
    found = jax.jit(lambda x: whole.net.apply(whole.params, whole.state, x, train=False)[0])(images)
    assert found.shape == (2, outputs, outputs, 4)
    assert whole.stride == (2, 2)
    np.testing.assert_allclose(found, cropped(whole, small, trees, images), rtol=0, atol=1e-5)


def test_dense_kernels_are_kernels_of_convolutions(slid: Any) -> None:
    whole, _, (params, _) = slid
    shapes = [leaf.shape for leaf in jax.tree.leaves(whole.params) if leaf.ndim > 1]
    assert shapes == [(5, 5, 1, 3), (5, 5, 3, 7), (1, 1, 7, 6), (1, 1, 6, 4)]
    count = [sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in (params, whole.params)]
    assert count[0] == count[1]
    again, _ = whole.net.init(jax.random.key(5))
    jax.tree.map(np.testing.assert_array_equal, again, whole.params)


def test_boxes_say_what_each_output_saw(slid: Any) -> None:
    boxes = slid[0].boxes(17, 20)
    assert boxes.shape == (2, 4, 4)
    assert boxes[1, 3].tolist() == [6, 2, 20, 16]


def test_every_layer_that_slides() -> None:
    """Batch norm by its running statistics, response norm, dropout off, dilation, a stride of 3 in all."""
    many = sequence(
        lambda rngs: layers.Conv(2, 4, (2, 3), padding="VALID", kernel_dilation=(2, 1), rngs=rngs),
        lambda rngs: layers.BatchNorm(4, rngs=rngs),
        lambda rngs: layers.PReLU(4, rngs=rngs),
        lambda rngs: layers.LocalResponseNorm(3, alpha=0.5),
        lambda rngs: layers.MaxPool((2, 2), strides=1),
        lambda rngs: layers.ConnectedConv(4, ((0, 1), (2, 3), (0, 3)), (2, 2), rngs=rngs),
        lambda rngs: layers.AvgPool((3, 2), strides=(3, 1)),
        lambda rngs: layers.Linear(3, 3, rngs=rngs),
        lambda rngs: layers.Flatten(),
        lambda rngs: layers.Dropout(0.5, rngs=rngs),
        lambda rngs: layers.Activation("tanh"),
        lambda rngs: layers.Linear(2 * 3 * 3, 3, use_bias=False, rngs=rngs),
        lambda rngs: layers.BatchNorm(3, rngs=rngs),
        lambda rngs: layers.Activation("softmax"),
    )
    params, state = many.init(jax.random.key(2))
    state = jax.tree.map(lambda x: x + 0.3 if x.dtype == jnp.float32 else x, state)
    whole = net.as_convolution(many, params, state, window=(10, 8))
    assert whole.stride == (3, 1)
    images = np.random.default_rng(0).normal(size=(2, 17, 11, 2)).astype(np.float32)
    found, _ = jax.jit(lambda x: whole.net.apply(whole.params, whole.state, x, train=False))(images)
    assert found.shape == (2, 3, 4, 3)
    np.testing.assert_allclose(found, cropped(whole, many, (params, state), images), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [layers.GlobalAvgPool, layers.GlobalMaxPool])
def test_pools_of_the_whole_window(kind: Any) -> None:
    pooled = sequence(
        lambda rngs: layers.Conv(1, 3, (3, 3), padding=((0, 0), (0, 0)), strides=2, rngs=rngs),
        lambda rngs: kind(),
    )
    trees = pooled.init(jax.random.key(0))
    whole = net.as_convolution(pooled, *trees, window=7)
    images = np.random.default_rng(0).normal(size=(1, 11, 9, 1)).astype(np.float32)
    found, _ = whole.net.apply(whole.params, whole.state, jnp.asarray(images), train=False)
    np.testing.assert_allclose(found, cropped(whole, pooled, trees, images), rtol=0, atol=1e-5)


def test_a_lenet_slides_by_windows_of_32_and_not_where_it_pads() -> None:
    lenet = net.functional(lambda rngs: models.LeNet5.modern(rngs=rngs))
    trees = lenet.init(jax.random.key(0))
    whole = net.as_convolution(lenet, *trees, window=32)
    images = jax.ShapeDtypeStruct((1, 40, 32, 1), jnp.float32)
    outputs = jax.eval_shape(lambda x: whole.net.apply(whole.params, whole.state, x, train=False)[0], images)
    assert outputs.shape == (1, 3, 1, 10)
    with pytest.raises(
        ShapeError, match=r"'window' is such that .*Linear, sees 4 x 4 x 16 numbers; expected 400"
    ):
        net.as_convolution(lenet, *trees, window=28)


def conv(**options: Any) -> Any:
    return lambda rngs: layers.Conv(1, 2, (3, 3), rngs=rngs, **({"padding": "VALID"} | options))


def head(size: int) -> tuple[Any, Any]:
    return lambda rngs: layers.Flatten(), lambda rngs: layers.Linear(size, 2, rngs=rngs)


@pytest.mark.parametrize(
    ("made", "window", "error", "words"),
    [
        ((conv(padding="SAME"), *head(72)), 6, ValueError, "pads or spreads its input .'SAME'"),
        ((conv(padding=((1, 1), (0, 0))), *head(48)), 6, ValueError, "pads or spreads"),
        ((conv(input_dilation=2), *head(8)), 6, ValueError, "pads or spreads"),
        ((conv(), lambda rngs: layers.MaxPool((2, 2), ceil_mode=True), *head(8)), 6, ValueError, "pads or"),
        ((conv(), lambda rngs: layers.Subsample(2, rngs=rngs), *head(8)), 6, ValueError, "of a kind that"),
        ((conv(), head(32)[0], lambda rngs: layers.Activation("softmax"), head(32)[1]), 6, ValueError,
         "between Flatten and Linear"),
        ((conv(), head(32)[0], lambda rngs: layers.BatchNorm(32, rngs=rngs), head(32)[1]), 6, ValueError,
         "between Flatten and Linear"),
        ((conv(),), 6, ValueError, "without a layer that sees the whole window"),
        ((lambda rngs: layers.GlobalAvgPool(),), 6, ValueError, "without a layer that sees the whole"),
        ((conv(), *head(32)), 7, ShapeError, "sees 5 x 5 x 2 numbers; expected 32"),
        ((conv(), *head(32)), 2, ShapeError, r"sees \(2, 2\); expected at least \(3, 3\)"),
        ((conv(), *head(32)), 6.5, DtypeError, "'window' is 6.5"),
        ((conv(), *head(32)), (6, 6, 6), ShapeError, "2 whole numbers"),
        ((conv(), *head(32), conv()), 6, ValueError, "where there is no image"),
    ],
)  # fmt: skip
def test_what_cannot_slide_is_named(made: Any, window: Any, error: type[Exception], words: str) -> None:
    some = sequence(*made)
    shaped = jax.eval_shape(some.init, jax.random.key(0))
    trees = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shaped)
    with pytest.raises(error, match=words):
        net.as_convolution(some, *trees, window=window)


class Negative(nnx.Module):
    """A module that does more than its layers."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List(
            [layers.Conv(1, 2, (3, 3), padding="VALID", rngs=rngs), layers.GlobalAvgPool()]
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers:
            x = layer(x)
        return -x


def test_a_module_that_does_more_than_its_layers_is_found_out() -> None:
    negative = net.functional(lambda rngs: Negative(rngs=rngs))
    with pytest.raises(ValueError, match="outputs are not those of its layers in turn"):
        net.as_convolution(negative, *negative.init(jax.random.key(0)), window=5)


def test_other_networks_and_small_images(slid: Any) -> None:
    pair = net.from_pair(lambda key: {}, lambda params, x: x)
    with pytest.raises(DtypeError, match="without layers to be seen"):
        net.as_convolution(pair, {}, {}, window=14)
    with pytest.raises(TypeError, match=r"a jaxdl\.net\.Net"):
        net.as_convolution(None, {}, {}, window=14)  # type: ignore[arg-type]
    whole = slid[0]
    with pytest.raises(ShapeError, match="at least a window of"):
        whole.net.apply(whole.params, whole.state, jnp.zeros((1, 13, 20, 1)), train=False)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"window": 5}, ValueError, "at least 6"),
        ({"units": 400}, DtypeError, r"units=\(400,\)"),
        ({"num_classes": 0}, ValueError, "'num_classes' is 0"),
    ],
)
def test_bad_configs(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        models.WindowClassifierConfig(**change)


def test_heat_of_other_windows_is_not_drawn(slid: Any) -> None:
    image, windows = np.zeros((20, 18), np.uint8), slid[0].boxes(20, 18)
    with pytest.raises(ShapeError, match=r"expected \(rows, columns\) with windows"):
        plot.sliding_windows(image, np.zeros((3, 3)), windows)
    figure = plot.sliding_windows(image, np.zeros((4, 3)), windows)
    # The heat of the first window is drawn around its centre, pixel 7, as far as the next window's.
    assert figure.axes[1].images[1].get_extent() == [6, 12, 14, 6]
