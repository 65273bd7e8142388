"""Non-maximum suppression: of boxes that overlap too much, the one of the highest score stays.

The decision is torchvision's to the bit: ``shared / (area + area - shared) > threshold`` in the dtype of the
boxes, float32 at least, with products that no compiler fuses into the sums.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._words import words

# Milliseconds on two cores (AMD EPYC, jax 0.10.2), threshold .5, boxes in 50 clusters / at random:
#   16 x 1,000 boxes, all outputs: blocks 4.0 / 5.5, torchvision one by one 14 / 54
#   1 x 10,000 boxes, all outputs: blocks 7.8 / 25, torchvision 13.5 / 291
# "loop" passes over all boxes once an output: 0.07 for 4 of 1,000 where blocks take 0.13, alike for 20, and
# 0.51 against 0.21 for 100.
IMPLEMENTATIONS = ("blocks", "loop")
BLOCK = 128  # Boxes that are decided together: 64 and 256 were slower.
CHUNK = 8  # Boxes kept so far that a pass looks at: 16 and 32 were slower.
LOOP_OUTPUTS = 16


def nms(
    boxes: jax.Array,
    scores: jax.Array,
    *,
    iou_threshold: Any,
    max_outputs: int,
    labels: jax.Array | None = None,
    implementation: str | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Choose the box of the highest score, drop what overlaps it by more than the threshold, and again.

    Boxes without an area (also those with x2 < x1) drop none and are dropped by none, as in torchvision. A
    box with a NaN, or with the score NaN or -inf, is absent: neither chosen nor able to drop another, so that
    padding changes no bit. Nothing is differentiable. Under `jax.vmap` all images go through one loop.

    Args:
        boxes: (boxes, 4) floating, as x1, y1, x2, y2.
        scores: (boxes,) floating.
        iou_threshold: boxes of a larger intersection over union are dropped. A Python number is compared
            exactly, as torchvision does, though it lies between two numbers of the dtype. A traced one
            outside [0, 1], or NaN, chooses nothing: the mask is False everywhere.
        max_outputs: how many places the result has.
        labels: (boxes,) integers; only boxes of one label drop each other. None: all do.
        implementation: ``"blocks"`` decides 128 boxes at a time against those kept so far, ``"loop"`` passes
            over all boxes once an output; None chooses.

    Returns:
        Indices (max_outputs,) int32 in falling order of score, of equal scores the lower index first, and
        their mask: False, with index 0, where no box was left.

    Raises:
        ValueError: shapes that do not fit, a threshold outside [0, 1], or an unknown implementation.
        TypeError: boxes or scores that are not floating, labels that are not integers.

    Example:
        >>> boxes = jnp.array([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
        >>> chosen, mask = nms(boxes, jnp.array([0.5, 0.9, 0.1]), iou_threshold=0.5, max_outputs=3)
        >>> chosen.tolist(), mask.tolist()
        ([1, 2, 0], [True, True, False])
    """
    _check(boxes, scores, labels, iou_threshold, max_outputs, implementation)
    boxes, scores = lax.stop_gradient(boxes), lax.stop_gradient(scores)
    # In float16 the area of 256 x 256 pixels would be infinite.
    boxes = boxes if boxes.dtype == jnp.float64 else boxes.astype(jnp.float32)
    threshold = _rounded_down(iou_threshold, boxes.dtype)
    absent = jnp.isnan(scores) | jnp.isnan(boxes).any(1) | ~((threshold >= 0) & (threshold <= 1))
    if implementation is None:
        implementation = "loop" if max_outputs <= LOOP_OUTPUTS else "blocks"
    if not len(boxes):
        return jnp.zeros(max_outputs, jnp.int32), jnp.zeros(max_outputs, bool)
    run = _blocks if implementation == "blocks" else _loop
    return run(boxes, jnp.where(absent, -jnp.inf, scores), labels, threshold, max_outputs)


def _loop(
    boxes: jax.Array, scores: jax.Array, labels: jax.Array | None, threshold: jax.Array, outputs: int
) -> tuple[jax.Array, jax.Array]:
    rows = _rows(boxes)

    def choose(left: jax.Array, _: None) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        best = jnp.argmax(left).astype(jnp.int32)
        found = left[best] > -jnp.inf
        dropped = _overlap(rows[:, best], rows, threshold)
        if labels is not None:
            dropped &= labels == labels[best]
        left = jnp.where(dropped & found, -jnp.inf, left).at[best].set(-jnp.inf)
        return left, (jnp.where(found, best, 0), found)

    return lax.scan(choose, scores, None, length=outputs)[1]


