"""Rows of `jaxdl.data.augment`: factories, called and then applied."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.data import augment
from jaxdl.errors import DtypeError, FormatError, ShapeError
from rows.common import Bad, Call

KEY = jax.random.key(0)
X = jnp.ones((2, 8, 8, 3))
GREY = jnp.ones((2, 8, 8))
CODES = jnp.eye(2)
ERASE = augment.cutout(size=2)


def applied(factory: Callable[..., Any]) -> Callable[..., Any]:
    """The factory with its keywords, and what it returns applied to a key and images."""
    return lambda key, x, **options: factory(**options)(key, x)


# What every augmentation refuses, whatever its keywords are.
IMAGES_BAD: tuple[Bad, ...] = (
    ((KEY, jnp.ones((8, 8))), {}, ShapeError, r"of shape \(8, 8\).*Fix: x\[None\] for one image"),
    ((KEY, jnp.ones((2, 0, 8, 3))), {}, ShapeError, r"of shape \(2, 0, 8, 3\)"),
    ((KEY, X.astype(jnp.uint8)), {}, DtypeError, "of dtype uint8; expected a floating dtype"),
    ((0, X), {}, DtypeError, r"'key' is a int; expected a typed PRNG key"),
    ((jax.random.split(KEY), X), {}, ShapeError, "an array of keys of shape"),
)


def range_bad(name: str, *, least: float | None = None) -> tuple[Bad, ...]:
    """What every range refuses."""
    bad: tuple[Bad, ...] = (
        ((KEY, X), {name: (2.0, 1.0)}, ValueError, f"'{name}' is .*the lowest first"),
        ((KEY, X), {name: (0.0, float("nan"))}, ValueError, f"'{name}' is .*finite"),
        ((KEY, X), {name: (0.0, float("inf"))}, ValueError, f"'{name}' is .*finite"),
        ((KEY, X), {name: 1.0}, DtypeError, rf"'{name}' is 1.0; expected a pair.*Fix: {name}=\(-?1.0, 1.0\)"),
        ((KEY, X), {name: (1.0, "2")}, DtypeError, f"'{name}' is .*expected a pair"),
    )
    if least is None:
        return bad
    return (*bad, ((KEY, X), {name: (least, 1.0)}, ValueError, f"'{name}' is .*numbers within"))


def mode_bad() -> tuple[Bad, ...]:
    return (((KEY, X), {"mode": "wrap"}, ValueError, "'zero', 'reflect', 'edge'"),)


def chance_bad() -> tuple[Bad, ...]:
    return tuple(
        ((KEY, X), {"probability": value}, ValueError, r"'probability' is .*\[0, 1\]")
        for value in (-0.1, 1.5, float("nan"))
    )


FLIP_BAD = (*IMAGES_BAD, *chance_bad())
MIX_BAD: tuple[Bad, ...] = (
    ((KEY, X, jnp.ones((3, 2))), {}, ShapeError, r"'targets' is of shape \(3, 2\); expected \(2, classes\)"),
    ((KEY, X, jnp.ones(2)), {}, ShapeError, "jax.nn.one_hot"),
    ((KEY, X, jnp.ones((2, 2), jnp.int32)), {}, DtypeError, "of dtype int32"),
    ((KEY, X, CODES), {"alpha": 0.0}, ValueError, "'alpha' is 0"),
    ((KEY, X, CODES), {"alpha": float("inf")}, ValueError, "'alpha' is inf"),
    ((KEY, jnp.ones((8, 8)), CODES), {}, ShapeError, r"of shape \(8, 8\)"),
)
BOXED = {"boxes": jnp.ones((2, 3, 4)), "labels": jnp.zeros((2, 3), jnp.int32), "mask": jnp.ones((2, 3), bool)}
BOXED_BAD: tuple[Bad, ...] = (
    ((KEY, X, {"boxes": jnp.ones((2, 3, 4))}), {}, DtypeError, "without 'labels'"),
    ((KEY, X, jnp.ones((2, 3, 4))), {}, DtypeError, "a dict of boxes, labels and mask"),
    (
        (KEY, X[:1], BOXED),
        {},
        ShapeError,
        r"'targets\['boxes'\]' is of shape \(2, 3, 4\); expected \(1, 3, 4\)",
    ),
    ((KEY, X, {**BOXED, "labels": jnp.ones((2, 2))}), {}, ShapeError, r"'targets\['labels'\]'"),
    ((KEY, X, {**BOXED, "boxes": jnp.ones((2, 3, 4), int)}), {}, DtypeError, "expected a floating dtype"),
    ((KEY, X.astype(jnp.uint8), BOXED), {}, DtypeError, "'x' is of dtype uint8"),
    ((0, X, BOXED), {}, DtypeError, "typed PRNG key"),
)
CALLS: tuple[Call, ...] = (
    ("data.augment.horizontal_flip", applied(augment.horizontal_flip), FLIP_BAD),
    ("data.augment.vertical_flip", applied(augment.vertical_flip), FLIP_BAD),
    (
        "data.augment.random_crop", applied(augment.random_crop),
        (
            *IMAGES_BAD, *mode_bad(),
            ((KEY, X), {"size": (17, 8)}, ShapeError, r"'size' is \(17, 8\); expected at most .*\(16, 16\)"),
            ((KEY, X), {"size": 8}, ShapeError, r"'size' is 8; expected \(height, width\)"),
            ((KEY, X), {"padding": -1}, ValueError, "'padding' is -1"),
            ((KEY, X), {"padding": 1.5}, DtypeError, "'padding' is 1.5"),
            ((KEY, X), {"padding": 8, "mode": "reflect"}, ShapeError, r"what is mirrored, \(8, 8\) pixels"),
        ),
    ),
    (
        "data.augment.shift", applied(augment.shift),
        (
            *IMAGES_BAD, *range_bad("rows"), *range_bad("columns"), *mode_bad(),
            ((KEY, X), {"rows": (0, 1.5)}, ValueError, "whole pixels.*Fix: subpixel_shift"),
            ((KEY, X), {"rows": (-8, 0), "mode": "reflect"}, ShapeError, "what is mirrored"),
        ),
    ),
    (
        "data.augment.random_resized_crop", applied(augment.random_resized_crop),
        (
            *IMAGES_BAD, *range_bad("area", least=0.0), *range_bad("aspect", least=0.0),
            ((KEY, X), {"area": (0.5, 1.1)}, ValueError, r"numbers within \(0, 1\]"),
            ((KEY, X), {"size": (4,)}, ShapeError, "'size' is"),
        ),
    ),
    (
        "data.augment.affine", applied(augment.affine),
        (
            *IMAGES_BAD, *range_bad("degrees"), *range_bad("scale", least=0.0), *range_bad("shear"),
            *range_bad("rows"), *range_bad("columns"), *mode_bad(),
            ((KEY, X), {"shear": (0, 90)}, ValueError, "'shear' is .*numbers within"),
        ),
    ),
    ("data.augment.rotation", applied(augment.rotation), (*IMAGES_BAD, *range_bad("degrees"), *mode_bad())),
    ("data.augment.scale", applied(augment.scale), (*IMAGES_BAD, *range_bad("factor", least=0.0))),
    ("data.augment.shear", applied(augment.shear), (*IMAGES_BAD, *range_bad("degrees", least=-90.0))),
    ("data.augment.subpixel_shift", applied(augment.subpixel_shift), (*IMAGES_BAD, *range_bad("rows"))),
    (
        "data.augment.elastic", applied(augment.elastic),
        (
            *IMAGES_BAD, *range_bad("alpha", least=-1.0), *mode_bad(),
            ((KEY, X), {"sigma": 0.0}, ValueError, "'sigma' is 0"),
            ((KEY, X), {"sigma": (1.0, 2.0)}, DtypeError, "'sigma' is a tuple"),
        ),
    ),
    (
        "data.augment.colour_distortion", applied(augment.colour_distortion),
        (
            *IMAGES_BAD, *range_bad("brightness", least=-0.1), *range_bad("contrast", least=-0.1),
            *range_bad("saturation", least=-0.1), *range_bad("hue", least=-0.6), *range_bad("limits"),
            ((KEY, GREY), {}, ShapeError, r"images of 1 channels .*expected \(batch, height, width, 3\)"),
        ),
    ),
    (
        "data.augment.pca_noise", lambda pixels, x=X, **options: augment.pca_noise(pixels, **options)(KEY, x),
        (
            ((GREY,), {}, ShapeError, r"'pixels' is of shape \(2, 8, 8\); expected \(\.\.\., 3\)"),
            ((jnp.ones((1, 3)),), {}, ShapeError, "two pixels or more"),
            ((np.full((4, 3), np.nan),), {}, FormatError, "not finite"),
            (("red",), {}, DtypeError, "'pixels' is a str"),
            ((X,), {"deviation": -0.1}, ValueError, "'deviation' is -0.1"),
            ((X, GREY), {}, ShapeError, "images of 1 channels"),
        ),
    ),
    (
        "data.augment.gaussian_noise", applied(augment.gaussian_noise),
        (*IMAGES_BAD, *range_bad("deviation", least=-0.1)),
    ),
    (
        "data.augment.cutout", lambda key, x, size=4, **rest: augment.cutout(size=size, **rest)(key, x),
        (
            *IMAGES_BAD,
            ((KEY, X), {"size": -1}, ValueError, "'size' is -1"),
            ((KEY, X), {"size": 2.5}, DtypeError, "'size' is 2.5"),
            ((KEY, X), {"fill": float("nan")}, ValueError, "'fill' is nan; expected a finite number"),
        ),
    ),
    (
        "data.augment.random_erasing", applied(augment.random_erasing),
        (
            *IMAGES_BAD, *chance_bad(), *range_bad("area", least=-0.1), *range_bad("aspect", least=0.0),
            ((KEY, X), {"fill": float("inf")}, ValueError, "'fill' is inf"),
        ),
    ),
    (
        "data.augment.compose", lambda key, x, *parts: augment.compose(*parts)(key, x),
        (
            ((KEY, X, "flip"), {}, DtypeError, r"'augmentations\[0\]' is a str; expected a function"),
            ((0, X, ERASE), {}, DtypeError, "expected a typed PRNG key"),
            ((KEY, jnp.ones(3), ERASE), {}, ShapeError, r"of shape \(3,\)"),
        ),
    ),
    (
        "data.augment.maybe",
        lambda key, x, part=ERASE, **options: augment.maybe(part, **options)(key, x),
        (
            *FLIP_BAD,
            ((KEY, X, 3), {}, DtypeError, "'augmentation' is a int"),
            ((KEY, X, lambda key, x: x[:1]), {}, ShapeError, r"the shape of 'x', \(2, 8, 8, 3\)"),
        ),
    ),
    (
        "data.augment.flip_with_boxes", augment.flip_with_boxes,
        (*BOXED_BAD, ((KEY, X, BOXED), {"probability": 1.5}, ValueError, "'probability' is 1.5")),
    ),
    (
        "data.augment.zoom_with_boxes", augment.zoom_with_boxes,
        (
            *BOXED_BAD,
            ((KEY, X, BOXED), {"scale": (0, 1)}, ValueError, r"'scale' is \(0, 1\)"),
            ((KEY, X, BOXED), {"scale": 2}, DtypeError, "pair of numbers"),
            ((KEY, X, BOXED), {"visible": 0}, ValueError, "'visible' is 0"),
        ),
    ),
    ("data.augment.mixup", augment.mixup, MIX_BAD),
    ("data.augment.cutmix", augment.cutmix, MIX_BAD),
    (
        "data.augment.on_backgrounds", augment.on_backgrounds,
        (
            ((KEY, GREY, jnp.ones((1, 7, 9, 3))), {}, ShapeError, r"not smaller than the digits, \(8, 8\)"),
            ((KEY, GREY, jnp.ones((0, 9, 9, 3))), {}, ShapeError, "one at least"),
            ((KEY, X, X), {}, ShapeError, r"images of 3 channels .*expected \(batch, height, width, 1\)"),
            ((KEY, GREY, X), {"blend": "multiply"}, ValueError, "'difference', 'over'"),
            ((KEY, GREY, X), {"ink": float("nan")}, ValueError, "'ink' is nan"),
            ((KEY, GREY, X.astype(jnp.uint8)), {}, DtypeError, "'backgrounds' is of dtype uint8"),
            ((0, GREY, X), {}, DtypeError, "typed PRNG key"),
        ),
    ),
)  # fmt: skip
