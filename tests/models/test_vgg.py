"""VGG: its counts, torch's values and gradients, training, and what it refuses."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import image_models

from jaxdl import losses, net, optim, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import VGG, VGGConfig

SMALL = VGGConfig(stages=((4, 4),), batch_norm=True, hidden=(5,), pool_to=3, num_classes=3, in_channels=2,
                  dropout=0.0)  # fmt: skip


def network(config: VGGConfig) -> net.Net:
    return net.functional(lambda rngs: VGG(config, rngs=rngs))


@pytest.mark.parametrize(
    ("name", "options", "count", "macs"),
    [
        ("vgg11", {}, 132_863_336, 7_609_090_048),
        ("vgg13", {}, 133_047_848, 11_308_466_176),
        ("vgg16", {}, 138_357_544, 15_470_264_320),
        ("vgg19", {}, 143_667_240, 19_632_062_464),
        ("vgg16", {"batch_norm": True}, 138_365_992, 15_470_264_320),
        ("vgg16", {"batch_norm": True, "conv_bias": False}, 138_361_768, 15_470_264_320),
    ],
)
def test_parameters_and_multiply_adds(name: str, options: dict[str, Any], count: int, macs: int) -> None:
    """torchvision lists 7.61, 11.31, 15.47 and 19.63 billion."""
    table = net.summary(
        net.functional(lambda rngs: getattr(VGG, name)(rngs=rngs, **options)),
        jax.ShapeDtypeStruct((1, 224, 224, 3), "float32"),
    )
    assert (table.count, table.macs) == (count, macs)


@pytest.mark.parametrize(
    ("norm", "convolutions"),
    [(False, [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]),
     (True, [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40])],
)  # fmt: skip
def test_layers_stand_where_torchvision_has_them(norm: bool, convolutions: list[int]) -> None:
    model = nnx.eval_shape(lambda: VGG.vgg16(rngs=nnx.Rngs(0), batch_norm=norm))
    kinds = [type(layer).__name__ for layer in model.features]
    assert [place for place, kind in enumerate(kinds) if kind == "Conv"] == convolutions
    head = [type(layer).__name__ for layer in model.classifier]
    assert head == ["Linear", "Activation", "Dropout"] * 2 + ["Linear"]


def test_equals_torch_in_value_and_gradient() -> None:
    image_models.check("vgg", network(SMALL))


def test_the_smallest_image_is_what_torchvision_lists() -> None:
    def run(side: int) -> jax.ShapeDtypeStruct:
        return nnx.eval_shape(lambda: VGG.vgg16(rngs=nnx.Rngs(0))(jnp.zeros((1, side, 40, 3))))

    assert run(32).shape == (1, 1000)
    with pytest.raises(ShapeError, match="at least 32 x 32"):
        run(31)


@pytest.mark.slow
def test_trains_and_survives_its_file(tmp_path: Path) -> None:
    """Running statistics move in training; evaluation uses them and draws nothing."""
    config = VGGConfig(**{**vars(SMALL), "stages": ((4,), (4,)), "dropout": 0.2, "conv_bias": False})
    rng = np.random.default_rng(0)
    y = np.arange(24) % 3
    x = (rng.normal(size=(24, 8, 8, 2)) + y[:, None, None, None]).astype(np.float32)
    fitted = train.fit(network(config), (x, y), loss=losses.softmax_cross_entropy, optimizer=optim.adam(0.02),
                       epochs=8, batch_size=12, progress="off")  # fmt: skip
    assert fitted.history["loss"][-1] < 0.7 * fitted.history["loss"][0]
    assert np.abs(fitted.state["features"][1]["mean"]).max() > 1e-2
    assert "bias" not in fitted.params["features"][0]
    loaded = train.load(train.save(tmp_path / "model.safetensors", fitted))
    assert loaded.config == config
    jax.tree.map(np.testing.assert_array_equal, loaded.params, fitted.params)


def test_batch_norm_and_dropout_differ_in_training(key: jax.Array) -> None:
    made = network(VGGConfig(**{**vars(SMALL), "stages": ((4,),), "dropout": 0.5, "hidden": (64,)}))

    @jax.jit
    def runs(key: jax.Array) -> Any:
        params, state = made.init(key)
        x = jax.random.normal(key, (4, 8, 8, 2)) + 3
        convolved = made.trace(params, state, x, train=False)["features/0"].value
        keys = jax.random.split(key)
        training = jax.vmap(lambda key: made.apply(params, state, x, train=True, key=key))(keys)
        return convolved.mean((0, 1, 2)), training, made.apply(params, state, x, train=False)

    mean, (training, moved), (still, unmoved) = runs(key)
    assert np.abs(training[0] - still).max() > 1e-2
    assert np.abs(training[0] - training[1]).max() > 1e-2
    # Torch's momentum of 0.1, towards the mean of the batch.
    np.testing.assert_allclose(moved["features"][1]["mean"][0], 0.1 * mean, rtol=1e-4, atol=1e-5)
    assert np.abs(unmoved["features"][1]["mean"]).max() == 0


@pytest.mark.parametrize(("init", "variance"), [("he", 2 / 576), ("glorot", 1 / 576), ("paper", 1e-2)])
def test_initial_weights(init: str, variance: float, key: jax.Array) -> None:
    made = network(VGGConfig(**{**vars(SMALL), "stages": ((64, 64),), "init": init}))
    kernel = jax.jit(lambda key: made.init(key)[0]["features"][3]["kernel"])(key)
    assert float(kernel.var()) == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"num_classes": 0}, ValueError, "'num_classes' is 0; expected at least 1"),
        ({"pool_to": 1.5}, DtypeError, "a whole number"),
        ({"stages": ()}, ValueError, "a convolution or more a stage"),
        ({"stages": ((4,), ())}, ValueError, "a convolution or more a stage"),
        ({"stages": ((4, 0),)}, ValueError, "'stages' is 0"),
        ({"stages": (64, 128)}, DtypeError, "a tuple of tuples"),
        ({"stages": 16}, DtypeError, "'stages' is 16 .int.; expected a tuple"),
        ({"hidden": 4096}, DtypeError, r"Fix: hidden=\(4096,\)"),
        ({"hidden": (-1,)}, ValueError, "'hidden' is -1"),
        ({"batch_norm": "yes"}, ValueError, "True, False"),
        ({"conv_bias": None}, ValueError, "True, False"),
        ({"init": "torch"}, ValueError, "'he', 'glorot', 'paper'"),
        ({"dropout": -0.1}, ValueError, r"\[0, 1\)"),
        ({"norm_momentum": 1.0}, ValueError, r"\[0, 1\)"),
    ],
)
def test_config_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        VGGConfig(**{**vars(SMALL), **change})


def test_numbers_of_numpy_become_plain() -> None:
    config = VGGConfig(stages=((np.int64(4),),), hidden=(np.int64(5),), num_classes=np.int64(3),
                       dropout=np.float32(0.5), norm_momentum=np.float32(0.5))  # fmt: skip
    assert VGGConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="groups"):
        VGG.vgg11(rngs=nnx.Rngs(0), groups=2)


@pytest.mark.parametrize(
    ("shape", "error", "words"),
    [
        ((8, 8, 2), ShapeError, r"x\[None\] for a single image"),
        ((64, 8, 8), ShapeError, r"Fix: x\[..., None\] for one channel; and in_channels=1"),
        ((2, 8, 8), ShapeError, r"moveaxis\(x, 0, -1\)\[None\] for a single image"),
        ((5, 5), ShapeError, r"x\[None, ..., None\] for a single image"),
        ((4, 128), ShapeError, r"x.reshape\(-1, 8, 8, 2\)"),
        ((4, 129), ShapeError, r"x.reshape\(batch, height, width, channels\)"),
        ((2, 2, 8, 8), ShapeError, "channels come last"),
        ((2, 3, 8, 8), ShapeError, "channels come last; and in_channels=3"),
        ((2, 8, 8, 3), ShapeError, "in_channels=3"),
        ((2, 8, 1, 2), ShapeError, "at least 2 x 2"),
    ],
)
def test_images_are_checked(shape: tuple[int, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        nnx.eval_shape(lambda: VGG(SMALL, rngs=nnx.Rngs(0))(jnp.zeros(shape)))
