"""Drawings brought to one place and size."""

import numpy as np
import pytest
from PIL import Image

from jaxdl.data import frame_ink
from jaxdl.errors import DtypeError, FormatError, ShapeError

RNG = np.random.default_rng(0)


def test_equals_the_area_mean_of_pillow() -> None:
    box = RNG.integers(1, 256, size=(24, 36)).astype(np.uint8)
    drawing = np.zeros((60, 70), np.uint8)
    drawing[5:29, 20:56] = box
    framed = frame_ink(drawing[None], size=16, margin=2)[0]
    np.testing.assert_array_equal(framed[:, [0, 1, 14, 15]], 0)
    np.testing.assert_array_equal(framed[[0, 1, 2, 3, 12, 13, 14, 15]], 0)
    scaled = np.asarray(Image.fromarray(box).resize((12, 8), Image.Resampling.BOX), int)
    assert np.max(np.abs(framed[4:12, 2:14].astype(int) - scaled)) <= 1


def test_place_and_size_make_no_difference() -> None:
    stamp = RNG.integers(1, 256, size=(6, 9)).astype(np.uint8)
    drawings = np.zeros((3, 40, 40, 1), np.uint8)
    drawings[0, 1:7, 2:11, 0] = stamp
    drawings[1, 34:, 31:, 0] = stamp
    drawings[2, 10:28, 3:30, 0] = stamp.repeat(3, 0).repeat(3, 1)
    framed = frame_ink(drawings, size=13)
    assert framed.shape == (3, 13, 13, 1)
    np.testing.assert_array_equal(framed[1], framed[0])
    assert np.max(np.abs(framed[2].astype(int) - framed[0])) <= 1  # a half may be rounded either way


@pytest.mark.parametrize(
    ("images", "options", "error", "words"),
    [
        (np.ones((1, 4, 4)), {}, DtypeError, "float64.*astype"),
        (np.ones((4, 4), np.uint8), {}, ShapeError, r"images\[None\]"),
        (np.ones((2, 4, 4, 3), np.uint8), {}, ShapeError, r"\(2, 4, 4, 3\)"),
        (np.zeros((0, 4, 4), np.uint8), {}, ShapeError, "not empty"),
        (np.stack([np.eye(4, dtype=np.uint8), np.zeros((4, 4), np.uint8)]), {}, FormatError, "at image 1"),
        (np.ones((1, 4, 4), np.uint8), {"size": 4, "margin": 2}, ValueError, "less than half of size=4"),
        (np.ones((1, 4, 4), np.uint8), {"size": 0}, ValueError, "at least 1"),
    ],
)
def test_bad_drawings(images: np.ndarray, options: dict[str, int], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        frame_ink(images, **options)
