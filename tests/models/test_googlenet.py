"""GoogLeNet: its counts, the Inception block against torch, auxiliary heads, and what it refuses."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import image_models

from jaxdl import losses, metrics, net, optim, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import GoogLeNet, GoogLeNetConfig, Inception, InceptionWidths

ROWS = tuple(InceptionWidths(name, 2, (2, 3), (2, 2), 1) for name in ("3a", "4a"))
SMALL = GoogLeNetConfig(
    stages=tuple((row,) for row in ROWS), stem=(3, 3, 4), auxiliary=("3a",), auxiliary_widths=(2, 8),
    auxiliary_dropout=0.0, dropout=0.0, num_classes=3, in_channels=2,
)  # fmt: skip


def network(**changes: Any) -> net.Net:
    config = GoogLeNetConfig(**{**vars(SMALL), **changes})
    return net.functional(lambda rngs: GoogLeNet(config, rngs=rngs))


@pytest.mark.parametrize(
    ("name", "auxiliary", "count"),
    [("paper", False, 6_998_552), ("paper", True, 13_378_280), ("torchvision", True, 13_004_888)],
)
def test_parameters(name: str, auxiliary: bool, count: int) -> None:
    model = nnx.eval_shape(lambda: getattr(GoogLeNet, name)(rngs=nnx.Rngs(0), auxiliary=auxiliary))
    leaves = jax.tree.leaves(nnx.state(model, nnx.Param))
    assert sum(math.prod(leaf.shape) for leaf in leaves) == count


def test_parameters_and_multiply_adds_of_the_form_of_torchvision() -> None:
    """It lists 6,624,904 parameters and 1.5 billion multiply-adds."""
    table = net.summary(
        net.functional(lambda rngs: GoogLeNet.torchvision(rngs=rngs)),
        jax.ShapeDtypeStruct((1, 224, 224, 3), "float32"),
    )
    assert (table.count, table.macs) == (6_624_904, 1_498_376_192)
    assert "inception/4a/branch2/1/conv/kernel" in [row.path for row in table.rows]


def test_bottlenecks_in_numbers() -> None:
    """28 x 28 x 192 to 32 channels by 5 x 5: 120.4 million, and 12.4 million through 16 channels."""
    row = InceptionWidths("3a", 1, (1, 1), (16, 32), 1)
    model = net.functional(lambda rngs: Inception(192, row, batch_norm=False, rngs=rngs))
    params, _ = jax.eval_shape(model.init, jax.random.key(0))
    narrow, wide = (28**2 * math.prod(unit["conv"]["kernel"].shape) for unit in params["branch3"].values())
    assert (narrow + wide, 28**2 * 5 * 5 * 192 * 32) == (12_443_648, 120_422_400)


def test_an_inception_block_equals_torch_in_value_and_gradient() -> None:
    row = InceptionWidths("3a", 3, (2, 4), (2, 5), 2)
    image_models.check("inception", net.functional(lambda rngs: Inception(6, row, rngs=rngs)))


@pytest.mark.slow
def test_the_smallest_images_are_what_torchvision_lists() -> None:
    stages = (SMALL.stages[0], SMALL.stages[1], (InceptionWidths("5a", 2, (2, 2), (2, 2), 2),))

    def run(side: int) -> Any:
        config = GoogLeNetConfig(**{**vars(SMALL), "stages": stages})
        return nnx.eval_shape(lambda: GoogLeNet(config, rngs=nnx.Rngs(0))(jnp.zeros((2, side, 40, 2)))).main

    assert run(15).shape == (2, 3)
    with pytest.raises(ShapeError, match="at least 15 x 15"):
        run(14)


def test_auxiliary_heads_answer_in_training_alone(key: jax.Array) -> None:
    made = network(stages=SMALL.stages[:1])
    params, state = jax.eval_shape(made.init, key)
    x = jax.ShapeDtypeStruct((4, 16, 16, 2), "float32")

    def run(train: bool) -> Any:
        return jax.eval_shape(lambda p, s, x: made.apply(p, s, x, train=train), params, state, x)[0]

    assert run(False).shape == (4, 3)
    outputs = run(True)
    assert isinstance(outputs, losses.WithAuxiliary)
    with pytest.raises(DtypeError, match=r"Fix: losses\.auxiliary_cross_entropy"):
        losses.softmax_cross_entropy(outputs, jnp.zeros(4, int))
    assert [outputs.main.shape, *(z.shape for z in outputs.auxiliary)] == [(4, 3), (4, 3)]
    seen = jax.eval_shape(lambda p, s, x: made.trace(p, s, x, train=False), params, state, x)
    assert "fc" in seen
    assert not any(path.startswith("aux") for path in seen)
    bare = GoogLeNetConfig(**{**vars(SMALL), "stages": SMALL.stages[:1], "auxiliary": ()})
    plain = nnx.eval_shape(lambda: GoogLeNet(bare, rngs=nnx.Rngs(0))(jnp.zeros(x.shape)))
    assert plain.shape == (4, 3)


def test_trains_through_fit_with_auxiliary_heads(tmp_path: Path) -> None:
    """The training loss has the heads in it; metrics and the validation loss are of the main output."""
    made = network(stages=SMALL.stages[:1], batch_norm=False)
    rng = np.random.default_rng(0)
    y = np.arange(24) % 3
    x = (rng.normal(size=(24, 16, 16, 2)) + y[:, None, None, None]).astype(np.float32)
    fitted = train.fit(
        made, (x, y), loss=losses.auxiliary_cross_entropy, optimizer=optim.adam(0.02), epochs=6,
        batch_size=24, valid=(x, y), metrics={"accuracy": metrics.accuracy}, train_metrics=True,
        eval_batch_size=24, progress="off",
    )  # fmt: skip
    loss, accuracy = fitted.history["loss"], fitted.history["accuracy"]
    assert 1.3 * np.log(3) * 0.5 < loss[0]
    assert loss[-1] < 0.8 * loss[0]
    assert ((accuracy >= 0) & (accuracy <= 1)).all()
    logits = fitted.predict(x)
    plain = losses.softmax_cross_entropy(jnp.asarray(logits), jnp.asarray(y)).mean()
    np.testing.assert_allclose(fitted.history["valid_loss"][-1], plain, rtol=1e-5)
    np.testing.assert_allclose(
        fitted.history["valid_accuracy"][-1], (logits.argmax(1) == y).mean(), rtol=1e-6
    )
    loaded = train.load(train.save(tmp_path / "model.safetensors", fitted))
    assert loaded.config == made.config
    jax.tree.map(np.testing.assert_array_equal, loaded.params, fitted.params)


def test_transformed_inputs(key: jax.Array) -> None:
    plain, moved = (
        network(stages=SMALL.stages[:1], in_channels=3, transform_input=flag) for flag in (False, True)
    )

    @jax.jit
    def first(key: jax.Array) -> list[jax.Array]:
        params, state = plain.init(key)
        pixels = jax.random.uniform(key, (2, 16, 16, 3))
        mean, std = (jnp.array(v).reshape(1, 1, 1, 3) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        images = ((pixels - 0.5) / 0.5, (pixels - mean) / std)
        return [
            made.trace(params, state, x, train=False)["conv1/conv"].value
            for made, x in zip((plain, moved), images)
        ]

    np.testing.assert_allclose(*first(key), rtol=1e-4, atol=1e-5)


def test_auxiliary_heads_of_the_paper_take_one_size() -> None:
    config = GoogLeNetConfig(
        **{**vars(SMALL), "auxiliary": ("4a",), "auxiliary_pool": "window", "last_pool": 3}
    )
    shapes = nnx.eval_shape(lambda: GoogLeNet(config, rngs=nnx.Rngs(0))(jnp.zeros((2, 224, 224, 2))))
    assert shapes.auxiliary[0].shape == (2, 3)
    with pytest.raises(ShapeError, match="images of 224 x 224"):
        nnx.eval_shape(lambda: GoogLeNet(config, rngs=nnx.Rngs(0))(jnp.zeros((2, 256, 256, 2))))
    with pytest.raises(ShapeError, match="'image_size' is 300; expected one of which '4a' leaves 4 x 4"):
        GoogLeNetConfig(**{**vars(config), "image_size": 300})


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"num_classes": 0}, ValueError, "'num_classes' is 0; expected at least 1"),
        ({"image_size": "224"}, DtypeError, "a whole number"),
        ({"stem": (3, 4)}, ValueError, "expected 3 widths"),
        ({"stem": (3, 0, 4)}, ValueError, "'stem' is 0"),
        ({"stages": ()}, ValueError, "a block or more a stage"),
        ({"stages": ((ROWS[0], ROWS[0]),)}, ValueError, "a name of its own"),
        ({"stages": (64,)}, DtypeError, "tuples of InceptionWidths"),
        ({"auxiliary": "4a"}, DtypeError, r"Fix: auxiliary=\('4a',\)"),
        ({"stem": 64}, DtypeError, "expected a tuple"),
        ({"auxiliary": ("3b",)}, ValueError, "'3b'; expected one of '3a', '4a'"),
        ({"auxiliary_widths": (2,)}, ValueError, "expected 2 widths"),
        ({"auxiliary_pool": "mean"}, ValueError, "'adaptive', 'window'"),
        ({"wide_window": 7}, ValueError, "one of 3, 5"),
        ({"last_pool": 4}, ValueError, "one of 2, 3"),
        ({"batch_norm": "yes"}, ValueError, "True, False"),
        ({"init": "paper"}, ValueError, "'he', 'glorot', 'torchvision'"),
        ({"dropout": 1}, ValueError, r"\[0, 1\)"),
        ({"auxiliary_dropout": -1}, ValueError, r"\[0, 1\)"),
        ({"transform_input": True}, ValueError, "True for 2 channels"),
    ],
)
def test_config_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        GoogLeNetConfig(**{**vars(SMALL), **change})


@pytest.mark.parametrize(
    ("row", "error", "words"),
    [
        (("3a", 0, (2, 3), (2, 2), 1), ValueError, "'single' is 0"),
        (("3a", 2, (2,), (2, 2), 1), ValueError, "two widths"),
        (("3a", 2, (2, 3), (2, 2.5), 1), DtypeError, "a whole number"),
        ((3, 2, (2, 3), (2, 2), 1), DtypeError, "a string"),
        (("items", 2, (2, 3), (2, 2), 1), ValueError, "no attribute of flax.nnx.Dict"),
    ],
)
def test_widths_are_checked(row: tuple[Any, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        InceptionWidths(*row)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((16, 16, 2), r"x\[None\] for a single image"),
        ((2, 2, 16, 16), "channels come last"),
        ((2, 16, 16, 3), "in_channels=3"),
        ((2, 16, 2, 2), "at least 7 x 7"),
    ],
)
def test_images_are_checked(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        nnx.eval_shape(lambda: GoogLeNet(SMALL, rngs=nnx.Rngs(0))(jnp.zeros(shape)))


def test_numbers_of_numpy_become_plain() -> None:
    row = InceptionWidths("3a", np.int64(2), (np.int64(2), 3), (2, np.int64(2)), np.int64(1))
    config = GoogLeNetConfig(stages=((row,),), stem=(np.int64(2), 2, 2), wide_window=np.int64(5),
                             num_classes=np.int64(3), dropout=np.float32(0.5))  # fmt: skip
    assert GoogLeNetConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="widths"):
        GoogLeNet.torchvision(rngs=nnx.Rngs(0), widths=2)
    with pytest.raises(ValueError, match="'auxiliary' is 2; expected one of True, False"):
        GoogLeNet.torchvision(rngs=nnx.Rngs(0), auxiliary=2)
