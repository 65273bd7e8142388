"""AlexNet: its counts, torch's values and gradients, training, and what it refuses."""

import dataclasses
import json
import math
from collections.abc import Callable
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
from jaxdl.models import AlexNet, AlexNetConfig, AlexNetStage

SMALL = AlexNetConfig(
    stages=(
        AlexNetStage(6, 5, stride=2, response_norm=True, pool=True),
        AlexNetStage(8, 3, padding=1, groups=2, response_norm=True, first_bias=1.0),
    ),
    image_size=15, hidden=(5,), num_classes=4, dropout_place="after", dropout=0.0,
)  # fmt: skip


def network(config: AlexNetConfig) -> net.Net:
    return net.functional(lambda rngs: AlexNet(config, rngs=rngs))


@pytest.mark.parametrize(
    ("make", "size", "count", "macs"),
    [(AlexNet.paper, 227, 60_965_224, 724_406_816), (AlexNet.torchvision, 224, 61_100_840, 714_188_480)],
)
def test_parameters_and_multiply_adds(make: Callable[..., Any], size: int, count: int, macs: int) -> None:
    """torchvision lists 0.71 billion; grouped, the paper's has as many."""
    table = net.summary(
        net.functional(lambda rngs: make(rngs=rngs)), jax.ShapeDtypeStruct((2, size, size, 3), "float32")
    )
    assert (table.count, table.macs) == (count, macs)
    assert sum(math.prod(row.shape) for row in table.rows) == count


def test_layers_stand_where_torchvision_has_them() -> None:
    model = nnx.eval_shape(lambda: AlexNet.torchvision(rngs=nnx.Rngs(0)))
    places = {
        "/".join(map(str, path[:-1])): leaf.shape
        for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param))
        if path[-1] == "kernel"
    }
    assert places == {
        "features/0": (11, 11, 3, 64), "features/3": (5, 5, 64, 192), "features/6": (3, 3, 192, 384),
        "features/8": (3, 3, 384, 256), "features/10": (3, 3, 256, 256), "classifier/1": (9216, 4096),
        "classifier/4": (4096, 4096), "classifier/6": (4096, 1000),
    }  # fmt: skip


def test_equals_torch_in_value_and_gradient() -> None:
    image_models.check("alexnet", network(SMALL))


@pytest.mark.parametrize("name", image_models.TWINS)
def test_golden_files_are_torch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the golden file stands in for it")
    with np.load(image_models.FOLDER / f"{name}.npz") as golden:
        for path, value in image_models.arrays(torch, name).items():
            np.testing.assert_allclose(golden[path], value, rtol=1e-4, atol=1e-5, err_msg=path)


def test_other_sizes_of_images_have_the_same_parameters(key: jax.Array) -> None:
    table = nnx.eval_shape(
        lambda: AlexNet.torchvision(rngs=nnx.Rngs(0))(jnp.zeros((2, 300, 63, 3)))
    )  # 63 is the smallest size that torchvision lists
    assert table.shape == (2, 1000)
    with pytest.raises(ShapeError, match="at least 63 x 63"):
        nnx.eval_shape(lambda: AlexNet.torchvision(rngs=nnx.Rngs(0))(jnp.zeros((2, 300, 62, 3))))


def test_dropout_in_training_and_evaluation(key: jax.Array) -> None:
    """The paper's form keeps values in training, and multiplies by the chance to be kept in evaluation."""
    model = network(
        AlexNetConfig(**{**vars(SMALL), "dropout": 0.5, "dropout_scale": "evaluation", "hidden": (64,)})
    )

    @jax.jit
    def traces(key: jax.Array) -> Any:
        params, state = model.init(key)
        x = jnp.ones((2, 15, 15, 3))
        return [model.trace(params, state, x, train=mode, key=key) for mode in (True, False)]

    training, evaluation = traces(key)
    before, after = (training[f"classifier/{place}"].value for place in (1, 2))
    kept = np.asarray(after)[np.asarray(before) != 0] != 0
    assert 0.3 < kept.mean() < 0.7
    np.testing.assert_array_equal(after, np.where(after != 0, before, 0))
    before, after = (evaluation[f"classifier/{place}"].value for place in (1, 2))
    np.testing.assert_array_equal(after, before / 2)


def test_inverted_dropout_lets_evaluation_be(key: jax.Array) -> None:
    made = [
        network(AlexNetConfig(**{**vars(SMALL), "dropout": rate, "dropout_scale": "training"}))
        for rate in (0.5, 0.0)
    ]

    @jax.jit
    def both(key: jax.Array) -> Any:
        params, state = made[0].init(key)
        return [one.apply(params, state, jnp.ones((2, 15, 15, 3)), train=False)[0] for one in made]

    np.testing.assert_array_equal(*both(key))


