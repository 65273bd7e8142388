"""Scenes: tight boxes, overlap, keys, streams, held-out digits, what they refuse."""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.data import SceneConfig, compose_scene, load_scene_digits, scene_batches, scene_digits, scenes
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.train import Stream

compose = sys.modules["jaxdl.data.compose"]
KEY = jax.random.key(5)
OPTIONS: dict[str, Any] = {"size": (40, 56), "objects": (2, 4), "places": 5, "scales": (8, 20), "clutter": 4}


def glyphs() -> tuple[np.ndarray, np.ndarray]:
    """Return three images whose ink fills windows of other sizes, off the centre."""
    images = np.zeros((3, 10, 10), np.uint8)
    images[0, 1:9, 2:5] = 200
    images[1, 3:8, 1:10] = 100
    images[2, 0:10, 0:10] = np.where(np.eye(10) > 0, 255, 80)
    return images, np.array([4, 0, 7])


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    images, labels = glyphs()
    return scenes(KEY, 40, images=images, labels=labels, **OPTIONS)


def test_shapes_kinds_and_places(drawn: Any) -> None:
    images, targets = drawn
    assert (images.shape, images.dtype) == ((40, 40, 56, 1), np.uint8)
    boxes, labels, mask = targets["boxes"], targets["labels"], targets["mask"]
    assert (boxes.shape, boxes.dtype) == ((40, 5, 4), np.float32)
    assert (labels.dtype, mask.dtype) == (np.int32, bool)
    numbers = mask.sum(1)
    assert set(numbers) == {2, 3, 4}
    np.testing.assert_array_equal(mask, np.arange(5) < numbers[:, None])
    assert not boxes[~mask].any()
    assert not labels[~mask].any()
    assert set(labels[mask]) == {0, 4, 7}
    found = boxes[mask]
    assert (found[:, :2] >= 0).all()
    assert (found[:, 2:] <= [56, 40]).all()
    sides = (found[:, 2:] - found[:, :2]).max(1)
    assert sides.min() >= 8
    assert sides.max() <= 22


def test_objects_keep_off_each_other(drawn: Any) -> None:
    _, targets = drawn
    shares = []
    for boxes, mask in zip(targets["boxes"].astype(np.float64), targets["mask"]):
        there = boxes[mask]
        for i, one in enumerate(there):
            others = np.delete(there, i, 0)
            sides = np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2])
            shares.append(np.maximum(sides, 0).prod(1).sum() / np.prod(one[2:] - one[:2]))
    # A pixel of rounding on either side of a box of 8 pixels and more.
    assert max(shares) < 0.35 + 0.25
    assert np.mean(np.array(shares) > 0.05) > 0.2


def test_boxes_have_the_proportions_of_the_ink_and_hold_it(drawn: Any) -> None:
    pictures, targets = drawn[0][..., 0].astype(np.float64), drawn[1]
    ratios: dict[int, list[float]] = {0: [], 4: [], 7: []}
    for picture, boxes, labels, mask in zip(pictures, targets["boxes"], targets["labels"], targets["mask"]):
        level = np.median(picture)
        for (x1, y1, x2, y2), label in zip(boxes[mask].astype(int), labels[mask]):
            ratios[int(label)].append((y2 - y1) / (x2 - x1))
            inner = picture[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1]
            assert inner.mean() > level + (20 if label == 7 else 60)  # the ink of 7 is thin
    for label, ratio in ((0, 5 / 9), (4, 8 / 3), (7, 1.0)):
        assert np.median(ratios[label]) == pytest.approx(ratio, rel=0.15)


def bilinear(digit: np.ndarray, window: np.ndarray, corner: tuple[float, float], scale: float) -> np.ndarray:
    """Return the ink pixel by pixel: the value at a point of the source, 0 outside of the window."""
    ink = np.zeros((40, 56))
    for y, x in np.ndindex(*ink.shape):
        v, u = (
            (y + 0.5 - corner[1]) / scale + window[1] - 0.5,
            (x + 0.5 - corner[0]) / scale + window[0] - 0.5,
        )
        for r in range(int(window[1]), int(window[3])):
            for c in range(int(window[0]), int(window[2])):
                ink[y, x] += digit[r, c] * max(0, 1 - abs(v - r)) * max(0, 1 - abs(u - c))
    return ink


