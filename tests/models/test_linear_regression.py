"""Linear regression against scikit-learn: ridge, lasso, collinear features, weights, derivatives."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.preprocessing import PolynomialFeatures

from jaxdl import features, scaling
from jaxdl.data import load_diabetes
from jaxdl.descent import CONVERGED, DIVERGING, NOT_FINITE, OUT_OF_STEPS
from jaxdl.errors import FormatError, ShapeError
from jaxdl.models import linear_regression
from jaxdl.models.linear_regression import lasso, line

DATA, RAW = load_diabetes(), load_diabetes(scaled=False)
X, Y = DATA.inputs.astype(np.float64), DATA.targets.astype(np.float64)
fit = jax.jit(linear_regression.fit, static_argnames=("method", "max_steps"))


def close(found: Any, wanted: Any, tolerance: float = 1e-4) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.max(np.abs(wanted)))


@pytest.mark.parametrize("data", [DATA, RAW], ids=["scaled", "raw"])
@pytest.mark.parametrize("l2", [0.0, 0.1, 10.0])
def test_equals_scikit_learn(data: Any, l2: float) -> None:
    model = fit(data.inputs, data.targets, l2=l2)
    theirs = Ridge(alpha=l2, solver="svd") if l2 else LinearRegression()
    theirs.fit(data.inputs.astype(float), Y)
    close(model.kernel, theirs.coef_)
    close(model.bias, theirs.intercept_)
    close(model(data.inputs), theirs.predict(data.inputs))
    assert int(model.status) == CONVERGED


def test_polynomial_features_of_a_regression_equal_scikit_learn() -> None:
    ours = features.polynomial(jnp.asarray(X, jnp.float32) * 20, degree=2, include_bias=False)
    theirs = PolynomialFeatures(2, include_bias=False).fit_transform(X * 20)
    close(ours, theirs, 1e-6)
    close(fit(ours, Y, l2=1.0)(ours), Ridge(alpha=1.0).fit(theirs, Y).predict(theirs))


def test_collinear_features_and_more_features_than_examples() -> None:
    doubled = np.concatenate([X, X[:, :3], np.full((len(X), 1), 7.3)], axis=1)
    model = fit(doubled.astype(np.float32), Y)
    close(model.kernel, LinearRegression().fit(doubled, Y).coef_)
    few = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    close(fit(few, Y[:5])(few), Y[:5])


def test_outputs_are_fitted_alike() -> None:
    both = np.stack([Y, X[:, 2] * 1000], axis=1)
    model, theirs = fit(DATA.inputs, both, l2=0.1), Ridge(alpha=0.1).fit(X, both)
    close(model.kernel, theirs.coef_.T)
    close(model.bias, theirs.intercept_)


def test_weights_of_0_and_1_are_a_subset_and_others_count() -> None:
    rng = np.random.default_rng(0)
    kept = rng.random(len(X)) < 0.6
    close(fit(X, Y, weights=kept, l2=1.0).kernel, fit(X[kept], Y[kept], l2=1.0).kernel)
    weights = rng.random(len(X)) * 3
    close(fit(X, Y, weights=weights, l2=1.0).kernel, Ridge(alpha=1.0).fit(X, Y, weights).coef_)


def test_one_program_fits_many_penalties_and_folds() -> None:
    penalties, masks = jnp.array([0.0, 1.0]), (jnp.arange(len(X))[None] % 2 == jnp.array([[0], [1]])) * 1.0
    many = jax.vmap(
        jax.vmap(lambda l2, w: linear_regression.fit(X, Y, l2=l2, weights=w), (None, 0)), (0, None)
    )
    found = many(penalties, masks)
    for i in range(2):
        for j in range(2):
            close(found.kernel[i, j], fit(X, Y, l2=penalties[i], weights=masks[j]).kernel)


def test_derivative_of_the_fit() -> None:
    def score(l2: Any, weights: Any) -> jax.Array:
        return jnp.sum(linear_regression.fit(X, Y, l2=l2, weights=weights)(X[:5]))

    with jax.enable_x64(True):
        ones, direction = jnp.ones(len(X)), jnp.asarray(np.random.default_rng(0).normal(size=len(X)))
        found = jax.jit(jax.grad(score, (0, 1)))(1.0, ones)
        h = 1e-4
        by_l2 = (score(1 + h, ones) - score(1 - h, ones)) / (2 * h)
        by_weights = (score(1.0, ones + h * direction) - score(1.0, ones - h * direction)) / (2 * h)
        along = found[1] @ direction
    assert float(found[0]) == pytest.approx(float(by_l2), rel=1e-6)
    assert float(along) == pytest.approx(float(by_weights), rel=1e-5)


def test_descent_reaches_the_closed_form_and_reports_its_end() -> None:
    z = scaling.z_score(X)(X)
    down = fit(z, Y, l2=5.0, method="descent", learning_rate=0.4, tolerance=0.0, max_steps=8000)
    close(down(z), fit(z, Y, l2=5.0)(z), 3e-3)
    assert int(fit(z, Y, method="descent", learning_rate=0.9).status) == DIVERGING
    assert int(fit(z, Y, method="descent", learning_rate=1e-3, max_steps=10).status) == OUT_OF_STEPS


def test_traced_nan_gives_nan_and_a_status() -> None:
    model = fit(jnp.asarray(X).at[0, 0].set(jnp.nan), Y)
    assert np.isnan(model.kernel).all()
    assert int(model.status) != CONVERGED


@pytest.mark.parametrize("l1", [4.42, 44.2, 221.0, 884.0])
def test_lasso_has_the_zeros_of_scikit_learn(l1: float) -> None:
    model = lasso(DATA.inputs, Y, l1=l1)
    theirs = Lasso(alpha=l1 / len(X), tol=1e-12, max_iter=100_000).fit(X, Y)
    np.testing.assert_array_equal(np.asarray(model.kernel) == 0, theirs.coef_ == 0)
    assert l1 < 40 or (theirs.coef_ == 0).any()
    close(model.kernel, theirs.coef_)
    close(model.bias, theirs.intercept_)
    assert int(model.status) == CONVERGED


def test_lasso_in_raw_units_with_both_penalties_and_weights() -> None:
    m, weights = len(X), np.arange(len(X)) % 3
    raw = RAW.inputs.astype(np.float64)
    model = lasso(RAW.inputs, Y, l1=0.5 * m, l2=2.0 * m)
    theirs = ElasticNet(alpha=2.5, l1_ratio=0.2, tol=1e-12, max_iter=100_000).fit(raw, Y)
    close(model.kernel, theirs.coef_)
    total = weights.sum()
    weighted = Lasso(alpha=0.1, tol=1e-12, max_iter=100_000).fit(X, Y, weights)
    found = lasso(DATA.inputs, Y, l1=0.1 * total, weights=weights).kernel
    close(found, weighted.coef_)
    np.testing.assert_array_equal(np.asarray(found) == 0, weighted.coef_ == 0)
    assert int(lasso(DATA.inputs, Y, l1=4.42, max_steps=5).status) == OUT_OF_STEPS


def test_line_equals_polyfit() -> None:
    x = RAW.inputs[:, 2]
    close(np.array(line(x, Y)), np.polyfit(x.astype(float), Y, 1), 1e-5)
    kept = np.arange(len(x)) % 2
    close(np.array(line(x, Y, weights=kept)), np.polyfit(x[kept == 1], Y[kept == 1], 1), 1e-5)
    assert np.isnan(jax.jit(line)(jnp.ones(3), jnp.arange(3.0)).slope)


def test_a_feature_is_constant_only_when_no_example_differs() -> None:
    for far in (0.0, 1e5, 1e6):
        x = (far + np.arange(4.0))[:, None]
        model = linear_regression.fit(x, np.arange(4.0))
        np.testing.assert_allclose(model.kernel, [1.0], rtol=1e-5)
        np.testing.assert_allclose(model.bias, -far, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(lasso(x, np.arange(4.0), l1=0.0).kernel, [1.0], rtol=1e-5)
    for unit in (1e-25, 1e-18, 1e18, 1e25):
        model = linear_regression.fit(jnp.arange(4.0)[:, None] * unit, np.arange(4.0))
        np.testing.assert_allclose(model.kernel, [1 / unit], rtol=1e-5)
    absent = linear_regression.fit(
        np.array([[7.3], [7.3], [9.0]]), np.arange(3.0), weights=np.array([1, 1, 0])
    )
    assert absent.kernel.tolist() == [0.0]


@pytest.mark.parametrize("far", [1e5 + np.linspace(-0.2, 0.2, 50), 1_000_000_000 + np.arange(50), 2**40])
def test_what_the_cast_would_blur_is_refused(far: Any) -> None:
    x, y = (far + np.zeros(50) if np.ndim(far) == 0 else far), np.arange(50.0)
    x = x + np.arange(50) if np.ndim(far) == 0 else x
    for given in ((x[:, None], y), (y[:, None], x)):
        with pytest.raises(FormatError, match="subtract the mean first"):
            linear_regression.fit(*given)
    with pytest.raises(FormatError, match="'x' is blurred"):
        line(x, y)
    with jax.enable_x64(True):
        slope = float(linear_regression.fit(x[:, None].astype(float), y).kernel[0])
    assert slope == pytest.approx(np.polyfit(x - x.mean(), y, 1)[0], rel=1e-5)
    assert linear_regression.fit(np.array([[0.1 + 0.2], [0.3]]), y[:2]).kernel.tolist() == [0.0]


def test_whole_numbers_beyond_int32_do_not_wrap_around() -> None:
    x = np.arange(4) * 2**31
    assert float(linear_regression.fit(x[:, None], x).kernel[0]) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"method": "descent", "max_steps": 50}, {"l1": 1.0, "max_steps": 50}]
)
def test_traced_settings_out_of_range_give_nan(options: dict[str, Any]) -> None:
    x, y = np.arange(8.0).reshape(4, 2) ** 2 / 40, np.arange(4.0)
    run = lasso if "l1" in options else linear_regression.fit
    good = {"l2": jnp.float32(1), "weights": jnp.ones(4)} | options
    bad = [{"l2": -5.0}, {"l2": jnp.inf}, {"weights": -jnp.ones(4)}, {"weights": jnp.array([-3.0, 1, 1, 1])}]
    bad += [{"weights": jnp.zeros(4)}, *([{"l1": -5.0}] if "l1" in options else [])]
    fixed = {name: options[name] for name in options.keys() & {"method", "max_steps"}}

    def traced(values: Any) -> Any:
        return jax.jit(lambda values: run(x, y, **values, **fixed))(values)

    moving = {name: value for name, value in good.items() if name not in fixed}
    assert np.isfinite(traced(moving).kernel).all()
    for change in bad:
        model = traced(moving | change)
        assert np.isnan(model.kernel).all(), change
        assert np.isnan(model.bias)
        assert int(model.status) == NOT_FINITE
    for name in sorted({"l1", "l2", "tolerance"} & ({*options, "l2", "tolerance"})):
        for vector in (np.ones(2), jnp.ones(2)):
            with pytest.raises(ShapeError, match=f"'{name}' is of shape .* one number"):
                run(x, y, **good | {name: vector})
    with pytest.raises(ShapeError, match="'l2' is of shape"):
        traced(moving | {"l2": jnp.ones(2)})
