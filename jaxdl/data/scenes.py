"""Scenes to detect digits in, as many as one likes: composed by key, truth included."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.data.compose import TRIES, compose_scene
from jaxdl.data.scene_config import SceneConfig, as_config
from jaxdl.data.scene_digits import SceneDigits, scene_digits
from jaxdl.errors import ShapeError, explain

Targets = dict[str, np.ndarray]
CHUNK = 32  # scenes of one call of the compiled program


def scenes(
    key: jax.Array,
    count: int,
    *,
    images: Any = None,
    labels: Any = None,
    size: int | tuple[int, int] = 96,
    objects: tuple[int, int] = (3, 8),
    places: int | None = None,
    scales: tuple[float, float] = (16.0, 40.0),
    max_overlap: float = 0.35,
    contrast: tuple[float, float] = (0.5, 1.0),
    noise: float = 0.05,
    clutter: int = 6,
) -> tuple[np.ndarray, Targets]:
    """Compose grey scenes of digits of several sizes, overlapping, among clutter and noise.

    Scene i hangs on the key and on i alone: the first scenes of a longer call are those of a shorter one.
    Held-out scenes are composed of digits that were held out: see `load_scene_digits`.

    Args:
        key: random key; the same key composes the same scenes.
        count: how many.
        images: (digits, side, side) or (digits, side, side, 1), bright on black; or `SceneDigits`; None:
            the 8x8 digits of scikit-learn, four fifths of them.
        labels: (digits,) integers, their class numbers.
        size: side of the square scenes in pixels, or (height, width).
        objects: fewest and most objects of a scene; their number is uniform.
        places: places for objects in the targets; None: as many as there can be objects.
        scales: least and greatest longer side of an object in pixels, drawn uniformly in the logarithm.
        max_overlap: share of the box of an object that the boxes of all others cover together, at most, in
            [0, 1]; an object that would break it is drawn elsewhere. Boxes are rounded to pixels afterwards.
        contrast: least and greatest brightness of an object, from 0, the mean of the background, to 1, white.
        noise: standard deviation of the noise, at most, images being [0, 1]; each scene draws its own.
        clutter: strokes and pieces of digits behind the objects, at most; their number is uniform.

    Returns:
        Images (count, height, width, 1) uint8, and targets: ``"boxes"`` (count, places, 4) float32, x1, y1,
        x2, y2 in pixels, tight around the ink, be it under another object; ``"labels"`` (count, places)
        int32; ``"mask"`` (count, places) bool. Objects come first, zeros fill the places behind.

    Raises:
        DtypeError: no typed key, or numbers of another kind.
        ShapeError: images or labels of another shape.
        FormatError: a blank image, or a negative label.
        ValueError: a number out of range, more objects than places, or a scene without room for its objects.
        MissingExtraError: no images are given, and scikit-learn is not installed.

    Example:
        >>> pictures, targets = scenes(jax.random.key(0), 4, size=48, objects=(1, 3), clutter=0)
        >>> pictures.shape, targets["boxes"].shape, targets["mask"].sum(1).tolist()
        ((4, 48, 48, 1), (4, 3, 4), [2, 3, 2, 3])
    """
    config = SceneConfig(size, objects, places, scales, max_overlap, contrast, noise, clutter)
    key, digits = _checks.key("scenes", key), _digits(images, labels)
    return _composed(key, _checks.positive_integer("scenes", "count", count), digits, config)


def scene_batches(
    key: jax.Array,
    batch: int,
    *,
    steps: int,
    images: Any = None,
    labels: Any = None,
    config: SceneConfig | None = None,
) -> Callable[[int], "SceneEpoch"]:
    """Return a source of fresh scenes for `jaxdl.train.Stream`: no scene comes twice.

    A batch hangs on the key, on its epoch and on its number alone, so that a run that is resumed sees the
    scenes that it would have seen.

    Args:
        key: random key.
        batch: scenes of a batch.
        steps: batches of an epoch.
        images: as for `scenes`.
        labels: as for `scenes`.
        config: what scenes are like; None: as by default.

    Returns:
        ``batches(epoch)``, a sequence of batches (images, targets) that are composed when they are asked for.

    Raises:
        DtypeError: no typed key, or numbers of another kind.
        ShapeError: images or labels of another shape.
        FormatError: a blank image, or a negative label.
        ValueError: a number below 1.

    Example:
        >>> config = SceneConfig(size=48, objects=(1, 3), clutter=0)
        >>> source = scene_batches(jax.random.key(0), 4, steps=2, config=config)
        >>> pictures, targets = source(0)[1]
        >>> pictures.shape, len(source(0))
        ((4, 48, 48, 1), 2)
    """
    op, key = "scene_batches", _checks.key("scene_batches", key)
    batch, steps = (
        _checks.positive_integer(op, name, value) for name, value in (("batch", batch), ("steps", steps))
    )
    digits, config = _digits(images, labels), as_config("scene_batches", config)
    return lambda epoch: SceneEpoch(jax.random.fold_in(key, epoch), batch, steps, digits, config)


class SceneEpoch:
    """The batches of one epoch by number; see `scene_batches`."""

    def __init__(
        self, key: jax.Array, batch: int, steps: int, digits: SceneDigits, config: SceneConfig
    ) -> None:
        self.key, self.batch, self.steps = key, batch, steps
        self.digits, self.config = digits, config

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, number: int) -> tuple[np.ndarray, Targets]:
        if not 0 <= number < self.steps:
            raise IndexError(number)
        return _composed(jax.random.fold_in(self.key, number), self.batch, self.digits, self.config)


def _digits(images: Any, labels: Any) -> SceneDigits:
    if not isinstance(images, SceneDigits):
        return scene_digits(images, labels)
    if labels is not None:
        raise ShapeError(explain("scenes", "labels", got="given beside SceneDigits", expected="None",
                                 fix="leave the labels out: SceneDigits have theirs"))  # fmt: skip
    return images


def _composed(
    key: jax.Array, count: int, digits: SceneDigits, config: SceneConfig
) -> tuple[np.ndarray, Targets]:
    """Call the program chunk by chunk, so that there is one, whatever the count."""
    chunks = [
        jax.device_get(_chunk(key, jnp.uint32(first), digits, config)) for first in range(0, count, CHUNK)
    ]
    images, targets = jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *chunks)
    found = targets["mask"].sum(1)
    if (short := np.flatnonzero(found < config.objects[0])).size:
        raise ValueError(
            explain("scenes", "objects", got=f"{config.objects}, but scene {short[0]} has room for "
                    f"{found[short[0]]} only, after {TRIES} tries a place",
                    expected="objects that find room",
                    fix="fewer or smaller objects, or a larger max_overlap")
        )  # fmt: skip
    return images, targets


@partial(jax.jit, static_argnums=3)
def _chunk(
    key: jax.Array, first: jax.Array, digits: SceneDigits, config: SceneConfig
) -> tuple[jax.Array, dict[str, jax.Array]]:
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(first + jnp.arange(CHUNK, dtype=jnp.uint32))
    return jax.lax.map(lambda key: compose_scene(key, digits, config), keys)
