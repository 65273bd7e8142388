"""Logistic and softmax regression against scikit-learn on its own data; separable data is reported."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jaxdl import scaling
from jaxdl.data import load_breast_cancer, load_digits, load_iris, load_wine
from jaxdl.descent import CONVERGED, DIVERGING, NOT_FINITE, ONE_CLASS, OUT_OF_STEPS, SEPARABLE
from jaxdl.errors import FormatError
from jaxdl.models import linear_regression, logistic_regression, perceptron, softmax_regression

Theirs = partial(LogisticRegression, tol=1e-10, max_iter=10_000, solver="newton-cholesky")
fit = logistic_regression.fit


def scaled(data: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(scaling.z_score(data.inputs)(data.inputs)), data.targets


def close(found: Any, wanted: Any, tolerance: float = 1e-4) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.max(np.abs(wanted)))


CANCER = load_breast_cancer()
X, Y = scaled(CANCER)


@pytest.mark.parametrize("l2", [0.1, 1.0, 30.0])
def test_breast_cancer_equals_scikit_learn(l2: float) -> None:
    model, theirs = fit(X, Y, l2=l2), Theirs(C=1 / l2).fit(X.astype(float), Y)
    close(model.kernel, theirs.coef_[0])
    close(model.bias, theirs.intercept_[0])
    close(model(X), theirs.decision_function(X))
    assert int(model.status) == CONVERGED


def test_raw_units_equal_scikit_learn() -> None:
    raw = CANCER.inputs
    model, theirs = fit(raw, Y, l2=1.0), Theirs(C=1.0).fit(raw.astype(float), Y)
    close(model(raw), theirs.decision_function(raw), 1e-3)


def test_class_weights_and_weights() -> None:
    weights = np.random.default_rng(0).random(len(X)) * 2
    model = fit(X, Y, l2=1.0, weights=weights, class_weights=jnp.array([3.0, 0.5]))
    theirs = Theirs(C=1.0, class_weight={0: 3.0, 1: 0.5}).fit(X.astype(float), Y, weights)
    close(model.kernel, theirs.coef_[0])
    kept = np.random.default_rng(1).random(len(X)) < 0.5
    close(fit(X, Y, l2=1.0, weights=kept).kernel, fit(X[kept], Y[kept], l2=1.0).kernel)


def test_descent_reaches_newton() -> None:
    down = fit(X, Y, l2=5.0, method="descent", tolerance=0.0, max_steps=3000)
    close(down(X), fit(X, Y, l2=5.0)(X), 1e-3)
    statuses = jax.vmap(lambda rate: fit(X, Y, l2=5.0, method="descent", learning_rate=rate, max_steps=20))(
        jnp.array([0.1, 50.0])
    ).status
    assert statuses.tolist() == [OUT_OF_STEPS, DIVERGING]


def test_one_program_fits_many_penalties_and_its_derivative() -> None:
    penalties = jnp.array([0.5, 1.0, 2.0])
    many = jax.vmap(lambda l2: fit(X, Y, l2=l2))(penalties)
    close(many.kernel[1], fit(X, Y, l2=1.0).kernel)
    with jax.enable_x64(True):
        x = X.astype(np.float64)

        def score(l2: Any) -> jax.Array:
            return jnp.sum(fit(x, Y, l2=l2, tolerance=1e-12).kernel ** 2)

        found, h = jax.grad(score)(1.0), 1e-4
        assert float(found) == pytest.approx(float((score(1 + h) - score(1 - h)) / (2 * h)), rel=1e-6)


LINE = np.arange(8.0)[:, None]
HALF = np.arange(8) >= 4
TOUCHING = np.array([0.0, 1, 2, 3, 3, 4, 5, 6])[:, None]


@pytest.mark.parametrize("method", ["newton", "descent"])
def test_separable_data_is_reported(method: str) -> None:
    assert int(fit(LINE, HALF, method=method).status) == SEPARABLE
    assert int(fit(LINE, HALF, method=method, l2=0.1).status) == CONVERGED
    # Two examples less and one of the other side more: what is absent does not separate, nor join.
    mixed, kept = HALF.copy(), np.ones(8)
    mixed[0], kept[0] = True, 0
    assert int(fit(LINE, mixed, method=method, weights=kept).status) == SEPARABLE
    assert int(fit(LINE, mixed, method=method).status) == CONVERGED


def test_examples_on_the_boundary_do_not_hide_that_it_separates() -> None:
    assert int(fit(TOUCHING, HALF).status) == SEPARABLE
    assert int(fit(TOUCHING, np.array([0, 0, 0, 1, 0, 1, 1, 1])).status) == SEPARABLE
    assert int(fit(TOUCHING, np.array([0, 0, 1, 0, 0, 1, 1, 1])).status) == CONVERGED
    iris, labels = scaled(load_iris())
    assert int(softmax_regression.fit(iris, labels).status) == SEPARABLE
    overlapping = labels > 0
    assert int(fit(iris[overlapping], labels[overlapping] - 1).status) == CONVERGED


def test_a_class_without_examples_and_traced_nonsense() -> None:
    assert int(fit(LINE, np.ones(8), l2=1.0).status) == ONE_CLASS
    assert int(softmax_regression.fit(LINE, HALF.astype(int), classes=3, l2=1.0).status) == ONE_CLASS
    bad = jax.jit(lambda y: fit(LINE, y, l2=1.0))(jnp.arange(8))
    assert int(bad.status) == NOT_FINITE
    assert np.isnan(bad.kernel).all()
    wrong = jax.jit(lambda y: softmax_regression.fit(LINE, y, classes=2, l2=1.0))(jnp.arange(8))
    assert int(wrong.status) == NOT_FINITE
    assert np.isnan(wrong.kernel).all()


def test_labels_that_go_together_are_independent_heads() -> None:
    wine, grower = scaled(load_wine())
    targets = np.stack([grower == 0, grower < 2], axis=1).astype(int)
    model = fit(wine, targets, l2=1.0)
    assert model(wine).shape == targets.shape
    assert model.status.tolist() == [CONVERGED, CONVERGED]
    for label in range(2):
        theirs = Theirs(C=1.0).fit(wine.astype(float), targets[:, label])
        close(model.kernel[:, label], theirs.coef_[0])
        close(model.bias[label], theirs.intercept_[0])


@pytest.mark.parametrize("load", [load_iris, load_wine])
@pytest.mark.parametrize("l2", [0.1, 1.0])
def test_softmax_equals_scikit_learn(load: Any, l2: float) -> None:
    x, y = scaled(load())
    model, theirs = softmax_regression.fit(x, y, l2=l2), Theirs(C=1 / l2).fit(x.astype(float), y)
    close(model.kernel.T, theirs.coef_)
    close(model.bias, theirs.intercept_)
    assert int(model.status) == CONVERGED


def test_softmax_on_digits_equals_scikit_learn() -> None:
    x, y = scaled(load_digits())
    model = softmax_regression.fit(x[:500], y[:500], l2=10.0)
    theirs = LogisticRegression(C=0.1, tol=1e-6, max_iter=2000).fit(x[:500].astype(float), y[:500])
    close(model.kernel.T, theirs.coef_)
    guess = np.argmax(model(x), axis=1)
    np.testing.assert_array_equal(guess, theirs.predict(x))
    assert np.mean(guess[500:] == y[500:]) == pytest.approx(theirs.score(x[500:], y[500:]))


def test_softmax_descent_and_weights() -> None:
    x, y = scaled(load_iris())
    down = softmax_regression.fit(x, y, l2=5.0, method="descent", tolerance=0.0, max_steps=2000)
    close(down.kernel, softmax_regression.fit(x, y, l2=5.0).kernel, 5e-3)
    kept = np.arange(len(x)) % 2 == 0
    ours = softmax_regression.fit(x, y, l2=1.0, weights=kept)
    close(ours.kernel, softmax_regression.fit(x[kept], y[kept], l2=1.0).kernel)


def test_two_classes_of_softmax_are_logistic() -> None:
    two = softmax_regression.fit(X, Y, l2=1.0)
    one = fit(X, Y, l2=0.5)
    close(two.kernel[:, 1] - two.kernel[:, 0], one.kernel)


def test_features_far_from_0_are_not_taken_for_constants() -> None:
    x, labels = np.array([0.0, 1, 2, 3, 4, 5])[:, None], np.array([0, 1, 0, 1, 0, 1])
    for fitted in (fit, softmax_regression.fit):
        near, far = fitted(x, labels, l2=0.1), fitted(1e6 + x, labels, l2=0.1)
        np.testing.assert_allclose(far.kernel, near.kernel, rtol=1e-3)
        with pytest.raises(FormatError, match="subtract the mean first"):
            fitted(1e5 + 0.01 * x, labels)


@pytest.mark.parametrize("options", [{}, {"method": "descent", "max_steps": 20}])
def test_traced_settings_out_of_range_give_nan(options: dict[str, Any]) -> None:
    x, labels = np.array([0.0, 1, 2, 3])[:, None], np.array([0, 1, 0, 1])
    weights, bad = jnp.ones(4), [{"l2": -5.0}, {"weights": jnp.array([-3.0, 1, 1, 1])}]
    bad += [{"weights": -weights}, {"class_weights": jnp.array([-1.0, 1])}]
    for run, targets in (
        (fit, labels),
        (fit, np.stack([labels, 1 - labels], 1)),
        (softmax_regression.fit, labels),
    ):
        good = {"l2": 1.0, "weights": weights}
        good |= {"class_weights": jnp.ones(2)} if run is fit else {}
        traced = jax.jit(lambda values, run=run, y=targets: run(x, y, **values, **options, **(
            {} if run is fit else {"classes": 2})))  # fmt: skip
        assert np.isfinite(traced(good).kernel).all()
        for change in bad if run is fit else bad[:3]:
            model = traced(good | change)
            assert np.isnan(model.kernel).all(), change
            assert np.isnan(model.bias).all()
            assert (np.asarray(model.status) == NOT_FINITE).all()


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_narrow_floats_are_widened(dtype: Any) -> None:
    x, labels = np.array([[0.0], [1], [2], [3]]), np.array([0, 1, 0, 1])
    runs = (
        (linear_regression.fit, labels.astype(dtype)), (partial(linear_regression.lasso, l1=0.1), labels),
        (fit, labels), (partial(fit, method="descent"), labels.astype(dtype)), (perceptron.fit, labels),
        (partial(softmax_regression.fit, l2=1.0), labels), (linear_regression.line, labels.astype(dtype)),
    )  # fmt: skip
    for run, targets in runs:
        narrow, wide = x.astype(dtype), x
        if run is linear_regression.line:
            narrow, wide = narrow[:, 0], wide[:, 0]
        found = run(jnp.asarray(narrow), targets, weights=np.ones(4, dtype))
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(run(wide, labels))):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=1e-6)
        assert run is linear_regression.line or found(narrow).dtype == jnp.float32
