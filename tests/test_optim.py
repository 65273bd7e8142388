"""Optimizers: the printed formulas, torch by golden trajectories, optax, traced hyperparameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden.make import OPTIMIZERS, START, quartic, torch_trajectory

from jaxdl import optim

GOLDEN = Path(__file__).parent / "golden" / "optim.npz"
OURS: dict[str, optax.GradientTransformation] = {
    "sgd": optim.sgd(0.05),
    "heavy_ball": optim.momentum(0.02, beta=0.9),
    "adam": optim.adam(0.1),
    "adam_betas": optim.adam(0.1, beta1=0.8, beta2=0.95, eps=1e-3),
}


def trajectory(rule: optax.GradientTransformation, steps: int = 100) -> np.ndarray:
    def step(carry: Any, _: Any) -> Any:
        w, state = carry
        updates, state = rule.update(jax.grad(quartic)(w), state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    start = jnp.asarray(START, jnp.float32)
    return np.asarray(jax.jit(lambda: jax.lax.scan(step, (start, rule.init(start)), length=steps))()[1])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_hundred_steps_equal_torch(name: str) -> None:
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(trajectory(OURS[name]), golden[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_golden_files_are_torch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the golden file stands in for it")
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(golden[name], torch_trajectory(torch, name), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (optim.sgd(0.05), optax.sgd(0.05)),
        (optim.momentum(0.02, beta=0.8), optax.sgd(0.02, momentum=0.8)),
        (optim.momentum(0.02, form="average"), optax.chain(optax.ema(0.9, debias=False), optax.scale(-0.02))),
        (optim.momentum(0.02, form="average", debias=True), optax.chain(optax.ema(0.9), optax.scale(-0.02))),
        (optim.adam(0.1), optax.adam(0.1)),
    ],
)
def test_equals_optax(ours: Any, theirs: Any) -> None:
    np.testing.assert_array_equal(trajectory(ours), trajectory(theirs))


def test_average_is_heavy_ball_with_a_smaller_rate() -> None:
    average = trajectory(optim.momentum(0.1, beta=0.9, form="average"))
    np.testing.assert_allclose(average, trajectory(optim.momentum(0.01, beta=0.9)), rtol=1e-5, atol=1e-6)


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

    for rule, formula in (
        (optim.momentum(0.1, form="average"), average),
        (optim.momentum(0.1, form="average", debias=True), corrected),
        (optim.adam(0.1), adam),
    ):
        np.testing.assert_allclose(trajectory(rule), by_hand(formula), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [optim.sgd, optim.momentum, lambda lr: optim.momentum(lr, beta=lr, form="average"), optim.adam,
     lambda lr: optim.adam(lr, beta1=lr, beta2=lr, eps=lr)],
)  # fmt: skip
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
