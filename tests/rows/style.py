"""Rows of `jaxdl.style`."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import net, style
from jaxdl.errors import DtypeError, ShapeError
from rows.common import INTEGERS, Bad, Call, Op, X


def gram(features: np.ndarray, *, normaliser: str = "positions") -> np.ndarray:
    batch, *space, channels = features.shape
    found = np.zeros((batch, channels, channels))
    for i in range(channels):
        for j in range(channels):
            found[:, i, j] = [np.sum(one[..., i] * one[..., j]) for one in features]
    positions = int(np.prod(space))
    return found / {"none": 1, "positions": positions, "size": positions * channels}[normaliser]


def content_loss(features: np.ndarray, target: np.ndarray, *, normaliser: str) -> np.ndarray:
    squares = np.array([np.sum((a - b) ** 2) for a, b in zip(features, target)])
    size = features[0].size
    return squares * {"half": 0.5, "quarter_mean": 1 / (4 * size), "mean": 1 / size}[normaliser]


def style_loss(features: np.ndarray, other: np.ndarray, *, normaliser: str) -> np.ndarray:
    """Equation 4 as it is printed, with each Gram matrix divided by its own number of positions."""
    channels = features.shape[-1]
    difference = gram(features) - gram(other)
    squares = np.array([np.sum(one**2) for one in difference])
    return squares / ({"gatys": 4, "mean": 1}[normaliser] * channels**2)


def total_variation(images: np.ndarray, *, kind: str) -> np.ndarray:
    power = 1 if kind == "absolute" else 2
    sums = np.zeros(len(images))
    for axis in range(1, images.ndim - 1):
        steps = np.abs(np.diff(images, axis=axis)) ** power
        sums += steps.reshape(len(images), -1).sum(1)
    return sums


def torch_gram(torch: Any, features: Any, *, normaliser: str = "positions") -> Any:
    flat = features.flatten(1, -2)
    sizes = {"none": 1, "positions": flat.shape[1], "size": flat.shape[1] * flat.shape[2]}
    return torch.bmm(flat.transpose(1, 2), flat) / sizes[normaliser]


def torch_content(torch: Any, features: Any, target: Any, *, normaliser: str) -> Any:
    if normaliser == "half":
        return (features - target).square().flatten(1).sum(1) / 2
    mean = torch.nn.functional.mse_loss(features, target, reduction="none").flatten(1).mean(1)
    return mean if normaliser == "mean" else mean / 4


def torch_style(torch: Any, features: Any, other: Any, *, normaliser: str) -> Any:
    grams = torch_gram(torch, features), torch_gram(torch, other)
    mean = torch.nn.functional.mse_loss(*grams, reduction="none").flatten(1).mean(1)
    return mean if normaliser == "mean" else mean / 4


def torch_variation(torch: Any, images: Any, *, kind: str) -> Any:
    steps = [images.diff(dim=axis) for axis in (1, 2)]
    return sum((s.abs() if kind == "absolute" else s.square()).flatten(1).sum(1) for s in steps)


def features(rng: np.random.Generator) -> tuple[np.ndarray]:
    return (rng.normal(size=(2, 3, 4, 3)),)


def pair(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    return rng.normal(size=(2, 3, 4, 3)), rng.normal(size=(2, 3, 4, 3))


def sizes(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    return rng.normal(size=(2, 3, 4, 3)), rng.normal(size=(2, 5, 2, 3))


F = jnp.ones((2, 3, 4, 3))
BIG = (1e4 * np.ones((1, 2, 2, 2), np.float32), np.zeros((1, 2, 2, 2), np.float32))
FEATURES_BAD: tuple[Bad, ...] = (
    ((INTEGERS,), {}, DtypeError, "expected a floating dtype"),
    ((X,), {}, ShapeError, r"\(batch, space..., channels\)"),
    ((jnp.ones((1, 0, 2)),), {}, ShapeError, "at least one entry"),
)
OPS: tuple[Op, ...] = (
    *(
        Op(
            f"style.gram:{name}", partial(style.gram, normaliser=name), features,
            partial(gram, normaliser=name),
            (*FEATURES_BAD, ((F,), {"normaliser": "layer"}, ValueError, "'none', 'positions', 'size'")),
            extremes=(BIG[:1], BIG[1:]), batched=False, torch=partial(torch_gram, normaliser=name), length=12,
        )
        for name in style.losses.GRAMS
    ),
    *(
        Op(
            f"style.content_loss:{name}", partial(style.content_loss, normaliser=name), pair,
            partial(content_loss, normaliser=name),
            (
                ((F, F[:, :2]), {}, ShapeError, "the shape of 'features'"),
                ((X, X), {}, ShapeError, r"\(batch, space..., channels\)"),
                ((F, F.astype(int)), {}, DtypeError, "'target' is of dtype int32"),
                ((F, F), {"normaliser": "sum"}, ValueError, "'half', 'quarter_mean', 'mean'"),
            ),
            differentiable=(0, 1), extremes=(BIG, BIG[::-1]), batched=False, length=36,
            torch=partial(torch_content, normaliser=name),
        )
        for name in style.losses.CONTENTS
    ),
    *(
        Op(
            f"style.style_loss:{name}", partial(style.style_loss, normaliser=name), sizes,
            partial(style_loss, normaliser=name),
            (
                ((F, F[..., :2]), {}, ShapeError, "batch, rank and channels"),
                ((F, F[:, 0]), {}, ShapeError, "take both from one layer"),
                ((F, F.astype(int)), {}, DtypeError, "'style' is of dtype int32"),
                ((F, F), {"normaliser": "none"}, ValueError, "'gatys', 'mean'"),
            ),
            differentiable=(0, 1), extremes=(BIG, BIG[::-1]), batched=False, length=36,
            torch=partial(torch_style, normaliser=name),
        )
        for name in style.losses.STYLES
    ),
    *(
        Op(
            f"style.total_variation:{kind}", partial(style.total_variation, kind=kind), features,
            partial(total_variation, kind=kind),
            (*FEATURES_BAD, ((F,), {"kind": "l2"}, ValueError, "'absolute', 'squared'")),
            extremes=(BIG[:1], BIG[1:]), batched=False, length=40,
            torch=partial(torch_variation, kind=kind),
        )
        for kind in style.losses.VARIATIONS
    ),
)  # fmt: skip

NET = net.functional(
    lambda rngs: style.StyleFeatures(style.StyleFeaturesConfig(blocks=((2,), (2,))), rngs=rngs)
)
WEIGHTS = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), jax.eval_shape(NET.init, jax.random.key(0)))
PAIR = net.from_pair(lambda key: {}, lambda params, x: x)
PICTURE = np.full((4, 4, 3), 0.5, np.float32)
GOOD = (NET, *WEIGHTS, PICTURE, PICTURE)
LAYERS = {"content_layers": "blocks/1/layers/1", "style_layers": ["blocks/0/layers/1"], "progress": "off"}
CALLS: tuple[Call, ...] = (
    (
        "style.transfer", style.transfer,
        (
            ((None, *GOOD[1:]), LAYERS, TypeError, "a NoneType"),
            ((PAIR, *GOOD[1:]), LAYERS, TypeError, "outputs inside cannot be seen"),
            ((*GOOD[:3], PICTURE[None], PICTURE), LAYERS, ShapeError, r"\(height, width, channels\)"),
            ((*GOOD[:4], PICTURE[..., :1]), LAYERS, ShapeError, "3 channels"),
            ((*GOOD[:4], PICTURE * 255), LAYERS, ValueError, "pixels from 0 to 1"),
            ((*GOOD[:4], PICTURE.astype(int)), LAYERS, DtypeError, "expected a floating dtype"),
            (GOOD, {**LAYERS, "style_layers": ["conv9"]}, ValueError, "one of 'blocks/0/layers/0'"),
            (GOOD, {**LAYERS, "style_layers": []}, ValueError, "at least one layer"),
            (GOOD, {**LAYERS, "style_layers": {"a": -1.0}}, ValueError, r"\[0, inf\)"),
            (GOOD, {**LAYERS, "beta": -1.0}, ValueError, "'beta' is -1"),
            (GOOD, {**LAYERS, "start": "style"}, ValueError, "'content', 'noise'"),
            (GOOD, {**LAYERS, "start": "noise"}, DtypeError, r"jax.random.key\(seed\)"),
            (GOOD, {**LAYERS, "start": PICTURE[:2]}, ShapeError, "the shape of 'content'"),
            (GOOD, {**LAYERS, "steps": 0}, ValueError, "at least 1"),
            (GOOD, {**LAYERS, "optimizer": "adam"}, DtypeError, "an optax transformation"),
            (GOOD, {**LAYERS, "style_normaliser": "sum"}, ValueError, "'gatys', 'mean'"),
            (GOOD, {**LAYERS, "low": 2.0}, ValueError, "'low' is 2"),
        ),
    ),
)  # fmt: skip
