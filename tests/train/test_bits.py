"""What changes no bit of a run, compiled as users compile: forms of a sweep, a diverged member, a record."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from common import DATA, HYPER, KEYS, LOSS, NET, X, Y, sgd
from test_sweep import RATES, close, digest, fit, sweep

from jaxdl.errors import DivergenceError, DivergenceWarning
from jaxdl.train import Spec, Step, make_train
from jaxdl.train.sweeps import strategy

TRAINING = DATA._replace(valid_inputs=None, valid_targets=None)


def test_one_after_another_is_fit_bit_by_bit() -> None:
    found = sweep(strategy="scan")
    assert (found.strategy, found.members_at_once, len(found)) == ("scan", 1, 5)
    assert repr(found).startswith("Sweep(5 members by learning_rate, seed: 5 finished; recorded: loss")
    for member, fitted in zip(found, [fit(rate) for rate in RATES]):
        assert digest((member.params, member.state)) == digest((fitted.params, fitted.state))
        for name in fitted.history:
            np.testing.assert_array_equal(member.history[name], fitted.history[name])


@pytest.mark.parametrize(
    "form", [{"strategy": "vmap"}, pytest.param({"members_at_once": 2}, marks=pytest.mark.slow)]
)
def test_a_member_that_diverges_touches_no_other_and_is_named(form: dict[str, Any]) -> None:
    sane = sweep(**form)
    with pytest.warns(
        DivergenceWarning, match=r"1 of 5 members diverged.*\n.*member 3 \(learning_rate=1e\+30"
    ):
        found = sweep([0.05, 0.1, 0.2, 1e30, 0.8], **form)
    for index in (0, 1, 2, 4):
        parts = [(each.member(index).params, each.member(index).opt_state) for each in (sane, found)]
        assert digest(parts[0]) == digest(parts[1])
        assert all(digest(sane.history[name][index]) == digest(h[index]) for name, h in found.history.items())
    assert found.status == ("finished",) * 3 + ("diverged", "finished")
    error = found.errors[3]
    with pytest.raises(DivergenceError) as alone:
        fit(1e30)
    assert (error.step, error.epoch, error.cause) == (alone.value.step, alone.value.epoch, alone.value.cause)
    assert error.member == 3
    close(error.last_good.params, alone.value.last_good.params)
    with pytest.raises(DivergenceError):
        found.member(3)
    assert np.isnan(found.history["loss"][3]).all()
    assert found.index("valid_loss") == sane.index("valid_loss")
    for column in ("valid_loss", "min_loss", "learning_rate", "epochs", "member"):
        for mode in ("min", "max"):
            assert found.table(column, mode=mode).columns["member"][-1] == 3
    assert found.over_seeds().columns["diverged"].tolist() == [0, 0, 0, 1, 0]


def test_lanes_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = [*RATES, 1e30]
    found = []
    for lanes in (1, 2):
        monkeypatch.setattr(strategy, "lanes", lambda *_, lanes=lanes: lanes)
        with pytest.warns(DivergenceWarning, match="1 of 6 members diverged.*\n.*member 5"):
            found.append(sweep(rates, members_at_once=3, epochs=2, valid=None, metrics={}))
    one, two = found
    assert one.status == two.status == ("finished",) * 5 + ("diverged",)
    assert one.errors[5].step == two.errors[5].step
    for part in ("params", "opt_state", "history"):
        assert digest(getattr(one, part)) == digest(getattr(two, part))


def norms(step: Step) -> dict[str, jax.Array]:
    return {"gradient_norm": optax.tree.norm(step.gradients), "mean_input": jnp.mean(step.inputs, axis=0)}


def test_record_is_the_mean_over_the_steps_and_changes_no_bit() -> None:
    plain, watched = (
        make_train(NET, LOSS, sgd, Spec(epochs=3, batch_size=10, shuffle="none", record=record))
        for record in (None, norms)
    )
    without, result = (jax.jit(run)(*KEYS, TRAINING, HYPER) for run in (plain, watched))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), without.params, result.params))
    assert result.history["gradient_norm"].shape == (3,)
    mean = np.broadcast_to(X[:50].mean(0), (3, 4))
    np.testing.assert_allclose(result.history["mean_input"], mean, rtol=1e-5, atol=1e-6)
    gradients = jax.grad(lambda p: jnp.mean(LOSS(NET.apply(p, {}, X[:50], train=True)[0], Y[:50])))
    one = make_train(NET, LOSS, sgd, Spec(epochs=1, batch_size=50, shuffle="none", record=norms))
    start = NET.init(jax.random.split(KEYS[0])[0])[0]
    found = jax.jit(one)(*KEYS, TRAINING, HYPER).history["gradient_norm"][0]
    np.testing.assert_allclose(found, optax.tree.norm(gradients(start)), rtol=1e-5)
