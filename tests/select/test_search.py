"""Random search and curves of networks that `train.make_train` trains."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import losses, net, optim, select
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import MLP, MLPConfig
from jaxdl.select import Range
from jaxdl.train import Arrays, Spec, make_train

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(np.float32)
Y = np.argmax(X[:, :3] + 0.3 * RNG.normal(size=(90, 3)), 1).astype(np.int32)
KEYS = (jax.random.key(0), jax.random.key(1))
NET = net.functional(lambda rngs: MLP(MLPConfig(sizes=(4, 8, 3)), rngs=rngs))
LOSS = losses.softmax_cross_entropy


def sgd(hyper: Any) -> Any:
    return optim.sgd(hyper["learning_rate"])


def l2(params: Any, hyper: Any) -> jax.Array:
    return hyper["l2"] / 2 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params) if leaf.ndim > 1)


def valley(key: jax.Array, hyper: dict[str, jax.Array]) -> jax.Array:
    return jnp.square(jnp.log10(hyper["rate"]) + 2) + jnp.square(hyper["momentum"] - 0.7)


RANGES = {"rate": Range(1e-6, 1.0), "momentum": Range(0.0, 1.0, "linear")}


def test_narrows_around_the_best_in_one_compilation() -> None:
    traces = 0

    def counted(key: jax.Array, hyper: dict[str, jax.Array]) -> jax.Array:
        nonlocal traces
        traces += 1
        return valley(key, hyper)

    search = select.random_search(counted, jax.random.key(0), RANGES, stages=4, members=30)
    once = traces
    other = select.random_search(counted, jax.random.key(5), RANGES, stages=5, members=30)
    assert traces == once  # neither the later stages nor the second search trace again
    assert search.best["rate"] == pytest.approx(1e-2, rel=0.1)
    assert search.best["momentum"] == pytest.approx(0.7, abs=0.05)
    assert other.losses.shape == (150,)
    values = np.stack([search.trials["rate"], search.trials["momentum"]], 1)
    for trial, loss in zip(values, search.losses):
        exact = (math.log10(trial[0]) + 2) ** 2 + (trial[1] - 0.7) ** 2
        assert loss == pytest.approx(exact, rel=1e-3, abs=1e-5)
    for stage in range(4):
        for name, (low, high) in zip(RANGES, ((1e-6, 1.0), (0.0, 1.0))):
            drawn = search.trials[name][search.stages == stage]
            bounds = search.ranges[name][stage]
            assert (drawn >= bounds[0] * (1 - 1e-4)).all()
            assert (drawn <= bounds[1] * (1 + 1e-4)).all()
            assert low - 1e-9 <= bounds[0] < bounds[1] <= high + 1e-9
    widths = np.diff(np.log(search.ranges["rate"]), axis=1)[:, 0]
    np.testing.assert_allclose(widths, widths[0] * 0.3 ** np.arange(4), rtol=1e-6)
    # A stage holds the best of those before it.
    best = min(range(60), key=lambda i: search.losses[i])
    low, high = search.ranges["momentum"][2]
    assert low <= search.trials["momentum"][best] <= high


def test_draws_are_uniform_on_their_scale() -> None:
    search = select.random_search(valley, jax.random.key(3), RANGES, stages=1, members=4000)
    logs = (np.log10(search.trials["rate"]) + 6) / 6
    for part in (logs, search.trials["momentum"]):
        counts = np.histogram(part, 10, (0, 1))[0]
        assert (np.abs(counts - 400) < 100).all()  # five standard deviations
    assert abs(np.corrcoef(logs, search.trials["momentum"])[0, 1]) < 0.06


def test_batches_change_nothing() -> None:
    whole, part = (
        select.random_search(valley, jax.random.key(0), RANGES, stages=2, members=10, batch_size=size)
        for size in (None, 3)
    )
    np.testing.assert_allclose(part.losses, whole.losses, rtol=1e-6)
    assert (whole.batch_size, part.batch_size) == (10, 3)


def test_what_is_not_finite_never_wins_and_is_counted() -> None:
    def run(key: jax.Array, hyper: dict[str, jax.Array]) -> jax.Array:
        bad = jnp.where(hyper["rate"] > 0.9, -jnp.inf, jnp.nan)
        return jnp.where(hyper["rate"] > 0.5, bad, -hyper["rate"])

    search = select.random_search(run, jax.random.key(0), {"rate": Range(0.0, 1.0, "linear")}, members=40)
    assert 0.4 < search.best["rate"] <= 0.5
    finite = np.isfinite(search.losses)
    np.testing.assert_array_equal(search.failed, [np.sum(~finite[search.stages == s]) for s in range(3)])
    assert 10 < search.failed[0] < 30
    lines = search.table(3).splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["stage", "loss", "rate"]
    assert float(lines[1].split()[1]) == pytest.approx(search.best["loss"], rel=1e-4)


def test_fails_by_name_when_nothing_is_finite() -> None:
    with pytest.raises(ValueError, match="without a finite loss in 6 trials"):
        select.random_search(
            lambda key, hyper: hyper["rate"] * jnp.nan, jax.random.key(0), {"rate": Range(1, 2)}, members=2
        )


def test_searches_the_hyperparameters_of_a_network() -> None:
    spec = Spec(epochs=10, batch_size=30)
    data = Arrays(*map(jnp.asarray, (X[:60], Y[:60], X[60:], Y[60:])))
    train = make_train(NET, LOSS, sgd, spec, penalty=l2)

    def run(key: jax.Array, hyper: dict[str, jax.Array]) -> jax.Array:
        return train(*KEYS, data, hyper).history["valid_loss"][-1]

    ranges = {"learning_rate": Range(1e-4, 1e4), "l2": Range(1e-5, 1.0)}
    search = select.random_search(run, jax.random.key(2), ranges, stages=2, members=24)
    firsts = search.losses[:24]
    assert search.best["loss"] <= np.nanmin(firsts) < np.nanmedian(firsts)
    assert search.best["loss"] < 0.7 < math.log(3)
    hyper = {name: jnp.float32(search.best[name]) for name in ranges}
    assert float(jax.jit(run)(KEYS[0], hyper)) == pytest.approx(search.best["loss"], rel=1e-3)


def adapter(batch_size: int, epochs: int) -> Any:
    """Make `make_train` an estimator: the weights travel with the targets into the loss."""

    def weighted(outputs: jax.Array, targets: Any) -> jax.Array:
        labels, share = targets
        return share * LOSS(outputs, labels)

    spec = Spec(epochs=epochs, batch_size=batch_size, shuffle="none")
    train = make_train(NET, weighted, sgd, spec, penalty=l2)

    def fit(inputs: Any, targets: Any, *, weights: Any, **hyper: Any) -> Any:
        share = weights * (len(inputs) / jnp.sum(weights))
        result = train(*KEYS, Arrays(inputs, (targets, share)), {"learning_rate": 0.5} | hyper)
        return lambda x: NET.apply(result.params, result.state, x, train=False)[0]

    return fit


def test_learning_and_validation_curves_of_a_network_in_one_program() -> None:
    """With the whole set as one batch, 0/1 weights train exactly as the subset does."""
    training, valid = (X[:60], Y[:60]), (X[60:], Y[60:])
    values = {"l2": np.array([1e-4, 0.1], np.float32)}
    grid = select.learning_curve(adapter(60, 40), LOSS, training, valid, sizes=[15, 60], values=values)
    assert grid.cv_loss.shape == (2, 2)
    whole = jnp.ones(15)
    outputs = jax.jit(lambda x, y: adapter(15, 40)(x, y, weights=whole, l2=jnp.float32(0.1))(X))(
        X[:15], Y[:15]
    )
    for found, part in ((grid.train_loss, slice(0, 15)), (grid.cv_loss, slice(60, None))):
        assert found[0, 1] == pytest.approx(float(LOSS(outputs[part], Y[part]).mean()), rel=1e-3)
    gaps = grid.cv_loss - grid.train_loss
    assert gaps[0, 0] > gaps[1, 0]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"run": None}, DtypeError, "expected a function"),
        ({"key": 0}, DtypeError, "typed PRNG key"),
        ({"ranges": {}}, DtypeError, "a Range by name"),
        ({"ranges": {"rate": (0, 1)}}, DtypeError, "a Range by name"),
        ({"stages": 0}, ValueError, "'stages' is 0"),
        ({"members": 1.5}, DtypeError, "whole number"),
        ({"shrink": 0}, ValueError, "'shrink' is 0"),
        ({"shrink": 2}, ValueError, "'shrink' is 2"),
        ({"run": lambda key, hyper: jnp.ones(3)}, ShapeError, "one floating loss"),
        ({"batch_size": -1}, ValueError, "at least 1"),
    ],
)
def test_random_search_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    call: dict[str, Any] = {"run": valley, "key": jax.random.key(0), "ranges": RANGES} | change
    positional = [call.pop(name) for name in ("run", "key", "ranges")]
    with pytest.raises(error, match=words):
        select.random_search(*positional, **call)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((0.0, 1.0), "'low' is 0"),
        ((1.0, 1.0), "above low"),
        ((2.0, 1.0), "above low"),
        ((1.0, math.inf), "'high' is inf"),
        ((math.nan, 1.0, "linear"), "'low' is nan"),
        ((0.1, 1.0, "exp"), "'log', 'linear'"),
    ],
)
def test_range_refuses(bounds: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Range(*bounds)
