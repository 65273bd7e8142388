"""The workload of suppression: every peer chooses the same boxes."""

import importlib.util

import numpy as np
import pytest

from bench import nms, peers


@pytest.mark.parametrize("name", ["ours", "torchvision", "loop"])
def test_every_peer_chooses_the_same_boxes(name: str) -> None:
    if name == "torchvision" and importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed, so its peer cannot be compared")
    problem = nms.Problem(2, 60, True, 40)
    if name == "torchvision":
        peer: nms.Peer = peers.load(name, "nms")(problem)
    else:
        peer = nms.Compiled(problem, None if name == "ours" else name)
    for image, (boxes, scores) in enumerate(zip(*problem.arrays(), strict=True)):
        kept: list[int] = []
        for index in np.argsort(-scores, kind="stable"):
            if all(_overlap(boxes[index], boxes[other]) <= problem.threshold for other in kept):
                kept.append(int(index))
        expected = (kept + [-1] * problem.outputs)[: problem.outputs]
        assert peer.chosen()[image].tolist() == expected
        assert 10 < len(kept) < 60


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    side = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    shared = side.prod()
    return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))
