"""Difference quotients: exact where they must be, of second order, and finding every planted mistake."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import activations, gradcheck, losses, net
from jaxdl.errors import DtypeError, GradientError
from jaxdl.models import MLP, MLPConfig


def cubes(x: jax.Array) -> jax.Array:
    return jnp.sum(x**3)


def with_rule(rule: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    """Sum of cubes with a gradient rule of its own, right or wrong."""

    @jax.custom_vjp
    def f(x: jax.Array) -> jax.Array:
        return cubes(x)

    f.defvjp(lambda x: (cubes(x), x), lambda x, upstream: (upstream * rule(x),))
    return f


def test_numerical_gradient_of_a_tree() -> None:
    rng = np.random.default_rng(0)
    tree = {"w": rng.normal(size=(3, 2)).astype(np.float32), "b": [np.float32(0.5), jnp.ones((2, 1, 2)) * 3]}

    def f(tree: Any) -> jax.Array:
        return jnp.sum(jnp.tanh(tree["w"])) * tree["b"][0] + jnp.sum(tree["b"][1] ** 2)

    found = gradcheck.numerical_gradient(f, tree)
    assert jax.tree.structure(found) == jax.tree.structure(tree)
    wide = jax.tree.map(np.float64, tree)
    wanted = {
        "w": 0.5 / np.cosh(wide["w"]) ** 2,
        "b": [np.tanh(wide["w"]).sum(), 2 * wide["b"][1]],
    }
    for got, exact in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, exact, rtol=1e-8, atol=1e-9)
    assert not jax.config.jax_enable_x64


def test_error_is_of_second_order() -> None:
    errors = [
        abs(gradcheck.numerical_gradient(jnp.exp, 1.0, step=h) - np.e) for h in (2.0**-4, 2.0**-5, 2.0**-6)
    ]
    ratios = np.divide(errors[:-1], errors[1:])
    np.testing.assert_allclose(ratios, 4, rtol=0.01)
    np.testing.assert_allclose(errors[0], 2.0**-8 * np.e / 6, rtol=0.01)


def test_numerical_gradient_inside_jit_keeps_the_dtype() -> None:
    x = jnp.array([0.5, -1.0, 2.0])
    found = jax.jit(lambda x: gradcheck.numerical_gradient(cubes, x))(x)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, 3 * x**2, rtol=1e-3)
    lost = jax.jit(lambda x: gradcheck.numerical_gradient(cubes, x, step=1e-7))(x)
    assert np.isnan(lost).all()
    several = jax.vmap(lambda x: gradcheck.numerical_gradient(cubes, x))(jnp.stack([x, 2 * x]))
    np.testing.assert_allclose(several[1], 12 * x**2, rtol=1e-3)


@pytest.mark.parametrize(
    ("size", "by_entry"),
    [(5, True), (300, False)],
)
@pytest.mark.parametrize(
    ("mistake", "rule"),
    [
        ("sign", lambda x: -3 * x**2),
        ("factor", lambda x: x**2),
        ("power", lambda x: 3 * jnp.abs(x)),
        ("entry", lambda x: (3 * x**2).at[3].multiply(1.001)),
        ("zero", lambda x: (3 * x**2).at[3].set(0.0)),
        ("nan", lambda x: (3 * x**2).at[3].set(jnp.nan)),
        ("infinite", lambda x: (3 * x**2).at[3].set(jnp.inf)),
    ],
)
def test_finds_planted_mistakes(
    mistake: str, rule: Callable[[jax.Array], jax.Array], size: int, by_entry: bool
) -> None:
    x = jnp.linspace(1.0, 2.0, size)
    with pytest.raises(GradientError, match="Fix: ") as caught:
        gradcheck.check(with_rule(rule), x)
    report = caught.value.report
    assert not report.passed
    assert report.path == "x"
    assert not report.relative_error <= report.tolerance
    assert str(report) == str(caught.value)
    if by_entry and mistake in ("entry", "zero", "nan", "infinite"):
        assert report.index == (3,)
        assert "at x[3] is" in report.message
        np.testing.assert_allclose(report.numerical, 3 * float(x[3]) ** 2, rtol=1e-6)
        np.testing.assert_allclose(report.analytic, rule(x)[3], rtol=1e-6)
    assert (report.index is None) == (not by_entry)


@pytest.mark.parametrize("size", [5, 300])
def test_a_right_rule_passes(size: int) -> None:
    report = gradcheck.check(with_rule(lambda x: 3 * x**2), jnp.linspace(1.0, 2.0, size))
    assert report.passed
    assert report.relative_error < 1e-7


def test_a_right_gradient_of_a_model_passes(key: jax.Array) -> None:
    config = MLPConfig(sizes=(20, 12, 4, 3), activation="sigmoid")
    network = net.functional(lambda rngs: MLP(config, rngs=rngs))
    params, state = jax.jit(network.init)(key)
    x, y = jax.random.normal(key, (8, 20)), jnp.arange(8) % 3

    def cost(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        return losses.reduce(losses.softmax_cross_entropy(network.apply(params, state, x, train=True)[0], y))

    report = gradcheck.check(cost, params, x, y)
    assert report.passed
    assert report.probes == 8 + 12 + 48 + 4 + 12 + 3  # the first kernel, of 240 entries, by directions
    assert report.absolute_error < 1e-9
    assert report.kinks == ()
    both = gradcheck.check(cost, params, x, y, argnums=(0, 1), directions=2)
    assert both.probes == 2 * 7
    with pytest.raises(DtypeError, match="'y' is of dtype int32"):
        gradcheck.check(cost, params, x, y, argnums=2)


@pytest.mark.parametrize("at", [0.0, 3e-6, -3e-6, 5e-6])
def test_says_that_a_kink_is_near(at: float) -> None:
    report = gradcheck.check(lambda x: jnp.sum(activations.relu(x)), jnp.array([1.0, at, -1.0]))
    assert report.passed
    (kink,) = report.kinks
    assert kink.where == "x[1]"
    assert kink.left < 0.7
    assert kink.right > 0.3
    assert kink.analytic == float(at > 0)
    assert "on a kink at x[1]" in report.message


def test_a_wrong_slope_on_a_kink_is_still_wrong() -> None:
    f = with_rule(lambda x: 3 * x**2)
    with pytest.raises(GradientError, match=r"at x is -1 by jax.grad.*kink|at x is -1"):
        gradcheck.check(lambda x: activations.relu(x) + 2 * jax.lax.stop_gradient(x) - x, jnp.array(0.0))
    assert gradcheck.check(f, jnp.array([1e-9])).kinks == ()


@pytest.mark.parametrize("f", [jnp.sin, jnp.exp, lambda x: x**4, lambda x: 1 / (1 + (50 * x) ** 2), jnp.tanh])
def test_smooth_functions_have_no_kinks(f: Callable[[jax.Array], jax.Array]) -> None:
    for x in (0.0, 1e-3, 0.7):
        report = gradcheck.check(f, x)
        assert report.passed
        assert report.kinks == ()


def test_says_what_stands_in_the_way() -> None:
    edge = gradcheck.check(jnp.sqrt, 1e-7, raises=False)
    assert not edge.passed
    assert "not finite a step away" in edge.message
    trap = gradcheck.check(lambda x: jnp.sqrt(x * x), 0.0, raises=False)
    assert not trap.passed
    assert "the gradient is not finite though the function is" in trap.message
    drowned = gradcheck.check(lambda x: 1e9 + x, 1.0, raises=False)
    assert not drowned.passed
    assert "known to" in drowned.message
    assert drowned.resolution > 0.1
    fast = gradcheck.check(lambda x: jnp.sin(1e6 * x), 0.3, raises=False)
    assert not fast.passed
    assert gradcheck.check(lambda x: jnp.sin(1e6 * x), 0.3, step=1e-11, tolerance=1e-3).passed


def test_functions_that_answer_in_float32() -> None:
    def narrow(x: jax.Array) -> jax.Array:
        return jnp.sum(x.astype(jnp.float32) ** 2)

    report = gradcheck.check(narrow, jnp.array([1.0, 2.0]))
    assert report.tolerance == 1e-2
    with pytest.raises(GradientError):
        gradcheck.check(lambda x: narrow(x) + jax.lax.stop_gradient(jnp.sum(x)), jnp.array([1.0, 2.0]))


def test_directions_come_from_the_key() -> None:
    x = jnp.linspace(1.0, 2.0, 50)
    reports = [
        gradcheck.check(cubes, x, directions=3, key=key)
        for key in (None, jax.random.key(0), jax.random.key(1))
    ]
    assert reports[0] == reports[1]
    assert reports[0].analytic != reports[2].analytic


def test_numbers_beyond_float32() -> None:
    np.testing.assert_allclose(gradcheck.numerical_gradient(lambda x: x * 1e-300, 1e300), 1e-300, rtol=1e-6)
    assert gradcheck.check(lambda x: jnp.sum(jnp.log(x)), np.array([1e60, 1e200])).passed


def test_equals_scipy() -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy comes with scikit-learn")
    x = np.array([0.3, -1.2, 2.0])
    theirs = optimize.approx_fprime(x, lambda x: float(np.sum(np.sin(x) * x)), 1e-8)
    ours = gradcheck.numerical_gradient(lambda x: jnp.sum(jnp.sin(x) * x), x)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(ours, np.cos(x) * x + np.sin(x), atol=1e-9)


def test_torch_finds_the_same() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; planted mistakes stand in for it")
    x = torch.linspace(1, 2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: (x**3).sum(), x)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda x: (x.detach() * x**2).sum(), x)
    with pytest.raises(GradientError):
        gradcheck.check(lambda x: jnp.sum(jax.lax.stop_gradient(x) * x**2), jnp.linspace(1, 2, 5))
