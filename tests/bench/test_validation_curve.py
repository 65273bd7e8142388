"""The grid of the benchmark: scikit-learn's numbers, one by one, are ours."""

import dataclasses
from collections.abc import Iterator

import jax
import pytest

from bench import peers, validation_curve
from bench.harness import agree


@pytest.fixture(autouse=True)
def _users_configuration() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.mark.parametrize("model", ["ridge", "logistic"])
def test_the_peer_agrees_with_ours(model: str) -> None:
    whole = validation_curve.make_problem(model, quick=True)
    problem = dataclasses.replace(whole, penalties=whole.penalties[1:3], sizes=whole.sizes[:2])
    ours, case = validation_curve.Ours(problem), validation_curve.make_case(problem)
    grid = ours.grid()
    assert grid.shape == (5, 2, 2)
    assert case.units == problem.fits == grid.size
    agree(grid, peers.load("sklearn", "validation_curve")(problem).grid(), case.tolerance)
