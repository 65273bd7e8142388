"""Why classifiers are trained on cross-entropy: the results that the texts work out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import log_loss

from jaxdl import activations, losses, metrics

RNG = np.random.default_rng(3)
X = jnp.asarray(RNG.normal(size=(30, 2)), jnp.float32)
Y = jnp.asarray(RNG.integers(0, 2, 30))
Z = jnp.asarray(RNG.normal(size=(30, 3)) * 2, jnp.float32)
LABELS = jnp.asarray(RNG.integers(0, 3, 30))


def logits(params: jax.Array) -> jax.Array:
    return X @ params[:2] + params[2]


def squared(params: jax.Array) -> jax.Array:
    return losses.reduce(losses.squared_error(activations.sigmoid(logits(params)), Y.astype(jnp.float32)))


def cross_entropy(params: jax.Array) -> jax.Array:
    return losses.reduce(losses.binary_cross_entropy(logits(params), Y))


def test_accuracy_as_a_loss_has_no_gradient() -> None:
    def error(weights: jax.Array) -> jax.Array:
        return 1 - jnp.mean(metrics.accuracy(X @ weights, Y))

    def entropy(weights: jax.Array) -> jax.Array:
        return jnp.mean(losses.softmax_cross_entropy(X @ weights, Y))

    weights = jnp.asarray(RNG.normal(size=(2, 2)), jnp.float32)
    assert 0 < float(error(weights)) < 1
    np.testing.assert_array_equal(jax.grad(error)(weights), 0)
    assert (np.asarray(jax.grad(entropy)(weights)) != 0).all()


def test_squared_cost_of_logistic_regression_is_not_convex_where_cross_entropy_is() -> None:
    points = jnp.asarray(RNG.normal(size=(200, 3)) * 4, jnp.float32)

    def lowest(cost: object) -> np.ndarray:
        return np.asarray(jax.jit(jax.vmap(lambda p: jnp.linalg.eigvalsh(jax.hessian(cost)(p))[0]))(points))

    assert (lowest(squared) < -1e-3).sum() > 20
    assert (lowest(cross_entropy) > -1e-6).all()
    first, second = points[:100], points[100:]
    sides = {}
    for name, cost in (("squared", squared), ("cross_entropy", cross_entropy)):
        many = jax.jit(jax.vmap(cost))
        sides[name] = np.asarray((many(first) + many(second)) / 2 - many((first + second) / 2))
    # A chord lies nowhere below a convex function.
    assert (sides["squared"] < -1e-3).any()
    assert (sides["cross_entropy"] > -1e-6).all()


def test_softmax_of_two_classes_is_logistic() -> None:
    difference = Z[:, 1] - Z[:, 0]
    chance = activations.softmax(Z[:, :2])[:, 1]
    np.testing.assert_allclose(chance, activations.sigmoid(difference), rtol=1e-5, atol=1e-7)

    def one(z: jax.Array) -> jax.Array:
        return losses.binary_cross_entropy(z[:, 1] - z[:, 0], Y)

    def two(z: jax.Array) -> jax.Array:
        return losses.softmax_cross_entropy(z, Y)

    np.testing.assert_allclose(one(Z[:, :2]), two(Z[:, :2]), rtol=1e-5, atol=1e-6)
    slopes = [jax.grad(lambda z, f=f: f(z).sum())(Z[:, :2]) for f in (one, two)]
    np.testing.assert_allclose(*slopes, rtol=1e-5, atol=1e-6)


def test_cross_entropy_is_the_negative_logarithm_of_the_likelihood() -> None:
    chances = np.asarray(activations.softmax(Z), np.float64)
    likelihood = np.prod(chances[np.arange(30), LABELS])
    total = float(losses.reduce(losses.softmax_cross_entropy(Z, LABELS), reduction="sum"))
    assert total == pytest.approx(-np.log(likelihood), rel=1e-5)
    mean = float(losses.reduce(losses.softmax_cross_entropy(Z, LABELS)))
    assert mean == pytest.approx(log_loss(LABELS, chances / chances.sum(1, keepdims=True)), rel=1e-5)

    a, y = np.asarray(activations.sigmoid(Z[:, 0]), np.float64), np.asarray(Y)
    total = float(losses.reduce(losses.binary_cross_entropy(Z[:, 0], Y), reduction="sum"))
    assert total == pytest.approx(-np.log(np.prod(a**y * (1 - a) ** (1 - y))), rel=1e-5)


def test_its_minimum_is_the_estimate_of_maximum_likelihood() -> None:
    # Of models without inputs the frequencies of the classes are the likeliest.
    share = np.mean(np.asarray(Y))
    z = jnp.full(30, np.log(share / (1 - share)), jnp.float32)
    slope = jax.grad(lambda t: losses.reduce(losses.binary_cross_entropy(z + t, Y)))(0.0)
    assert float(slope) == pytest.approx(0, abs=1e-6)
    counts = np.bincount(np.asarray(LABELS), minlength=3)
    logs = jnp.log(jnp.asarray(counts / 30, jnp.float32))

    def cost(t: jax.Array) -> jax.Array:
        rows = jnp.broadcast_to((logs + t)[None], (30, 3))
        return losses.reduce(losses.softmax_cross_entropy(rows, LABELS))

    np.testing.assert_allclose(jax.grad(cost)(jnp.zeros(3)), 0, atol=1e-6)
    assert float(cost(jnp.zeros(3))) < min(float(cost(v)) for v in 0.3 * jnp.eye(3))


def test_squared_error_is_the_likelihood_of_gaussian_noise() -> None:
    a, y = Z[:, 0], Z[:, 1]
    total = float(losses.reduce(losses.squared_error(a, y, factor=0.5), reduction="sum"))
    density = np.exp(-((np.asarray(a) - np.asarray(y)) ** 2).astype(np.float64) / 2) / np.sqrt(2 * np.pi)
    assert total + 15 * np.log(2 * np.pi) == pytest.approx(-np.log(density).sum(), rel=1e-5)
