"""Metrics against scikit-learn: ties, zero divisions, weights; and the poison inside compiled programs."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as theirs

from jaxdl import metrics

RNG = np.random.default_rng(0)
# Class 3 is never predicted, class 4 never a label, class 5 neither.
GUESSES = RNG.choice([0, 1, 2, 4], 200).astype(np.int32)
LABELS = RNG.choice([0, 1, 2, 3], 200).astype(np.int32)
WEIGHTS = RNG.random(200).astype(np.float32)
SCORES = np.round(RNG.normal(size=200) * 3).astype(np.float32) / 3
BINARY = (SCORES + RNG.normal(size=200) > 0.5).astype(np.int32)
WEIGHTED = pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["counts", "weights"])


@WEIGHTED
def test_confusion_matrix(weights: Any) -> None:
    ours = metrics.confusion_matrix(GUESSES, LABELS, classes=6, weights=weights)
    wanted = theirs.confusion_matrix(LABELS, GUESSES, labels=range(6), sample_weight=weights)
    np.testing.assert_allclose(ours, wanted, rtol=1e-5)


@WEIGHTED
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
@pytest.mark.parametrize("average", metrics.AVERAGES)
@pytest.mark.parametrize("zero_division", [0.0, 1.0, float("nan")])
def test_averages_and_zero_divisions(name: str, average: str, zero_division: float, weights: Any) -> None:
    ours = getattr(metrics, name)(
        GUESSES, LABELS, classes=6, average=average, zero_division=zero_division, weights=weights
    )
    wanted = getattr(theirs, f"{name}_score")(
        LABELS, GUESSES, labels=range(6), average=None if average == "none" else average,
        zero_division=zero_division, sample_weight=weights,
    )  # fmt: skip
    np.testing.assert_allclose(ours, wanted, rtol=1e-5)


def distinct(curve: Any, first: int = 0) -> list[np.ndarray]:
    """Return a curve with each threshold once; its first points stay."""
    _, kept = np.unique(-np.asarray(curve.thresholds), return_index=True)
    return [np.asarray(values)[kept] for values in curve]


@WEIGHTED
def test_roc(weights: Any) -> None:
    thresholds, false, true = distinct(metrics.roc_curve(SCORES, BINARY, weights=weights))
    x, y, t = theirs.roc_curve(BINARY, SCORES, sample_weight=weights, drop_intermediate=False)
    for ours, wanted in ((false, x), (true, y), (thresholds, t)):
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-6)
    area = metrics.roc_area(SCORES, BINARY, weights=weights)
    assert float(area) == pytest.approx(theirs.roc_auc_score(BINARY, SCORES, sample_weight=weights), rel=1e-5)
    # The area of the points, repeated ones included, is the area that is reported.
    curve = metrics.roc_curve(SCORES, BINARY, weights=weights)
    points = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
    assert float(area) == pytest.approx(points, rel=1e-5)


@WEIGHTED
def test_threshold_sweep_and_average_precision(weights: Any) -> None:
    thresholds, precision, recall, f1 = distinct(metrics.threshold_sweep(SCORES, BINARY, weights=weights))
    wanted = theirs.precision_recall_curve(BINARY, SCORES, sample_weight=weights)
    np.testing.assert_allclose(thresholds[::-1], wanted[2], rtol=1e-6)
    np.testing.assert_allclose(precision[::-1], wanted[0][:-1], rtol=1e-5)
    np.testing.assert_allclose(recall[::-1], wanted[1][:-1], rtol=1e-5)
    for threshold, value in zip(thresholds, f1):
        guess = (threshold <= SCORES).astype(int)
        assert value == pytest.approx(theirs.f1_score(BINARY, guess, sample_weight=weights), rel=1e-5)
    area = metrics.average_precision(SCORES, BINARY, weights=weights)
    expected = theirs.average_precision_score(BINARY, SCORES, sample_weight=weights)
    assert float(area) == pytest.approx(expected, rel=1e-5)


@WEIGHTED
def test_regression(weights: Any) -> None:
    a, y = SCORES, SCORES + RNG.normal(size=200).astype(np.float32)
    assert float(metrics.r2(a, y, weights=weights)) == pytest.approx(
        theirs.r2_score(y, a, sample_weight=weights), rel=1e-5
    )
    mean = np.average(metrics.absolute_error(a, y), weights=weights)
    assert mean == pytest.approx(theirs.mean_absolute_error(y, a, sample_weight=weights), rel=1e-5)


def test_constant_targets_have_no_variance_to_explain() -> None:
    constant = jnp.ones(4)
    assert float(metrics.r2(constant, constant)) == 1
    assert np.isnan(metrics.r2(constant + 1, constant))


def test_one_class_alone_has_no_roc() -> None:
    for label in (0, 1):
        labels = jnp.full(4, label)
        curve = metrics.roc_curve(jnp.arange(4.0), labels)
        rates = (curve.false_positive_rate, curve.true_positive_rate)
        assert np.isnan(rates[1 - label]).all()
        assert not np.isnan(rates[label]).any()
        assert np.isnan(metrics.roc_area(jnp.arange(4.0), labels))
    assert np.isnan(metrics.average_precision(jnp.arange(4.0), jnp.zeros(4, jnp.int32)))
    assert metrics.threshold_sweep(jnp.arange(4.0), jnp.zeros(4, jnp.int32)).recall.tolist() == [0] * 4


@pytest.mark.parametrize("bad", [-1, 6, 2**31 - 1])
def test_bad_labels_poison_what_is_compiled(bad: int) -> None:
    labels = LABELS.copy()
    labels[7] = bad
    for function in (metrics.confusion_matrix, metrics.precision, metrics.recall, metrics.f1):
        compiled = jax.jit(partial(function, GUESSES, classes=6))
        assert np.isnan(compiled(labels)).all()
        assert np.isfinite(compiled(LABELS)).all()
    averaged = jax.jit(lambda y: metrics.f1(GUESSES, y, classes=6, average="macro", zero_division=jnp.nan))
    assert np.isnan(averaged(labels))


def test_bad_scores_labels_and_weights_poison_what_is_compiled() -> None:
    calls = (
        (SCORES, BINARY + 1, WEIGHTS),
        (SCORES, BINARY - 1, WEIGHTS),
        (np.where(np.arange(200) == 3, np.nan, SCORES).astype(np.float32), BINARY, WEIGHTS),
        (SCORES, BINARY, -WEIGHTS),
        (SCORES, BINARY, WEIGHTS * np.inf),
    )
    for function in (
        metrics.roc_area,
        metrics.average_precision,
        metrics.roc_curve,
        metrics.threshold_sweep,
    ):
        compiled = jax.jit(lambda s, y, w, f=function: f(s, y, weights=w))
        for call in calls:
            assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(compiled(*call)))
        assert all(not np.isnan(leaf).any() for leaf in jax.tree.leaves(compiled(SCORES, BINARY, WEIGHTS)))


def test_an_example_of_weight_zero_is_not_there() -> None:
    labels = LABELS.copy()
    labels[:3] = -1
    weights = np.ones(200, np.float32)
    weights[:3] = 0
    ours = metrics.confusion_matrix(GUESSES, labels, classes=6, weights=weights)
    np.testing.assert_array_equal(ours, metrics.confusion_matrix(GUESSES[3:], LABELS[3:], classes=6))


def test_narrow_labels_do_not_wrap() -> None:
    wide = jnp.array([0, 199, 255], jnp.int32)
    narrow = wide.astype(jnp.uint8)
    matrix = metrics.confusion_matrix(narrow, narrow, classes=256)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(wide, wide, classes=256))


def test_counts_beyond_what_float32_adds_up() -> None:
    many = jnp.zeros(2**24 + 4, jnp.int32)
    assert float(metrics.confusion_matrix(many, many, classes=2)[0, 0]) == 2**24 + 4


def test_accuracy_of_a_label_row_that_holds_nan_is_zero() -> None:
    outputs = jnp.array([[2.0, 1.0], [2.0, 1.0]])
    assert metrics.accuracy(outputs, jnp.array([[jnp.nan, 0.0], [1.0, 0.0]])).tolist() == [0, 1]


@pytest.mark.parametrize("level", [0.1, 0.7, 1e6])
def test_constant_targets_have_no_variance_whatever_their_mean_rounds_to(level: float) -> None:
    targets = jnp.full(30, level)
    assert jnp.isnan(metrics.r2(targets + 1, targets))
    assert metrics.r2(targets, targets) == 1


def test_binary_accuracy_poisons_targets_that_are_none_and_counts_nan_as_wrong() -> None:
    logits, targets = jnp.array([2.0, -1.0, jnp.nan, 1.0]), jnp.array([1, 0, 1, 2])
    np.testing.assert_array_equal(metrics.binary_accuracy(logits, targets), [1, 1, 0, np.nan])
    assert metrics.binary_accuracy(jnp.array([1.0]), jnp.array([True]), threshold=1.5).tolist() == [0]
