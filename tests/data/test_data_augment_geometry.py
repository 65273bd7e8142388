"""Resampling against scipy, torch and `np.rot90`: affine maps, elastic distortion, resized crops."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.data import augment
from jaxdl.data.augment import _resample
from jaxdl.data.augment.crop import _scaled
from jaxdl.data.augment.elastic import _smoothed

KEY = jax.random.key(3)
RNG = np.random.default_rng(0)
# What scipy calls the three ways to go on beyond the border.
SCIPY = {"zero": "grid-constant", "reflect": "mirror", "edge": "nearest"}
MODES = pytest.mark.parametrize("mode", SCIPY)
X = RNG.random((2, 9, 12, 3), np.float32)
MOVES = {
    "rotation": {"degrees": 25.0},
    "scale": {"scale": 0.7},
    "shear": {"shear": -20.0},
    "shift": {"rows": 1.25, "columns": -2.5},
    "all": {"degrees": -40.0, "scale": 1.3, "shear": 15.0, "rows": -1.5, "columns": 2.25},
}


def ndimage():
    return pytest.importorskip("scipy.ndimage", reason="SciPy comes with scikit-learn")


@functools.cache
def fixed(mode="zero", **values):
    return augment.affine(mode=mode, **{name: (value, value) for name, value in values.items()})


def forward(degrees=0.0, scale=1.0, shear=0.0, rows=0.0, columns=0.0):
    """Where (row, column) from the centre goes: a matrix and a shift, in float64."""
    angle, slope = math.radians(degrees), math.tan(math.radians(shear))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    slant = np.array([[1.0, 0.0], [slope, 1.0]])
    return scale * turn @ slant, np.array([rows, columns])


@MODES
@pytest.mark.parametrize("channels", [3, 6])
def test_resampling_equals_scipy(mode, channels):
    """Both formulations, far beyond the border."""
    x = RNG.random((2, 7, 9, channels), np.float32)
    rows, columns = (RNG.uniform(-20, 30, (2, 5, 8)).astype(np.float32) for _ in range(2))
    found = jax.jit(lambda *a: _resample.bilinear(*a, mode=mode))(x, rows, columns)
    wanted = [
        [ndimage().map_coordinates(image[..., c], place, order=1, mode=SCIPY[mode]) for c in range(channels)]
        for image, place in zip(x, np.stack([rows, columns], 1).astype(np.float64))
    ]
    np.testing.assert_allclose(found, np.moveaxis(np.array(wanted), 1, -1), atol=3e-6)


@pytest.mark.parametrize(
    ("move", "mode"),
    [
        *((move, "zero") for move in MOVES),
        *(pytest.param("all", mode, marks=pytest.mark.slow) for mode in ("reflect", "edge")),
    ],
)
def test_affine_equals_scipy(move, mode):
    matrix, shift = forward(**MOVES[move])
    inverse, centre = np.linalg.inv(matrix), (np.array(X.shape[1:3]) - 1) / 2
    offset = centre - inverse @ (centre + shift)
    wanted = [
        [
            ndimage().affine_transform(image[..., c], inverse, offset, order=1, mode=SCIPY[mode])
            for c in range(3)
        ]
        for image in X
    ]
    found = fixed(mode, **MOVES[move])(KEY, X)
    np.testing.assert_allclose(found, np.moveaxis(np.array(wanted), 1, -1), atol=1e-5)


@pytest.mark.parametrize("move", MOVES)
def test_affine_equals_torch(move):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; SciPy stands in for it")
    matrix, shift = forward(**MOVES[move])
    inverse = np.linalg.inv(matrix)
    # torch counts (x, y) from -1 to 1 over the outer edges of the pixels.
    half = np.array(X.shape[1:3])[::-1] / 2
    turned = inverse[::-1, ::-1]
    theta = np.concatenate([turned * half / half[:, None], (-(turned @ shift[::-1]) / half)[:, None]], 1)
    grid = torch.nn.functional.affine_grid(
        torch.tensor(theta, dtype=torch.float32).expand(2, 2, 3), (2, 3, *X.shape[1:3]), align_corners=False
    )
    planes = torch.tensor(X.transpose(0, 3, 1, 2))
    wanted = torch.nn.functional.grid_sample(planes, grid, padding_mode="zeros", align_corners=False)
    found = fixed(**MOVES[move])(KEY, X)
    np.testing.assert_allclose(found, wanted.numpy().transpose(0, 2, 3, 1), atol=1e-5)


def test_quarter_turns_are_counter_clockwise():
    square = X[:1, :, :9, 0]
    for turns in (1, 2, 3):
        found = fixed(degrees=90.0 * turns)(KEY, square)
        np.testing.assert_allclose(found, np.rot90(square, turns, (1, 2)), atol=1e-5)


def test_directions():
    """One bright pixel goes where the docstring says."""
    x = np.zeros((1, 9, 9), np.float32)
    x[0, 6, 4] = 1
    for options, place in (
        ({"rows": 1.0, "columns": 2.0}, (7, 6)),
        ({"scale": 2.0}, (8, 4)),
        ({"shear": 45.0}, (6, 6)),
        ({"degrees": 90.0}, (4, 6)),
    ):
        found = np.asarray(fixed(**options)(KEY, x))[0]
        assert np.unravel_index(found.argmax(), found.shape) == place


def test_the_angles_drawn_are_uniform():
    """On a ramp, the pixel 3 above the centre shows the column that it came from: 4 + 3 sin(angle)."""
    ramp = np.broadcast_to(np.arange(9, dtype=np.float32), (2000, 9, 9))
    found = np.asarray(augment.rotation(degrees=(-40.0, 20.0))(KEY, ramp))[:, 1, 4]
    angles = np.degrees(np.arcsin((found - 4) / 3))
    assert -40.01 < angles.min() < -39.5
    assert 19.5 < angles.max() < 20.01
    assert abs(angles.mean() + 10) < 5 * 60 / math.sqrt(12 * 2000)
    assert abs(np.median(angles) + 10) < 5 * 60 / (2 * math.sqrt(2000))


def test_smoothing_equals_scipy():
    noise = RNG.uniform(-1, 1, (2, 20, 28)).astype(np.float32)
    for sigma in (0.8, 4.0):
        wanted = [
            ndimage().gaussian_filter(part.astype(np.float64), sigma, mode="constant") for part in noise
        ]
        np.testing.assert_allclose(_smoothed(jnp.asarray(noise), sigma), wanted, atol=1e-6)


def test_elastic_displaces_as_far_as_it_says():
    """A ramp of slope 1 shows how far each pixel was displaced along it."""
    alpha, sigma, size = 20.0, 3.0, 40
    ramp = np.broadcast_to(np.arange(size, dtype=np.float32), (24, size, size))
    bend = augment.elastic(alpha=(alpha, alpha), sigma=sigma)
    moved = bend(KEY, ramp) - ramp
    inner = np.asarray(moved)[:, 12:-12, 12:-12]
    deviation = alpha / (2 * math.sqrt(3 * math.pi) * sigma)
    assert abs(inner.std() / deviation - 1) < 0.15
    assert abs(inner.mean()) < 0.2 * deviation
    # Neighbours move alike.
    assert np.abs(np.diff(inner, axis=2)).mean() < 0.3 * deviation
    down = augment.elastic(alpha=(alpha, alpha), sigma=sigma)(KEY, ramp.transpose(0, 2, 1))
    assert (
        np.std(np.asarray(down).transpose(0, 2, 1)[:, 12:-12, 12:-12] - ramp[:, 12:-12, 12:-12])
        > 0.5 * deviation
    )


@pytest.mark.parametrize("size", [(5, 6), pytest.param((13, 24), marks=pytest.mark.slow)])
def test_resizing_equals_torch(size):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the ramps below stand in for it")
    whole = augment.random_resized_crop(area=(1, 1), aspect=(12 / 9, 12 / 9), size=size)(KEY, X)
    wanted = torch.nn.functional.interpolate(
        torch.tensor(X.transpose(0, 3, 1, 2)), size=size, mode="bilinear", antialias=True, align_corners=False
    )
    np.testing.assert_allclose(whole, wanted.numpy().transpose(0, 2, 3, 1), atol=1e-5)


def test_resized_crops_cover_what_they_say():
    """On a ramp a crop is a ramp again: its slope is the side of the rectangle, its start the place."""
    rows, columns = np.meshgrid(np.arange(24.0), np.arange(36.0), indexing="ij")
    ramps = np.broadcast_to(np.stack([rows, columns], -1).astype(np.float32), (1500, 24, 36, 2))
    found = np.asarray(augment.random_resized_crop(area=(0.2, 0.6), aspect=(0.5, 2.0))(KEY, ramps))
    # From two inner pixels, which nothing beyond the border touches.
    height = (found[:, 16, 18, 0] - found[:, 8, 18, 0]) / 8 * 24
    width = (found[:, 12, 24, 1] - found[:, 12, 12, 1]) / 12 * 36
    top = found[:, 8, 18, 0] + 0.5 - height * 8.5 / 24
    left = found[:, 12, 12, 1] + 0.5 - width * 12.5 / 36
    assert (top > -1e-3).all()
    assert (left > -1e-3).all()
    assert (top + height < 24 + 1e-3).all()
    assert (left + width < 36 + 1e-3).all()
    area, free = height * width / (24 * 36), height < 23.99
    assert 0.19 < area.min() < 0.21
    assert 0.59 < area[free].max() < 0.61
    assert abs(area.mean() - 0.4) < 0.03
    assert 0.49 < (width / height).min() < 0.55
    assert abs((top[free] / (24 - height[free])).mean() - 0.5) < 0.04


def test_a_box_is_read_where_it_is():
    image = RNG.random((8, 8, 1), np.float32)
    found = jax.jit(_scaled, static_argnums=3)(image, jnp.array([2.0, 3.0]), jnp.array([4.0, 2.0]), (4, 2))
    np.testing.assert_allclose(found, image[2:6, 3:5], atol=1e-6)


def test_gradients_flow_through():
    """Style transfer and saliency differentiate by the image: resampling is linear in it."""
    turn = augment.rotation(degrees=(30, 30))
    weights = RNG.random(X.shape, np.float32)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(turn(KEY, x) * weights)))(X)
    np.testing.assert_allclose(jnp.vdot(gradient, X), jnp.vdot(turn(KEY, X), weights), rtol=1e-4)
