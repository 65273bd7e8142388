"""Averages, clipping, decay masks and schedules, against optax; the classic picture of four paths."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import losses, net, optim
from jaxdl.models import MLP, MLPConfig

SERIES = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)


@pytest.mark.parametrize("debias", [True, False])
@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
def test_ema_equals_optax_value_by_value(debias: bool, decay: float) -> None:
    rule = optax.ema(decay, debias=debias)
    state, wanted = rule.init(jnp.zeros(2)), []
    for value in SERIES:
        read, state = rule.update(jnp.asarray(value), state)
        wanted.append(read)
    found = optim.ema(jnp.asarray(SERIES), decay=decay, debias=debias)
    np.testing.assert_allclose(found, jnp.stack(wanted), rtol=2e-4, atol=1e-5)


def test_ema_may_have_a_traced_decay() -> None:
    swept = jax.vmap(lambda beta: optim.ema(jnp.asarray(SERIES), decay=beta))(jnp.array([0.5, 0.9]))
    np.testing.assert_allclose(swept[1], optim.ema(jnp.asarray(SERIES), decay=0.9), rtol=1e-5, atol=1e-6)


def test_an_average_before_the_first_value_is_nan_and_a_changing_decay_is_corrected() -> None:
    average = optim.start_average({"w": jnp.ones(2, jnp.bfloat16)})
    assert np.isnan(optim.read_average(average)["w"]).all()
    for decay in (0.5, 0.9, 0.0, 0.3):
        average = optim.update_average(average, {"w": jnp.full(2, 7.0, jnp.bfloat16)}, decay=decay)
    assert average.raw["w"].dtype == jnp.float32
    np.testing.assert_allclose(optim.read_average(average)["w"], 7.0, rtol=1e-6)


def test_tracked_parameters_equal_an_average_of_the_path() -> None:
    rule = optax.chain(optim.sgd(0.1), optim.track_average(0.8))

    def step(carry: Any, _: None) -> Any:
        params, state = carry
        updates, state = rule.update(jax.tree.map(lambda w: 2 * w, params), state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    params = {"a": jnp.ones(2), "b": jnp.full(3, -2.0)}
    (last, state), path = jax.lax.scan(step, (params, rule.init(params)), length=9)
    found = optim.averaged_params(state, last)
    for name in params:
        np.testing.assert_allclose(found[name], optim.ema(path[name], decay=0.8)[-1], rtol=1e-5)
    held = optim.frozen("a").wrap(rule)
    _, state = held.update(params, held.init(params), params)
    assert optim.averaged_params(state, params)["a"] is params["a"]


def test_clipping_never_makes_a_plausible_step_of_an_overflow() -> None:
    rule = optim.clip_by_global_norm(1.0)
    for gradient, wanted in (
        ([3e20, 4e20], [np.nan] * 2),
        ([np.inf, 1.0], [np.nan] * 2),
        ([0.0, 0.0], [0.0] * 2),
    ):
        np.testing.assert_array_equal(rule.update(jnp.array(gradient), rule.init(jnp.ones(2)))[0], wanted)
    short = jnp.array([0.3, 0.4])
    np.testing.assert_array_equal(rule.update(short, rule.init(short))[0], short)
    half = rule.update(jnp.ones(4, jnp.bfloat16), rule.init(short))[0]
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), 0.5, rtol=1e-2)


def test_weights_are_decayed_biases_and_norms_are_not() -> None:
    network = net.functional(lambda rngs: MLP(MLPConfig(sizes=(4, 5, 3), batch_norm=True), rngs=rngs))
    params, _ = network.init(jax.random.key(0))
    mask = optim.decay_mask(params)
    assert mask == {"layers": {0: {"kernel": True}, 1: {"bias": False, "kernel": True}},
                    "norms": {0: {"bias": False, "scale": False}}}  # fmt: skip
    rule, nothing = optim.adamw(0.1, weight_decay=0.5), jax.tree.map(jnp.zeros_like, params)
    updates, _ = rule.update(nothing, rule.init(params), params)
    jax.tree.map(
        lambda decayed, w, u: np.testing.assert_allclose(u, -0.05 * w * decayed, rtol=1e-6),
        mask,
        params,
        updates,
    )


def test_decay_and_penalties_agree_on_what_a_weight_is() -> None:
    names = ("kernel", "w", "embedding", "bias", "relative_bias", "b", "beta", "gamma", "Scale", "slope")
    params = {name: jnp.ones((2, 2)) for name in (*names, "intercept")}
    mask = optim.decay_mask(params)
    assert mask == {name: losses.is_weight(name, leaf) for name, leaf in params.items()}
    assert [name for name, chosen in mask.items() if chosen] == ["embedding", "kernel", "w"]
    # What a norm of another library calls its weight has one axis.
    assert optim.decay_mask({"norm": {"weight": jnp.ones(2)}}) == {"norm": {"weight": False}}
    rule = optim.adamw(0.1, weight_decay=0.5)
    updates, _ = rule.update(jax.tree.map(jnp.zeros_like, params), rule.init(params), params)
    assert {name for name, update in updates.items() if update.any()} == {"embedding", "kernel", "w"}


@pytest.mark.parametrize("warmup", [0, 1, 7])
@pytest.mark.parametrize("start", [0.0, 0.2])
def test_warmup_cosine_equals_optax(warmup: int, start: float) -> None:
    steps = np.arange(25)
    ours = jax.vmap(optim.warmup_cosine(0.5, warmup=warmup, total=20, start=start, end=0.01))(steps)
    wanted = optax.warmup_cosine_decay_schedule(start, 0.5, warmup, 20, 0.01)(steps)
    np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-6)


def test_a_traced_fall_of_no_steps_is_poisoned() -> None:
    found = jax.jit(lambda total: optim.warmup_cosine(1.0, warmup=5, total=total)(2))(jnp.array(5))
    assert np.isnan(found)


def test_geometric_equals_optax() -> None:
    steps = np.arange(11)
    ours = jax.vmap(optim.geometric(1e-3, last=10.0, steps=11))(steps)
    np.testing.assert_allclose(ours, optax.exponential_decay(1e-3, 10, 1e4)(steps), rtol=1e-4)
    np.testing.assert_allclose(ours, np.geomspace(1e-3, 10, 11), rtol=1e-4)


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        (optim.sgd(0.95), (-7 * 0.905**30, 2 * 0.9**30)),
        (optim.momentum(0.1), (0.90, 0.09)),
        (optim.momentum(0.1, form="average"), (-5.59, -0.35)),
        (optim.adagrad(1.5), (-0.120, 0.0)),
        (optim.adam(0.3), (0.136, 0.318)),
    ],
)
def test_classic_paths_end_where_they_should(rule: Any, end: tuple[float, float]) -> None:
    path = optim.trajectory(lambda w: w[0] ** 2 / 20 + w[1] ** 2, jnp.array([-7.0, 2.0]), rule, steps=30)
    assert path.shape == (31, 2)
    np.testing.assert_allclose(path[-1], end, atol=6e-3)
