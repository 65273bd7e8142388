"""YOLO: its grid, what it decodes, detection as one program with the network, training and model files."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import losses, net, optim, scaling, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.losses import YoloOutputs
from jaxdl.models import Yolo, YoloConfig, yolo

ANCHORS = ((5.0, 9.0), (12.0, 10.0))
CONFIGS = {
    form: YoloConfig(form=form, blocks=((3, 2), (4, 2)), anchors=ANCHORS, num_classes=3)
    for form in ("v1", "anchors")
}


def network(config: YoloConfig) -> net.Net:
    return net.functional(lambda rngs: Yolo(config, rngs=rngs))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(("form", "classes"), [("v1", (2, 2, 3, 3)), ("anchors", (2, 2, 3, 2, 3))])
def test_shapes_and_parameters(form: str, classes: tuple[int, ...]) -> None:
    config = CONFIGS[form]
    made = network(config)
    params, state = jax.eval_shape(made.init, jax.random.key(0))
    per_cell = {"v1": 2 * 5 + 3, "anchors": 2 * (5 + 3)}[form]
    assert config.cell == per_cell
    count = 9 * (3 + 3 * 4) + 2 * (3 + 4) + 5 * per_cell
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count
    images = jax.ShapeDtypeStruct((2, 8, 12, 1), jnp.float32)
    for mode in (True, False):
        found, _ = jax.eval_shape(partial(made.apply, train=mode), params, state, images)
        assert isinstance(found, YoloOutputs)
        assert [part.shape for part in found] == [(2, 2, 3, 2, 4), (2, 2, 3, 2), classes]


def test_multiply_adds_of_the_usual_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxdl.net._summary.PROBED_PARAMETERS", 0)  # compiles nothing
    config = YoloConfig()
    found = net.summary(network(config), jax.ShapeDtypeStruct((1, 96, 96, 1), jnp.float32))
    macs, side, channels = 0, 96, 1
    for width, stride in config.blocks:
        side //= stride
        macs += side * side * 9 * channels * width
        channels = width
    assert (config.stride, side) == (8, 12)
    assert found.macs == macs + side * side * channels * 3 * 15


def test_objectness_starts_at_its_prior() -> None:
    """With small weights every place of an unseen image is taken to be empty, nearly as the config says."""
    made = network(CONFIGS["anchors"])
    images = jax.random.uniform(jax.random.key(1), (2, 8, 8, 1))
    start = jax.jit(lambda key: made.apply(*made.init(key), images, train=False)[0])
    np.testing.assert_allclose(sigmoid(np.asarray(start(jax.random.key(0)).confidence)), 0.01, rtol=0.2)


@pytest.mark.parametrize("form", CONFIGS)
def test_decoding_against_a_loop(form: str) -> None:
    """With a threshold of 1 nothing is suppressed: all boxes by falling score."""
    config, rng = CONFIGS[form], np.random.default_rng(0)
    classes = (1, 2, 3, 3) if form == "v1" else (1, 2, 3, 2, 3)
    outputs = YoloOutputs(*(rng.normal(size=shape) for shape in ((1, 2, 3, 2, 4), (1, 2, 3, 2), classes)))
    wanted = []
    for i, j, b in np.ndindex(2, 3, 2):
        x, y, w, h = outputs.boxes[0, i, j, b]
        if form == "v1":
            x, y, w, h = (j + x) * 4, (i + y) * 4, w**2 * 12, h**2 * 8
            p, c = outputs.classes[0, i, j], outputs.confidence[0, i, j, b]
        else:
            x, y = (j + sigmoid(x)) * 4, (i + sigmoid(y)) * 4
            w, h = ANCHORS[b] * np.exp([w, h])
            p, c = np.exp(outputs.classes[0, i, j, b]), sigmoid(outputs.confidence[0, i, j, b])
            p = p / p.sum()
        box = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, [12, 8, 12, 8])
        wanted += [(c * p[k], k, *box) for k in range(3) if c * p[k] > 0.05]
    wanted.sort(key=lambda row: -row[0])
    single = jax.tree.map(lambda part: jnp.asarray(part, jnp.float32), outputs)
    found = jax.jit(partial(yolo.detect, config=config, iou_threshold=1.0, max_outputs=36))(single)
    count = int(found.mask.sum())
    assert 5 < count == len(wanted)
    table = np.array(wanted)
    np.testing.assert_allclose(found.scores[0, :count], table[:, 0], rtol=1e-5)
    np.testing.assert_array_equal(found.labels[0, :count], table[:, 1])
    np.testing.assert_allclose(found.boxes[0, :count], table[:, 2:], rtol=1e-4, atol=1e-4)
    assert not np.any(found.boxes[0, count:])


def test_what_overlaps_is_suppressed_by_class() -> None:
    logits = jnp.log(jnp.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]))
    outputs = YoloOutputs(jnp.zeros((1, 1, 1, 2, 4)), jnp.array([4.0, 3.0]).reshape(1, 1, 1, 2),
                          logits.reshape(1, 1, 1, 2, 3))  # fmt: skip
    config = YoloConfig(blocks=((4, 16),), anchors=((9.0, 9.0), (9.0, 9.0)), num_classes=3)
    program = jax.jit(lambda least: yolo.detect(outputs, config, score_threshold=least, max_outputs=4))
    found = program(0.2)
    assert found.labels[0].tolist() == [0, 1, 0, 0]
    assert found.mask[0].tolist() == [True, True, False, False]
    found = program(0.09)
    # A box for each class: of the two boxes, which are one and the same, the more likely one.
    assert found.labels[0].tolist() == [0, 1, 2, 0]


def make_with_backbone(rngs: nnx.Rngs, *, features: Any = (4, 4), blocks: Any = ()) -> Yolo:
    layers = (nnx.Conv(1, 4, (3, 3), strides=(4, 4), rngs=rngs), nnx.relu)
    config = YoloConfig(blocks=blocks, anchors=ANCHORS, num_classes=3, features=features)
    return Yolo(config, backbone=nnx.Sequential(*layers), rngs=rngs)


def test_a_backbone_of_ones_own(tmp_path: Path) -> None:
    made = net.functional(partial(make_with_backbone, blocks=((6, 2),)))
    images = jnp.ones((2, 16, 24, 1))
    params, state = made.init(jax.random.key(0))
    assert "backbone" in params
    found, _ = jax.eval_shape(partial(made.apply, train=True), params, state, images)
    assert found.confidence.shape == (2, 2, 3, 2)
    assert made.config is None
    file = train.save(
        tmp_path / "model.safetensors", train.model_file.Loaded(made, params, state, None, None, None)
    )
    with pytest.raises(ValueError, match=r"load\(path, net=net\)"):
        train.load(file)
    again = train.load(file, net=made)
    jax.tree.map(np.testing.assert_array_equal, again.params, params)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"features": None}, ValueError, "config.features=None"),
        ({"features": (4, 8)}, ShapeError, r"one that gives \(1, 4, 6, 4\); expected \(batch, 2, 3, 4\)"),
        ({"features": (5, 4)}, ShapeError, r"expected \(batch, 4, 6, 5\)"),
    ],
)
def test_backbones_that_do_not_fit(options: Any, error: type[Exception], words: str) -> None:
    blocks = () if options["features"] else ((4, 2),)
    with pytest.raises(error, match=words):
        nnx.eval_shape(
            lambda: make_with_backbone(nnx.Rngs(0), blocks=blocks, **options)(jnp.ones((1, 16, 24, 1)))
        )


def scenes() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return images of a bright square or of nothing; every third image has no object."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (24, 16, 16, 1)).astype(np.uint8)
    boxes, mask = np.zeros((24, 2, 4), np.float32), np.zeros((24, 2), bool)
    for number in range(24):
        if number % 3:
            x, y = rng.integers(0, 9, 2)
            images[number, y : y + 7, x : x + 7] = 255
            boxes[number, 0], mask[number, 0] = (x, y, x + 7, y + 7), True
    return images, {"boxes": boxes, "labels": np.zeros((24, 2), np.int32), "mask": mask}


def test_trains_saves_and_detects(tmp_path: Path) -> None:
    images, targets = scenes()
    config = YoloConfig(blocks=((6, 2), (8, 2), (8, 1)), anchors=((7.0, 7.0),), num_classes=2)
    loss = partial(losses.yolo_anchors, anchors=config.anchors, stride=config.stride)
    fitted = train.fit(network(config), (images, targets), loss=loss, optimizer=optim.adam(0.01), epochs=60,
                       batch_size=8, scaling=scaling.pixels(), progress="off")  # fmt: skip
    assert fitted.history["loss"][-1] < fitted.history["loss"][0] / 10
    model = train.load(train.save(tmp_path / "model.safetensors", fitted))
    assert model.config == config
    jax.tree.map(np.testing.assert_array_equal, (model.params, model.state), (fitted.params, fitted.state))

    @jax.jit
    def program(params: Any, state: Any, images: Any) -> Any:
        outputs, _ = fitted.net.apply(params, state, scaling.pixels()(images), train=False)
        return yolo.detect(outputs, config, score_threshold=0.5, max_outputs=2)

    found = program(fitted.params, fitted.state, images)
    np.testing.assert_array_equal(found.mask, targets["mask"])
    np.testing.assert_allclose(found.boxes, targets["boxes"], atol=2)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"form": "v2"}, ValueError, "one of 'anchors', 'v1'"),
        ({"blocks": ()}, ValueError, "at least one block, or a backbone"),
        ({"blocks": (16, 32)}, ShapeError, r"'blocks' is 16; expected a pair \(channels, stride\)"),
        ({"blocks": ((16, 0),)}, ValueError, "'blocks' is 0"),
        ({"features": 3}, ShapeError, "'features' is 3; expected a pair"),
        ({"anchors": 16}, DtypeError, "'anchors' is 16"),
        ({"anchors": ((4, 0),)}, ValueError, "sides above 0"),
        ({"anchors": ()}, ShapeError, r"'anchors' is of shape \(0,\)"),
        ({"boxes": 0}, ValueError, "at least 1"),
        ({"num_classes": 1.5}, DtypeError, "a whole number"),
        ({"activation": "mish"}, ValueError, "'leaky_relu'"),
        ({"prior": 0.0}, ValueError, r"\(0, 1\)"),
        ({"prior": 1.0}, ValueError, r"\(0, 1\)"),
        ({"norm_momentum": 1.0}, ValueError, r"\[0, 1\)"),
    ],
)
def test_configs_refuse(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        YoloConfig(**change)


@pytest.mark.parametrize(
    ("shape", "error", "words"),
    [
        ((2, 8, 8), ShapeError, r"x\[..., None\] for one channel"),
        ((2, 8, 8, 3), ShapeError, "in_channels=3"),
        ((2, 8, 10, 1), ShapeError, r"sides that 4 divides. Fix: pad to \(8, 12\)"),
        ((2, 2, 2, 1), ShapeError, "at least 4 x 4"),
    ],
)
def test_inputs_are_checked(shape: tuple[int, ...], error: type[Exception], words: str) -> None:
    model = nnx.eval_shape(lambda: Yolo(CONFIGS["anchors"], rngs=nnx.Rngs(0)))
    with pytest.raises(error, match=words):
        model(jnp.ones(shape))
    with pytest.raises(DtypeError, match="floating"):
        model(jnp.ones(shape, jnp.int32))
