"""Colours against `colorsys` and closed forms; mixtures of images and targets; digits on backgrounds."""

import colorsys
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.data import augment
from jaxdl.data.augment.colour import _turned_hue

KEY = jax.random.key(5)
RNG = np.random.default_rng(0)
X = RNG.random((3, 4, 5, 3), np.float32)
SAME = {**dict.fromkeys(("brightness", "contrast", "saturation"), (1, 1)), "hue": (0, 0)}
GREY = np.array([0.299, 0.587, 0.114])


@functools.cache
def only(**values):
    return augment.colour_distortion(**SAME | {name: (value, value) for name, value in values.items()})


def grey(x):
    return (x.astype(np.float64) @ GREY)[..., None]


@pytest.mark.parametrize("turns", [-0.2, 1 / 3, 0.5])
def test_hue_equals_colorsys(turns):
    def turned(pixel):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value)

    corners = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], np.float32)
    pixels = np.concatenate([X.reshape(-1, 3), corners, corners * 0.5])
    wanted = [turned(map(float, pixel)) for pixel in pixels]
    found = only(hue=turns)(KEY, pixels.reshape(1, 1, -1, 3))
    np.testing.assert_allclose(found.reshape(-1, 3), wanted, atol=2e-6)


def test_hue_and_saturation_are_the_same_on_any_scale():
    function = only(hue=0.2, saturation=0.5, contrast=1.5)
    found = (function(KEY, X * 4 - 2) + 2) / 4
    np.testing.assert_allclose(found, function(KEY, X), atol=2e-6)


def test_closed_forms():
    np.testing.assert_allclose(only(brightness=0.5)(KEY, X), 0.5 * X, atol=1e-7)
    saturated = 1.5 * X - 0.5 * grey(X)
    np.testing.assert_allclose(only(saturation=1.5)(KEY, X), saturated, atol=2e-6)
    mean = grey(X).mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(only(contrast=0.3)(KEY, X), 0.3 * X + 0.7 * mean, atol=2e-6)
    np.testing.assert_allclose(only(saturation=0.0)(KEY, X), np.broadcast_to(grey(X), X.shape), atol=2e-6)
    limited = augment.colour_distortion(**SAME | {"brightness": (3, 3), "limits": (0, 1)})(KEY, X)
    np.testing.assert_allclose(limited, np.clip(3 * X, 0, 1), atol=1e-6)


def test_grey_images_take_brightness_and_contrast():
    function = augment.colour_distortion(**SAME | {"brightness": (2, 2), "contrast": (0.5, 0.5)})
    x = X[..., 0]
    wanted = x + x.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(function(KEY, x), wanted, atol=2e-6)


def test_factors_drawn_fill_their_range():
    x = np.ones((2000, 1, 1, 3), np.float32)
    found = np.asarray(augment.colour_distortion(**SAME | {"brightness": (0.5, 1.5)})(KEY, x))[:, 0, 0, 0]
    assert 0.5 <= found.min() < 0.51
    assert 1.49 < found.max() <= 1.5
    assert abs(found.mean() - 1) < 0.03


def test_hue_of_grey_and_gradient_are_finite():
    flat = jnp.full((1, 1, 1, 3), 0.25)
    np.testing.assert_array_equal(only(hue=0.3)(KEY, flat), flat)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(_turned_hue(x, jnp.full((1, 1, 1, 1), 0.3)))))(flat)
    assert np.isfinite(gradient).all()


