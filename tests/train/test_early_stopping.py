"""Early stopping, inside the program, against the loop of the textbooks."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chunked import FEW, in_any_chunks, run
from common import LOSS, X, Y

from jaxdl import net, optim
from jaxdl.errors import DtypeError
from jaxdl.train import EarlyStopping, Fitted

# A network of one number that grows by 1 a step: what is measured after epoch e is row e of the validation
# targets, so that any curve is played to early stopping by the same program. A power of two keeps it exact.
COUNTER = net.from_pair(lambda key: {"w": jnp.zeros(())}, lambda params, x: params["w"] + 0 * x)
UNIT = optim.sgd(1.0)
EPOCHS = 16
MISSING = -1000.0  # stands for NaN, which is no target


def played(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    epoch, value = targets[:, 0], targets[:, 1]
    value = jnp.where(value == MISSING, jnp.nan, value)
    return jnp.where(outputs[:, 0] == epoch, EPOCHS * value, 0)


def growing(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    return -outputs[:, 0] + 0 * targets[:, 0]


def play(curve: Any, rule: EarlyStopping) -> Fitted:
    values = np.where(np.isnan(curve), MISSING, curve)
    rows = np.stack([np.arange(1, EPOCHS + 1), values], 1).astype(np.float32)
    x = np.ones((EPOCHS, 1), np.float32)
    return run(
        network=COUNTER, data=(x[:1], rows[:1]), valid=(x, rows), loss=growing, batch_size=1, epochs=EPOCHS,
        metrics={"played": played}, optimizer=UNIT, hyper=None, early_stopping=rule, shuffle="none",
    )  # fmt: skip


def stopped_by_hand(curve: Any, rule: EarlyStopping) -> tuple[int, int]:
    """Return epochs run and the best epoch, as the textbooks' loop gives them."""
    best, best_epoch, wait = np.float32(np.inf if rule.mode == "min" else -np.inf), -1, 0
    for epoch, value in enumerate(np.float32(curve)):
        margin = np.float32(rule.min_delta)
        if value < best - margin if rule.mode == "min" else value > best + margin:
            best, best_epoch, wait = value, epoch, 0
        else:
            wait += 1
        if rule.patience is not None and wait >= rule.patience:
            return epoch + 1, best_epoch
    return len(curve), best_epoch


RNG = np.random.default_rng(3)
CURVES = [
    np.linspace(4, 0.25, EPOCHS),
    np.linspace(0, 3.75, EPOCHS),
    [3, 1, 2, 2, 0.5, *[2] * 10, 0],
    [2] * 4 + [1] * 12,
    np.linspace(8, 0.5, EPOCHS),
    [np.nan, np.nan, 3, np.nan, 2, *[np.nan] * 8, 1, 1, 1],
    [np.nan] * EPOCHS,
    *RNG.integers(0, 6, (6, EPOCHS)),
    *np.where(RNG.random((4, EPOCHS)) < 0.3, np.nan, RNG.integers(0, 4, (4, EPOCHS))),
]
RULES = [
    EarlyStopping("valid_played", patience=1),
    EarlyStopping("valid_played", patience=3),
    EarlyStopping("valid_played", patience=2, mode="max"),
    EarlyStopping("valid_played", patience=3, min_delta=0.5),
    EarlyStopping("valid_played", patience=2, mode="max", min_delta=1),
    EarlyStopping("valid_played", patience=None),
    EarlyStopping("valid_played", patience=2, restore_best=False),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.patience}-{rule.mode}-{rule.min_delta}")
def test_early_stopping_stops_where_the_loop_stops(rule: EarlyStopping) -> None:
    ends = set()
    for curve in CURVES:
        fitted = play(curve, rule)
        epochs, best = stopped_by_hand(curve, rule)
        np.testing.assert_array_equal(fitted.history["valid_played"], np.float32(curve[:epochs]))
        last = best + 1 if rule.restore_best and best >= 0 else epochs
        assert float(fitted.params["w"]) == last
        assert (int(fitted.stopping.epoch), int(fitted.stopping.epochs)) == (best, epochs)
        # A patience that ends with the last epoch has stopped nothing.
        early = bool(fitted.stopping.stopped) and epochs < EPOCHS
        assert fitted.stopped == ("early stopping" if early else None)
        assert bool(fitted.stopping.stopped) or epochs == EPOCHS
        ends.add(epochs)
    assert len(ends) > 2 or rule.patience is None


def test_early_stopping_is_the_same_in_any_chunks_and_restores_averages_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = EarlyStopping("valid_loss", patience=5)
    fitted = in_any_chunks(monkeypatch, **FEW, epochs=200, early_stopping=rule, average=0.8)
    assert fitted.stopped == "early stopping"
    epochs, best = stopped_by_hand(fitted.history["valid_loss"], rule)
    assert fitted.history.epochs == epochs < 200
    assert 0 < best < epochs - 1
    measured = fitted.averaged().evaluate((X[50:], Y[50:]), loss=LOSS)["loss"]
    assert measured == pytest.approx(float(fitted.history["valid_loss"][best]), rel=1e-5)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"patience": 0}, ValueError, "at least 1"),
        ({"patience": 1.5}, DtypeError, "a whole number"),
        ({"mode": "auto"}, ValueError, "'min', 'max'"),
        ({"min_delta": -1}, ValueError, r"\[0, inf\)"),
        ({"min_delta": "1"}, DtypeError, "a number"),
        ({"monitor": None}, DtypeError, "the name of a recorded value"),
    ],
)
def test_wrong_early_stopping_is_refused(given: dict[str, Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        EarlyStopping(**given)
