"""Curves: equal to scikit-learn's and to fits one by one, in one compilation, at any batch size."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ridge import cubic, ridge, squared
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.model_selection import learning_curve as their_learning_curve
from sklearn.model_selection import validation_curve as their_validation_curve

from jaxdl import data, descent, losses, select
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.models import logistic_regression

DIABETES = data.load_diabetes(scaled=False)
X = ((DIABETES.inputs - DIABETES.inputs.mean(0)) / DIABETES.inputs.std(0)).astype(np.float32)
Y = DIABETES.targets
LAMBDAS = np.logspace(-1, 4, 6).astype(np.float32)
SIZES = np.array([30, 60, 120, 300])
FOLDS = data.folds(data.Dataset(X, Y), 4, seed=1)
SPLITS = [FOLDS.indices(fold) for fold in range(4)]


def test_learning_curve_equals_scikit_learn() -> None:
    curve = select.learning_curve(ridge, squared, (X, Y), sizes=SIZES, values={"l2": [5.0]}, folds=FOLDS)
    _, train, valid = their_learning_curve(
        Ridge(alpha=5.0), X, Y, train_sizes=SIZES, cv=SPLITS, scoring="neg_mean_squared_error"
    )
    np.testing.assert_allclose(curve.train_losses[:, :, 0], -train.T, rtol=1e-4)
    np.testing.assert_allclose(curve.cv_losses[:, :, 0], -valid.T, rtol=1e-4)
    np.testing.assert_allclose(curve.cv_loss[:, 0], -valid.mean(1), rtol=1e-4)


def test_validation_curve_equals_scikit_learn() -> None:
    curve = select.validation_curve(ridge, squared, (X, Y), values={"l2": LAMBDAS}, folds=FOLDS.training)
    train, valid = their_validation_curve(
        Ridge(), X, Y, param_name="alpha", param_range=LAMBDAS, cv=SPLITS, scoring="neg_mean_squared_error"
    )
    np.testing.assert_allclose(curve.train_loss, -train.mean(1), rtol=1e-4)
    np.testing.assert_allclose(curve.cv_loss, -valid.mean(1), rtol=1e-4)
    assert curve.best_index == int(np.argmin(-valid.mean(1)))
    assert curve.best["cv_loss"] == pytest.approx(-valid.mean(1).max(), rel=1e-4)


def test_plain_folds_are_k_fold() -> None:
    masks = np.zeros((3, 90), np.float32)
    for mask, (training, _) in zip(masks, KFold(3).split(X[:90])):
        mask[training] = 1
    curve = select.validation_curve(ridge, squared, (X[:90], Y[:90]), values={"l2": [1.0]}, folds=masks)
    for fold, (training, valid) in enumerate(KFold(3).split(X[:90])):
        model = Ridge(alpha=1.0).fit(X[training], Y[training])
        error = np.mean((model.predict(X[valid]) - Y[valid]) ** 2)
        assert curve.cv_losses[fold, 0, 0] == pytest.approx(error, rel=1e-4)


def test_grid_is_one_compilation_and_equals_subsets_one_by_one() -> None:
    traces = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal traces
        traces += 1
        return ridge(*arguments, **options)

    training, valid = (X[:300], Y[:300]), (X[300:], Y[300:])
    grid = select.validation_curve(counted, squared, training, valid, values={"l2": LAMBDAS}, sizes=SIZES)
    again = select.validation_curve(
        counted, squared, training, valid, values={"l2": LAMBDAS * 2}, sizes=SIZES - 1
    )
    assert traces == 1
    assert grid.cv_loss.shape == grid.train_loss.shape == (4, 6)
    assert (again.cv_loss != grid.cv_loss).any()
    for i, size in enumerate(SIZES):
        for j in (0, 3, 5):
            model = Ridge(alpha=float(LAMBDAS[j])).fit(X[:size], Y[:size])
            for part, found in ((slice(0, size), grid.train_loss), (slice(300, None), grid.cv_loss)):
                error = np.mean((model.predict(X[part]) - Y[part]) ** 2)
                assert found[i, j] == pytest.approx(error, rel=2e-4)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_batch_size_changes_nothing(batch_size: int) -> None:
    call = {"values": {"l2": LAMBDAS}, "sizes": SIZES}
    training, valid = (X[:300], Y[:300]), (X[300:], Y[300:])
    whole = select.learning_curve(ridge, squared, training, valid, **call)
    part = select.learning_curve(ridge, squared, training, valid, **call, batch_size=batch_size)
    np.testing.assert_allclose(part.cv_losses, whole.cv_losses, rtol=1e-4)
    np.testing.assert_allclose(part.train_losses, whole.train_losses, rtol=1e-4)
    assert part.batch_size == min(batch_size, 24)
    assert whole.batch_size == 24


def test_memory_limit_makes_batches() -> None:
    call: dict[str, Any] = {"values": {"l2": LAMBDAS}, "sizes": SIZES}
    training, valid = (X[:300], Y[:300]), (X[300:], Y[300:])
    whole = select.validation_curve(ridge, squared, training, valid, **call)
    assert whole.memory > 0
    part = select.validation_curve(ridge, squared, training, valid, **call, memory_limit=whole.memory // 3)
    assert 1 <= part.batch_size <= 8
    assert part.memory < whole.memory
    np.testing.assert_allclose(part.cv_losses, whole.cv_losses, rtol=1e-4)


def test_key_draws_the_order() -> None:
    order = np.argsort(Y)
    sorted_data, valid = (X[order][:300], Y[order][:300]), (X, Y)
    plain, drawn, again = (
        select.learning_curve(ridge, squared, sorted_data, valid, sizes=[40], values={"l2": [1.0]}, key=key)
        for key in (None, jax.random.key(0), jax.random.key(0))
    )
    assert drawn.cv_loss[0, 0] < plain.cv_loss[0, 0]
    np.testing.assert_array_equal(drawn.cv_losses, again.cv_losses)
    permuted = np.asarray(jax.random.permutation(jax.random.key(0), 300))[:40]
    alone = select.learning_curve(
        ridge, squared, (sorted_data[0][permuted], sorted_data[1][permuted]), valid, sizes=[40],
        values={"l2": [1.0]},
    )  # fmt: skip
    np.testing.assert_allclose(alone.cv_losses, drawn.cv_losses, rtol=1e-5)


def test_degrees_by_masks_find_the_cubic() -> None:
    fit = select.masked(ridge)
    degrees = np.arange(1, 9)
    masks = (np.arange(1, 9)[None, :] <= degrees[:, None]).astype(np.float32)
    values = {"mask": masks, "l2": np.full(8, 1e-3, np.float32)}
    training, valid = cubic(60), cubic(400, seed=1)
    curve = select.validation_curve(fit, squared, training, valid, values=values)
    assert (np.diff(curve.train_loss) < 1e-3).all()
    assert curve.cv_loss[2] < 0.5 * curve.cv_loss[1]
    assert curve.cv_loss[2] == pytest.approx(0.04, rel=0.3)
    for degree in (1, 3, 8):
        model = Ridge(alpha=1e-3).fit(training[0][:, :degree], training[1])
        error = np.mean((model.predict(valid[0][:, :degree]) - valid[1]) ** 2)
        assert curve.cv_loss[degree - 1] == pytest.approx(error, rel=1e-3)


def test_what_is_not_finite_never_wins_and_is_counted() -> None:
    def fit(inputs: Any, targets: Any, *, weights: Any, level: jax.Array) -> Any:
        return lambda x: jnp.where(level < 0, jnp.nan, level) * jnp.ones(len(x))

    zeros = np.zeros((3, 1)), np.zeros(3)
    curve = select.validation_curve(fit, squared, zeros, zeros, values={"level": [-1.0, 2.0, 1.0, -3.0]})
    assert curve.best["level"] == 1
    assert curve.failed == 2
    bad = select.validation_curve(fit, squared, zeros, zeros, values={"level": [-1.0]})
    with pytest.raises(ValueError, match="not finite anywhere"):
        _ = bad.best


def test_held_out_examples_do_not_reach_the_fit() -> None:
    """An example that is not there may ruin its own loss, and nothing else."""
    targets = Y.copy()
    targets[FOLDS.indices(0)[1]] = 1e6
    curve = select.validation_curve(ridge, squared, (X, targets), values={"l2": [1.0]}, folds=FOLDS)
    clean = select.validation_curve(ridge, squared, (X, Y), values={"l2": [1.0]}, folds=FOLDS)
    assert curve.train_losses[0] == pytest.approx(clean.train_losses[0], rel=1e-5)
    assert curve.cv_losses[0] > 1e6 * clean.cv_losses[0]


GOOD: dict[str, Any] = {
    "fit": ridge, "loss": squared, "training": (X, Y), "valid": (X, Y), "sizes": [20],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"fit": None}, DtypeError, "'fit' is a NoneType; expected a function"),
        ({"training": X}, DtypeError, r"a pair \(inputs, targets\)"),
        ({"training": (X, Y[:-1])}, ShapeError, "as many targets as inputs"),
        ({"training": (X * np.nan, Y)}, FormatError, "'training inputs' is not finite"),
        ({"valid": (X[:, :3], Y)}, ShapeError, "examples as in training"),
        ({"valid": None}, ValueError, "missing, as is 'valid'"),
        ({"folds": FOLDS}, ValueError, "given beside 'valid'"),
        ({"valid": None, "folds": FOLDS.training[:, :9]}, ShapeError, "expected jaxdl.data.Folds"),
        ({"valid": None, "folds": FOLDS.training * 0.5}, FormatError, "weights other than 0 and 1"),
        ({"valid": None, "folds": FOLDS.training * 0}, FormatError, "a fold of one kind alone"),
        ({"sizes": [0]}, ValueError, "'sizes' is 0; expected from 1 to the 442"),
        ({"sizes": [443]}, ValueError, "'sizes' is 443"),
        ({"sizes": [0.5]}, DtypeError, "whole numbers"),
        ({"valid": None, "folds": FOLDS, "sizes": [332]}, ValueError, "the 331 training examples"),
        ({"values": {}}, DtypeError, "'values' is empty"),
        ({"values": {"l2": 1.0}}, ShapeError, "one common first axis"),
        ({"values": {"l2": [1.0, np.nan]}}, FormatError, r"values\['l2'\]' is not finite"),
        ({"loss": lambda a, y: jnp.mean(squared(a, y))}, ShapeError, "one value per example"),
        ({"key": 3}, DtypeError, "typed PRNG key"),
        ({"batch_size": 0}, ValueError, "at least 1"),
        ({"memory_limit": 0}, ValueError, "at least 1"),
    ],
)
def test_bad_arguments(change: dict[str, Any], error: type[Exception], words: str) -> None:
    call = GOOD | change
    positional = [call.pop(name) for name in ("fit", "loss", "training", "valid")]
    with pytest.raises(error, match=words):
        select.learning_curve(*positional, **call)


def test_fits_that_did_not_converge_are_counted() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=30) > 0).astype(np.int32)

    def hasty(inputs, targets, *, weights, l2):
        return logistic_regression.fit(inputs, targets, weights=weights, l2=l2, max_steps=1)

    def loss(logits, labels):
        return losses.binary_cross_entropy(logits, labels.astype(jnp.float32))

    curve = select.validation_curve(hasty, loss, (x, y), (x, y), values={"l2": np.array([0.1, 1.0])})
    assert curve.failed == 2
    assert curve.statuses.tolist() == [[[descent.OUT_OF_STEPS] * 2]]
