"""R-CNN and Fast R-CNN: crops and what they are to say, losses, what padding may hold, files."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import boxes, losses, metrics, net, optim, proposals, scaling, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.losses import CropOutputs, RegionOutputs
from jaxdl.models import (
    RCNN,
    FastRCNN,
    FastRCNNConfig,
    LeNet5,
    LeNet5Config,
    RCNNConfig,
    _proposed,
    fast_rcnn,
)

SMALL = RCNNConfig(widths=(4, 8), hidden=16, num_classes=2, crop_size=12, context=1)
FAST = FastRCNNConfig(stages=((4,), (8,)), num_classes=2, pool_size=3, hidden=(16,))
CROPS = net.functional(lambda rngs: RCNN(SMALL, rngs=rngs))
REGIONS = net.functional(lambda rngs: FastRCNN(FAST, rngs=rngs))
DETECT = jax.jit(lambda outputs: fast_rcnn.detect(outputs, max_outputs=4))


def scenes(count: int = 16) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return images with one tall or one wide bar of class 0 or 1, some with both."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 10, (count, 24, 24, 1)).astype(np.uint8)
    targets = {"boxes": np.zeros((count, 2, 4), np.float32), "labels": np.zeros((count, 2), np.int32),
               "mask": np.zeros((count, 2), bool)}  # fmt: skip
    for i in range(count):
        for place, label in enumerate([i % 2, 1 - i % 2][: 1 + (i % 3 == 0)]):
            x, y = rng.integers(0, 5, 2) + 12 * place * np.array([label == 0, label == 1])
            box = (x, y, x + (4, 12)[label], y + (12, 4)[label])
            box = tuple(int(min(side, 24)) for side in box)
            images[i, box[1] : box[3], box[0] : box[2]] = 200
            targets["boxes"][i, place], targets["labels"][i, place] = box, label
            targets["mask"][i, place] = True
    return images, targets


IMAGES, TARGETS = scenes()
FOUND = proposals.propose(IMAGES, max_proposals=8, sigma=0.0, min_size=8, scales=(200.0,), progress="off")
TRAINING = proposals.add_truth(*FOUND, TARGETS)
INPUTS = {"image": IMAGES, "proposals": TRAINING[0], "proposal_mask": TRAINING[1]}


def test_a_crop_is_the_image_around_its_region() -> None:
    image = np.random.default_rng(1).random((1, 9, 11, 2)).astype(np.float32)
    box = jnp.array([[[3.0, 2.0, 7.0, 6.0]]])
    warp = jax.jit(proposals.warp, static_argnames=("size", "context"))
    same = warp(image, box, size=4, context=0)
    # Two samples a pixel at a quarter and three quarters of it: a little of each neighbour.
    kernel = np.array([0.125, 0.75, 0.125])
    rows = sum(weight * image[0, 1 + i : 5 + i] for i, weight in enumerate(kernel))
    want = sum(weight * rows[:, 2 + i : 6 + i] for i, weight in enumerate(kernel))
    np.testing.assert_allclose(same[0, 0], want, rtol=1e-5)
    around = warp(image, box, size=6, context=1)
    np.testing.assert_allclose(around[0, 0, 1:5, 1:5], same[0, 0], rtol=1e-5)
    outside = warp(image + 1, jnp.array([[[-8.0, 0.0, 0.0, 8.0]]]), size=4, context=0)
    assert not np.asarray(outside[0, 0, :, :3]).any()


def test_crops_say_what_they_show() -> None:
    truth = {"boxes": np.array([[[2.0, 2, 10, 10], [0, 0, 0, 0]]]), "labels": np.array([[1, 0]]),
             "mask": np.array([[1, 0]])}  # fmt: skip
    places = np.array([[[2.0, 2, 10, 10], [3, 2, 11, 10], [12, 12, 20, 20], [9, 9, 17, 17], [0, 0, 0, 0]]])
    mask = np.array([[1, 1, 1, 1, 0]])
    options: dict[str, Any] = {
        "num_classes": 2,
        "size": 12,
        "context": 1,
        "count": 4,
        "positive_fraction": 0.5,
    }
    cut, wanted = proposals.crops(jax.random.key(0), IMAGES[:1], places, mask, truth, **options)
    order = np.argsort(wanted["labels"], kind="stable")
    assert wanted["labels"][order].tolist() == [0, 0, 2, 2]
    assert not wanted["offsets"][wanted["labels"] == 0].any()
    shown = [boxes.decode(wanted["offsets"][i] * np.array(losses.OFFSET_SCALES), place)
             for i in order[2:] for place in places[0, :2]]  # fmt: skip
    assert sum(bool(np.allclose(box, truth["boxes"][0, 0], atol=1e-3)) for box in shown) == 2
    assert cut.dtype == np.uint8
    hollow = np.where(mask[..., None] == 1, places, np.nan)
    again, same = proposals.crops(jax.random.key(0), IMAGES[:1], hollow, mask, truth, **options)
    np.testing.assert_array_equal(cut, again)
    np.testing.assert_array_equal(wanted["offsets"], same["offsets"])
    none = truth | {"mask": np.zeros((1, 2))}
    _, background = proposals.crops(jax.random.key(0), IMAGES[:1], places, mask, none, **options)
    assert background["labels"].tolist() == [0] * 4


def test_crop_heads_by_hand() -> None:
    rng = np.random.default_rng(2)
    logits, offsets = rng.normal(size=(4, 3)), rng.normal(size=(4, 8))
    labels, wanted = np.array([0, 1, 2, 2]), rng.normal(size=(4, 4))
    difference = np.abs([offsets[i].reshape(2, 4)[max(c - 1, 0)] - wanted[i] for i, c in enumerate(labels)])
    smooth = np.where(difference < 1 / 9, 4.5 * difference**2, difference - 1 / 18).sum(1)
    entropy = np.log(np.exp(logits).sum(1)) - logits[np.arange(4), labels]
    targets = {"labels": jnp.asarray(labels), "offsets": jnp.float32(wanted).at[0].set(jnp.nan)}

    @jax.jit
    def run(z: jax.Array, labels: jax.Array) -> Any:
        def total(z: jax.Array) -> Any:
            outputs = CropOutputs(z, jnp.float32(offsets))
            values = losses.crop_heads(outputs, targets | {"labels": labels})
            return values.sum(), values

        return jax.value_and_grad(total, has_aux=True)(z)

    (_, values), gradient = run(jnp.float32(logits), targets["labels"])
    np.testing.assert_allclose(values, entropy + (labels > 0) * smooth, rtol=1e-5)
    assert np.isfinite(gradient).all()
    (_, wrong), gradient = run(jnp.float32(logits), jnp.array([0, 3, -1, 2]))
    assert np.isnan(wrong).tolist() == [False, True, True, False]
    assert np.isnan(gradient).any(1).tolist() == [False, True, True, False]


def cut() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return proposals.crops(jax.random.key(1), IMAGES, *TRAINING, TARGETS, num_classes=2, count=6,
                           size=SMALL.crop_size, context=SMALL.context)  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> dict[str, Any]:
    options: dict[str, Any] = {"optimizer": optim.adam(0.01), "progress": "off"}
    return {
        "rcnn": train.fit(CROPS, cut(), loss=losses.crop_heads, scaling=scaling.pixels(), epochs=20,
                          batch_size=8, **options),
        "fast": train.fit(REGIONS, (INPUTS, TARGETS), loss=losses.region_heads, epochs=30, batch_size=8,
                          **options),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["rcnn", "fast"])
def test_they_learn_and_find(trained: dict[str, Any], kind: str) -> None:
    fitted = trained[kind]
    assert fitted.history["loss"][-1] < 0.35 * fitted.history["loss"][0]
    inputs = INPUTS | dict(zip(("proposals", "proposal_mask"), FOUND, strict=True))
    outputs = train.predict(fitted.net, fitted.params, fitted.state, inputs)
    found = DETECT(outputs)
    assert found.boxes.shape == (len(IMAGES), 4, 4)
    assert metrics.mean_average_precision(found, TARGETS, num_classes=2).mean > 0.6


MASK = jnp.array([[1, 1, 0], [0, 0, 0]])
PLACES = jnp.array([[[1.0, 1, 9, 13], [4, 2, 20, 9], [0, 0, 0, 0]], [[0.0, 0, 0, 0]] * 3])


def fed(hole: Any) -> dict[str, jax.Array]:
    """Return two images, the second without a proposal, and what stands in padded places."""
    places = jnp.where(MASK[..., None] == 1, PLACES, hole)
    return {"image": jnp.asarray(IMAGES[:2]), "proposals": places, "proposal_mask": MASK}


def test_an_image_is_its_crops() -> None:
    """What stands in padded places changes no bit."""
    params, state = CROPS.init(jax.random.key(0))

    @jax.jit
    def both(hole: Any) -> Any:
        crops = proposals.warp(IMAGES[:2] / np.float32(255), PLACES, size=12, context=1)
        return [CROPS.apply(params, state, each, train=False)[0] for each in (fed(hole), crops[0])]

    whole, said = both(0.0)
    assert isinstance(whole, RegionOutputs)
    np.testing.assert_allclose(whole.logits[0], said.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(whole.offsets[0], said.offsets, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(whole.sizes, [[24, 24]] * 2)
    for part, same in zip(whole, both(np.nan)[0], strict=True):
        np.testing.assert_array_equal(part, same)


def test_padding_and_emptiness_in_training() -> None:
    """Images without proposals or objects train, and NaN in padded places changes no bit."""
    params, state = REGIONS.init(jax.random.key(0))
    targets = {"boxes": PLACES[:, :1], "labels": jnp.array([[1], [0]])}

    @jax.jit
    @jax.value_and_grad
    def run(params: Any, hole: jax.Array, objects: jax.Array) -> jax.Array:
        wanted = targets | {"boxes": jnp.where(objects[..., None] == 1, targets["boxes"], hole),
                            "mask": objects}  # fmt: skip
        outputs, _ = REGIONS.apply(params, state, fed(hole), train=True, key=jax.random.key(3))
        return losses.region_heads(outputs, wanted).sum()

    for objects in (jnp.array([[1], [0]]), jnp.array([[0], [0]])):
        one, other = (run(params, jnp.float32(hole), objects) for hole in (0.0, np.nan))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(one))
        for first, second in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(first, second)


def test_no_proposals_no_detections() -> None:
    batch, places = FOUND[1].shape
    shapes = (
        (batch, places, 3),
        (batch, places, 8),
        (batch, places, 4),
        (batch, places),
        (batch,),
        (batch, 2),
    )
    outputs = RegionOutputs(*(jnp.ones(shape) for shape in shapes))
    outputs = outputs._replace(seeds=outputs.seeds.astype(jnp.uint32))
    # Nor are regions without area, which a box outside of the image becomes where it is clipped.
    for mask in (outputs.mask > 1, outputs.mask == 1):
        found = DETECT(outputs._replace(mask=mask))
        assert not found.mask.any()
        assert not found.boxes.any()


@pytest.mark.parametrize("kind", ["rcnn", "fast"])
def test_model_files(trained: dict[str, Any], kind: str, tmp_path: Path) -> None:
    loaded = train.load(train.save(tmp_path / "model.safetensors", trained[kind]))
    assert loaded.config == {"rcnn": SMALL, "fast": FAST}[kind]
    for one, other in zip(jax.tree.leaves(loaded.params), jax.tree.leaves(trained[kind].params), strict=True):
        np.testing.assert_array_equal(one, other)


def test_parts_of_ones_own() -> None:
    """Any classifier of the library, any convolutions as a backbone; no config claims to describe them."""
    config = RCNNConfig(num_classes=2, crop_size=28)

    def rcnn(outputs: int) -> Any:
        classifier = LeNet5(LeNet5Config(num_classes=outputs), rngs=nnx.Rngs(0))
        return RCNN(config, classifier=classifier, rngs=nnx.Rngs(0))

    found = nnx.eval_shape(lambda: rcnn(config.outputs)(jnp.ones((3, 28, 28, 1))))
    assert (found.logits.shape, found.offsets.shape) == ((3, 3), (3, 8))
    assert nnx.eval_shape(lambda: rcnn(11)).config is None
    with pytest.raises(ShapeError, match="Fix: num_classes=11"):
        nnx.eval_shape(lambda: rcnn(7)(jnp.ones((3, 28, 28, 1))))
    fast = nnx.eval_shape(
        lambda: FastRCNN(FAST, backbone=nnx.Conv(1, 5, (3, 3), strides=4, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    )
    assert fast.config is None
    assert fast.head.dense[0].kernel.shape == (5 * 9, 16)


@pytest.mark.parametrize(
    ("make", "change", "error", "words"),
    [
        (RCNNConfig, {"widths": 16}, DtypeError, "expected a tuple"),
        (RCNNConfig, {"crop_size": 4}, ValueError, "for crops of 4 pixels"),
        (RCNNConfig, {"context": 16}, ValueError, "'context' is 16"),
        (RCNNConfig, {"num_classes": 0}, ValueError, "'num_classes' is 0"),
        (FastRCNNConfig, {"stages": ()}, ValueError, "none empty"),
        (FastRCNNConfig, {"stages": (16, 32)}, DtypeError, "tuples in a tuple"),
        (FastRCNNConfig, {"stages": ((16, 0),)}, ValueError, "'stages' is 0"),
        (FastRCNNConfig, {"pooling": "mean"}, ValueError, "one of 'align', 'max'"),
        (FastRCNNConfig, {"pool_size": 2.5}, DtypeError, "a whole number"),
    ],
)
def test_configs_refuse(make: Any, change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make(**change)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"image": jnp.ones((2, 24, 24))}, ShapeError, r"\(batch, height, width, 1\)"),
        ({"image": jnp.ones((2, 24, 24, 1), jnp.int32)}, DtypeError, "'image' is of dtype int32"),
        ({"proposals": jnp.ones((2, 4))}, ShapeError, r"expected \(2, regions, 4\)"),
        ({"proposals": jnp.ones((2, 3, 5))}, ShapeError, "four numbers a box"),
        ({"proposal_mask": jnp.ones((2, 4))}, ShapeError, r"with a mask \(2, 4\)"),
        ({"boxes": jnp.ones((2, 3, 4))}, DtypeError, "a dict of image, proposals, proposal_mask"),
    ],
)
@pytest.mark.parametrize("made", [CROPS, REGIONS])
def test_inputs_are_checked(made: net.Net, change: Any, error: type[Exception], words: str) -> None:
    good = {
        "image": jnp.ones((2, 24, 24, 1)),
        "proposals": jnp.ones((2, 3, 4)),
        "proposal_mask": jnp.ones((2, 3)),
    }
    with pytest.raises(error, match=words):
        jax.eval_shape(lambda: made.apply(*made.init(jax.random.key(0)), good | change, train=False))


def test_what_is_no_dict() -> None:
    with pytest.raises(DtypeError, match="a dict of image"):
        jax.eval_shape(
            lambda: REGIONS.apply(*REGIONS.init(jax.random.key(0)), jnp.ones((2, 24, 24, 1)), train=False)
        )
    with pytest.raises(ShapeError, match="crops of 12 x 12"):
        jax.eval_shape(
            lambda: CROPS.apply(*CROPS.init(jax.random.key(0)), jnp.ones((2, 24, 24, 1)), train=False)
        )
    odd = {
        "image": jnp.ones((1, 25, 24, 1)),
        "proposals": jnp.ones((1, 3, 4)),
        "proposal_mask": jnp.ones((1, 3)),
    }
    with pytest.raises(ShapeError, match="pad the images to 26 x 24"):
        jax.eval_shape(lambda: REGIONS.apply(*REGIONS.init(jax.random.key(0)), odd, train=False))


@pytest.mark.parametrize("box", [(5.0, 1, 1, 7), (1, jnp.nan, 5, 7), (1, 1, jnp.inf, 7)])
def test_an_unsound_proposal_poisons_its_image_alone(box: tuple[float, ...]) -> None:
    regions = jnp.array([[(1.0, 1, 5, 7), box], [(0, 0, 8, 8), (jnp.nan, 3, 2, 1)]])
    x = {"image": jnp.ones((2, 8, 8, 1)), "proposals": regions,
         "proposal_mask": jnp.array([[True, True], [True, False]])}  # fmt: skip
    found = _proposed.read("FastRCNN", x, 1)
    assert np.isnan(found.images[0]).all()
    assert (found.images[1] == 1).all()
    assert (found.regions[1] == jnp.array([[0.0, 0, 8, 8], [0, 0, 0, 0]])).all()
