"""The tree workload: its peer grows the same tree on a small problem."""

import numpy as np
import pytest

from bench import peers, tree


@pytest.mark.parametrize("depth", [3, None])
def test_the_peer_grows_as_good_a_tree(depth: int | None) -> None:
    problem = tree.make_problem(1000, depth)
    ours, peer = tree.Ours(problem), peers.load("sklearn", "tree")(problem)
    assert ours.root_gain() == pytest.approx(peer.root_gain(), rel=1e-5)
    right = [np.mean(one.predict() == problem.fresh_targets) for one in (ours, peer)]
    assert abs(right[0] - right[1]) < 0.04
    assert min(right) > 0.6


def test_cases_fit_and_predict_with_and_without_a_limit() -> None:
    labels = [case.label for case in tree.cases(quick=True)]
    assert labels == [
        "fit 2,000 examples, of depth 10",
        "fit 2,000 examples, of any depth",
        "predict 2,000 examples, of depth 10",
        "predict 2,000 examples, of any depth",
    ]
