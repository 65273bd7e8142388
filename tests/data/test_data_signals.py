"""Waveforms and volumes that are drawn: their power, shape and turns, their keys, what they refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.data import WAVEFORMS, volumes, waveforms
from jaxdl.errors import DtypeError, ShapeError

KEY = jax.random.key(3)


def test_waves_have_one_power_and_the_shape_of_their_name() -> None:
    signals, labels = waveforms(KEY, 400, length=256, noise=0.0)
    assert signals.shape == (400, 256, 1)
    assert labels.dtype == jnp.int32
    curves, kinds = np.asarray(signals[..., 0], np.float64), np.asarray(labels)
    assert (np.bincount(kinds, minlength=4) > 70).all()
    peaks = np.abs(curves).max(1)
    # Peak over root mean square: 1 of a square, sqrt(2) of a sine, sqrt(3) of sawtooth and triangle.
    ratios = peaks / np.sqrt((curves**2).mean(1))
    for name, ratio in (("square", 1), ("sine", 2), ("sawtooth", 3), ("triangle", 3)):
        assert np.median(ratios[kinds == WAVEFORMS.index(name)]) == pytest.approx(ratio**0.5, rel=0.05)
    sizes = peaks[kinds == WAVEFORMS.index("square")]
    assert 0.7 <= sizes.min() < 0.8
    assert 1.3 < sizes.max() <= 1.4
    jumps = np.abs(np.diff(curves, axis=1)).max(1)
    assert (jumps[kinds == WAVEFORMS.index("sawtooth")] > 2.2).all()
    assert (jumps[kinds == WAVEFORMS.index("triangle")] < 0.7).all()
    spectrum = np.abs(np.fft.rfft(curves)) ** 2
    cycles = spectrum[:, 1:].argmax(1) + 1
    assert cycles.min() == 2
    assert cycles.max() == 8


def test_noise_is_added_and_keys_decide() -> None:
    clean, labels = waveforms(KEY, 400, length=256, noise=0.0)
    noisy, again = waveforms(KEY, 400, length=256, noise=0.5)
    np.testing.assert_array_equal(labels, again)
    assert float((noisy - clean).std()) == pytest.approx(0.5, rel=0.01)
    np.testing.assert_array_equal(waveforms(KEY, 400, length=256, noise=0.5)[0], noisy)
    assert not np.array_equal(waveforms(jax.random.key(4), 400, length=256, noise=0.5)[1], labels)


def letter() -> np.ndarray:
    """Return an image with a bright corner: no two of its turns are alike."""
    image = np.zeros((6, 6), np.float32)
    image[:, 1] = 0.5
    image[1, 1:5] = 1.0
    return image


def test_a_solid_that_is_not_turned_is_the_image_at_every_depth() -> None:
    solid = np.asarray(volumes(KEY, jnp.asarray(letter())[None], size=6, thickness=1.0, angle=0.0, noise=0.0))
    assert solid.shape == (1, 6, 6, 6, 1)
    for depth in range(6):
        np.testing.assert_allclose(solid[0, depth, :, :, 0], letter(), atol=1e-6)


def solids(axis: str) -> np.ndarray:
    images = jnp.tile(jnp.asarray(letter())[None], (40, 1, 1))
    return np.asarray(volumes(KEY, images, size=12, axis=axis, angle=180.0, noise=0.0))[..., 0]


@pytest.mark.parametrize(("axis", "place"), [("depth", 0), ("height", 1), ("width", 2)])
def test_turns_keep_what_is_summed_along_their_axis(axis: str, place: int) -> None:
    made = solids(axis)
    # Ink is neither made nor lost but at the corners, and each slice across the axis keeps its own.
    across = tuple(i + 1 for i in range(3) if i != place)
    slices = made.sum(across)
    spread = slices.std(0) / slices.mean()
    assert spread.max() < 0.15
    assert np.abs(made - made[:1]).max() > 0.5


def test_volumes_have_noise_and_follow_their_key() -> None:
    blank = volumes(KEY, jnp.zeros((3, 4, 4)), size=12, noise=0.2)
    assert float(blank.std()) == pytest.approx(0.2, rel=0.03)
    images = jnp.asarray(letter())[None]
    np.testing.assert_array_equal(volumes(KEY, images), volumes(KEY, images))
    assert not np.array_equal(volumes(KEY, images, noise=0.0), volumes(jax.random.key(9), images, noise=0.0))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((0, 4), {}, DtypeError, "a typed PRNG key"),
        ((KEY, 0), {}, ValueError, "'count' is 0"),
        ((KEY, 2.5), {}, DtypeError, "a whole number"),
        ((KEY, 4), {"noise": -1.0}, ValueError, r"\[0, inf\)"),
        ((KEY, 4), {"highest": 40.0}, ValueError, "a quarter of the length"),
        ((KEY, 4), {"lowest": 8.0}, ValueError, "above lowest=8.0"),
    ],
)
def test_waveforms_refuse(arguments: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        waveforms(*arguments, **options)


IMAGES = jnp.zeros((2, 4, 4))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((0, IMAGES), {}, DtypeError, "a typed PRNG key"),
        ((KEY, IMAGES.astype(jnp.uint8)), {}, DtypeError, "floating"),
        ((KEY, IMAGES[..., None]), {}, ShapeError, "drops the channel"),
        ((KEY, IMAGES[:, :3]), {}, ShapeError, "square"),
        ((KEY, IMAGES), {"size": 1}, ValueError, "at least 2"),
        ((KEY, IMAGES), {"thickness": 0.0}, ValueError, r"\(0, 1\]"),
        ((KEY, IMAGES), {"axis": "x"}, ValueError, "'depth', 'height', 'width'"),
        ((KEY, IMAGES), {"angle": 200.0}, ValueError, "180"),
        ((KEY, IMAGES), {"noise": -0.1}, ValueError, "noise"),
    ],
)
def test_volumes_refuse(arguments: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        volumes(*arguments, **options)
