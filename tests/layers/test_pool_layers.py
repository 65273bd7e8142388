"""Pools and local response normalisation as layers: they hand their arguments on, and say what is wrong."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.errors import DtypeError, ShapeError
from jaxdl.kernels import pool, response_norm
from jaxdl.layers import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LocalResponseNorm,
    MaxPool,
)

X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 8, 3)), jnp.float32)


def test_arguments_reach_the_kernels() -> None:
    pads = ((1, 0), (1, 1))
    layer = MaxPool((3, 3), strides=2, padding=pads, ceil_mode=True)
    np.testing.assert_array_equal(layer(X), pool.max_pool(X, (3, 3), (2, 2), pads, ceil_mode=True))
    mean = AvgPool((3, 3), strides=(2, 1), padding=pads, count_include_pad=False)
    np.testing.assert_array_equal(mean(X), pool.avg_pool(X, (3, 3), (2, 1), pads, count_include_pad=False))
    for divided in (True, False):
        norm = LocalResponseNorm(3, alpha=0.1, beta=0.5, k=1.0, alpha_divided=divided)
        wanted = response_norm.local_response_norm(X, 3, alpha=0.1, beta=0.5, k=1.0, alpha_divided=divided)
        np.testing.assert_array_equal(norm(X), wanted)


@pytest.mark.parametrize(("layer", "kernel"), [(MaxPool, pool.max_pool), (AvgPool, pool.avg_pool)])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_what_becomes_of_a_window_that_the_end_cuts_off(layer: Any, kernel: Any, ceil_mode: bool) -> None:
    found = layer((3, 3), strides=2, ceil_mode=ceil_mode)(X)
    assert found.shape == ((2, 3, 4, 3) if ceil_mode else (2, 2, 3, 3))
    np.testing.assert_array_equal(found, kernel(X, (3, 3), (2, 2), ceil_mode=ceil_mode))
    np.testing.assert_array_equal(found[:, :2, :3], layer((3, 3), strides=2)(X))


@pytest.mark.parametrize("counted", [True, False])
def test_whether_zeros_of_the_padding_count_in_a_mean(counted: bool) -> None:
    corner = AvgPool((2, 2), padding=((1, 0), (1, 0)), count_include_pad=counted)(X)[:, 0, 0]
    np.testing.assert_allclose(corner, X[:, 0, 0] / (4 if counted else 1), rtol=1e-6)
    whole = AvgPool((2, 2), padding=((1, 0), (1, 0)))(X)[:, 0, 0]
    np.testing.assert_allclose(whole, X[:, 0, 0] / 4, rtol=1e-6)


def test_pools_over_all_positions() -> None:
    np.testing.assert_allclose(GlobalAvgPool()(X), X.mean((1, 2)), atol=1e-6)
    np.testing.assert_array_equal(GlobalMaxPool()(X), X.max((1, 2)))
    np.testing.assert_allclose(AdaptiveAvgPool(1)(X)[:, 0, 0], X.mean((1, 2)), atol=1e-6)
    np.testing.assert_array_equal(AdaptiveMaxPool((6, None))(X), X)
    np.testing.assert_array_equal(Flatten()(X), X.reshape(2, -1))
    assert Flatten()(X[:0]).shape == (0, 144)


def test_the_gradient_of_a_maximum_goes_to_one_entry() -> None:
    for layer in (MaxPool((6, 8)), GlobalMaxPool(), AdaptiveMaxPool(1)):
        slope = jax.grad(lambda x, layer=layer: layer(x).sum())(jnp.zeros((1, 6, 8, 2)))
        assert np.argwhere(slope).tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]


MADE: tuple[tuple[Any, type[Exception], str], ...] = (
    (lambda: MaxPool(2), ShapeError, "MaxPool: argument 'window_shape' is 2"),
    (lambda: MaxPool((0, 2)), ValueError, "MaxPool: argument 'window_shape' is 0"),
    (lambda: MaxPool((2, 2), strides=0), ValueError, "MaxPool: argument 'strides' is 0; expected at least 1"),
    (lambda: AvgPool((2, 2), strides=(2,)), ShapeError, "AvgPool: argument 'strides'"),
    (lambda: AvgPool((2, 2), padding="FULL"), ValueError, "AvgPool: argument 'padding' is 'FULL'"),
    (lambda: AvgPool((2, 2), padding=((0, 0),)), ShapeError, "AvgPool: argument 'padding'.* 2 pairs"),
    (lambda: AdaptiveAvgPool(0), ValueError, "AdaptiveAvgPool: argument 'output_size' is 0"),
    (lambda: AdaptiveMaxPool((1.5, 2)), DtypeError, "AdaptiveMaxPool: argument 'output_size'"),
    (lambda: LocalResponseNorm(0), ValueError, "LocalResponseNorm: argument 'size' is 0"),
    (lambda: LocalResponseNorm(k=0.0), ValueError, "LocalResponseNorm: argument 'k' is 0"),
    (lambda: LocalResponseNorm(alpha=-1.0), ValueError, "LocalResponseNorm: argument 'alpha' is -1"),
)
CALLED: tuple[tuple[Any, Any, type[Exception], str], ...] = (
    (MaxPool((2, 2)), X[0], ShapeError, r"MaxPool: .* expected \(batch, height, width, channels\)"),
    (MaxPool((7, 2)), X, ShapeError, "max_pool: argument 'x' is of 6 entries along spatial axis 0"),
    (MaxPool((2, 2), padding=((2, 0), (0, 0))), X, ShapeError, "max_pool: argument 'padding'"),
    (MaxPool((2, 2)), X.astype(jnp.uint8), DtypeError, "MaxPool: .* floating"),
    (AvgPool((2,)), X, ShapeError, r"AvgPool: .* expected \(batch, length, channels\)"),
    (GlobalAvgPool(), X[0, 0], ShapeError, r"expected \(batch, space..., channels\)"),
    (GlobalMaxPool(), X[:, :0], ShapeError, "no spatial axis empty"),
    (AdaptiveAvgPool((2, 2, 2)), X, ShapeError, "or 2 of them"),
    (LocalResponseNorm(), X.astype(jnp.int32), DtypeError, "of dtype int32; expected a floating array"),
    (Flatten(), jnp.float32(1), ShapeError, "at least 1 axes"),
)


@pytest.mark.parametrize(("make", "error", "words"), MADE, ids=[row[2] for row in MADE])
def test_a_bad_layer_is_refused_when_it_is_made(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        make()
    assert "Fix: " in str(caught.value)


@pytest.mark.parametrize(("layer", "x", "error", "words"), CALLED, ids=[row[3] for row in CALLED])
def test_bad_input_is_named(layer: Any, x: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        layer(x)
    assert "Fix: " in str(caught.value)
