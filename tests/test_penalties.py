"""Penalties: torch's weight decay, scikit-learn's minima, strengths by layer, a test loss without them."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from common import DATA, KEYS, LOSS, METRICS, NET
from golden.make import decay_problem, torch_decay
from sklearn.linear_model import Lasso, LogisticRegression, Ridge

from jaxdl import losses, optim, train
from jaxdl.net import from_pair

GOLDEN = Path(__file__).parent / "golden" / "decay.npz"
RNG = np.random.default_rng(7)
X = RNG.normal(size=(40, 6)).astype(np.float32)
Y = (X @ np.array([2.0, 0.0, -1.0, 0.0, 0.1, 0.0]) + 3 + RNG.normal(size=40) / 4).astype(np.float32)
LAYERS = {
    "first": {"kernel": jnp.array([[3.0, 4.0]]), "bias": jnp.array([7.0])},
    "second": {"kernel": jnp.array([[2.0]]), "bias": jnp.array([5.0])},
}


def everything(path: str, leaf: jax.Array) -> bool:
    return True


def line(params: Any, x: jax.Array) -> jax.Array:
    return x @ params["kernel"] + params["bias"]


def trained(penalty: Any, rule: Any) -> Any:
    x, y, w, b = map(jnp.asarray, decay_problem())
    net = from_pair(lambda key: {"kernel": w, "bias": b}, line)
    spec = train.Spec(epochs=30, batch_size=12, shuffle="none", reduction="half_mean")
    run = train.make_train(net, losses.squared_error, rule, spec, penalty=penalty)
    return run(*KEYS, train.Arrays(x, y), {"l2": jnp.float32(0.6)}).params


@pytest.mark.parametrize(("name", "where"), [("weights", losses.is_weight), ("everything", everything)])
def test_the_penalty_of_the_texts_is_weight_decay(name: str, where: Any) -> None:
    ours = trained(
        lambda params, hyper: losses.l2_penalty(
            params, hyper["l2"], form="half_mean", examples=12, where=where
        ),
        optim.sgd(0.1),
    )
    mask = {"kernel": True, "bias": where is everything}
    decayed = trained(None, optax.chain(optax.add_decayed_weights(0.6 / 12, mask), optim.sgd(0.1)))
    with np.load(GOLDEN) as golden:
        for part in ("kernel", "bias"):
            np.testing.assert_allclose(ours[part], golden[f"{name}/{part}"], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(decayed[part], golden[f"{name}/{part}"], rtol=1e-5, atol=1e-6)


def test_golden_files_are_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the golden file stands in for it")
    with np.load(GOLDEN) as golden:
        for name, value in torch_decay(torch).items():
            np.testing.assert_allclose(golden[name], value, rtol=1e-6, atol=1e-6)


def test_a_step_shrinks_before_it_descends() -> None:
    w, rate, strength, m = jnp.array([2.0, -3.0]), 0.1, 4.0, 20
    gradient = jax.grad(lambda w: losses.l2_penalty({"w": w}, strength, form="half_mean", examples=m))(w)
    np.testing.assert_allclose(w - rate * gradient, w * (1 - rate * strength / m), rtol=1e-6)


@pytest.mark.parametrize("strength", [0.5, 20.0])
def test_ridge_of_scikit_learn_is_the_minimum(strength: float) -> None:
    ridge = Ridge(alpha=strength).fit(X.astype(np.float64), Y)

    def cost(params: Any) -> jax.Array:
        values = losses.squared_error(line(params, jnp.asarray(X)), jnp.asarray(Y))
        penalty = losses.l2_penalty(params, strength, form="half_mean", examples=len(X))
        return losses.reduce(values, reduction="half_mean") + penalty

    params = {"kernel": jnp.asarray(ridge.coef_), "bias": jnp.asarray(ridge.intercept_)}
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)
    for leaf in jax.tree.leaves(jax.grad(cost)(params)):
        np.testing.assert_allclose(leaf, 0, atol=2e-6)


def test_logistic_regression_of_scikit_learn_is_the_minimum() -> None:
    strength, labels = 2.0, (Y > 3).astype(np.int32)
    model = LogisticRegression(C=1 / strength, tol=1e-9, max_iter=1000).fit(X.astype(np.float64), labels)

    def cost(params: Any) -> jax.Array:
        values = losses.binary_cross_entropy(line(params, jnp.asarray(X)), jnp.asarray(labels))
        penalty = losses.l2_penalty(params, strength, form="half_mean", examples=len(X))
        return losses.reduce(values) + penalty

    params = {"kernel": jnp.float32(model.coef_[0]), "bias": jnp.float32(model.intercept_[0])}
    for leaf in jax.tree.leaves(jax.grad(cost)(params)):
        np.testing.assert_allclose(leaf, 0, atol=2e-6)


@pytest.fixture(scope="module")
def sparse() -> dict[str, np.ndarray]:
    """Fit the Lasso for three strengths at once, by proximal steps, and by subgradients for one."""
    net = from_pair(lambda key: {"kernel": jnp.zeros(6), "bias": jnp.zeros(())}, line)
    spec = train.Spec(epochs=400, batch_size=40, shuffle="none", reduction="half_mean")
    data = train.Arrays(jnp.asarray(X), jnp.asarray(Y))

    def proximal(hyper: Any) -> optax.GradientTransformation:
        return optax.chain(optim.sgd(0.2), losses.proximal_l1(0.2 * hyper["l1"] / 40))

    run = train.make_train(net, losses.squared_error, proximal, spec)
    many = jax.jit(jax.vmap(run, in_axes=(None, None, None, 0)))
    plain = train.make_train(
        net, losses.squared_error, optim.sgd(0.2), spec,
        penalty=lambda params, hyper: losses.l1_penalty(params, hyper["l1"], form="mean", examples=40),
    )  # fmt: skip
    return {
        "proximal": many(*KEYS, data, {"l1": jnp.array([4.0, 20.0, 60.0])}).params,
        "subgradient": jax.jit(plain)(*KEYS, data, {"l1": 20.0}).params,
    }


@pytest.mark.parametrize(("index", "strength"), list(enumerate((4.0, 20.0, 60.0))))
def test_lasso_of_scikit_learn_is_where_proximal_steps_end(
    sparse: dict[str, Any], index: int, strength: float
) -> None:
    lasso = Lasso(alpha=strength / 40, tol=1e-10).fit(X.astype(np.float64), Y)
    found = np.asarray(sparse["proximal"]["kernel"][index])
    np.testing.assert_allclose(found, lasso.coef_, atol=2e-6)
    np.testing.assert_array_equal(found == 0, lasso.coef_ == 0)
    assert 0 < (found == 0).sum() < 6
    assert float(sparse["proximal"]["bias"][index]) == pytest.approx(lasso.intercept_, abs=1e-5)


def test_subgradients_leave_no_zeros(sparse: dict[str, Any]) -> None:
    assert (np.asarray(sparse["subgradient"]["kernel"]) != 0).all()
    assert (np.asarray(sparse["proximal"]["kernel"][1]) == 0).any()


def test_forms_are_factors() -> None:
    squares, sizes = 9.0 + 16 + 4, 3.0 + 4 + 2
    for penalty, total in ((losses.l2_penalty, squares), (losses.l1_penalty, sizes)):
        for form, factor in (("sum", 1), ("half_sum", 1 / 2), ("mean", 1 / 5), ("half_mean", 1 / 10)):
            examples = 5 if form.endswith("mean") else None
            got = penalty(LAYERS, 0.5, form=form, examples=examples)
            assert float(got) == pytest.approx(0.5 * factor * total, rel=1e-6)
    assert float(losses.l2_penalty(LAYERS, 2.0)) == squares
    assert float(losses.l1_penalty(LAYERS, 2.0)) == 2 * sizes
    assert float(losses.l2_penalty(LAYERS, 2.0, where=everything)) == squares + 49 + 25


def test_strengths_by_layer_the_longest_path_counts() -> None:
    def gradient(strength: Any, where: Any = losses.is_weight) -> Any:
        return jax.grad(lambda p: losses.l2_penalty(p, strength, where=where))(LAYERS)

    one = gradient({"first": 0.5})
    np.testing.assert_allclose(one["first"]["kernel"], 0.5 * LAYERS["first"]["kernel"])
    assert not any(np.any(leaf) for leaf in (one["first"]["bias"], *one["second"].values()))
    rest = gradient({"": 1.0, "first": 0.5, "first/bias": 0.25}, everything)
    for (layer, leaf), strength in {
        ("first", "kernel"): 0.5, ("first", "bias"): 0.25, ("second", "kernel"): 1, ("second", "bias"): 1
    }.items():  # fmt: skip
        np.testing.assert_allclose(rest[layer][leaf], strength * LAYERS[layer][leaf])
    with pytest.raises(ValueError, match=r"'firs'"):
        gradient({"firs": 1.0})


def test_strength_may_be_traced_and_swept() -> None:
    traces = 0

    def penalty(strength: jax.Array) -> jax.Array:
        nonlocal traces
        traces += 1
        return losses.l2_penalty(LAYERS, {"first": strength, "second": 2 * strength})

    many = jax.jit(jax.vmap(penalty))
    np.testing.assert_allclose(many(jnp.array([0.0, 1.0, 2.0])), [0, 16.5, 33])
    assert np.isnan(many(jnp.array([-1.0, float("nan"), 1.0]))).tolist() == [True, True, False]
    assert traces == 1


def test_low_precision_weights_do_not_overflow() -> None:
    params = {"kernel": jnp.full((100, 100), 100.0, jnp.float16)}
    assert float(losses.l2_penalty(params, 1e-3)) == pytest.approx(5e4)
    assert float(losses.l1_penalty(params, 1e-3)) == pytest.approx(1e3)
    gradient = jax.grad(lambda p: losses.l2_penalty(p, 0.5))(params)["kernel"]
    assert gradient.dtype == jnp.float16
    np.testing.assert_array_equal(gradient, 50)


def test_the_penalty_is_in_the_gradient_but_in_no_loss() -> None:
    spec = train.Spec(epochs=2, batch_size=8, metrics=METRICS)

    run = train.make_train(
        NET, LOSS, lambda hyper: optim.sgd(hyper["learning_rate"]), spec,
        penalty=lambda params, hyper: losses.l2_penalty(params, hyper["l2"]),
    )  # fmt: skip
    hyper = {"learning_rate": jnp.array([0.0, 0.0, 0.1, 0.1]), "l2": jnp.array([0.0, 1e3, 0.0, 1.0])}
    history = jax.jit(jax.vmap(run, in_axes=(None, None, None, 0)))(*KEYS, DATA, hyper).history
    for name in ("loss", "valid_loss", "valid_accuracy"):
        still, heavy, free, held = np.asarray(history[name])
        np.testing.assert_array_equal(still, heavy)
        assert name == "valid_accuracy" or not np.allclose(free, held)


def test_a_net_of_layers_has_paths_by_layer() -> None:
    params = NET.init(KEYS[0])[0]
    value = losses.l2_penalty(params, {"layers/0": 2.0, "layers/1/kernel": 0.0})
    assert float(value) == pytest.approx(float(jnp.sum(params["layers"][0]["kernel"] ** 2)), rel=1e-6)


def test_the_subgradient_at_0_is_0() -> None:
    w = {"kernel": jnp.array([0.0, -0.0, 2.0, -3.0])}
    gradient = jax.grad(lambda w: losses.l1_penalty(w, 0.5))(w)["kernel"]
    np.testing.assert_array_equal(gradient, [0, 0, 0.5, -0.5])


@pytest.mark.parametrize("amount", [0.0, 0.5, 10.0])
def test_soft_threshold_minimises_its_objective(amount: float) -> None:
    w = jnp.linspace(-2, 2, 41)
    grid = jnp.linspace(-3, 3, 6001)
    costs = 0.5 * (grid[None] - w[:, None]) ** 2 + amount * jnp.abs(grid[None])
    np.testing.assert_allclose(losses.soft_threshold(w, amount), grid[jnp.argmin(costs, 1)], atol=1.1e-3)


def test_proximal_steps_say_what_they_miss() -> None:
    rule = losses.proximal_l1({"third": 0.1})
    with pytest.raises(ValueError, match="'params' is None"):
        rule.update(LAYERS, rule.init(LAYERS))
    with pytest.raises(ValueError, match="'third'"):
        rule.update(LAYERS, rule.init(LAYERS), LAYERS)
    assert np.isnan(jax.jit(losses.soft_threshold)(jnp.ones(2), -1.0)).all()
