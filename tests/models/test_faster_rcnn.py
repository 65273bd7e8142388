"""Faster R-CNN: proposals and detections against slow loops, any backbone, training through fit."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import losses, models, net, optim, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.layers import Conv
from jaxdl.models import FasterRCNN, FasterRCNNConfig, _proposals, faster_rcnn

Array = np.ndarray
CONFIG = FasterRCNNConfig(
    stages=((4,), (8,)), anchors=((6, 6), (10, 10)), num_classes=2, proposal_width=8, candidates=40,
    proposals=6, pool_size=3, hidden=(12,),
)  # fmt: skip
SIDE, PLACES = 16, 2


@functools.cache
def network() -> net.Net:
    return net.functional(lambda rngs: FasterRCNN(CONFIG, rngs=rngs))


@functools.cache
def data() -> tuple[dict[str, Array], dict[str, Array]]:
    """Return squares, bright ones of class 1 and dim ones of class 0; every fourth image shows none."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 0.1, (32, SIDE, SIDE, 1)).astype(np.float32)
    boxes, labels = np.zeros((32, PLACES, 4), np.float32), rng.integers(0, 2, (32, PLACES)).astype(np.int32)
    mask = np.zeros((32, PLACES), bool)
    for number, image in enumerate(images):
        for place in range(number % 4 % 3):
            side, x, y = 6 + 4 * (place == 1), *rng.integers(0, 7, 2)
            image[y : y + side, x : x + side] = 0.5 + 0.5 * labels[number, place]
            boxes[number, place], mask[number, place] = (x, y, x + side, y + side), True
    return ({"image": images, "boxes": boxes, "mask": mask}, {"boxes": boxes, "labels": labels, "mask": mask})


@functools.cache
def fitted() -> train.Fitted:
    return train.fit(network(), data(), loss=losses.faster_rcnn, optimizer=optim.adam(0.01), epochs=12,
                     batch_size=8, progress="off")  # fmt: skip


@functools.cache
def training() -> Any:
    """Return the compiled network in training mode."""
    params, state = fitted().params, fitted().state
    return jax.jit(lambda x, key: network().apply(params, state, x, train=True, key=key)[0])


@functools.cache
def still() -> losses.FasterRCNNOutputs:
    """Return the outputs in evaluation."""
    found: losses.FasterRCNNOutputs = fitted().predict(data()[0], batch_size=32)
    return found


def test_count_of_parameters() -> None:
    params, _ = jax.eval_shape(network().init, jax.random.key(0))
    backbone = 9 * (4 + 4 * 8) + 2 * (4 + 8)
    first = 9 * 8 * 8 + 8 + 9 * 2 + 9 * 8
    second = (8 * 9 + 1) * 12 + 13 * 3 + 13 * 8
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == backbone + first + second


def slow_nms(boxes: Array, scores: Array, threshold: float) -> list[int]:
    left, kept = [int(i) for i in np.argsort(-scores, kind="stable") if np.isfinite(scores[i])], []
    while left:
        kept.append(left.pop(0))
        left = [i for i in left if iou(boxes[kept[-1]], boxes[i]) <= threshold]
    return kept


def iou(a: Array, b: Array) -> float:
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    shared = sides[0] * sides[1]
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared
    return float(shared / union) if union > 0 else 0.0


def decoded(offsets: Array, place: Array, size: tuple[float, float]) -> Array:
    sides = place[2:] - place[:2]
    centre = (place[:2] + place[2:]) / 2 + offsets[:2] * sides
    half = sides * np.exp(np.minimum(offsets[2:], np.log(62.5))) / 2
    return np.clip(np.concatenate([centre - half, centre + half]), 0, np.tile(size[::-1], 2))


@pytest.mark.parametrize(("candidates", "threshold"), [(12, 0.7), (60, 0.3)])
def test_proposals_equal_a_slow_loop(candidates: int, threshold: float) -> None:
    rng = np.random.default_rng(3)
    low = rng.uniform(-6, 26, (60, 2))
    places = np.concatenate([low, low + rng.uniform(3, 12, (60, 2))], 1)
    scores, offsets = rng.normal(size=(2, 60)), 0.4 * rng.normal(size=(2, 60, 4))
    propose = functools.partial(_proposals.propose, size=(20, 30), count=16, candidates=candidates,
                                iou_threshold=threshold, min_size=2.0)  # fmt: skip
    found, mask = jax.jit(propose)(*(jnp.asarray(a, jnp.float32) for a in (scores, offsets, places)))
    for image in range(2):
        best = np.argsort(-scores[image])[:candidates]
        boxes = np.array([decoded(offsets[image][i], places[i], (20, 30)) for i in best])
        large = (boxes[:, 2:] - boxes[:, :2] >= 2).all(1)
        kept = slow_nms(boxes, np.where(large, scores[image][best], -np.inf), threshold)[:16]
        assert not large.all()
        assert mask[image].tolist() == [True] * len(kept) + [False] * (16 - len(kept))
        np.testing.assert_allclose(found[image][: len(kept)], boxes[kept], rtol=1e-5, atol=1e-5)
        assert not np.asarray(found[image][len(kept) :]).any()