def test_ink_is_bilinear_and_boxes_are_tight() -> None:
    digits = scene_digits(*glyphs())
    assert digits.windows.tolist() == [[2, 1, 5, 9], [1, 3, 10, 8], [0, 0, 10, 10]]
    config = SceneConfig(**OPTIONS)
    ink = jax.jit(
        lambda i, corner, scale: compose._ink(digits.images[i], digits.windows[i], corner, scale, config)
    )
    for i, corner, scale in ((0, (3.3, 7.6), 2.2), (1, (20.0, 30.2), 1.0), (2, (30.5, 1.1), 1.7)):
        found = np.asarray(ink(i, jnp.asarray(corner), scale))
        due = bilinear(np.asarray(digits.images[i]), np.asarray(digits.windows[i]), corner, scale)
        np.testing.assert_allclose(found, due, atol=1e-5)
        rows, columns = (np.flatnonzero((found >= 0.25).any(axis)) for axis in (1, 0))
        box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        assert compose._tight(jnp.asarray(found)).tolist() == box
        window = np.asarray(digits.windows[i])
        near = [*corner, *(np.array(corner) + scale * (window[2:] - window[:2]))]
        np.testing.assert_allclose(box, near, atol=1)
    small = np.asarray(ink(0, jnp.asarray((10.0, 10.0)), 0.5))
    assert small.sum() == pytest.approx(24 * 0.25, rel=0.05)  # ink is kept where it shrinks


def test_a_scene_hangs_on_its_key_and_number_alone(drawn: Any) -> None:
    glyph = dict(zip(("images", "labels"), glyphs()))
    some, targets = scenes(KEY, 33, **glyph, **OPTIONS)
    np.testing.assert_array_equal(some, drawn[0][:33])
    for name, array in targets.items():
        np.testing.assert_array_equal(array, drawn[1][name][:33])
    others = scenes(jax.random.key(6), 33, images=scene_digits(*glyphs()), **OPTIONS)
    assert not np.array_equal(others[0], some)


def test_batches_are_found_again_by_epoch_and_number() -> None:
    config = SceneConfig(**OPTIONS)
    source = scene_batches(KEY, 3, steps=2, images=scene_digits(*glyphs()), config=config)
    stream = Stream(source)
    assert stream.seekable
    read = list(stream.read(epochs=2))
    assert [(one.epoch, one.step) for one in read] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len({one.inputs.tobytes() for one in read}) == 4
    images, targets = source(1)[1]
    np.testing.assert_array_equal(images, read[3].inputs)
    np.testing.assert_array_equal(targets["boxes"], read[3].targets["boxes"])
    with pytest.raises(IndexError):
        source(0)[2]


def test_train_and_test_digits_share_no_image() -> None:
    parts = [load_scene_digits(part, source="digits") for part in ("train", "test")]
    assert [len(part) for part in parts] == [1438, 359]
    whole = [{image.tobytes() for image in part.inputs} for part in parts]
    assert len(whole[0]) + len(whole[1]) == 1797
    assert not whole[0] & whole[1]
    assert parts[0].inputs.max() == 255


def test_scenes_without_room_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    tight = jnp.tile(jnp.asarray([[0.0, 0.0, 8.0, 8.0]]), (6, 1)).at[4].add(jnp.asarray([6.0, 0, 6, 0]))
    slots, count = compose._fitting(tight, jnp.int32(3), 3, 0.3)
    assert (slots[:2].tolist(), int(count)) == ([0, 4], 2)
    assert int(compose._fitting(tight, jnp.int32(3), 3, 0.2)[1]) == 1
    module = sys.modules["jaxdl.data.scenes"]
    chunk = np.zeros((32, 8, 8, 1), np.uint8), {"mask": np.tile([True, False], (32, 1))}
    monkeypatch.setattr(module, "_chunk", lambda *arguments: chunk)
    with pytest.raises(
        ValueError, match=r"\(2, 2\), but scene 0 has room for 1 only, after 12 tries a place"
    ):
        scenes(KEY, 2, **GOOD, objects=(2, 2))