def test_pca_noise_has_the_covariance_of_the_paper():
    mixing = np.array([[1.0, 0.2, 0.0], [0.5, 0.7, 0.1], [0.4, 0.3, 0.3]])
    pixels = RNG.normal(size=(4000, 3)) @ mixing
    eigenvalues, vectors = np.linalg.eigh(np.cov(pixels.T))
    x = np.zeros((20_000, 1, 1, 3), np.float32)
    added = np.asarray(augment.pca_noise(pixels, deviation=0.1)(KEY, x))[:, 0, 0]
    wanted = 0.01 * vectors @ np.diag(eigenvalues**2) @ vectors.T
    np.testing.assert_allclose(np.cov(added.T), wanted, atol=0.03 * wanted.max())
    assert np.abs(added.mean(0)).max() < 5 * np.sqrt(wanted.max() / 20_000)
    image = augment.pca_noise(pixels)(KEY, X) - X
    np.testing.assert_allclose(image, np.broadcast_to(image[:, :1, :1], X.shape), atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, pytest.param(0.4, marks=pytest.mark.slow)])
def test_mixup_blends_images_as_targets(alpha):
    x, codes = np.eye(600, dtype=np.float32).reshape(600, 20, 30), np.eye(600, dtype=np.float32)
    mixed, shares = jax.jit(augment.mixup, static_argnames="alpha")(KEY, x, codes, alpha=alpha)
    np.testing.assert_allclose(mixed.reshape(600, 600), shares, atol=1e-6)
    np.testing.assert_allclose(np.sum(shares, 1), 1, atol=1e-6)
    own = np.diag(shares)
    # Beta(a, a) has the variance 1 / (4 (2 a + 1)).
    assert abs(own.mean() - 0.5) < 5 * np.sqrt(1 / (4 * (2 * alpha + 1) * 600))
    assert abs(own.var() * 4 * (2 * alpha + 1) - 1) < 0.2


def test_cutmix_pastes_a_rectangle_and_shares_by_area():
    values = np.arange(300, dtype=np.float32)
    x = np.broadcast_to(values[:, None, None, None], (300, 10, 20, 2))
    mixed, shares = jax.jit(augment.cutmix)(KEY, x, np.eye(300, dtype=np.float32))
    mixed, shares = np.asarray(mixed), np.asarray(shares)
    pasted = (mixed != x).all(-1)
    own, other = np.diag(shares), (shares - np.diag(np.diag(shares))).argmax(1)
    changed = pasted.any((1, 2))
    np.testing.assert_allclose(1 - own[changed], pasted[changed].mean((1, 2)), atol=1e-6)
    np.testing.assert_array_equal(mixed[pasted][:, 0], np.repeat(other, pasted.sum((1, 2))))
    box = pasted.any(2)[:, :, None] & pasted.any(1)[:, None, :]
    np.testing.assert_array_equal(pasted, box)
    assert 0.6 < own.mean() < 0.8  # half, and what was lost outside


def test_digits_on_backgrounds():
    backgrounds = np.zeros((3, 6, 7, 3), np.float32)
    backgrounds += np.arange(3, dtype=np.float32)[:, None, None, None] / 10
    backgrounds[..., 1] += np.arange(7, dtype=np.float32) / 1000
    digits = np.zeros((900, 4, 4), np.float32)
    digits[:, 1, 2] = 1
    found = np.asarray(jax.jit(augment.on_backgrounds)(KEY, digits, backgrounds))
    assert found.shape == (900, 4, 4, 3)
    which, column = np.round(found[:, 0, 0, 0] * 10), np.round((found[:, 0, 0, 1] - found[:, 0, 0, 0]) * 1000)
    assert np.bincount(which.astype(int)).min() > 240
    assert np.bincount(column.astype(int)).tolist() == pytest.approx([225] * 4, abs=65)
    np.testing.assert_allclose(found[:, 1, 2, 0], np.abs(found[:, 0, 0, 0] - 1), atol=1e-6)
    over = jax.jit(augment.on_backgrounds, static_argnames=("blend", "ink"))(
        KEY, digits[..., None], backgrounds, blend="over", ink=0.8
    )
    np.testing.assert_allclose(over[:, 1, 2], 0.8, atol=1e-6)
    np.testing.assert_allclose(over[:, 0], found[:, 0], atol=1e-6)