def _blocks(
    boxes: jax.Array, scores: jax.Array, labels: jax.Array | None, threshold: jax.Array, outputs: int
) -> tuple[jax.Array, jax.Array]:
    """Decide one block of boxes in falling order of score after the other, until the places are full."""
    count = len(boxes)
    size = min(BLOCK, count)
    blocks = -(-count // size)
    order = _falling_order(scores)
    spare = blocks * size - count
    rows = jnp.pad(_rows(boxes[order]), ((0, 0), (0, spare)))
    present = jnp.pad(scores[order] > -jnp.inf, (0, spare))
    kinds = None if labels is None else jnp.pad(labels[order], (0, spare))
    room = -(-outputs // CHUNK) * CHUNK + size

    # Which are kept, in order; a NaN overlaps nothing.
    start = (
        jnp.int32(0),
        jnp.int32(0),
        jnp.full((5, room), jnp.nan, rows.dtype),
        None if kinds is None else jnp.zeros(room, kinds.dtype),
        jnp.zeros(room, jnp.int32),
    )

    def more(carry: Any) -> jax.Array:
        number, found = carry[:2]
        return (number < blocks) & (found < outputs) & present[jnp.minimum(number, blocks - 1) * size]

    def decide(carry: Any) -> Any:
        number, found, kept, kept_kinds, places = carry
        block = lax.dynamic_slice_in_dim(rows, number * size, size, 1)
        kind = None if kinds is None else lax.dynamic_slice_in_dim(kinds, number * size, size)
        left = lax.dynamic_slice_in_dim(present, number * size, size)
        left &= ~_dropped(block, kind, kept, kept_kinds, found, threshold)
        left = _settled(block, kind, left, threshold)
        at, total = _packed(left)
        inside = jnp.arange(size) < total
        kept = lax.dynamic_update_slice_in_dim(kept, jnp.where(inside, block[:, at], jnp.nan), found, 1)
        if kind is not None:
            kept_kinds = lax.dynamic_update_slice_in_dim(kept_kinds, kind[at], found, 0)
        places = lax.dynamic_update_slice_in_dim(places, at + number * size, found, 0)
        return number + 1, found + total, kept, kept_kinds, places

    _, found, _, _, places = lax.while_loop(more, decide, start)
    mask = jnp.arange(outputs) < found
    return jnp.where(mask, order[places[:outputs]], 0), mask


def _dropped(
    block: jax.Array,
    kind: jax.Array | None,
    kept: jax.Array,
    kept_kinds: jax.Array | None,
    found: jax.Array,
    threshold: jax.Array,
) -> jax.Array:
    """Return which boxes of the block one of the first `found` kept boxes drops."""

    def look(number: jax.Array, dropped: jax.Array) -> jax.Array:
        chunk = lax.dynamic_slice_in_dim(kept, number * CHUNK, CHUNK, 1)
        kinds = None if kept_kinds is None else lax.dynamic_slice_in_dim(kept_kinds, number * CHUNK, CHUNK)
        for one in range(CHUNK):  # One expression over the lanes of the block, not a matrix that is reduced.
            over = _overlap(chunk[:, one], block, threshold)
            dropped |= over if kinds is None else over & (kinds[one] == kind)
        return dropped

    return lax.fori_loop(0, (found + CHUNK - 1) // CHUNK, look, jnp.isnan(block[0]))


def _settled(block: jax.Array, kind: jax.Array | None, left: jax.Array, threshold: jax.Array) -> jax.Array:
    """Return which boxes of a block stay: those that none before them, which stays itself, overlaps."""
    over = _overlap(block[:, :, None], block[:, None, :], threshold)
    place = jnp.arange(block.shape[1])
    over &= place[:, None] < place[None]
    if kind is not None:
        over &= kind[:, None] == kind[None]
    matrix = over.astype(jnp.float32)

    # Each pass settles at least one box more; few are needed, as chains of overlapping boxes are short.
    def again(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        stays, _ = carry
        found = left & (stays.astype(jnp.float32) @ matrix == 0)
        return found, (found != stays).any()

    return lax.while_loop(lambda carry: carry[1], again, (left, left.any()))[0]


def _packed(left: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the places where `left` is True, in order, in front of others, and their number."""
    seen = jnp.cumsum(left.astype(jnp.int32))
    at = (seen[None] < jnp.arange(1, len(left) + 1)[:, None]).sum(1, dtype=jnp.int32)
    return jnp.minimum(at, len(left) - 1), seen[-1]


def _rows(boxes: jax.Array) -> jax.Array:
    """Return corners and area as rows (5, boxes): one box a lane."""
    corners = boxes.T
    area = _product(corners[2] - corners[0], corners[3] - corners[1])
    return jnp.concatenate([corners, area[None]])


def _overlap(first: jax.Array, second: jax.Array, threshold: jax.Array) -> jax.Array:
    width = jnp.maximum(jnp.minimum(first[2], second[2]) - jnp.maximum(first[0], second[0]), 0)
    height = jnp.maximum(jnp.minimum(first[3], second[3]) - jnp.maximum(first[1], second[1]), 0)
    shared = _product(width, height)
    return shared / (first[4] + second[4] - shared) > threshold


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    # XLA's CPU compiler fuses a product into a sum, which then rounds once; the maximum stands between.
    return jnp.maximum(a * b, 0)


def _falling_order(scores: jax.Array) -> jax.Array:
    """Return the indices (n,) int32 that sort falling, of equal scores the lower index first; no NaN.

    Up to 65,536 float32 scores are sorted by 16 bits at a time, each packed with its index into one word: two
    sorts without a comparator take 0.04 and 0.8 ms for 1,000 and 10,000, one with it 0.16 and 1.9.

    Example:
        >>> _falling_order(jnp.array([0.5, 2.0, 0.5, -0.0, 0.0])).tolist()
        [1, 0, 2, 3, 4]
    """
    count = len(scores)
    if scores.dtype != jnp.float32 or count > 1 << 16:
        return jnp.argsort(-scores, stable=True).astype(jnp.int32)
    # By bits alone, since a compiler may take denormals for 0. Only -0 must become 0, its equal.
    sign = jnp.uint32(1 << 31)
    bits = lax.bitcast_convert_type(scores, jnp.uint32)
    bits = jnp.where(bits == sign, jnp.uint32(0), bits)
    word = jnp.where(bits >= sign, bits, ~(bits | sign))
    index = lax.iota(jnp.uint32, count)
    first = lax.sort(word << 16 | index, is_stable=False) & 0xFFFF
    second = lax.sort(word[first] >> 16 << 16 | index, is_stable=False) & 0xFFFF
    return first[second].astype(jnp.int32)


def _rounded_down(threshold: Any, dtype: Any) -> jax.Array:
    """Return the largest number of the dtype up to the threshold: ``iou > threshold`` then says the same."""
    if not isinstance(threshold, int | float):
        return jnp.asarray(threshold, dtype)
    nearest = np.asarray(threshold, dtype)
    if float(nearest) > threshold:
        nearest = np.nextafter(nearest, np.asarray(-math.inf, dtype))
    return jnp.asarray(nearest)


def _check(
    boxes: Any, scores: Any, labels: Any, threshold: Any, outputs: Any, implementation: str | None
) -> None:
    _check_dtype("boxes", boxes, jnp.floating)
    _check_dtype("scores", scores, jnp.floating)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise _bad("boxes", f"of shape {boxes.shape}", "(boxes, 4)", "jax.vmap takes more images")
    for name, value in (("scores", scores), ("labels", labels)):
        if value is not None and jnp.shape(value) != boxes.shape[:1]:
            raise _bad(name, f"of shape {jnp.shape(value)}", f"{boxes.shape[:1]}", "one entry a box")
    if labels is not None:
        _check_dtype("labels", labels, jnp.integer)
    if jnp.ndim(threshold) or (not isinstance(threshold, jax.core.Tracer) and not 0 <= threshold <= 1):
        raise _bad("iou_threshold", f"{threshold}", "one number in [0, 1]", "iou_threshold=0.5")
    if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
        raise _bad("max_outputs", repr(outputs), "a whole number of at least 1", "max_outputs=100")
    if implementation not in (None, *IMPLEMENTATIONS):
        raise _bad("implementation", repr(implementation), f"None or one of {IMPLEMENTATIONS}", "choose one")


def _check_dtype(name: str, value: Any, kind: Any) -> None:
    if not hasattr(value, "dtype") or not jnp.issubdtype(value.dtype, kind):
        got = f"of dtype {value.dtype}" if hasattr(value, "dtype") else f"a {type(value).__name__}"
        dtype = "float32" if kind is jnp.floating else "int32"
        expected = f"an array of {'floats' if kind is jnp.floating else 'integers'}"
        raise TypeError(words("nms", name, got, expected, f"jnp.asarray({name}, jnp.{dtype})"))


def _bad(argument: str, got: str, expected: str, fix: str) -> ValueError:
    return ValueError(words("nms", argument, got, expected, fix))
