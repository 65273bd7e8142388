"""The logistic workload: ours against a float64 loop, every peer against ours."""

import importlib.util

import jax
import numpy as np
import pytest

from bench import logistic, peers
from bench.harness import agree


def test_ours_equals_a_float64_loop() -> None:
    problem = logistic.make_problem(16, 128)
    order = np.random.default_rng(0).permutation(128).reshape(8, 16)
    w, b, wanted = np.zeros(logistic.FEATURES), 0.0, []
    for index in order:
        x, y = problem.inputs[index].astype(np.float64), problem.targets[index]
        z = x @ w + b
        wanted.append(np.mean(np.logaddexp(0, z) - y * z))
        error = problem.learning_rate * (1 / (1 + np.exp(-z)) - y) / len(y)
        w, b = w - x.T @ error, b - error.sum()
    agree(logistic.Ours(problem).losses(order), np.array(wanted), 1e-5)


@pytest.mark.parametrize(("name", "batch"), [("numpy", 16), ("torch", 16), ("sklearn", 1)])
def test_every_peer_does_the_same_work(name: str, batch: int) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    problem = logistic.make_problem(batch, 64)
    order = np.random.default_rng(0).permutation(64)[: 16 // batch * batch * 2].reshape(-1, batch)
    with jax.numpy_rank_promotion("allow"):
        peer = peers.load(name, logistic.NAME)(problem)
        agree(logistic.Ours(problem).losses(order), peer.losses(order), 1e-4)
        peer.epoch()