GOOD = {"images": glyphs()[0], "labels": glyphs()[1]}
BAD: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ((0, 3), {}, DtypeError, "jax.random.key"),
    ((KEY, 0), {}, ValueError, "'count' is 0"),
    ((KEY, 2), {"objects": (3, 9), "places": 8}, ValueError, "'places' is 8; expected at least the 9"),
    ((KEY, 2), {"objects": (4, 3)}, ValueError, r"objects=\(3, 4\)"),
    ((KEY, 2), {"objects": 3}, DtypeError, "'objects' is 3; expected a pair"),
    ((KEY, 2), {"objects": (-1, 3)}, ValueError, "at least 0"),
    ((KEY, 2), {"objects": (1.5, 3)}, DtypeError, "whole number"),
    ((KEY, 2), {"size": 4}, ValueError, "'size' is 4; expected at least 8"),
    ((KEY, 2), {"size": (96, 96, 1)}, ShapeError, "height, width"),
    ((KEY, 2), {"size": 32}, ValueError, r"'scales' is 40.0; expected \[4, 32\]"),
    ((KEY, 2), {"scales": (2, 20)}, ValueError, "'scales' is 2"),
    ((KEY, 2), {"max_overlap": 1.5}, ValueError, r"\[0, 1\]"),
    ((KEY, 2), {"max_overlap": None}, DtypeError, "'max_overlap' is None"),
    ((KEY, 2), {"noise": -0.1}, ValueError, "'noise' is -0.1"),
    ((KEY, 2), {"noise": float("nan")}, ValueError, "'noise' is nan"),
    ((KEY, 2), {"contrast": (0.5, 2)}, ValueError, "'contrast' is 2"),
    ((KEY, 2), {"clutter": -1}, ValueError, "'clutter' is -1"),
    ((KEY, 2), {"images": GOOD["images"], "labels": None}, DtypeError, "both images and labels"),
    ((KEY, 2), {"images": None}, DtypeError, "'images' is None"),
    ((KEY, 2), {"images": np.zeros((3, 8, 9))}, ShapeError, "(count, side, side)"),
    ((KEY, 2), {"images": np.full((3, 8, 8), "a")}, DtypeError, "numbers"),
    ((KEY, 2), {"images": np.zeros((3, 8, 8))}, FormatError, "image 0, blank"),
    ((KEY, 2), {"images": np.full((3, 8, 8), np.nan)}, FormatError, "image 0"),
    ((KEY, 2), {"labels": np.array([1, 2])}, ShapeError, "2 labels; expected one for each of the 3"),
    ((KEY, 2), {"labels": np.array([1, 2, -3])}, FormatError, "-3 at 2"),
    ((KEY, 2), {"labels": np.array([1.0, 2, 3])}, DtypeError, "integers"),
    ((KEY, 2), {"labels": np.array([1, 2, 2**32 + 3])}, FormatError, "4294967299 at 2"),
    ((KEY, 2), {"labels": [1, [2, 3]]}, DtypeError, "integers"),
    ((KEY, 2), {"images": [np.zeros((8, 8)), np.zeros((9, 9))]}, DtypeError, "numbers"),
    ((KEY, 2), {"images": scene_digits(*glyphs())}, ShapeError, "leave the labels out"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "options", "error", "words"), BAD)
def test_scenes_refuse(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(
        error, match=words if "\\" in words else words.replace("(", r"\(").replace(")", r"\)")
    ):
        scenes(*arguments, **{**GOOD, **options})


def test_other_doors() -> None:
    with pytest.raises(ValueError, match="'part' is 'valid'"):
        load_scene_digits("valid")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'steps' is 0"):
        scene_batches(KEY, 3, steps=0, **GOOD)
    with pytest.raises(DtypeError, match="typed PRNG key"):
        compose_scene(jnp.zeros(2, jnp.uint32), scene_digits(*glyphs()))
    with pytest.raises(DtypeError, match="'config' is a dict; expected a SceneConfig"):
        scene_batches(KEY, 3, steps=1, **GOOD, config={})  # type: ignore[arg-type]
    with pytest.raises(DtypeError, match="'config' is a int"):
        compose_scene(KEY, scene_digits(*glyphs()), 96)  # type: ignore[arg-type]
    assert SceneConfig(size=96) == SceneConfig(size=(96, 96), places=8)
