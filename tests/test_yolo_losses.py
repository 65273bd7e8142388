"""YOLO's losses against loops in float64, and what they make of crowded, empty and unsound images."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yolo_by_loops

from jaxdl import losses
from jaxdl.losses import YoloOutputs

STRIDE, GRID, CLASSES, PLACES = 8.0, (3, 4), 3, 5
ANCHORS = ((5.0, 9.0), (12.0, 10.0))
FORMS = ("v1", "softmax", "binary")
# Image 0: objects in cells of their own, one with its centre on the lower right corner of the image, one
# with its centre outside. Image 1: nothing. Image 2: three in a cell, two of them of one shape.
BOXES = {
    0: [(1, 1, 6, 10), (14, 2, 27, 13), (28, 20, 36, 28), (30, 3, 38, 9)],
    1: [],
    2: [(9, 9, 14, 17), (10, 10, 15, 18), (8, 8, 20, 18), (1, 17, 11, 23)],
}


def targets(fill: float = 0.0) -> dict[str, np.ndarray]:
    found = {
        "boxes": np.full((3, PLACES, 4), fill, np.float32),
        "labels": np.full((3, PLACES), -7 if fill else 0, np.int32),
        "mask": np.zeros((3, PLACES), np.uint8),
    }
    for image, boxes in BOXES.items():
        for place, box in enumerate(boxes):
            found["boxes"][image, place] = box
            found["labels"][image, place] = (image + place) % CLASSES
            found["mask"][image, place] = 1
    return found


def outputs(form: str, seed: int = 0) -> YoloOutputs:
    rng = np.random.default_rng(seed)
    shape = (3, *GRID, 2)
    kinds = shape[:-1] if form == "v1" else shape
    raw = rng.normal(size=(*shape, 4)) * 0.5
    if form != "v1":  # Some predictions are near an object, so that the threshold has something to ignore.
        raw[..., 2:] *= 0.3
    parts = raw, rng.normal(size=shape), rng.normal(size=(*kinds, CLASSES))
    return YoloOutputs(*(jnp.asarray(part, jnp.float32) for part in parts))


def run(form: str, found: YoloOutputs, truth: Any, threshold: float = 0.3) -> Any:
    """Return losses by image, and the gradients of their sum, by one program a form."""
    return program(form, found, truth, threshold)


@partial(jax.jit, static_argnums=0)
def program(form: str, found: YoloOutputs, truth: Any, threshold: jax.Array) -> Any:

    def total(found: YoloOutputs) -> Any:
        if form == "v1":
            values = losses.yolo_v1(found, truth, stride=STRIDE)
        else:
            values = losses.yolo_anchors(found, truth, anchors=ANCHORS, stride=STRIDE,
                                         ignore_threshold=threshold, class_loss=form)  # fmt: skip
        return values.sum(), values

    gradients, values = jax.grad(total, has_aux=True)(found)
    return values, gradients


def by_loops(form: str, found: YoloOutputs, threshold: float = 0.3) -> list[float]:
    values = []
    truth = targets()
    for image, boxes in BOXES.items():
        objects = list(zip(boxes, truth["labels"][image].tolist()))
        parts = [np.asarray(part[image], np.float64) for part in found]
        if form == "v1":
            values.append(yolo_by_loops.v1(*parts, objects, STRIDE))
        else:
            values.append(
                yolo_by_loops.anchored(*parts, objects, STRIDE, ANCHORS, threshold=threshold, kind=form)
            )
    return values


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(5))
def test_values_against_a_loop(form: str, seed: int) -> None:
    found = outputs(form, seed)
    np.testing.assert_allclose(run(form, found, targets())[0], by_loops(form, found), rtol=2e-6)


def test_the_ignore_threshold_leaves_places_out() -> None:
    found = outputs("softmax")
    values = [run("softmax", found, targets(), threshold)[0] for threshold in (0.0, 0.1, 1.0)]
    for value, threshold in zip(values, (0.0, 0.1, 1.0)):
        np.testing.assert_allclose(value, by_loops("softmax", found, threshold), rtol=2e-6)
    assert values[0][0] < values[1][0] < values[2][0]
    assert np.isnan(run("softmax", found, targets(), 1.5)[0]).all()


@pytest.mark.parametrize("form", FORMS)
def test_gradients_against_differences_of_the_loop(form: str) -> None:
    found = outputs(form)
    gradients = run(form, found, targets())[1]
    rng = np.random.default_rng(1)
    # The ignored places and the answering boxes change nowhere near; v1's overlap is a constant target.
    for name in found._fields if form != "v1" else ("confidence", "classes"):
        direction = rng.normal(size=getattr(found, name).shape)
        ends = [
            found._replace(**{name: np.asarray(getattr(found, name), np.float64) + sign * 1e-5 * direction})
            for sign in (1, -1)
        ]
        slope = np.subtract(*(sum(by_loops(form, end)) for end in ends)) / 2e-5
        got = float((np.asarray(getattr(gradients, name), np.float64) * direction).sum())
        np.testing.assert_allclose(got, slope, rtol=1e-4, atol=1e-4)


def test_gradient_of_boxes_in_v1_by_hand() -> None:
    """One cell, one box: only the coordinates depend on it, ten times the difference."""
    found = YoloOutputs(jnp.array([0.3, 0.4, 0.5, 0.6]).reshape(1, 1, 1, 1, 4), jnp.ones((1, 1, 1, 1)),
                        jnp.ones((1, 1, 1, 1)))  # fmt: skip
    truth = {"boxes": jnp.array([[[2.0, 2, 6, 6]]]), "labels": jnp.zeros((1, 1), int),
             "mask": jnp.ones((1, 1))}  # fmt: skip
    gradient = jax.jit(jax.grad(lambda raw: losses.yolo_v1(found._replace(boxes=raw), truth, stride=8).sum()))
    wanted = 10 * (np.array([0.3, 0.4, 0.5, 0.6]) - [0.5, 0.5, 0.5**0.5, 0.5**0.5])
    np.testing.assert_allclose(np.ravel(gradient(found.boxes)), wanted, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_padded_places_change_no_bit(form: str) -> None:
    clean = run(form, outputs(form), targets())
    for fill in (np.nan, 1e30, -3.0):
        jax.tree.map(np.testing.assert_array_equal, run(form, outputs(form), targets(fill)), clean)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "value"), [("labels", CLASSES), ("labels", -1), ("boxes", np.nan), ("boxes", 99.0)]
)
def test_an_unsound_object_spoils_its_own_image_alone(form: str, name: str, value: float) -> None:
    truth = targets()
    truth[name][0, 1] = value
    good = run(form, outputs(form), targets())
    bad = run(form, outputs(form), truth)
    assert np.isnan(bad[0][0])
    for got, wanted in zip(jax.tree.leaves(bad), jax.tree.leaves(good)):
        np.testing.assert_array_equal(got[1:], wanted[1:])
    assert np.isnan(bad[1].confidence[0]).any()


@pytest.mark.parametrize("form", FORMS)
def test_finite_at_extremes(form: str) -> None:
    for level in (1e4, -1e4, 0.0):
        found = jax.tree.map(lambda part, level=level: jnp.full_like(part, level), outputs(form))
        for leaf in jax.tree.leaves(run(form, found, targets())):
            assert np.isfinite(leaf).all()


def test_objects_without_a_place_are_counted() -> None:
    count = partial(losses.yolo_unplaced, grid=GRID, stride=STRIDE, num_classes=CLASSES)
    programs = {anchors: jax.jit(partial(count, anchors=anchors)) for anchors in (None, ANCHORS)}
    assert programs[None](targets(np.nan)).tolist() == [1, 0, 2]
    assert programs[ANCHORS](targets()).tolist() == [1, 0, 1]
    truth = targets()
    truth["labels"][0, 0] = CLASSES
    assert programs[None](truth).tolist() == [-1, 0, 2]
    for anchors, program in programs.items():
        had = [len(yolo_by_loops.places([(box, 0) for box in boxes], GRID, STRIDE, anchors))
               for boxes in BOXES.values()]  # fmt: skip
        assert program(targets()).tolist() == [len(BOXES[i]) - had[i] for i in BOXES]


def test_the_first_of_two_in_a_place_has_it() -> None:
    """The second may be anything: the loss is that of the first alone."""
    truth = targets()
    truth["boxes"][2, 1] = (8, 8, 13, 16.5)
    truth["labels"][2, 1] = 0
    for form in ("v1", "binary"):
        found = outputs(form)
        threshold = 1.0
        moved, kept = run(form, found, truth, threshold)[0], run(form, found, targets(), threshold)[0]
        np.testing.assert_array_equal(moved, kept)


def test_negative_weights_that_are_traced_are_told() -> None:
    loss = jax.jit(
        lambda weight: losses.yolo_v1(outputs("v1"), targets(), stride=STRIDE, lambda_coord=weight)
    )
    assert np.isnan(loss(jnp.float32(-1))).all()
    assert np.isfinite(loss(jnp.float32(0))).all()
