"""Selective search over many images, with a bar and several processes."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.proposals import _pixels, search

STYLES = ("bar", "off")
# Images that a process is given at a time.
PORTION = 8


def propose(
    images: Any, *, processes: int = 1, progress: str = "bar", seed: int = 0, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Search every image of a batch by `selective_search`: image i with the numbers of (seed, i).

    Args:
        images: (images, height, width, channels) or (images, height, width), uint8 or floats in [0, 1].
        processes: Python processes to share the images; the result is the same. Above 1 a script needs
            ``if __name__ == "__main__":``.
        progress: ``"bar"`` or ``"off"``.
        seed: a whole number of at least 0.
        options: further arguments of `selective_search`: `scales`, `sigma`, `min_size`, `measures`,
            `max_proposals`, `min_side`.

    Returns:
        Boxes (images, max_proposals, 4) float32 xyxy in pixels and their mask (images, max_proposals) bool.

    Raises:
        ShapeError: no batch of images.
        DtypeError, FormatError, ValueError: as of `selective_search`.

    Example:
        >>> images = np.zeros((2, 16, 16, 1), np.uint8)
        >>> images[:, 2:10, 4:12] = 200
        >>> boxes, mask = propose(images, sigma=0.0, max_proposals=5, progress="off")
        >>> boxes.shape, mask.sum(1).tolist()
        ((2, 5, 4), [2, 2])
    """
    batch = _batch(images)
    processes = _checks.positive_integer("propose", "processes", processes)
    seed = _checks.positive_integer("propose", "seed", seed, least=0)
    _checks.one_of("propose", "progress", progress, STYLES)
    one = partial(_one, seed=seed, options=options)
    if processes == 1 or len(batch) == 1:
        found = list(_shown(map(one, enumerate(batch)), len(batch), progress))
    else:
        # A fork would copy the locks of jax's threads.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            results = pool.map(one, enumerate(batch), chunksize=PORTION)
            found = list(_shown(results, len(batch), progress))
    boxes, masks = zip(*found)
    return np.stack(boxes), np.stack(masks)


def _batch(images: Any) -> np.ndarray:
    try:
        batch = np.asarray(images)
    except ValueError:  # images of several sizes
        batch = np.empty(0)
    if batch.ndim not in (3, 4) or len(batch) == 0:
        raise ShapeError(
            explain("propose", "images", got=f"of shape {batch.shape}",
                    expected="(images, height, width[, channels]) with at least one image",
                    fix="images[None] for a single image")
        )  # fmt: skip
    _pixels.levels("propose", "images", batch[0])
    return batch


def _one(numbered: tuple[int, np.ndarray], *, seed: int, options: dict[str, Any]) -> Any:
    number, image = numbered
    return search.selective_search(image, seed=seed * 1_000_003 + number, **options)


def _shown(results: Iterator[Any], count: int, progress: str) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), disable=progress == "off") as bar:
        yield from bar.track(results, total=count, description="proposals")
