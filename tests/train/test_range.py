"""The learning-rate range test: rates, a suggestion that trains, where it stops, what it refuses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import DATA, KEYS, LOSS, NET, X, Y, adam, sgd

from jaxdl import losses, net, optim, plot, train
from jaxdl.errors import DtypeError
from jaxdl.train import Arrays, Spec, make_rate_range, rate_range

OPTIONS: dict[str, Any] = {"loss": LOSS, "optimizer": sgd, "batch_size": 10}
LINE = net.from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])


def parabola(rates: np.ndarray) -> np.ndarray:
    """Losses of ``mean (w x - 3 x)^2`` at mean x^2 = 1, where a step multiplies the error by 1 - 2 lr."""
    error = 3 * np.cumprod(np.concatenate([[1], 1 - 2 * rates[:-1]]))
    return error**2


def test_losses_are_those_of_the_plain_recursion_up_to_the_divergence() -> None:
    x = jnp.array([[1.0], [-1.0]])
    run = jax.jit(make_rate_range(LINE, losses.squared_error, sgd, Spec(1, 2), steps=60))
    found = run(*KEYS, Arrays(x, 3 * x), {}, 1e-3, 1e3)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-3, 1e3, 60), rtol=1e-5)
    counted, wanted = int(found.counted), parabola(np.asarray(found.rates, np.float64))
    np.testing.assert_allclose(found.losses[:counted], wanted[:counted], rtol=1e-2, atol=1e-6)
    assert np.isnan(found.losses[counted:]).all()
    assert np.isnan(found.smoothed[counted:]).all()
    smoothed = np.asarray(optim.ema(jnp.asarray(np.minimum(wanted, 1e30), jnp.float32), decay=0.9))
    assert smoothed[counted] > 4 * smoothed[:counted].min()
    assert (smoothed[1:counted] <= 4 * np.minimum.accumulate(smoothed)[: counted - 1]).all()
    slopes = np.gradient(smoothed[:counted], np.log(np.asarray(found.rates))[:counted])[1:-1]
    steepest = 1 + int(np.argmin(np.where(np.arange(1, counted - 1) < 6, np.inf, slopes)))
    assert float(found.suggested) == pytest.approx(float(found.rates[steepest]), rel=1e-5)
    assert float(found.rates[counted]) > 1.0
    assert 0.01 < float(found.suggested) < 1.0


def test_a_sweep_over_seeds_equals_single_runs() -> None:
    run = make_rate_range(NET, LOSS, adam, Spec(1, 10), steps=30)
    keys = jax.random.split(jax.random.key(2), 2)
    many = jax.jit(jax.vmap(run, in_axes=(0, None, None, None, None, 0)))
    swept = many(keys, KEYS[1], DATA, {}, 1e-4, jnp.array([1.0, 10.0]))
    one = jax.jit(run)(keys[1], KEYS[1], DATA, {}, 1e-4, 10.0)
    np.testing.assert_allclose(swept.rates[1], one.rates, rtol=1e-5)
    np.testing.assert_allclose(swept.losses[1], one.losses, rtol=1e-3)
    assert swept.suggested.shape == (2,)


def test_the_suggested_rate_trains_and_another_range_compiles_nothing() -> None:
    traces = 0

    def counted(outputs: jax.Array, targets: jax.Array) -> jax.Array:
        nonlocal traces
        traces += 1
        return LOSS(outputs, targets)

    found = rate_range(NET, (X, Y), **{**OPTIONS, "loss": counted}, low=1e-3)
    before = traces
    again = rate_range(NET, (X, Y), **{**OPTIONS, "loss": counted}, low=1e-4, high=1.0, seed=1)
    assert traces == before > 0
    assert float(again.rates[-1]) == pytest.approx(1.0, rel=1e-5)
    rate = float(found.suggested)
    assert 0.02 < rate < 5
    fitted = train.fit(NET, (X, Y), epochs=15, progress="off", hyper={"learning_rate": rate}, **OPTIONS)
    assert fitted.history["loss"][-1] < 0.6 * fitted.history["loss"][0]


def test_a_loss_that_never_falls_suggests_nothing() -> None:
    found = rate_range(LINE, (np.ones((4, 1)), np.zeros((4, 1))), **{**OPTIONS, "batch_size": 4,
                       "loss": losses.squared_error})  # fmt: skip
    assert int(found.counted) == 100
    assert np.isnan(found.suggested)


def test_other_hyperparameters_and_the_name_of_the_rate() -> None:
    def rule(hyper: Any) -> Any:
        return optim.momentum(hyper["pace"] * 0.5, beta=hyper["beta"])

    options = {**OPTIONS, "optimizer": rule, "rate": "pace"}
    slow, fast = (rate_range(NET, (X, Y), hyper={"beta": beta}, **options) for beta in (0.0, 0.9))
    assert not np.allclose(slow.losses[60:70], fast.losses[60:70], rtol=1e-2)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"low": 0.0}, ValueError, r"'low' is 0.0; expected \(0, inf\)"),
        ({"high": 1e-6}, ValueError, "'high' is 1e-06; expected above low=1e-05"),
        ({"high": float("nan")}, ValueError, "'high' is nan"),
        ({"steps": 10}, ValueError, "'steps' is 10; expected at least 20"),
        ({"steps": 50.0}, DtypeError, "a whole number"),
        ({"smoothing": 1.0}, ValueError, "'smoothing' is 1.0"),
        ({"optimizer": optim.sgd(0.1)}, ValueError, r"does not read hyper\['learning_rate'\]"),
        ({"optimizer": lambda hyper: optim.sgd(0.1)}, ValueError, "or the rates change nothing"),
        ({"hyper": {"learning_rate": 0.1}}, ValueError, "leave 'learning_rate' out"),
        ({"rate": "pace"}, ValueError, "without 'learning_rate'"),
        ({"batch_size": 1000}, ValueError, "at most 70, the examples"),
        ({"loss": "mse"}, TypeError, "'loss' is a str"),
    ],
)
def test_refuses(change: dict[str, Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        rate_range(NET, (X, Y), **{**OPTIONS, **change})
    assert "Fix: " in str(caught.value)


def test_picture(tmp_path: Any) -> None:
    found = rate_range(NET, (X, Y), **OPTIONS, high=1e4)
    axes = plot.rate_range(found, path=tmp_path / "range.png").axes[0]
    assert axes.get_xscale() == "log"
    assert len(axes.lines[1].get_xdata()) == int(found.counted) < 100
    assert (tmp_path / "range.png").stat().st_size > 1000
    with pytest.raises(ValueError, match="Fix: "):
        plot.rate_range(jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), found))