@pytest.mark.parametrize("agnostic", [False, True])
def test_detections_equal_a_slow_loop(agnostic: bool) -> None:
    rng = np.random.default_rng(4)
    low = rng.uniform(0, 20, (1, 9, 2))
    regions = np.concatenate([low, low + rng.uniform(4, 12, (1, 9, 2))], 2)
    logits, offsets = 2 * rng.normal(size=(1, 9, 4)), rng.normal(size=(1, 9, 4 if agnostic else 12))
    mask, size = np.arange(9)[None] < 8, np.array([[24.0, 30.0]])
    arrays = (jnp.asarray(a, jnp.float32) for a in (logits, offsets, regions))
    first = losses.ProposalOutputs(*map(jnp.zeros, ((1, 1), (1, 1, 4), (1, 1, 4), (1,))))
    second = losses.RegionOutputs(*arrays, jnp.asarray(mask), jnp.zeros(1), jnp.asarray(size, jnp.float32))
    outputs = losses.FasterRCNNOutputs(first, second)
    detect = functools.partial(faster_rcnn.detect, score_threshold=0.2, iou_threshold=0.3, max_outputs=12)
    found = jax.jit(detect)(outputs)
    wanted = []
    for kind in range(3):
        scores = np.exp(logits[0]) / np.exp(logits[0]).sum(1, keepdims=True)
        alive = np.where(mask[0] & (scores[:, kind + 1] > 0.2), scores[:, kind + 1], -np.inf)
        own = offsets[0] if agnostic else offsets[0][:, 4 * kind : 4 * kind + 4]
        boxes = np.array([decoded(o * (0.1, 0.1, 0.2, 0.2), r, (24, 30)) for o, r in zip(own, regions[0])])
        wanted += [(-alive[i], kind, boxes[i]) for i in slow_nms(boxes, alive, 0.3)]
    wanted.sort(key=lambda row: row[0])
    assert found.mask[0].tolist() == [True] * len(wanted) + [False] * (12 - len(wanted))
    assert found.labels[0][: len(wanted)].tolist() == [kind for _, kind, _ in wanted]
    np.testing.assert_allclose(found.scores[0][: len(wanted)], [-score for score, *_ in wanted], rtol=1e-5)
    np.testing.assert_allclose(found.boxes[0][: len(wanted)], [box for *_, box in wanted], rtol=1e-4)


def test_seeds_are_drawn_in_training_and_rest_in_evaluation() -> None:
    one, two = (training()(data()[0], jax.random.key(seed)) for seed in (0, 1))
    assert len({int(seed) for outputs in (one, two) for seed in outputs.proposals.seeds}) == 64
    assert not still().proposals.seeds.any()
    assert (one.regions.seeds != one.proposals.seeds).all()
    assert jax.tree.structure(one) == jax.tree.structure(still())
    assert jax.eval_shape(losses.faster_rcnn, still(), data()[1]).shape == (32,)
    with pytest.raises(DtypeError, match="key"):
        jax.eval_shape(lambda x: training()(x, None), data()[0])


def test_true_boxes_join_the_proposals_in_training_alone() -> None:
    inputs, _ = data()
    outputs = training()(inputs, jax.random.key(0)).regions
    np.testing.assert_array_equal(outputs.regions[:, -PLACES:], inputs["boxes"])
    np.testing.assert_array_equal(outputs.mask[:, -PLACES:], inputs["mask"])
    wasted = inputs | {"boxes": np.where(inputs["mask"][..., None], inputs["boxes"], np.nan)}
    again = training()(wasted, jax.random.key(0)).regions
    for a, b in zip(outputs, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert still().regions.logits.shape == (32, CONFIG.proposals, 3)


def test_true_boxes_are_checked() -> None:
    inputs = data()[0] | {"mask": np.ones((32, PLACES + 1))}
    with pytest.raises(ShapeError, match=r"\(batch, objects, 4\) and \(batch, objects\)"):
        jax.eval_shape(training(), inputs, jax.random.key(0))


def test_corners_are_computed_in_single_precision() -> None:
    params, state = jax.eval_shape(network().init, jax.random.key(0))
    half = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jnp.bfloat16), params)
    images = jax.ShapeDtypeStruct((2, SIDE, SIDE, 1), jnp.bfloat16)
    run = functools.partial(network().apply, train=False)
    outputs, _ = jax.eval_shape(run, half, state, images)
    assert {leaf.dtype.itemsize for leaf in jax.tree.leaves(outputs)} == {1, 4}


def test_no_gradient_goes_through_the_places_of_proposals() -> None:
    places = jnp.asarray([[0.0, 0, 8, 8], [4, 4, 9, 9]])

    def corners(scores: jax.Array, offsets: jax.Array) -> jax.Array:
        found, _ = _proposals.propose(scores, offsets, places, (16, 16), count=2, candidates=2,
                                      iou_threshold=0.7, min_size=0.0)  # fmt: skip
        return found.sum() + 0 * offsets.sum()

    value, gradient = jax.jit(jax.value_and_grad(corners, (0, 1)))(jnp.ones((1, 2)), jnp.ones((1, 2, 4)))
    assert value > 0
    assert not any(leaf.any() for leaf in gradient)


