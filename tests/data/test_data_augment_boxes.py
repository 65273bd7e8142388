"""Flips and zooms that take boxes along: the boxes stay around what they were around."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import boxes as overlap
from jaxdl.data.augment import flip_with_boxes, zoom_with_boxes

HEIGHT, WIDTH, COUNT = 24, 32, 40


def scenes() -> tuple[jnp.ndarray, dict[str, jnp.ndarray]]:
    """Return images with two bright rectangles, each in a channel of its own, and an empty place."""
    rng = np.random.default_rng(0)
    corner = rng.integers(0, (WIDTH - 8, HEIGHT - 8), (COUNT, 2, 2))
    boxes = np.concatenate([corner, corner + rng.integers(4, 9, (COUNT, 2, 2))], -1)
    images = np.zeros((COUNT, HEIGHT, WIDTH, 2), np.float32)
    for image, pair in zip(images, boxes):
        for channel, (x1, y1, x2, y2) in enumerate(pair):
            image[y1:y2, x1:x2, channel] = 1
    padded = np.zeros((COUNT, 3, 4), np.float32)
    padded[:, :2] = boxes
    labels = np.tile([5, 6, 0], (COUNT, 1))
    mask = np.tile([1, 1, 0], (COUNT, 1)).astype(np.uint8)
    targets = {"boxes": padded, "labels": labels, "mask": mask, "ignore": labels == 6}
    return jnp.asarray(images), jax.tree.map(jnp.asarray, targets)


def bright(image: np.ndarray) -> list[float]:
    """Return the box around pixels that are covered by half or more."""
    rows, columns = np.flatnonzero((image >= 0.5).any(1)), np.flatnonzero((image >= 0.5).any(0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_flipped_boxes_are_around_flipped_objects() -> None:
    images, targets = scenes()
    flipped, found = jax.jit(flip_with_boxes)(jax.random.key(1), images, targets)
    changed = np.asarray((flipped != images).any((1, 2, 3)))
    assert 5 < changed.sum() < 35
    for image, boxes in zip(np.asarray(flipped), np.asarray(found["boxes"])):
        for channel in range(2):
            assert boxes[channel].tolist() == bright(image[..., channel])
    assert not np.asarray(found["boxes"])[:, 2].any()
    np.testing.assert_array_equal(found["labels"], targets["labels"])
    twice = flip_with_boxes(jax.random.key(1), flipped, found)
    np.testing.assert_array_equal(twice[0], images)
    np.testing.assert_array_equal(twice[1]["boxes"], targets["boxes"])


def test_zoomed_boxes_are_around_zoomed_objects() -> None:
    images, targets = scenes()
    zoom = jax.jit(lambda key, x, targets: zoom_with_boxes(key, x, targets, scale=(0.6, 2.0), visible=0.4))
    zoomed, found = zoom(jax.random.key(2), images, targets)
    assert zoomed.shape == images.shape
    assert found["mask"].dtype == jnp.uint8
    masks, labels = np.asarray(found["mask"]), np.asarray(found["labels"])
    numbers = masks.sum(1)
    assert set(numbers) == {0, 1, 2}
    np.testing.assert_array_equal(masks, np.arange(3) < numbers[:, None])
    for name in ("boxes", "labels", "ignore"):
        assert not np.asarray(found[name])[masks == 0].any()
    np.testing.assert_array_equal(np.asarray(found["ignore"]), (labels == 6) & (masks == 1))
    sides = []
    for image, boxes, label, mask in zip(np.asarray(zoomed), np.asarray(found["boxes"]), labels, masks):
        for box, one in zip(boxes[mask == 1], label[mask == 1]):
            np.testing.assert_allclose(box, bright(image[..., one - 5]), atol=0.75)
            sides.append(max(box[2:] - box[:2]))
        # Nothing of an object that is left out is more than two fifths of what it was.
        for one in {5, 6} - set(label[mask == 1]):
            assert image[..., one - 5].sum() < 0.45 * 4 * 64
    assert min(sides) < 4
    assert max(sides) > 10


def test_a_zoom_by_one_changes_nothing_and_drops_nothing() -> None:
    images, targets = scenes()
    zoomed, found = zoom_with_boxes(jax.random.key(3), images, targets, scale=(1, 1), visible=1.0)
    np.testing.assert_allclose(zoomed, images, atol=1e-6)
    for name, array in targets.items():
        np.testing.assert_allclose(found[name], array, atol=1e-5)
    assert float(overlap.area(found["boxes"]).sum()) > 0
