"""What every augmentation keeps to: shapes, bits, identity, chances; and the trainer that compiles it in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxdl
from jaxdl import losses, optim, train
from jaxdl.data import augment
from jaxdl.models import MLP, MLPConfig

KEY = jax.random.key(7)
IMAGES = np.random.default_rng(0).random((6, 8, 10, 3), np.float32)
# By name: what is drawn from, and the keywords of which nothing comes.
ALL = {
    "horizontal_flip": (augment.horizontal_flip, {"probability": 0.0}),
    "vertical_flip": (augment.vertical_flip, {"probability": 0.0}),
    "random_crop": (augment.random_crop, {"padding": 0}),
    "shift": (augment.shift, {"rows": (0, 0), "columns": (0, 0)}),
    "random_resized_crop": (augment.random_resized_crop, {"area": (1, 1), "aspect": (1.25, 1.25)}),
    "rotation": (augment.rotation, {"degrees": (0, 0)}),
    "scale": (augment.scale, {"factor": (1, 1)}),
    "shear": (augment.shear, {"degrees": (0, 0)}),
    "subpixel_shift": (augment.subpixel_shift, {"rows": (0, 0), "columns": (0, 0)}),
    "affine": (lambda **options: augment.affine(**{"degrees": (-9, 9), "rows": (-1, 1)} | options),
               {"degrees": (0, 0), "rows": (0, 0)}),
    "elastic": (augment.elastic, {"alpha": (0, 0)}),
    "colour_distortion": (augment.colour_distortion,
                          {**dict.fromkeys(("brightness", "contrast", "saturation"), (1, 1)), "hue": (0, 0)}),
    "pca_noise": (lambda **options: augment.pca_noise(IMAGES, **options), {"deviation": 0.0}),
    "gaussian_noise": (augment.gaussian_noise, {"deviation": (0, 0)}),
    "cutout": (lambda size=4: augment.cutout(size=size), {"size": 0}),
    "random_erasing": (augment.random_erasing, {"probability": 0.0}),
    "maybe": (lambda **options: augment.maybe(augment.cutout(size=6), **options), {"probability": 0.0}),
    "compose": (lambda *parts, nothing=False: augment.compose(
        *() if nothing else (augment.horizontal_flip(), augment.random_crop(padding=2))), {"nothing": True}),
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", ALL)


# Made once: each holds the programs that it compiled.
MADE = {name: factory() for name, (factory, _) in ALL.items()}


@EVERY
def test_shape_and_dtype_stay_and_a_key_has_its_images(name):
    function = MADE[name]
    once = function(KEY, IMAGES)
    assert (once.shape, once.dtype) == (IMAGES.shape, jnp.float32)
    assert np.isfinite(once).all()
    assert not np.array_equal(once, IMAGES)
    np.testing.assert_array_equal(function(KEY, IMAGES), once)
    assert not np.array_equal(function(jax.random.key(8), IMAGES), once)


# What only moves pixels is the same to the bit; XLA may contract a product and a sum in one fusion alone.
@pytest.mark.parametrize(
    ("name", "rounding"),
    [
        ("random_crop", 0),
        ("affine", 1e-6),
        pytest.param("random_erasing", 0, marks=pytest.mark.slow),
        pytest.param("colour_distortion", 1e-6, marks=pytest.mark.slow),
    ],
)
def test_vmap_equals_a_loop(name, rounding):
    keys = jax.random.split(KEY)
    many = jax.jit(jax.vmap(MADE[name], (0, None)))(keys, IMAGES)
    for key, found in zip(keys, many):
        np.testing.assert_allclose(found, MADE[name](key, IMAGES), rtol=0, atol=rounding)


@EVERY
def test_images_draw_by_themselves(name):
    alike = np.repeat(IMAGES[:1], 6, 0)
    found = np.asarray(MADE[name](KEY, alike))
    assert len({image.tobytes() for image in found}) > 1


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "float32") for name in ALL),
        pytest.param("affine", "bfloat16", marks=pytest.mark.slow),
        ("elastic", "bfloat16"),
    ],
)
def test_nothing_drawn_is_nothing_changed(name, dtype):
    factory, nothing = ALL[name]
    x = jnp.asarray(IMAGES, dtype)
    found = factory(**nothing)(KEY, x)
    assert found.dtype == x.dtype
    assert np.asarray(found).tobytes() == np.asarray(x).tobytes()


@pytest.mark.parametrize("name", ["vertical_flip", "random_crop", "maybe"])
def test_grey_images_without_a_channel(name):
    with_channel = MADE[name](KEY, IMAGES[..., :1])
    found = MADE[name](KEY, IMAGES[..., 0])
    assert found.shape == IMAGES.shape[:3]
    np.testing.assert_array_equal(found, with_channel[..., 0])


def test_a_jitted_call_gives_the_same():
    np.testing.assert_array_equal(jax.jit(MADE["compose"])(KEY, IMAGES), MADE["compose"](KEY, IMAGES))


def test_one_image_at_a_time():
    function = augment.compose(augment.shift(), augment.horizontal_flip())
    keys = jax.random.split(KEY, 2)
    found = jax.jit(jax.vmap(lambda key, image: function(key, image[None])[0]))(keys, IMAGES[:2])
    for key, image, single in zip(keys, IMAGES, found):
        np.testing.assert_allclose(function(key, image[None])[0], single, atol=1e-6)


# Sizes are such that a fair draw fails once in a million runs; the keys are fixed, so it never does here.
COUNT = 4000
RAMP = np.broadcast_to(np.arange(1, 13, dtype=np.float32), (COUNT, 3, 12))


def bound(probability, count=COUNT):
    return 5 * np.sqrt(probability * (1 - probability) / count)


@pytest.mark.parametrize("probability", [0.1, pytest.param(0.5, marks=pytest.mark.slow), 1.0])
def test_rates(probability):
    x = np.broadcast_to(np.array([[0.0, 1.0], [2.0, 3.0]], np.float32), (COUNT, 2, 2))
    for factory, swapped in ((augment.horizontal_flip, 1), (augment.vertical_flip, 2)):
        found = np.asarray(factory(probability=probability)(KEY, x))[:, 0, 0] == swapped
        assert abs(found.mean() - probability) <= bound(probability)
    dark = augment.maybe(lambda key, x: 0 * x, probability=probability)(KEY, x + 1)
    assert abs((np.asarray(dark)[:, 0, 0] == 0).mean() - probability) <= bound(probability)


def counted(values, outcomes):
    """Every outcome about equally often, and nothing else."""
    numbers = [int((values == outcome).sum()) for outcome in outcomes]
    assert sum(numbers) == len(values)
    share = 1 / len(outcomes)
    assert max(abs(number / len(values) - share) for number in numbers) <= bound(share, len(values))


def test_shifts_and_crops_are_uniform():
    plane = np.broadcast_to(np.arange(120, dtype=np.float32).reshape(10, 12), (COUNT, 10, 12))
    found = np.asarray(augment.shift(rows=(-1, 2), columns=(-2, 3))(KEY, plane))[:, 5, 6]
    counted(found // 12 - 5, range(-2, 2))
    counted(found % 12 - 6, range(-3, 3))
    cropped = np.asarray(augment.random_crop(padding=1, size=(3, 10))(KEY, RAMP))
    assert cropped.shape == (COUNT, 3, 10)
    counted(cropped[:, 1, 1], range(1, 6))


def test_shift_moves_as_it_says():
    x = np.arange(12.0, dtype=np.float32).reshape(1, 3, 4)
    down = augment.shift(rows=(1, 1), columns=(-1, -1))(KEY, x)
    np.testing.assert_array_equal(down[0], [[0, 0, 0, 0], [1, 2, 3, 0], [5, 6, 7, 0]])
    edge = augment.shift(rows=(0, 0), columns=(2, 2), mode="edge")(KEY, x)
    np.testing.assert_array_equal(edge[0, 0], [0, 0, 0, 1])
    mirrored = augment.shift(rows=(0, 0), columns=(2, 2), mode="reflect")(KEY, x)
    np.testing.assert_array_equal(mirrored[0, 0], [2, 1, 0, 1])


@pytest.mark.parametrize("mode", ["zero", pytest.param("reflect", marks=pytest.mark.slow)])
def test_subpixel_shift_by_whole_pixels_is_shift(mode):
    spans = {"rows": (2, 2), "columns": (-3, -3), "mode": mode}
    found = augment.subpixel_shift(**spans)(KEY, IMAGES)
    np.testing.assert_array_equal(found, augment.shift(**spans)(KEY, IMAGES))


def test_noise():
    x = np.zeros((64, 16, 16, 1), np.float32)
    found = np.asarray(augment.gaussian_noise(deviation=(0.5, 0.5))(KEY, x))
    assert abs(found.mean()) < 5 * 0.5 / 128
    assert abs(found.std() - 0.5) < 5 * 0.5 / 180
    spread = np.asarray(augment.gaussian_noise(deviation=(0.0, 1.0))(KEY, x)).std((1, 2, 3))
    assert spread.min() < 0.2
    assert spread.max() > 0.8


def test_cutout_erases_a_square():
    found = np.asarray(augment.cutout(size=3, fill=-1.0)(KEY, np.zeros((COUNT, 7, 9), np.float32))) == -1
    rows, columns = found.any(2), found.any(1)
    np.testing.assert_array_equal(found, rows[:, :, None] & columns[:, None, :])
    inner = (rows.sum(1) == 3) & (columns.sum(1) == 3)
    # Its centre is any pixel: 5 of 7 rows and 7 of 9 columns keep it whole.
    assert abs(inner.mean() - 35 / 63) <= bound(35 / 63)
    centres = rows[inner].argmax(1) + 1
    counted(centres, range(1, 6))


def test_random_erasing_keeps_its_area_inside():
    x = np.zeros((COUNT, 20, 30), np.float32)
    options = {"area": (0.1, 0.3), "aspect": (0.5, 2.0), "fill": 1.0}
    found = np.asarray(augment.random_erasing(probability=0.5, **options)(KEY, x))
    erased = found.any((1, 2))
    assert abs(erased.mean() - 0.5) <= bound(0.5)
    height, width = found[erased].any(2).sum(1), found[erased].any(1).sum(1)
    np.testing.assert_array_equal(height * width, found[erased].sum((1, 2)))
    area, aspect = height * width / 600, height / width
    assert abs(area.mean() - 0.2) < 0.01
    assert 0.09 < area.min() < 0.12
    assert 0.28 < area.max() < 0.32
    assert 0.4 < aspect.min() < 0.6
    assert 1.7 < aspect.max() < 2.4
    assert abs(np.log(aspect).mean()) < 0.05
    noisy = np.asarray(augment.random_erasing(probability=1.0, fill=None)(KEY, x))
    assert abs(noisy[noisy != 0].std() - 1) < 0.01


def test_compose_keeps_what_the_first_draw():
    first, second = augment.random_crop(padding=3), augment.gaussian_noise()
    alone = augment.compose(first)(KEY, IMAGES)
    np.testing.assert_array_equal(augment.compose(first, lambda key, x: x)(KEY, IMAGES), alone)
    np.testing.assert_array_equal(first(jax.random.fold_in(KEY, 0), IMAGES), alone)
    both = augment.compose(first, second)(KEY, IMAGES)
    np.testing.assert_array_equal(both, second(jax.random.fold_in(KEY, 1), alone))
    twice = np.asarray(augment.compose(second, second)(KEY, IMAGES)) - IMAGES
    once = np.asarray(second(jax.random.fold_in(KEY, 0), IMAGES)) - IMAGES
    assert not np.allclose(twice, 2 * once)


LABELS = np.arange(len(IMAGES), dtype=np.int32) % 2
DRAWN = augment.compose(augment.random_crop(padding=2), augment.horizontal_flip(), augment.rotation())
FLAT = IMAGES[..., 0].reshape(len(IMAGES), -1)


def folded(key, x):
    """Images of a dense network: the augmentation sees their two axes."""
    return DRAWN(key, x.reshape(-1, 8, 10)).reshape(x.shape)


@pytest.mark.slow
def test_the_trainer_compiles_it_in_and_sweeps_share_it():
    net = jaxdl.net.functional(lambda rngs: MLP(MLPConfig((80, 2)), rngs=rngs))
    options = {
        "loss": losses.softmax_cross_entropy,
        "optimizer": lambda hyper: optim.sgd(hyper["learning_rate"]),
        "epochs": 2,
        "batch_size": 3,
        "augment": folded,
        "record": lambda step: {"seen": step.inputs},
        "progress": "off",
    }
    fitted = train.fit(net, (FLAT, LABELS), hyper={"learning_rate": 0.1}, step_records=True, **options)
    seen = np.asarray(fitted.history["step_seen"])
    assert seen.shape == (2, 2, 3, 80)
    flat = seen.reshape(12, 80)
    assert len({row.tobytes() for row in flat}) == 12
    assert not any((row == image).all() for row in flat for image in FLAT)
    hyper = {"learning_rate": np.array([0.1, 0.2], np.float32)}
    swept = train.sweep(net, (FLAT, LABELS), hyper=hyper, strategy="vmap", **options)
    for member in swept.history["seen"]:
        np.testing.assert_allclose(member, seen.mean(1), atol=1e-6)
