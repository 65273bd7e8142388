"""What detection does with input that is no good but has the right shape."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from rows.boxes import B, S
from rows.detectors import FIRST, SECOND, TARGETS
from rows.localisation import OUTPUTS
from rows.localisation import TARGETS as PLACES

from jaxdl import anchors, boxes, losses
from jaxdl.data import augment
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.kernels import roi
from jaxdl.layers import MaxPool
from jaxdl.models import (
    RCNN,
    FasterRCNN,
    FasterRCNNConfig,
    FastRCNN,
    FastRCNNConfig,
    RCNNConfig,
    fast_rcnn,
    localise,
)  # fmt: skip

LARGE = np.array([[0, 0, 300, 300], [0, 0, 300, 290], [0, 0, 100, 100]], np.float32)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_areas_beyond_half_precision(dtype: Any) -> None:
    low = jnp.asarray(LARGE, dtype)
    wide = low.astype(jnp.float32)
    for function in (boxes.iou, boxes.giou, boxes.paired_iou, boxes.paired_giou, boxes.giou_loss):
        found = function(low, low)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, function(wide, wide).astype(dtype))
    suppress = partial(boxes.nms, iou_threshold=0.5, max_outputs=3)
    scores = jnp.array([0.9, 0.8, 0.7])
    for ours, theirs in zip(suppress(low, scores), suppress(wide, scores)):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("value", [jnp.nan, -1.0, 2.0])
@pytest.mark.parametrize(
    ("loss", "outputs", "name"),
    [
        (losses.region_heads, SECOND, "positive"),
        (losses.region_heads, SECOND, "positive_fraction"),
        (losses.region_proposals, FIRST, "positive"),
        (losses.region_proposals, FIRST, "negative"),
        (losses.region_proposals, FIRST, "positive_fraction"),
    ],
)
def test_traced_shares_out_of_range_are_nan(loss: Any, outputs: Any, name: str, value: float) -> None:
    program = jax.jit(lambda share: loss(outputs, TARGETS, **{name: share}))
    assert np.isnan(program(value)).all()
    np.testing.assert_array_equal(program(0.5), loss(outputs, TARGETS, **{name: 0.5}))


def test_traced_weight_below_zero_is_nan() -> None:
    program = jax.jit(lambda weight: losses.localisation(OUTPUTS, PLACES, size=8, box_weight=weight))
    assert np.isnan(program(-1.0)).all()
    assert np.isfinite(program(0.0)).all()


def test_traced_sigma_that_is_none_chooses_nothing() -> None:
    program = jax.jit(lambda sigma: boxes.soft_nms(B, S, max_outputs=2, sigma=sigma).mask)
    assert [program(sigma).any().item() for sigma in (jnp.nan, 0.0, -1.0, 0.5)] == [False, False, False, True]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: boxes.detections(B, jnp.stack([S, S], 1), score_threshold=x),
        lambda x: boxes.soft_nms(B, S, max_outputs=2, sigma=x),
        lambda x: boxes.clip(B, x, 4.0),
        lambda x: anchors.assign(B, B, jnp.ones(2), positive=x, negative=0.1),
    ],
)
def test_a_traced_array_is_no_number(function: Any) -> None:
    with pytest.raises(DtypeError, match="expected a number"):
        jax.jit(function)(jnp.array([0.5, 0.6]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: anchors.grid(2, 2, stride=x, shapes=((4, 4),)),
        lambda x: anchors.grid(2, 2, stride=8, shapes=[[x, x]]),
        lambda x: losses.yolo_unplaced(TARGETS, grid=(2, 2), stride=x, num_classes=2),
    ],
)
def test_what_cannot_be_traced(function: Any) -> None:
    with pytest.raises(DtypeError, match="traced"):
        jax.jit(function)(8.0)


def test_no_box_detects_nothing() -> None:
    found = jax.jit(partial(boxes.detections, max_outputs=3))(jnp.zeros((0, 4)), jnp.zeros((0, 2)))
    assert found.boxes.shape == (3, 4)
    assert not found.mask.any()
    shapes = ((2, 0, 3), (2, 0, 8), (2, 0, 4), (2, 0), (2,), (2, 2))
    none = losses.RegionOutputs(*(jnp.ones(shape) for shape in shapes))
    assert fast_rcnn.detect(none, max_outputs=3).mask.shape == (2, 3)


@pytest.mark.parametrize(("images", "regions"), [(2, 0), (0, 3)])
def test_networks_without_regions_or_images(images: int, regions: int) -> None:
    x = {"image": jnp.ones((images, 16, 16, 1)), "proposals": jnp.ones((images, regions, 4)),
         "proposal_mask": jnp.ones((images, regions), bool)}  # fmt: skip

    def outputs(kind: Any, config: Any, x: Any) -> Any:
        return nnx.eval_shape(lambda: kind(config, rngs=nnx.Rngs(0))(x))

    for kind, config in ((FastRCNN, FastRCNNConfig()), (RCNN, RCNNConfig())):
        assert outputs(kind, config, x).logits.shape == (images, regions, 11)


def test_an_anchor_of_nan_claims_no_object() -> None:
    options: Any = {"positive": 0.9, "negative": 0.3}
    alone = anchors.assign(B, B[:1] + 1, jnp.ones(1), **options)
    beside = anchors.assign(jnp.concatenate([B * jnp.nan, B]), B[:1] + 1, jnp.ones(1), **options)
    np.testing.assert_array_equal(beside.kinds[2:], alone.kinds)
    assert 1 in alone.kinds
    assert beside.kinds[:2].tolist() == [-1, -1]


def test_localise_gives_no_infinite_box() -> None:
    outputs = jnp.array([[4, jnp.inf, 0.5, 1, jnp.inf, 0, 3], [4, 0.5, 0.5, 1, 1, 0, 3]])
    found = localise(outputs, size=8)
    assert found.mask[:, 0].tolist() == [False, True]
    assert np.isfinite(found.boxes).all()


@pytest.mark.parametrize("box", [[np.nan, 1, 4, 5], [0, 1, np.inf, 5], [4, 1, 0, 5], [4, 5, 0, 1]])
def test_zoom_keeps_what_is_no_box(box: list[float]) -> None:
    targets = {"boxes": jnp.array([[box, [0.0, 0, 8, 8]]]), "labels": jnp.ones((1, 2), int),
               "mask": jnp.ones((1, 2), bool)}  # fmt: skip
    _, moved = augment.zoom_with_boxes(jax.random.key(0), jnp.ones((1, 8, 8, 1)), targets)
    truth = boxes.truth("test", moved, 2)
    assert moved["mask"].all()
    assert not truth.good.any()
    assert truth.mask.tolist() == [[False, True]]


class Halving(nnx.Module):
    """Halves an image some times."""

    def __init__(self, times: int) -> None:
        self.pools = nnx.List([MaxPool((2, 2)) for _ in range(times)])

    def __call__(self, x: jax.Array) -> jax.Array:
        for pool in self.pools:
            x = pool(x)
        return x


@pytest.mark.parametrize(("times", "side"), [(4, 126), (4, 95), (2, 10), (2, 17), (2, 0)])
def test_sides_that_the_stride_does_not_divide(times: int, side: int) -> None:
    """126 pixels have 7 cells of stride 16, and 7 divides 126."""
    images = jnp.ones((1, side, side, 1))
    two = FasterRCNN(FasterRCNNConfig(), backbone=Halving(times), rngs=nnx.Rngs(0))
    one = FastRCNN(FastRCNNConfig(), backbone=Halving(times), rngs=nnx.Rngs(0))
    given = {"image": images, "proposals": jnp.ones((1, 2, 4)), "proposal_mask": jnp.ones((1, 2), bool)}
    for network, x in ((two, images), (one, given)):
        with pytest.raises(ShapeError, match=f"multiples of the backbone's stride, {2**times}"):
            network(x)


@pytest.mark.parametrize("value", [jnp.nan, -1.0, 0.0])
def test_traced_sides_and_scales_not_above_zero(value: float) -> None:
    features = jnp.ones((4, 4, 1))
    for pool in (roi.roi_align, roi.roi_pool):
        program = jax.jit(partial(pool, features, B))
        assert np.isnan(program(spatial_scale=value)).all()
    assert np.isnan(jax.jit(lambda side: boxes.clip(B, side, 4.0))(value)[:, 1::2]).all()


@pytest.mark.parametrize(("positive", "negative"), [(1.5, 0.3), (0.7, -0.1), (0.2, 0.3), (jnp.nan, 0.3)])
def test_traced_thresholds_out_of_range_assign_nothing(positive: float, negative: float) -> None:
    program = jax.jit(lambda a, b: anchors.assign(B, B, jnp.ones(2), positive=a, negative=b))
    found = program(positive, negative)
    assert (found.kinds == -1).all()
    assert np.isnan(found.iou).all()
    assert (program(0.7, 0.3).kinds == 1).all()


def test_shapes_of_large_anchors_in_half_precision() -> None:
    sizes = jnp.array([[300, 300], [400, 400], [100, 200]], jnp.float16)
    assert 0.9 < anchors.kmeans(sizes, 3, key=jax.random.key(0)).mean_iou <= 1


def test_scale_of_regions_is_one_number() -> None:
    with pytest.raises(ValueError, match="'spatial_scale' is"):
        jax.jit(lambda scale: roi.roi_align(jnp.ones((4, 4, 1)), B, spatial_scale=scale))(jnp.ones(4))
