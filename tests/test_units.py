"""What units see: patches against a loop over everything, and saliency against closed forms."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import net, plot, scaling, units
from jaxdl.errors import FormatError, ShapeError
from jaxdl.layers import Activation, Conv, Flatten, Linear, MaxPool

NET = net.functional(
    lambda rngs: nnx.Sequential(
        Conv(1, 3, (3, 3), rngs=rngs), Activation("relu"), MaxPool((2, 2)), Conv(3, 4, (3, 3), rngs=rngs),
        Flatten(), Linear(64, 5, rngs=rngs),
    )
)  # fmt: skip
LAYER, SIZE = "layers/3", 8


@pytest.fixture(scope="module")
def model() -> tuple[Any, Any]:
    return NET.init(jax.random.key(1))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (11, SIZE, SIZE, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def outputs(model: tuple[Any, Any], images: np.ndarray) -> np.ndarray:
    traced = jax.jit(lambda x: NET.trace(*model, x, train=False)[LAYER].value)
    return np.asarray(traced(images.astype(np.float32) / 255))


def find(model: tuple[Any, Any], images: Any, **options: Any) -> units.TopPatches:
    options = {"layer": LAYER, "count": 4, "batch_size": 4, "scaling": scaling.pixels(), **options}
    return units.top_patches(NET, *model, images, **options)


def test_top_patches_are_those_of_a_loop(model: Any, images: np.ndarray, outputs: np.ndarray) -> None:
    found = find(model, images)
    highest = outputs.reshape(len(images), -1, 4).max(1)
    order = np.argsort(-highest, axis=0, kind="stable")[:4].T
    np.testing.assert_array_equal(found.indices, order)
    for row, unit in enumerate(found.units):
        np.testing.assert_allclose(found.activations[row], highest[order[row], unit], rtol=1e-5)
        for rank, image in enumerate(order[row]):
            place = tuple(found.positions[row, rank])
            assert outputs[(image, *place, unit)] == highest[image, unit]
            (top, bottom), (left, right) = found.boxes[row, rank]
            np.testing.assert_array_equal(found.patches[row][rank], images[image, top:bottom, left:right])
    assert found.patches[0][0].dtype == np.uint8


def test_many_patches_of_one_image(model: Any, images: np.ndarray, outputs: np.ndarray) -> None:
    for bound, flat in ((None, outputs), (2, np.sort(outputs.reshape(11, 16, 4), 1)[:, -2:])):
        found = find(model, images, per_image=bound, units=[2], count=9)
        best = np.sort(flat[..., 2].ravel())[::-1][:9]
        np.testing.assert_allclose(found.activations[0], best, rtol=1e-5)
        assert np.bincount(found.indices[0]).max() <= (bound or 9)


def test_nothing_outside_of_a_patch_matters(model: Any, images: np.ndarray) -> None:
    found = find(model, images, units=[1])
    rng = np.random.default_rng(1)
    canvas = rng.uniform(-9, 9, (4, SIZE, SIZE, 1)).astype(np.float32)
    for rank, ((top, bottom), (left, right)) in enumerate(found.boxes[0]):
        canvas[rank, top:bottom, left:right] = found.patches[0][rank] / 255
    traced = jax.jit(lambda x: NET.trace(*model, x, train=False)[LAYER].value)
    again = np.asarray(traced(canvas))
    rows, columns = found.positions[0].T
    np.testing.assert_allclose(again[np.arange(4), rows, columns, 1], found.activations[0], rtol=1e-5)


def test_filling_of_the_last_batch_never_wins(model: Any, images: np.ndarray) -> None:
    whole = find(model, images, count=11, batch_size=100)
    for size in (1, 3, 8):
        found = find(model, images, count=11, batch_size=size)
        np.testing.assert_array_equal(found.indices, whole.indices)
        np.testing.assert_array_equal(np.sort(found.indices), np.tile(np.arange(11), (4, 1)))


def test_outputs_that_are_not_finite_are_named(model: Any) -> None:
    images = np.zeros((5, SIZE, SIZE, 1), np.float32)
    images[3, 2, 2] = np.nan
    with pytest.raises(FormatError, match=r"unit 0 of 'layers/3' gives nan for image 3"):
        find(model, images, scaling=None)


def test_saliency_is_the_gradient_of_the_logit(model: Any) -> None:
    x = jax.random.normal(jax.random.key(2), (3, SIZE, SIZE, 1))
    labels = jnp.array([4, 0, 2])

    def logit(image: jax.Array, label: jax.Array) -> jax.Array:
        return NET.apply(*model, image[None], train=False)[0][0, label]

    slopes = jax.jit(jax.vmap(jax.grad(logit)))(x, labels)

    @jax.jit
    def maps(x: jax.Array) -> Any:
        predicted = NET.apply(*model, x, train=False)[0].argmax(1)
        times = units.saliency(NET, *model, x, target=labels, of="input_times_gradient")
        both = [units.saliency(NET, *model, x, target=target) for target in (predicted, None)]
        return units.saliency(NET, *model, x, target=labels), times, both

    found, times, (given, predicted) = maps(x)
    np.testing.assert_allclose(found, np.abs(slopes).max(-1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(times, np.abs(slopes * x).max(-1), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(given, predicted)


def test_saliency_takes_the_highest_channel_and_smooths() -> None:
    square = net.from_pair(lambda key: {}, lambda params, x: jnp.sum(x**2, axis=(1,)))
    x, key = jnp.array([[[1.0, -3.0], [2.0, 0.0]]]), jax.random.key(0)

    @jax.jit
    def maps(key: jax.Array) -> list[jax.Array]:
        options = ({}, {"samples": 2000, "noise": 0.2, "key": key}, {"samples": 2, "noise": 0.0, "key": key})
        return [units.saliency(square, {}, {}, x, target=1, **given) for given in options]

    plain, smooth, still = maps(key)
    np.testing.assert_allclose(plain, [[6.0, 0.0]])
    np.testing.assert_allclose(still, [[6.0, 0.0]])
    # The slope of a square is linear, so the mean over noise tends to the slope itself.
    np.testing.assert_allclose(smooth, plain, atol=0.15)
    assert float(smooth[0, 1]) > 0
    np.testing.assert_array_equal(smooth, maps(key)[1])
    assert np.abs(smooth - maps(jax.random.key(1))[1]).max() > 0


def test_a_traced_target_out_of_range_is_poisoned() -> None:
    line = net.from_pair(lambda key: {}, lambda params, x: x[:, 0])
    x = jnp.ones((3, 1, 2))
    found = jax.jit(lambda target: units.saliency(line, {}, {}, x, target=target))(jnp.array([0, 2, -1]))
    np.testing.assert_array_equal(np.isnan(found).ravel(), [False, True, True])


def test_pictures(model: Any, images: np.ndarray, tmp_path: Path) -> None:
    found = find(model, images, units=[3, 0], count=5)
    figure = plot.top_patches(found, path=tmp_path / "a.png")
    assert [axes.get_title() for axes in figure.axes] == ["unit 3", "unit 0"]
    mosaic = figure.axes[0].images[0].get_array()
    height, width = (found.boxes[..., 1] - found.boxes[..., 0]).reshape(-1, 2).max(0)
    assert mosaic.shape == (3 * (height + 1) + 1, 3 * (width + 1) + 1, 3)
    low, high = (end([end(p) for row in found.patches for p in row]) for end in (np.min, np.max))
    patch, (top, left) = found.patches[0][0], found.boxes[0, 0, :, 0]
    below = height - patch.shape[0] if top == 0 else 0
    beside = width - patch.shape[1] if left == 0 else 0
    drawn = mosaic[1 + below : 1 + below + patch.shape[0], 1 + beside : 1 + beside + patch.shape[1], 0]
    np.testing.assert_allclose(drawn, (patch[..., 0] - float(low)) / (float(high) - low))
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"

    figure = plot.saliency(images[:3], np.ones((3, SIZE, SIZE)), names=[7, 8, 9])
    assert [axes.get_title() for axes in figure.axes] == ["7", "8", "9", "", "", ""]
    figure = plot.images({"a": np.eye(3), "b": np.ones((3, 3, 3), np.uint8)}, values=True, signed=("a",))
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "0", "0", "0", "1", "0", "0", "0", "1"]
    assert figure.axes[0].images[0].get_clim() == (-1, 1)
    np.testing.assert_allclose(figure.axes[1].images[0].get_array(), 1 / 255)


def test_pictures_that_cannot_be_drawn() -> None:
    with pytest.raises(ShapeError, match="at least one image"):
        plot.images({})
    with pytest.raises(ShapeError, match=r"images\[0\]"):
        plot.images({"a": np.ones((2, 3, 3, 3))})
    for maps in (np.ones((2, 3, 3)), np.ones((1, 3)), np.ones((0, 3, 3))):
        with pytest.raises(ShapeError, match=r"plot.saliency: argument 'maps'"):
            plot.saliency(np.ones((len(maps), 4, 4)), maps)
