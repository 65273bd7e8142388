"""The picture of detectors side by side."""

from pathlib import Path

import pytest

from jaxdl import plot
from jaxdl.errors import ShapeError

PRECISIONS = {"R-CNN": 0.61, "YOLO": 0.93}
TIMES = {"R-CNN": {"proposals": 100.0, "network": 20.0}, "YOLO": {"network": 3.0, "suppression": 0.5}}


def test_bars_are_what_was_given(tmp_path: Path) -> None:
    figure = plot.detectors(PRECISIONS, TIMES, path=tmp_path / "family.png")
    left, right = figure.axes
    assert [bar.get_width() for bar in left.patches] == [0.61, 0.93]
    assert [text.get_text() for text in left.texts] == ["0.610", "0.930"]
    # A part a colour, a detector a row: proposals, network, suppression.
    assert [bar.get_width() for bar in right.patches] == [100.0, 0.0, 20.0, 3.0, 0.0, 0.5]
    assert [bar.get_x() for bar in right.patches] == [0.0, 0.0, 100.0, 0.0, 120.0, 3.0]
    assert [text.get_text() for text in right.texts] == ["120 ms", "3.5 ms"]
    assert left.yaxis_inverted()
    assert (tmp_path / "family.png").stat().st_size > 1000


@pytest.mark.parametrize("times", [{}, {"YOLO": TIMES["YOLO"]}, dict(reversed(TIMES.items()))])
def test_both_mappings_have_the_same_detectors(times: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ShapeError, match="the detectors of 'precisions'"):
        plot.detectors(PRECISIONS, times)
