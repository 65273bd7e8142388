"""Pooling of regions against torchvision, value and gradient, and what has no meaning."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import make_detection as golden

from jaxdl.kernels import _roi_align_forms as forms
from jaxdl.kernels import roi

GOLDEN = Path(__file__).parent.parent / "golden" / "detection.npz"
NAN, INF = float("nan"), float("inf")
KINDS = [(name, i) for name in ("aligned", "plain") for i in roi.IMPLEMENTATIONS] + [("pool", None)]


def pooling(name: str, implementation: str | None = None) -> Any:
    kind, options = golden.POOLINGS[name]
    chosen = {} if implementation is None else {"implementation": implementation}
    return partial(getattr(roi, kind), output_size=golden.SIZE, spatial_scale=golden.SCALE, **options, **chosen)


def both(pool: Any, features: Any, boxes: Any, above: Any) -> tuple[jax.Array, Any]:
    value, back = jax.vjp(pool, features, boxes)
    return value, back(above)


@pytest.mark.parametrize(("name", "implementation"), KINDS)
def test_value_and_gradient_equal_torchvision(name: str, implementation: str | None) -> None:
    value, (slope, _) = jax.jit(partial(both, pooling(name, implementation)))(*golden.roi_case())
    with np.load(GOLDEN) as stored:
        bound = 0 if name == "pool" else 3e-6
        np.testing.assert_allclose(value, stored[f"{name}/value"], rtol=0, atol=bound)
        np.testing.assert_allclose(slope, stored[f"{name}/gradient"], rtol=1e-5, atol=1e-5)


def test_formulations_have_one_gradient_by_boxes() -> None:
    found = [jax.jit(partial(both, pooling("aligned", i)))(*golden.roi_case())[1][1] for i in roi.IMPLEMENTATIONS]
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)
    assert np.abs(found[0]).max() > 0.1


@pytest.mark.parametrize("name", ["aligned", "pool"])
def test_batches_equal_a_loop(name: str) -> None:
    features, boxes, above = golden.roi_case()
    several = np.stack([features, -features]), boxes.reshape(2, 20, 4), above.reshape(2, 20, *above.shape[1:])
    run = partial(both, pooling(name))
    value, (slope, _) = jax.jit(jax.vmap(run))(*several)
    one = jax.jit(run)
    for i in range(2):
        wanted, (wanted_slope, _) = one(*(part[i] for part in several))
        np.testing.assert_array_equal(value[i], wanted)
        np.testing.assert_allclose(slope[i], wanted_slope, atol=1e-5)


def test_blocks_add_up_whatever_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    features, boxes, above = golden.roi_case()
    pool = pooling("aligned", "gather")
    whole = both(pool, features, boxes[:23], above[:23])[1][0]
    monkeypatch.setattr(forms, "BLOCK", 5 * 12 * 4 * 4 * 4)
    # A shape of its own: a program traced before would be taken as it is.
    in_fives = both(pool, features, boxes[:22], above[:22])[1][0]
    last = both(pool, features, boxes[22:23], above[22:23])[1][0]
    np.testing.assert_allclose(in_fives + last, whole, atol=1e-5)


@pytest.mark.parametrize(("name", "implementation"), KINDS)
def test_boxes_without_a_meaning_give_nan_and_disturb_no_other(name: str, implementation: str | None) -> None:
    features, boxes, _ = golden.roi_case()
    boxes = np.copy(boxes)
    wanted = pooling(name, implementation)(features, boxes)
    bad = [[0, 0, NAN, 8], [0, 0, INF, 8], [-INF, 0, 4, 4], [8, 0, 0, 8], [0, 8, 8, 0]]
    boxes[1:6] = bad
    found = np.asarray(pooling(name, implementation)(features, boxes))
    assert np.isnan(found[1:6]).all()
    np.testing.assert_array_equal(np.delete(found, range(1, 6), 0), np.delete(wanted, range(1, 6), 0))
    assert np.isfinite(found[0]).all()  # of zeros, as padding has it


def test_a_nan_in_the_features_stays_where_it_is_read() -> None:
    features, boxes = np.zeros((12, 15, 4), np.float32), np.tile(np.float32([0, 0, 12, 12]), (40, 1))
    boxes[1:] += 24
    features[1, 1, 0] = NAN
    for name in ("aligned", "pool"):
        found = np.asarray(pooling(name)(features, boxes))
        assert np.isnan(found[0, ..., 0]).any()
        assert not found[0, ..., 1:].any()
        assert not found[1:].any()


def test_halves_round_away_from_zero() -> None:
    features = jnp.arange(6.0).reshape(1, 6, 1)
    pool = partial(roi.roi_pool, output_size=1, spatial_scale=0.5)
    corners = jnp.array([[0.0, 0, 1, 0], [0, 0, 3, 0], [0, 0, 5, 0], [-20, 0, -9, 0]])
    assert pool(features, corners).ravel().tolist() == [1, 2, 3, 0]


def test_maximum_has_its_gradient_at_the_first_of_equals() -> None:
    features = jnp.zeros((4, 4, 1)).at[1:3, 1:3].set(1.0)
    pool = partial(roi.roi_pool, output_size=1, spatial_scale=1.0)
    slope = jax.grad(lambda x: pool(x, jnp.array([[0.0, 0, 3, 3]])).sum())(features)
    assert slope[..., 0].tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_no_boxes_and_half_precision() -> None:
    features, boxes, _ = golden.roi_case()
    for name in ("aligned", "pool"):
        assert pooling(name)(features, boxes[:0]).shape == (0, *golden.SIZE, 4)
        low = pooling(name)(jnp.asarray(features, jnp.bfloat16), boxes)
        assert low.dtype == jnp.bfloat16
        np.testing.assert_allclose(low.astype(np.float32), pooling(name)(features, boxes), atol=2e-2)
