"""Pooling of regions against torchvision, value and gradient, and what has no meaning."""

import functools
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from golden import make_detection as golden

from jaxdl.kernels import _roi_align_forms as forms
from jaxdl.kernels import _roi_pool_table as table
from jaxdl.kernels import roi

GOLDEN = Path(__file__).parent.parent / "golden" / "detection.npz"
NAN, INF = float("nan"), float("inf")
KINDS = [(name, i) for name in ("aligned", "plain") for i in roi.IMPLEMENTATIONS] + [("pool", None)]


def pooling(name: str, implementation: str | None = None) -> Any:
    kind, options = golden.POOLINGS[name]
    chosen = {} if implementation is None else {"implementation": implementation}
    return partial(
        getattr(roi, kind), output_size=golden.SIZE, spatial_scale=golden.SCALE, **options, **chosen
    )


@functools.cache
def program(name: str, implementation: str | None = None, *, batched: bool = False) -> Any:
    """Return value and gradients as one compiled function, shared by the tests: compiling is the cost."""

    def both(features: jax.Array, boxes: jax.Array, above: jax.Array) -> tuple[jax.Array, Any]:
        value, back = jax.vjp(pooling(name, implementation), features, boxes)
        return value, back(above)

    return jax.jit(jax.vmap(both) if batched else both)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs that are traced here work on a few boxes at a time, the last block not full."""
    monkeypatch.setattr(forms, "BLOCK", 7 * 12 * 4 * 4 * 4)
    monkeypatch.setattr(table, "BLOCK", 7 * 12 * 4)


@pytest.mark.parametrize(("name", "implementation"), KINDS)
def test_value_and_gradient_equal_torchvision(name: str, implementation: str | None) -> None:
    value, (slope, _) = program(name, implementation)(*golden.roi_case())
    with np.load(GOLDEN) as stored:
        bound = 0 if name == "pool" else 3e-6
        np.testing.assert_allclose(value, stored[f"{name}/value"], rtol=0, atol=bound)
        np.testing.assert_allclose(slope, stored[f"{name}/gradient"], rtol=1e-5, atol=1e-5)


def test_formulations_have_one_gradient_by_boxes() -> None:
    found = [program("aligned", i)(*golden.roi_case())[1][1] for i in roi.IMPLEMENTATIONS]
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)
    assert np.abs(found[0]).max() > 0.1


@pytest.mark.parametrize(("name", "implementation"), [("aligned", "gather"), ("pool", None)])
def test_batches_equal_a_loop(name: str, implementation: str | None) -> None:
    features, boxes, above = golden.roi_case()
    several = np.stack([features, -features]), np.stack([boxes, boxes[::-1]]), np.stack([above, 2 * above])
    value, (slope, _) = program(name, implementation, batched=True)(*several)
    for i in range(2):
        wanted, (wanted_slope, _) = program(name, implementation)(*(part[i] for part in several))
        np.testing.assert_allclose(value[i], wanted, rtol=0, atol=1e-6)
        np.testing.assert_allclose(slope[i], wanted_slope, atol=1e-5)


@pytest.mark.parametrize(("name", "implementation"), KINDS)
def test_boxes_without_a_meaning_give_nan_and_disturb_no_other(name: str, implementation: str | None) -> None:
    features, boxes, above = golden.roi_case()
    run, wrong = program(name, implementation), np.copy(boxes)
    wrong[1:6] = [[0, 0, NAN, 8], [0, 0, INF, 8], [-INF, 0, 4, 4], [8, 0, 0, 8], [0, 8, 8, 0]]
    found, wanted = (np.asarray(run(features, those, above)[0]) for those in (wrong, boxes))
    assert np.isnan(found[1:6]).all()
    np.testing.assert_array_equal(np.delete(found, range(1, 6), 0), np.delete(wanted, range(1, 6), 0))
    assert np.isfinite(found[0]).all()  # of zeros, as padding has it


def test_a_nan_in_the_features_stays_where_it_is_read() -> None:
    features, boxes, above = golden.roi_case()
    features, boxes = np.zeros_like(features), np.tile(np.float32([0, 0, 12, 12]), (40, 1))
    boxes[1:] += 24
    features[1, 1, 0] = NAN
    for name, implementation in (("aligned", "gather"), ("pool", None)):
        found = np.asarray(program(name, implementation)(features, boxes, above)[0])
        assert np.isnan(found[0, ..., 0]).any()
        assert not found[0, ..., 1:].any()
        assert not found[1:].any()


def test_no_boxes_are_no_regions() -> None:
    features, boxes, _ = golden.roi_case()
    for name in ("aligned", "pool"):
        assert jax.eval_shape(pooling(name), features, boxes[:0]).shape == (0, *golden.SIZE, 4)
