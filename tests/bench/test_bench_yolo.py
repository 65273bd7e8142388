"""The workload of YOLO: one program and separate ones find the same."""

import numpy as np
import pytest

from bench import yolo
from jaxdl.models import YoloConfig


@pytest.mark.slow
def test_both_find_the_same() -> None:
    config = YoloConfig(blocks=((4, 4), (6, 2)), prior=0.5)
    problem = yolo.make_problem(2, 32, config)
    together, apart = (kind(problem).scores() for kind in (yolo.OneProgram, yolo.Separate))
    assert together.shape == (2, yolo.PLACES)
    assert (together[:, :15] > yolo.LEAST).all()
    np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-6)
    assert yolo.flop(config, 32) == 2 * (64 * 9 * 4 + 16 * 9 * 24 + 16 * 6 * 45)