def test_trains_through_fit_and_finds_what_it_learned() -> None:
    history = fitted().history["loss"]
    assert np.isfinite(history).all()
    assert history[-1] < 0.5 * history[0]
    targets = data()[1]
    found = jax.jit(functools.partial(faster_rcnn.detect, max_outputs=1))(still())
    alone = np.flatnonzero(targets["mask"].sum(1) == 1)
    hits = [iou(found.boxes[i][0], targets["boxes"][i][0]) > 0.5 for i in alone]
    assert np.mean(hits) > 0.7


def test_saved_and_loaded(tmp_path: Path) -> None:
    loaded = train.load(train.save(tmp_path / "model.safetensors", fitted()))
    assert loaded.config == CONFIG
    for group in ("params", "state"):
        pairs = zip(*(jax.tree.leaves(getattr(m, group)) for m in (fitted(), loaded)), strict=True)
        assert all((a == b).all() for a, b in pairs)


def test_a_backbone_of_ones_own_is_not_rebuilt_from_the_config() -> None:
    backbone = lambda rngs: nnx.Sequential(Conv(1, 3, (3, 3), strides=2, rngs=rngs))  # noqa: E731
    made = net.functional(lambda rngs: FasterRCNN(CONFIG, backbone=backbone(rngs), rngs=rngs))
    assert made.config is None


def truncated(kind: str) -> nnx.Module:
    rngs = nnx.Rngs(0)
    if kind == "vgg":
        config = models.VGGConfig(stages=((4,), (8, 8), (16,)), hidden=(), pool_to=1, num_classes=2)
        return nnx.Sequential(*models.VGG(config, rngs=rngs).features[:8])
    if kind == "small residual":
        small = models.CifarResNet(models.CifarResNetConfig(depth=8), rngs=rngs)
        return nnx.Sequential(small.conv1, small.bn1, small.relu, *small.layers[0], *small.layers[1])
    whole = models.ResNet.resnet18(rngs=rngs)
    return nnx.Sequential(whole.conv1, whole.bn1, whole.relu, *whole.maxpool, *whole.layers[0])


@pytest.mark.parametrize(("kind", "stride"), [("vgg", 4), ("small residual", 2), ("residual", 4)])
def test_any_convolutional_model_is_a_backbone(kind: str, stride: int) -> None:
    config = dataclasses.replace(CONFIG, in_channels=3)

    def run() -> Any:
        return FasterRCNN(config, backbone=truncated(kind), rngs=nnx.Rngs(1))(jnp.ones((2, 32, 64, 3)))

    outputs = nnx.eval_shape(run)
    assert outputs.proposals.objectness.shape == (2, 2 * (32 // stride) * (64 // stride))
    assert outputs.regions.logits.shape == (2, CONFIG.proposals, 3)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"stages": ()}, ValueError, "'stages' is"),
        ({"stages": (16, 32)}, DtypeError, r"Fix: stages=\(\(16,\), \(32, 32\)\)"),
        ({"stages": ((16,), ())}, ValueError, "none empty"),
        ({"stages": ((16, 0),)}, ValueError, "'stages' is 0"),
        ({"anchors": ((16, 16, 3),)}, ShapeError, r"expected \(shapes, 2\)"),
        ({"anchors": ()}, ShapeError, r"'anchors' is of shape \(0,\)"),
        ({"anchors": ((16, -1),)}, ValueError, "sides above 0"),
        ({"anchors": 16}, DtypeError, "a tuple"),
        ({"num_classes": 0}, ValueError, "at least 1"),
        ({"hidden": 128}, DtypeError, "a tuple"),
        ({"proposal_iou": 1.5}, ValueError, r"\[0, 1\]"),
        ({"min_size": -1}, ValueError, "'min_size' is -1"),
        ({"class_agnostic": "no"}, ValueError, "one of"),
    ],
)
def test_configs_refuse(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        dataclasses.replace(CONFIG, **change)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (jnp.ones((2, 16, 16)), ShapeError, r"x\[..., None\]"),
        (jnp.ones((2, 16, 16, 3)), ShapeError, "in_channels=3"),
        (jnp.ones((2, 17, 16, 1)), ShapeError, "pad the images to 18 x 16"),
        (jnp.ones((2, 16, 16, 1), int), DtypeError, "floating"),
        ({"image": jnp.ones((2, 16, 16, 1)), "boxes": jnp.ones((2, 1, 4))}, DtypeError, "'mask'"),
    ],
)
def test_inputs_are_checked(x: Any, error: type[Exception], words: str) -> None:
    params, state = jax.eval_shape(network().init, jax.random.key(0))
    with pytest.raises(error, match=words):
        jax.eval_shape(lambda p, s: network().apply(p, s, x, train=False)[0], params, state)
