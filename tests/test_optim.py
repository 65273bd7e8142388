"""Optimizers: the printed formulas, torch by golden trajectories, optax, traced hyperparameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden.make import (
    KERAS,
    KERAS_RATES,
    OPTIMIZERS,
    START,
    keras_trajectory,
    quartic,
    torch_trajectory,
)

from jaxdl import optim

GOLDEN = Path(__file__).parent / "golden" / "optim.npz"
KERAS_GOLDEN = GOLDEN.with_name("optim_keras.npz")
OURS: dict[str, optax.GradientTransformation] = {
    "sgd": optim.sgd(0.05),
    "heavy_ball": optim.momentum(0.02, beta=0.9),
    "nesterov": optim.nesterov(0.02, beta=0.9),
    "adam": optim.adam(0.1),
    "adam_betas": optim.adam(0.1, beta1=0.8, beta2=0.95, eps=1e-3),
    "adamw": optim.adamw(0.1, weight_decay=0.2, decayed="all"),
    "adagrad": optim.adagrad(0.5),
    "adagrad_start": optim.adagrad(0.5, eps=1e-2, start=0.1),
    "rmsprop": optim.rmsprop(0.002),
    "rmsprop_eps": optim.rmsprop(0.002, beta=0.99, eps=1e-2),
    "coupled_decay": optax.chain(optim.weight_decay(0.3, decayed="all"), optim.momentum(0.02)),
}


def two_rates(step: jax.Array) -> jax.Array:
    return jnp.where(step < 50, *KERAS_RATES)


OURS_AS_KERAS: dict[str, optax.GradientTransformation] = {
    "velocity": optim.momentum(two_rates, form="velocity"),
    "nesterov": optim.nesterov(two_rates, form="velocity"),
    "adam": optim.adam(two_rates, form="scaled_rate"),
    "adam_eps": optim.adam(two_rates, beta1=0.8, beta2=0.95, eps=1e-2, form="scaled_rate"),
    "rmsprop_inside": optim.rmsprop(two_rates, eps=1e-3, eps_inside=True),
}


def trajectory(rule: optax.GradientTransformation, steps: int = 100) -> np.ndarray:
    run = jax.jit(lambda w: optim.trajectory(quartic, w, rule, steps=steps))
    return np.asarray(run(jnp.asarray(START, jnp.float32)))[1:]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_hundred_steps_equal_torch(name: str) -> None:
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(trajectory(OURS[name]), golden[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", KERAS)
def test_hundred_steps_at_two_rates_equal_keras(name: str) -> None:
    with np.load(KERAS_GOLDEN) as golden:
        np.testing.assert_allclose(trajectory(OURS_AS_KERAS[name]), golden[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_golden_files_are_torch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the golden file stands in for it")
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(golden[name], torch_trajectory(torch, name), rtol=1e-6, atol=1e-6)


def test_golden_files_are_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="Keras is not installed; the golden file stands in for it")
    with np.load(KERAS_GOLDEN) as golden:
        for name in KERAS:
            np.testing.assert_allclose(golden[name], keras_trajectory(keras, name), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (optim.sgd(0.05), optax.sgd(0.05)),
        (optim.momentum(0.02, beta=0.8), optax.sgd(0.02, momentum=0.8)),
        (optim.momentum(0.02, form="average"), optax.chain(optax.ema(0.9, debias=False), optax.scale(-0.02))),
        (optim.momentum(0.02, form="average", debias=True), optax.chain(optax.ema(0.9), optax.scale(-0.02))),
        (optim.nesterov(0.02), optax.sgd(0.02, momentum=0.9, nesterov=True)),
        (optim.adagrad(0.5, eps_inside=True, start=0.1), optax.adagrad(0.5)),
        (optim.rmsprop(0.002, eps_inside=True), optax.rmsprop(0.002)),
        (optim.rmsprop(0.002), optax.rmsprop(0.002, eps_in_sqrt=False)),
        (optim.adam(0.1), optax.adam(0.1)),
        (optim.adamw(0.1, weight_decay=0.2, decayed="all"), optax.adamw(0.1, weight_decay=0.2)),
        (
            optax.chain(optim.clip_by_global_norm(0.5), optim.sgd(0.1)),
            optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1)),
        ),
        (
            optim.adam(optim.warmup_cosine(0.2, warmup=10, total=80, start=0.01, end=0.02)),
            optax.adam(optax.warmup_cosine_decay_schedule(0.01, 0.2, 10, 80, 0.02)),
        ),
    ],
)
def test_equals_optax(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(trajectory(ours), trajectory(theirs), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("form", "eps"), [("corrected_root", 1e-8), ("scaled_rate", 1e-7)])
def test_the_eps_of_adam_where_gradients_are_as_small(form: str, eps: float) -> None:
    gradient = jnp.float32(1e-7)
    rule = optim.adam(1.0, form=form)
    update, _ = rule.update(gradient, rule.init(gradient))
    # The first root is |g|, corrected, and sqrt(1 - beta2) |g| before it is.
    root = 1e-7 * (1 if form == "corrected_root" else 0.001**0.5)
    np.testing.assert_allclose(update, -root / (root + eps), rtol=1e-4)


def test_average_is_heavy_ball_with_a_smaller_rate() -> None:
    average = trajectory(optim.momentum(0.1, beta=0.9, form="average"))
    np.testing.assert_allclose(average, trajectory(optim.momentum(0.01, beta=0.9)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", [optim.momentum, optim.nesterov])
def test_velocity_is_heavy_ball_while_the_rate_is_constant(form: Any) -> None:
    velocity, ball = (trajectory(form(0.02, form=name)) for name in ("velocity", "heavy_ball"))
    np.testing.assert_allclose(velocity, ball, rtol=1e-5, atol=1e-6)
    velocity, ball = (trajectory(form(two_rates, form=name)) for name in ("velocity", "heavy_ball"))
    assert np.abs(velocity - ball).max() > 1e-3


def test_a_schedule_that_is_constant_changes_no_bit() -> None:
    for make in (optim.sgd, optim.momentum, optim.adam):
        np.testing.assert_array_equal(trajectory(make(0.02)), trajectory(make(lambda step: 0.02)))


def by_hand(
    update: Callable[[np.ndarray, list[np.ndarray], int], tuple[np.ndarray, list[np.ndarray]]],
) -> np.ndarray:
    w, memory, path = np.array(START), [np.zeros(2), np.zeros(2)], []
    for t in range(1, 101):
        g = np.array([4 * w[0] ** 3 / 20 + w[1], 2 * w[1] + w[0]])
        change, memory = update(g, memory, t)
        w = w - change
        path.append(w)
    return np.stack(path)


def test_printed_formulas() -> None:
    def average(g: np.ndarray, m: list[np.ndarray], t: int) -> Any:
        v = 0.9 * m[0] + 0.1 * g
        return 0.1 * v, [v, m[1]]

    def corrected(g: np.ndarray, m: list[np.ndarray], t: int) -> Any:
        v = 0.9 * m[0] + 0.1 * g
        return 0.1 * v / (1 - 0.9**t), [v, m[1]]

    def adam(g: np.ndarray, m: list[np.ndarray], t: int) -> Any:
        v, s = 0.9 * m[0] + 0.1 * g, 0.999 * m[1] + 0.001 * g**2
        return 0.1 * (v / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8), [v, s]

    def velocity(g: np.ndarray, m: list[np.ndarray], t: int) -> Any:
        v = 0.9 * m[0] - 0.02 * g
        return -v, [v, m[1]]

    def ahead(g: np.ndarray, m: list[np.ndarray], t: int) -> Any:
        v = 0.9 * m[0] - 0.02 * g
        return -(0.9 * v - 0.02 * g), [v, m[1]]

    def adagrad(g: np.ndarray, m: list[np.ndarray], t: int) -> Any:
        h = m[0] + g**2
        return 0.5 * g / (np.sqrt(h) + 1e-7), [h, m[1]]

    def rmsprop(g: np.ndarray, m: list[np.ndarray], t: int) -> Any:
        s = 0.9 * m[0] + 0.1 * g**2
        return 0.002 * g / (np.sqrt(s) + 1e-8), [s, m[1]]

    def scaled(g: np.ndarray, m: list[np.ndarray], t: int) -> Any:
        v, s = 0.9 * m[0] + 0.1 * g, 0.999 * m[1] + 0.001 * g**2
        rate = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return rate * v / (np.sqrt(s) + 1e-7), [v, s]

    for rule, formula in (
        (optim.momentum(0.02, form="velocity"), velocity),
        (optim.nesterov(0.02, form="velocity"), ahead),
        (optim.adagrad(0.5), adagrad),
        (optim.rmsprop(0.002), rmsprop),
        (optim.adam(0.1, form="scaled_rate"), scaled),
        (optim.momentum(0.1, form="average"), average),
        (optim.momentum(0.1, form="average", debias=True), corrected),
        (optim.adam(0.1), adam),
    ):
        np.testing.assert_allclose(trajectory(rule), by_hand(formula), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        optim.sgd,
        lambda lr: optim.momentum(lr, beta=lr),
        lambda lr: optim.momentum(lr, beta=lr, form="average", debias=True),
        lambda lr: optim.momentum(lr, beta=lr, form="velocity"),
        lambda lr: optim.nesterov(lr, beta=lr),
        lambda lr: optim.adagrad(lr, eps=lr, start=lr),
        lambda lr: optim.adagrad(lr, eps=lr, start=lr, eps_inside=True),
        lambda lr: optim.rmsprop(lr, beta=lr, eps=lr),
        lambda lr: optim.adam(lr, beta1=lr, beta2=lr, eps=lr),
        lambda lr: optim.adam(lr, beta1=lr, beta2=lr, eps=lr, form="scaled_rate"),
        lambda lr: optim.adamw(lr, beta1=lr, beta2=lr, eps=lr, weight_decay=lr, decayed="all"),
        lambda lr: optax.chain(optim.clip_by_global_norm(lr), optim.sgd(lr)),
        lambda lr: optim.sgd(optim.warmup_cosine(lr, warmup=20 * lr, total=10, start=lr / 2, end=lr / 3)),
        lambda lr: optim.sgd(optim.geometric(lr, last=2 * lr, steps=30 * lr + 2)),
    ],
)
def test_hyperparameters_may_be_traced(make: Callable[[Any], optax.GradientTransformation]) -> None:
    def end(rate: jax.Array) -> jax.Array:
        w = jnp.asarray(START, jnp.float32)
        rule = make(rate)
        state = rule.init(w)
        for _ in range(3):
            updates, state = rule.update(jax.grad(quartic)(w), state, w)
            w = optax.apply_updates(w, updates)
        return w

    rates = jnp.array([0.01, 0.1])
    swept = jax.jit(jax.vmap(end))(rates)
    np.testing.assert_allclose(swept, jnp.stack([end(rate) for rate in rates]), rtol=1e-5)


POISON: dict[str, tuple[Callable[[Any], optax.GradientTransformation], tuple[float, ...]]] = {
    "sgd": (optim.sgd, (-1.0, np.inf)),
    "schedule": (lambda v: optim.sgd(lambda step: v), (-1.0, np.inf)),
    "momentum": (lambda v: optim.momentum(0.1, beta=v), (-0.1, 1.0, 1.5)),
    "average": (lambda v: optim.momentum(0.1, beta=v, form="average"), (-0.1, 1.0, 1.5)),
    "debiased": (lambda v: optim.momentum(0.1, beta=v, form="average", debias=True), (-0.1, 1.0, 1.5)),
    "velocity": (lambda v: optim.momentum(0.1, beta=v, form="velocity"), (-0.1, 1.0, 1.5)),
    "nesterov": (lambda v: optim.nesterov(0.1, beta=v), (-0.1, 1.0, 1.5)),
    "adagrad_eps": (lambda v: optim.adagrad(0.1, eps=v), (-1.0,)),
    "adagrad_start": (lambda v: optim.adagrad(0.1, start=v), (-1.0,)),
    "adagrad_eps_inside": (lambda v: optim.adagrad(0.1, eps=v, eps_inside=True), (-1.0,)),
    "adagrad_start_inside": (lambda v: optim.adagrad(0.1, start=v, eps_inside=True), (-1.0,)),
    "rmsprop": (lambda v: optim.rmsprop(0.1, beta=v), (-0.1, 1.0, 1.5)),
    "rmsprop_eps": (lambda v: optim.rmsprop(0.1, eps=v), (-1.0,)),
    "rmsprop_inside": (lambda v: optim.rmsprop(0.1, beta=v, eps_inside=True), (-0.1, 1.0, 1.5)),
    "rmsprop_eps_inside": (lambda v: optim.rmsprop(0.1, eps=v, eps_inside=True), (-1.0,)),
    "adam_beta1": (lambda v: optim.adam(0.1, beta1=v), (-0.1, 1.0, 1.5)),
    "adam_beta2": (lambda v: optim.adam(0.1, beta2=v), (-0.1, 1.0, 1.5)),
    "adam_eps": (lambda v: optim.adam(0.1, eps=v), (-1.0,)),
    "scaled_beta1": (lambda v: optim.adam(0.1, beta1=v, form="scaled_rate"), (-0.1, 1.0, 1.5)),
    "scaled_beta2": (lambda v: optim.adam(0.1, beta2=v, form="scaled_rate"), (-0.1, 1.0, 1.5)),
    "scaled_eps": (lambda v: optim.adam(0.1, eps=v, form="scaled_rate"), (-1.0,)),
    "adamw": (lambda v: optim.adamw(0.1, beta1=v), (-0.1, 1.0, 1.5)),
    "adamw_decay": (lambda v: optim.adamw(0.1, weight_decay=v), (-1.0, np.inf)),
    "weight_decay": (optim.weight_decay, (-1.0, np.inf)),
    "clip": (optim.clip_by_global_norm, (-1.0, 0.0, np.inf)),
    "peak": (lambda v: optim.sgd(optim.warmup_cosine(v, warmup=2, total=6)), (-1.0,)),
    "warmup": (lambda v: optim.sgd(optim.warmup_cosine(0.1, warmup=v, total=6)), (-1.0, 6.0)),
    "start": (lambda v: optim.sgd(optim.warmup_cosine(0.1, warmup=0, total=6, start=v)), (-1.0,)),
    "end": (lambda v: optim.sgd(optim.warmup_cosine(0.1, warmup=2, total=6, end=v)), (-1.0,)),
    "first": (lambda v: optim.sgd(optim.geometric(v, last=1.0, steps=5)), (-1.0, 0.0)),
    "last": (lambda v: optim.sgd(optim.geometric(1.0, last=v, steps=5)), (-1.0, 0.0)),
    "steps": (lambda v: optim.sgd(optim.geometric(1.0, last=2.0, steps=v + 2)), (-1.0,)),
}


@pytest.mark.parametrize("name", POISON)
def test_traced_values_out_of_range_are_nan_and_leave_the_rest_of_a_sweep_alone(name: str) -> None:
    make, wrong = POISON[name]
    compiled = []

    # One gradient is 0: 0 / sqrt(0) must be no way out.
    def steps(value: jax.Array) -> jax.Array:
        compiled.append(name)
        rule, w = make(value), jnp.array([[1.0, -2.0]])
        state, found = rule.init(w), []
        for _ in range(2):
            update, state = rule.update(jnp.array([[3.0, 0.0]]), state, w)
            found.append(update)
        return jnp.stack(found)

    sweep = jax.jit(jax.vmap(steps))
    right = sweep(jnp.full(4, 0.5, jnp.float32))
    assert np.isfinite(right).all()
    for value in wrong:
        found = sweep(jnp.array([0.5, value, 0.5, np.nan]))
        assert np.isnan(found[1]).all()
        assert np.isnan(found[3]).all()
        np.testing.assert_array_equal(found[::2], right[::2])
    assert len(compiled) == 1


def test_poisoned_hyperparameters_keep_dtypes_and_cost_constants_nothing() -> None:
    half = jnp.ones((2, 2), jnp.bfloat16)
    for make in (optim.sgd, lambda v: optim.adam(v, beta1=v), lambda v: optim.adamw(v, weight_decay=v)):

        def step(value: Any, make: Any = make) -> Any:
            rule = make(value)
            return rule.update(half, rule.init(half), half)

        constant, weak = jax.eval_shape(lambda: step(0.5)), jax.eval_shape(step, 0.5)
        assert jax.tree.map(lambda a: a.dtype, weak) == jax.tree.map(lambda a: a.dtype, constant)
        assert jax.eval_shape(step, jnp.bfloat16(0.5))[0].dtype == jnp.bfloat16

    def program(*rate: float) -> str:
        rule = optim.adamw
        return str(
            jax.make_jaxpr(lambda *r: rule(*r or (0.1,)).update(half, rule(0.1).init(half), half))(*rate)
        )

    assert "nan" in program(0.1)
    assert "nan" not in program()


@pytest.mark.parametrize("debias", [True, False])
def test_averages_with_a_traced_decay_out_of_range_are_nan(debias: bool) -> None:
    found = jax.jit(jax.vmap(lambda beta: optim.ema(jnp.ones(3), decay=beta, debias=debias)))(
        jnp.array([0.5, 2.0, 1.0, -0.1])
    )
    assert np.isnan(found[1:]).all()
    np.testing.assert_array_equal(found[0], optim.ema(jnp.ones(3), decay=0.5, debias=debias))

    def tracked(decay: jax.Array) -> jax.Array:
        rule, w = optim.track_average(decay), jnp.ones(2)
        return optim.averaged_params(rule.update(w, rule.init(w), w)[1], w)

    assert np.isnan(jax.jit(tracked)(2.0)).all()


def test_a_schedule_that_turns_negative_is_poisoned_from_there_on() -> None:
    rule, w = optim.sgd(lambda step: 0.1 - 0.1 * step), jnp.ones(1)
    state, rates = rule.init(w), []
    for _ in range(3):
        _, state = rule.update(w, state)
        rates.append(float(optim.learning_rate(state)))
    np.testing.assert_allclose(rates, [0.1, 0.0, np.nan], rtol=1e-6, atol=1e-9)
