"""The scalings: scikit-learn's, the printed formulas, fitted on train, applied to test, constant columns."""

from typing import Any

import jax
import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from jaxdl import scaling
from jaxdl.data import load_wine
from jaxdl.errors import FormatError

TRAIN, TEST = np.split(load_wine().inputs.astype(np.float64), [120])
FLAT = np.array([[5.0, 1.0], [5.0, 3.0]])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (scaling.z_score, StandardScaler()),
        (scaling.min_max, MinMaxScaler()),
        (lambda x: scaling.min_max(x, low=-2, high=3), MinMaxScaler(feature_range=(-2, 3))),
    ],
)
def test_equals_scikit_learn_fitted_on_train(ours: Any, theirs: Any) -> None:
    fitted, wanted = ours(TRAIN), theirs.fit(TRAIN)
    for inputs in (TRAIN, TEST):
        np.testing.assert_allclose(fitted(inputs), wanted.transform(inputs), rtol=1e-5, atol=2e-5)


def test_mean_normalisation_is_the_printed_formula() -> None:
    fitted = scaling.mean_normalisation(TRAIN)
    wanted = (TEST - TRAIN.mean(0)) / (TRAIN.max(0) - TRAIN.min(0))
    np.testing.assert_allclose(fitted(TEST), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("largest", "places"),
    [
        (0, 0),
        (0.999, 0),
        (1, 1),
        (9.99, 1),
        (10, 2),
        (-100, 3),
        (99.99, 2),
        (1000, 4),
        (1e20, 21),
    ],
)
def test_decimal_takes_the_smallest_power_that_does(largest: float, places: int) -> None:
    fitted = scaling.decimal(np.array([[largest], [0.0]]))
    np.testing.assert_allclose(fitted.factor, [10.0**-places], rtol=2e-7)


def test_decimal_leaves_nothing_at_1() -> None:
    below = np.nextafter(np.float32(10) ** np.arange(1, 20, dtype=np.float32), np.float32(0))
    assert (np.asarray(scaling.decimal(below[None])(below[None])) < 1).all()


@pytest.mark.parametrize(
    ("ours", "constant"),
    [
        (scaling.z_score, 0.0),
        (scaling.mean_normalisation, 0.0),
        (scaling.min_max, 0.0),
        (lambda x: scaling.min_max(x, low=-3), -3.0),
        (scaling.decimal, 0.5),
    ],
)
def test_constant_columns_and_the_way_back(ours: Any, constant: float) -> None:
    fitted = ours(FLAT)
    scaled = jax.jit(lambda fitted, x: fitted(x))(fitted, FLAT)
    np.testing.assert_allclose(scaled[:, 0], constant, rtol=1e-6)
    np.testing.assert_allclose(fitted.undo(scaled), FLAT, rtol=1e-6)


@pytest.mark.parametrize("ours", [scaling.z_score, scaling.mean_normalisation, scaling.min_max])
def test_a_spread_that_float32_rounds_away_is_refused(ours: Any) -> None:
    x = np.arange(4.0)[:, None]
    for far in (1e9, -1e6):
        with pytest.raises(FormatError, match="subtract a constant first"):
            ours(far + x)
        np.testing.assert_array_equal(ours(np.full((2, 1), far))(np.full((2, 1), far)), 0)
    np.testing.assert_allclose(ours(1e3 + x)(1e3 + x), ours(x)(x), rtol=1e-3, atol=1e-3)


def test_min_max_far_from_0_or_to_far_from_0() -> None:
    wide = scaling.min_max(np.array([[1.0], [2.0]]), high=1e6)
    np.testing.assert_allclose(wide(np.array([[1.5]])), 5e5, rtol=1e-5)
    for inputs, low, high in ((np.full((2, 1), 1e9), -3.0, 1.0), (np.array([[0.0], [1.0]]), -1e6, 1 - 1e6)):
        with pytest.raises(FormatError, match="too far from 0"):
            scaling.min_max(inputs, low=low, high=high)
