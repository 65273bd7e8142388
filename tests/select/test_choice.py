"""Choice among candidates, verdicts, and the law of structural risk."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from ridge import cubic, ridge, squared

from jaxdl import data, select
from jaxdl.errors import DtypeError, FormatError, ShapeError


def degree(highest: int) -> Any:
    def fit(inputs: Any, targets: Any, **options: Any) -> Any:
        model = ridge(inputs[:, :highest], targets, **options)
        return lambda x: model(x[:, :highest])

    return fit


CANDIDATES = {f"degree {d}": degree(d) for d in (1, 3, 8)}
TRAINING, VALID, TEST = cubic(60), cubic(200, seed=1), cubic(400, seed=2)
VALUES = {"l2": np.array([1e-3, 1.0, 100.0], np.float32)}


def test_chooses_degree_and_lambda_together_and_measures_the_test_loss_of_the_winner() -> None:
    choice = select.choose(CANDIDATES, squared, TRAINING, VALID, test=TEST, values=VALUES)
    assert choice.name == "degree 3"
    assert choice.values["l2"] == pytest.approx(1e-3)
    assert choice.cv_loss == min(choice.cv_losses.values()) == choice.cv_losses["degree 3"]
    model = ridge(TRAINING[0][:, :3], TRAINING[1], l2=1e-3)
    for found, (x, y) in ((choice.train_loss, TRAINING), (choice.test_loss, TEST)):
        assert found == pytest.approx(float(np.mean(squared(model(x[:, :3]), y))), rel=1e-4)
    np.testing.assert_allclose(choice.model(TEST[0]), model(TEST[0][:, :3]), rtol=1e-4, atol=1e-5)


def test_folds_and_no_values() -> None:
    folds = data.folds(data.Dataset(*TRAINING), 5)
    choice = select.choose(CANDIDATES, squared, TRAINING, test=TEST, folds=folds)
    assert choice.name == "degree 3"
    assert choice.values == {}
    assert choice.curves["degree 1"].cv_losses.shape == (5, 1, 1)


def test_the_test_set_has_no_say() -> None:
    spoilt = TEST[0], -TEST[1]
    choices = [select.choose(CANDIDATES, squared, TRAINING, VALID, test=test) for test in (TEST, spoilt)]
    assert choices[0].name == choices[1].name
    assert choices[0].cv_losses == choices[1].cv_losses
    assert choices[1].test_loss > choices[0].test_loss


def test_a_candidate_that_fails_never_wins() -> None:
    broken = {"broken": lambda inputs, targets, *, weights: lambda x: jnp.full(len(x), jnp.nan)}
    choice = select.choose(broken | CANDIDATES, squared, TRAINING, VALID, test=TEST)
    assert choice.name == "degree 3"
    assert np.isnan(choice.cv_losses["broken"])
    with pytest.raises(ValueError, match="none with a finite loss"):
        select.choose(broken, squared, TRAINING, VALID, test=TEST)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"candidates": {}}, DtypeError, "fits by name"),
        ({"candidates": [ridge]}, DtypeError, "fits by name"),
        ({"candidates": {"ridge": "ridge"}}, DtypeError, "expected a function"),
        ({"test": None}, DtypeError, "'test' is a NoneType"),
        ({"test": (TEST[0][:, :2], TEST[1])}, ShapeError, "'test' is of shapes"),
        ({"valid": None}, ValueError, "either a validation set or folds"),
    ],
)
def test_choose_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    call: dict[str, Any] = {"candidates": {"ridge": ridge}, "valid": VALID, "test": TEST} | change
    with pytest.raises(error, match=words):
        select.choose(call["candidates"], squared, TRAINING, call["valid"], test=call["test"])


@pytest.mark.parametrize(
    ("train", "cv", "verdict", "advice"),
    [
        (0.30, 0.31, "high bias", "more features"),
        (0.11, 0.30, "high variance", "more training examples"),
        (0.30, 0.60, "high bias and high variance", "first a model"),
        (0.11, 0.12, "fine", "nothing to mend"),
    ],
)
def test_diagnose(train: float, cv: float, verdict: str, advice: str) -> None:
    found = select.diagnose(train, cv, 0.1, bias_above=0.05, variance_above=0.05)
    assert found.verdict == verdict
    assert found.advice[0].startswith(advice)
    assert (found.bias, found.variance) == pytest.approx((train - 0.1, cv - train))
    assert str(found).startswith(f"{verdict} (training loss")


def test_diagnose_takes_points_of_a_curve() -> None:
    curve = select.learning_curve(ridge, squared, TRAINING, VALID, sizes=[10, 60], values={"l2": [1e-3]})
    points = zip(curve.train_loss[:, 0], curve.cv_loss[:, 0])
    limits = {"bias_above": 0.05, "variance_above": 0.05}
    few, many = (select.diagnose(train, cv, 0.04, **limits).verdict for train, cv in points)
    assert (few, many) == ("high variance", "fine")


LAW_SIZES = np.array([50, 100, 200, 400, 800, 1600])


@pytest.mark.parametrize("k", [0.01, 3.0])
@pytest.mark.parametrize("alpha", [0.5, 0.62, 0.8, 1.0])
def test_structural_risk_recovers_what_was_planted(k: float, alpha: float) -> None:
    gap = k * (20 / LAW_SIZES) ** alpha
    risk = select.structural_risk(LAW_SIZES, 1 - gap / 3, 1 + 2 * gap / 3, h=20)
    assert (risk.k, risk.alpha) == pytest.approx((k, alpha), rel=1e-6)
    assert risk.at_bound == (alpha in (0.5, 1.0))
    np.testing.assert_allclose(risk(LAW_SIZES), gap, rtol=1e-6)
    assert risk.examples_for(float(risk(777))) == pytest.approx(777, rel=1e-6)
    assert risk.residual < 1e-9


@pytest.mark.parametrize(("alpha", "bound"), [(0.3, 0.5), (1.4, 1.0)])
def test_the_exponent_stays_in_its_bounds(alpha: float, bound: float) -> None:
    gap = (20 / LAW_SIZES) ** alpha
    risk = select.structural_risk(LAW_SIZES, 0 * gap, gap, h=20)
    assert risk.alpha == bound
    assert risk.at_bound
    assert risk.residual > 1e-3
    # The best k for that exponent: moving it either way is worse.
    for factor in (0.99, 1.01):
        moved = np.sqrt(np.mean((gap - factor * risk(LAW_SIZES)) ** 2))
        assert moved > risk.residual


def test_structural_risk_with_noise_and_on_a_measured_curve() -> None:
    rng = np.random.default_rng(0)
    gap = 2 * (20 / LAW_SIZES) ** 0.7
    noisy = select.structural_risk(LAW_SIZES, 0 * gap, gap * (1 + 0.02 * rng.normal(size=6)), h=20)
    assert (noisy.k, noisy.alpha) == pytest.approx((2, 0.7), rel=0.1)
    # For least squares with d weights and noise s^2 the gap is near 2 s^2 d / P: exponent 1.
    x = rng.normal(size=(3000, 10)).astype(np.float32)
    y = (x.sum(1) + rng.normal(size=3000)).astype(np.float32)
    sizes = np.array([40, 80, 160, 320, 640])
    masks = (np.arange(3000)[None] // 1000 != np.arange(3)[:, None]).astype(np.float32)
    curve = select.learning_curve(ridge, squared, (x, y), sizes=sizes, folds=masks)
    risk = select.structural_risk(sizes, curve.train_loss, curve.cv_loss, h=10)
    assert risk.alpha > 0.85
    assert risk.k == pytest.approx(2.0, rel=0.4)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (([1, 2], [0, 0], [1]), ShapeError, "one error a size"),
        ((["a"], [0], [1]), DtypeError, "'sizes' is of dtype"),
        (([[1, 2]], [0, 0], [1, 1]), ShapeError, r"expected \(sizes,\)"),
        (([1, 2], [0, np.nan], [1, 1]), FormatError, "'train_errors' is not finite"),
        (([0, 2], [0, 0], [1, 1]), ValueError, "positive numbers"),
        (([2, 2], [0, 0], [1, 1]), ValueError, "two or more"),
        (([1, 2], [1, 1], [0, 0]), ValueError, "below the training errors"),
    ],
)
def test_structural_risk_refuses(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        select.structural_risk(*call, h=1.0)
    with pytest.raises(ValueError, match="'h' is 0"):
        select.structural_risk([1, 2], [0, 0], [1, 1], h=0)
