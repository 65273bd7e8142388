"""YOLO from bytes to detections: network, decoding and suppression as one program, and one after another."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Contender
from bench.timing import compiled
from jaxdl import boxes, net, scaling
from jaxdl.models import Yolo, YoloConfig
from jaxdl.models.yolo import detect

NAME = "yolo"
DESCRIPTION = "YOLO's detections as one program, against network, NumPy and `nms` image by image; per image"
PEERS = ("separate",)
SIZE, PLACES, CANDIDATES, LEAST, OVERLAP = 96, 30, 300, 0.005, 0.45


@dataclass(frozen=True)
class Problem:
    """Images of noise, and a network that has a guess in every place."""

    config: YoloConfig
    images: np.ndarray  # uint8 (n, height, width, 1)
    params: Any
    state: Any

    @property
    def network(self) -> net.Net:
        return net.functional(lambda rngs: Yolo(self.config, rngs=rngs))


def make_problem(batch: int, size: int = SIZE, config: YoloConfig | None = None) -> Problem:
    """The usual network, its last kernel drawn larger."""
    config, rng = config or YoloConfig(prior=0.5), np.random.default_rng(0)
    problem = Problem(config, rng.integers(0, 256, (batch, size, size, 1)).astype(np.uint8), {}, {})
    params, state = problem.network.init(jax.random.key(0))
    params["head"]["kernel"] = params["head"]["kernel"] * 20
    return Problem(config, problem.images, params, state)


class OneProgram:
    """All of it in one call."""

    def __init__(self, problem: Problem) -> None:
        network, config = problem.network, problem.config

        def found(params: Any, state: Any, images: jax.Array) -> boxes.Detections:
            outputs, _ = network.apply(params, state, scaling.pixels()(images), train=False)
            return detect(outputs, config, score_threshold=LEAST, iou_threshold=OVERLAP, max_outputs=PLACES,
                          candidates=CANDIDATES)  # fmt: skip

        self._given = (problem.params, problem.state, jnp.asarray(problem.images))
        self._run, self.compile_s = compiled(jax.jit(found), *self._given)

    def run(self) -> boxes.Detections:
        return jax.block_until_ready(self._run(*self._given))

    def scores(self) -> np.ndarray:
        return np.asarray(self.run().scores)


class Separate:
    """As it is written by hand: network compiled, decoding in NumPy, each image suppressed by a call."""

    def __init__(self, problem: Problem) -> None:
        network, self._config = problem.network, problem.config

        def outputs(params: Any, state: Any, images: jax.Array) -> Any:
            return network.apply(params, state, scaling.pixels()(images), train=False)[0]

        self._given = (problem.params, problem.state, jnp.asarray(problem.images))
        self._network, first = compiled(jax.jit(outputs), *self._given)
        suppress = partial(boxes.nms, iou_threshold=OVERLAP, max_outputs=PLACES)
        shapes = ((CANDIDATES, 4), jnp.float32), ((CANDIDATES,), jnp.float32), ((CANDIDATES,), jnp.int32)
        like = [jax.ShapeDtypeStruct(*shape) for shape in shapes]
        lowered = jax.jit(lambda corners, scores, labels: suppress(corners, scores, labels=labels))
        self._suppress, second = compiled(lowered, *like)
        self.compile_s = first + second

    def run(self) -> np.ndarray:
        corners, scores = self._decoded(*(np.asarray(part) for part in self._network(*self._given)))
        return np.stack([self._image(*one) for one in zip(corners, scores, strict=True)])

    def scores(self) -> np.ndarray:
        return self.run()

    def _decoded(self, raw: np.ndarray, logits: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, ...]:
        batch, rows, columns = raw.shape[:3]
        cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1)[None, :, :, None]
        stride = self._config.stride
        centre = (cells + 1 / (1 + np.exp(-raw[..., :2]))) * stride
        size = np.asarray(self._config.anchors, np.float32) * np.exp(raw[..., 2:])
        corners = np.concatenate([centre - size / 2, centre + size / 2], -1).astype(np.float32)
        corners = np.clip(corners, 0, np.float32([columns, rows, columns, rows]) * stride)
        powers = np.exp(classes - classes.max(-1, keepdims=True))
        scores = powers / powers.sum(-1, keepdims=True) / (1 + np.exp(-logits))[..., None]
        return corners.reshape(batch, -1, 4), scores.reshape(batch, -1, classes.shape[-1])

    def _image(self, corners: np.ndarray, scores: np.ndarray) -> np.ndarray:
        flat = np.where(scores > LEAST, scores, -np.inf).ravel()
        best = np.argsort(-flat, kind="stable")[:CANDIDATES]
        rows, labels = np.divmod(best, scores.shape[1])
        indices, mask = self._suppress(corners[rows], flat[best], labels.astype(np.int32))
        return np.where(np.asarray(mask), flat[best][np.asarray(indices)], 0)


def contender(kind: Callable[[Problem], OneProgram | Separate], problem: Problem) -> Contender:
    made = kind(problem)
    # Scores are compared with 1, so that an empty place does not ask for equality to the bit.
    return Contender(run=made.run, check=lambda: made.scores() + 1, compile_s=made.compile_s)


def flop(config: YoloConfig, size: int) -> float:
    """Arithmetic of the convolutions for one image."""
    macs, channels, side = 0, config.in_channels, size
    for width, stride in config.blocks:
        side //= stride
        macs += side**2 * 9 * channels * width
        channels = width
    return 2.0 * (macs + side**2 * channels * config.cell)


def make_case(problem: Problem) -> Case:
    batch, size = problem.images.shape[:2]
    return Case(
        label=f"{size} x {size}, batch {batch}",
        ours=partial(contender, OneProgram, problem),
        peers={"separate": partial(contender, Separate, problem)},
        units=batch,
        flop=flop(problem.config, size),
        unit="image",
    )


def cases(quick: bool) -> list[Case]:
    """The network of examples/yolo.py: one image, a batch, and larger images."""
    if quick:
        small = YoloConfig(blocks=((8, 2), (8, 2), (16, 2)), prior=0.5)
        return [make_case(make_problem(4, 64, small))]
    return [make_case(make_problem(*sizes)) for sizes in ((1, SIZE), (32, SIZE), (4, 384))]
