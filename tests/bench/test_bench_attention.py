"""The workload of attention: peers that take the same steps, and its arithmetic."""

import importlib.util
from collections.abc import Iterator

import jax
import numpy as np
import pytest

from bench import attention, peers
from bench.conv import comparable
from bench.harness import agree


@pytest.fixture(autouse=True)
def _users_configuration() -> Iterator[None]:
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)  # no time is measured here
    with jax.numpy_rank_promotion("allow"):
        yield
    jax.config.update("jax_disable_most_optimizations", before)


def _slopes(problem: attention.Problem) -> list[np.ndarray]:
    """Step by step in float64, by the gradients of a softmax that are written by hand."""
    arrays = problem.arrays().astype(np.float64)
    seen = np.ones((problem.batch, problem.time, problem.time), bool)
    seen &= np.tril(seen) if problem.causal else True
    mask = problem.mask()
    seen &= True if mask is None else mask[:, None]
    for _ in range(problem.steps):
        slopes = np.zeros_like(arrays)
        for share in np.split(np.arange(problem.features), problem.heads):
            q, k, v = arrays[..., share]
            scale = 1 / np.sqrt(len(share))
            weights = np.exp(np.where(seen, q @ k.swapaxes(1, 2) * scale, -np.inf))
            weights /= weights.sum(2, keepdims=True)
            context = weights @ v
            back = context @ v.swapaxes(1, 2)
            scores = weights * (back - (weights * back).sum(2, keepdims=True)) * scale
            found = scores @ k, scores.swapaxes(1, 2) @ q, weights.swapaxes(1, 2) @ context
            slopes[..., share] = np.stack(found)
        arrays = arrays - problem.rate * slopes
    return list(slopes)


@pytest.mark.parametrize("name", ["ours", "torch", "jax_scan", "xla"])
def test_every_peer_takes_the_steps_of_the_formulas(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "torch" and importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed, so its peer cannot be compared")
    monkeypatch.setattr(attention, "RUN_STEPS", (3, 3))
    problem = attention.Problem(2, 4, 6, 2, causal=name != "torch", ragged=True)
    if name in ("ours", "xla"):
        peer = attention.ours(problem, None if name == "ours" else name)
    else:
        peer = peers.load(name, "attention")(problem)
    for expected, found in zip(_slopes(problem), peer.slopes(), strict=True):
        agree(comparable(expected), comparable(found), 1e-5)


def test_arithmetic_is_two_products_forward_and_four_back() -> None:
    assert attention.Problem(2, 5, 6, 3).flop == 6 * 2 * 2 * 5 * 5 * 6
    (case,) = attention.cases(quick=True)
    assert (case.label, case.units) == ("B=2 T=5 C=8 heads=2, causal, ragged, float32", 16)
    assert tuple(case.peers) == ("torch", "jax_scan", "plain", "xla")