@pytest.mark.parametrize("place", ["before", "after"])
def test_where_dropout_stands(place: str) -> None:
    model = nnx.eval_shape(lambda: AlexNet.torchvision(rngs=nnx.Rngs(0), dropout_place=place))
    kinds = [type(layer).__name__ for layer in model.classifier]
    block = ["Linear", "Activation"]
    assert kinds == [*(["Dropout", *block] if place == "before" else [*block, "Dropout"]) * 2, "Linear"]


@pytest.mark.slow
def test_trains_and_survives_its_file(tmp_path: Path) -> None:
    config = AlexNetConfig(**{**vars(SMALL), "dropout": "dropout"})
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 15, 15, 3)).astype(np.float32), np.arange(32) % 4
    x += y[:, None, None, None]
    fitted = train.fit(network(config), (x, y), loss=losses.softmax_cross_entropy, optimizer=optim.adam(0.01),
                       epochs=8, batch_size=16, hyper={"dropout": 0.1}, progress="off")  # fmt: skip
    assert fitted.history["loss"][-1] < 0.8 * fitted.history["loss"][0]
    loaded = train.load(train.save(tmp_path / "model.safetensors", fitted))
    assert loaded.config == config
    jax.tree.map(np.testing.assert_array_equal, loaded.params, fitted.params)


@pytest.mark.parametrize(("init", "biases", "variance"), [("he", [0, 0, 0, 0], 2 / 32),
                                                          ("paper", [0, 1, 1, 0], 1e-4)])  # fmt: skip
def test_initial_parameters(init: str, biases: list[int], variance: float, key: jax.Array) -> None:
    made = network(AlexNetConfig(**{**vars(SMALL), "init": init, "hidden": (200,)}))
    params, _ = jax.jit(made.init)(key)
    parts = [params["features"][0], params["features"][4], *params["classifier"].values()]
    assert [set(np.asarray(part["bias"]).tolist()) for part in parts] == [{value} for value in biases]
    assert float(params["classifier"][0]["kernel"].var()) == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"num_classes": 0}, ValueError, "'num_classes' is 0; expected at least 1"),
        ({"num_classes": 2.5}, DtypeError, "a whole number"),
        ({"in_channels": 0}, ValueError, "'in_channels' is 0"),
        ({"pool_to": 0}, ValueError, "'pool_to' is 0"),
        ({"hidden": (4, 0)}, ValueError, "'hidden' is 0"),
        ({"init": "xavier"}, ValueError, "'he', 'paper'"),
        ({"dropout": 1.0}, ValueError, r"\[0, 1\)"),
        ({"dropout_place": "between"}, ValueError, "'before', 'after'"),
        ({"dropout_scale": "test"}, ValueError, "'training', 'evaluation'"),
        ({"image_size": 8}, ValueError, "'image_size' is 8; expected at least 9"),
        ({"stages": (AlexNetStage(6, 3, groups=2),)}, ShapeError, "a divisor of 3 channels in and 6 out"),
        ({"stages": ({"features": 6, "window": 0},)}, ValueError, "'window' is 0"),
        ({"stages": ({"features": 6, "window": 3, "padding": -1},)}, ValueError, "'padding' is -1"),
        ({"stages": ()}, ValueError, "an AlexNetStage or more"),
        ({"stages": (6,)}, ValueError, "an AlexNetStage or more"),
        ({"stages": 6}, DtypeError, "expected a tuple"),
        ({"hidden": 64}, DtypeError, r"Fix: hidden=\(64,\)"),
    ],
)
def test_config_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        AlexNetConfig(**{**vars(SMALL), **change})


def test_numbers_of_numpy_become_plain() -> None:
    stage = AlexNetStage(np.int64(6), np.int64(3), first_bias=np.float32(1), pool=np.bool_(True))
    config = AlexNetConfig(stages=(stage,), image_size=np.int64(9), hidden=(np.int64(4),),
                           num_classes=np.int64(3), dropout=np.float32(0.5))  # fmt: skip
    text = json.dumps(dataclasses.asdict(config))
    assert AlexNetConfig(**json.loads(text)) == config


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="batch_norm"):
        AlexNet.paper(rngs=nnx.Rngs(0), batch_norm=True)


@pytest.mark.parametrize(
    ("shape", "dtype", "error", "words"),
    [
        ((15, 15, 3), "float32", ShapeError, r"x\[None\] for a single image"),
        ((2, 675), "float32", ShapeError, r"expected \(batch, height, width, 3\)"),
        ((2, 3, 15, 15), "float32", ShapeError, "channels come last"),
        ((2, 15, 15, 4), "float32", ShapeError, "in_channels=4"),
        ((2, 16, 15, 3), "float32", ShapeError, "images of 15 x 15: the head is made for them"),
        ((2, 15, 15, 3), "uint8", DtypeError, "floating"),
    ],
)
def test_images_are_checked(shape: tuple[int, ...], dtype: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        nnx.eval_shape(lambda: AlexNet(SMALL, rngs=nnx.Rngs(0))(jnp.zeros(shape, dtype)))
