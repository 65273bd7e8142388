"""The workload of pooled regions: every peer gives what ours gives."""

import pytest

from bench import peers, roi
from bench.harness import agree

PROBLEMS = [roi.Problem(kind, 6, images=2, boxes=6, channels=3) for kind in ("align", "pool")]


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_torchvision_gives_what_ours_gives(problem: roi.Problem) -> None:
    pytest.importorskip("torchvision.ops", reason="torchvision is not installed")
    ours, theirs = roi.Compiled(problem), peers.load("torchvision", "roi")(problem)
    agree(roi.comparable(ours.results()), roi.comparable(theirs.results()), roi.tolerance())


def test_formulations_agree() -> None:
    ours, theirs = (roi.Compiled(PROBLEMS[0], name) for name in roi.roi.IMPLEMENTATIONS)
    agree(roi.comparable(ours.results()), roi.comparable(theirs.results()), roi.tolerance())


def test_cases_name_their_sizes() -> None:
    labels = [case.label for case in roi.cases(quick=False)]
    assert "align, 1 x 512 boxes, 50x50x64" in labels
    assert len(set(labels)) == 8
