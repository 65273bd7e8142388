"""Rows of `jaxdl.proposals`, and of what learns and detects from given proposals."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import losses, proposals
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.losses import CropOutputs, RegionOutputs
from jaxdl.models import fast_rcnn
from rows.common import Bad, Call

IMAGE = np.zeros((8, 8), np.uint8)
IMAGES, BOX, ONE = np.zeros((1, 8, 8, 1), np.uint8), np.array([[[0.0, 0, 4, 4]]]), np.ones((1, 1))
OBJECTS = {"boxes": BOX, "labels": np.array([[1]]), "mask": ONE}
KEY, TEN = jax.random.key(0), {"num_classes": 10}
OUTPUTS = CropOutputs(jnp.zeros((2, 3)), jnp.zeros((2, 8)))
LABELS, OFFSETS = jnp.array([0, 1]), jnp.zeros((2, 4))
SHAPES = ((1, 5, 3), (1, 5, 8), (1, 5, 4), (1, 5), (1,), (1, 2))
REGIONS = RegionOutputs(*(jnp.ones(shape) for shape in SHAPES))

IMAGE_BAD: tuple[Bad, ...] = (
    ((IMAGE[0],), {}, ShapeError, r"of shape \(8,\); expected \(height, width\)"),
    ((IMAGE[None, ..., None],), {}, ShapeError, r"Fix: image\[0\], or propose"),
    ((IMAGE[:0],), {}, ShapeError, "not empty"),
    ((IMAGE.tolist(),), {}, DtypeError, "is a list; expected an array"),
    ((IMAGE.astype(np.int32),), {}, DtypeError, "of dtype int32; expected uint8, or floats"),
    ((IMAGE + 2.0,), {}, FormatError, r"floats in \[2, 2\]; .* \(image / 255\) for grey levels"),
    ((IMAGE * np.nan,), {}, FormatError, "nan"),
    ((IMAGE,), {"sigma": -1.0}, ValueError, "'sigma' is -1.0"),
    ((IMAGE,), {"min_size": 0}, ValueError, "'min_size' is 0"),
    ((IMAGE,), {"min_size": 2.5}, DtypeError, "a whole number"),
)


def crops(*change: Any, **options: Any) -> Bad:
    values = [KEY, IMAGES, BOX, ONE, OBJECTS]
    at, value, error, words = change
    if isinstance(at, int):
        values[at] = value
    return tuple(values), TEN | options, error, words


CALLS: tuple[Call, ...] = (
    (
        "proposals.graph_segmentation", proposals.graph_segmentation,
        (
            *IMAGE_BAD,
            ((IMAGE,), {"scale": 0}, ValueError, "'scale' is 0; expected a finite number above 0"),
            ((IMAGE,), {"scale": float("inf")}, ValueError, "'scale' is inf"),
        ),
    ),
    (
        "proposals.selective_search", proposals.selective_search,
        (
            *IMAGE_BAD,
            ((IMAGE,), {"scales": 50.0}, DtypeError, r"Fix: pass scales=\(50.0, 150.0\)"),
            ((IMAGE,), {"scales": ()}, ValueError, "'scales' is empty"),
            ((IMAGE,), {"scales": (-1.0,)}, ValueError, "'scales' is -1.0"),
            ((IMAGE,), {"measures": "CT"}, DtypeError, "expected a tuple"),
            ((IMAGE,), {"measures": ("CX",)}, ValueError, "'CX'; expected letters of C, T, S, F"),
            ((IMAGE,), {"max_proposals": 0}, ValueError, "'max_proposals' is 0"),
            ((IMAGE,), {"min_side": -1}, ValueError, "'min_side' is -1"),
            ((IMAGE,), {"seed": -1}, ValueError, "'seed' is -1"),
        ),
    ),
    (
        "proposals.propose", proposals.propose,
        (
            ((IMAGE,), {}, ShapeError, r"images\[None\] for a single image"),
            ((IMAGES[:0],), {}, ShapeError, "at least one image"),
            (([IMAGE, IMAGE[1:]],), {}, ShapeError, "at least one image"),
            ((IMAGES + 2.0,), {}, FormatError, r"expected uint8, or floats in \[0, 1\]"),
            ((IMAGES,), {"processes": 0}, ValueError, "'processes' is 0"),
            ((IMAGES,), {"progress": "loud"}, ValueError, "one of 'bar', 'off'"),
            ((IMAGES,), {"scales": (), "progress": "off"}, ValueError, "'scales' is empty"),
        ),
    ),
    (
        "proposals.recall", proposals.recall,
        (
            ((BOX[0], ONE, OBJECTS), {}, ShapeError, r"'boxes' is of shape \(1, 4\)"),
            ((BOX, ONE[0], OBJECTS), {}, ShapeError, r"with a mask \(1,\)"),
            ((BOX.repeat(2, 0), ONE.repeat(2, 0), OBJECTS), {}, ShapeError, "expected 2, as of the boxes"),
            ((BOX, ONE, {"boxes": BOX}), {}, DtypeError, r"'targets' is a dict of \['boxes'\]"),
            ((BOX, ONE, None), {}, DtypeError, "'targets' is a NoneType"),
            ((BOX, "all", OBJECTS), {}, DtypeError, "'boxes' is not all numbers"),
            ((BOX, ONE, OBJECTS), {"iou_threshold": 0}, ValueError, r"a number in \(0, 1\]"),
            ((BOX, ONE, OBJECTS), {"iou_threshold": 1.5}, ValueError, "'iou_threshold' is 1.5"),
        ),
    ),
    (
        "proposals.warp", proposals.warp,
        (
            ((IMAGES[0], BOX), {}, ShapeError, r"\(batch, height, width, channels\)"),
            ((IMAGES, BOX[0]), {}, ShapeError, r"boxes\[None\] for a single image"),
            ((IMAGES, BOX[..., :3]), {}, ShapeError, "four numbers a box"),
            ((IMAGES, BOX.astype(np.int32)), {}, DtypeError, "floating"),
            ((IMAGES, BOX), {"size": 0}, ValueError, "'size' is 0"),
            ((IMAGES, BOX), {"size": 4, "context": 2}, ValueError, "below half of size=4"),
        ),
    ),
    (
        "proposals.add_truth", proposals.add_truth,
        (
            ((BOX[0], ONE, OBJECTS), {}, ShapeError, r"'boxes' is of shape \(1, 4\)"),
            ((BOX, ONE, OBJECTS | {"mask": ONE[0]}), {}, ShapeError, "'targets' is of shape"),
            ((BOX, ONE, {"mask": ONE}), {}, DtypeError, r"'targets' is a dict of \['mask'\]"),
            (([[0.0], [0.0, 1.0]], ONE, OBJECTS), {}, DtypeError, "'boxes' is not all numbers"),
            ((BOX.repeat(2, 0), ONE.repeat(2, 0), OBJECTS), {}, ShapeError, "expected 2, as of the boxes"),
        ),
    ),
    (
        "proposals.crops", proposals.crops,
        (
            crops(0, 3, DtypeError, "typed PRNG key"),
            crops(1, IMAGES[0], ShapeError, r"\(batch, height, width, channels\)"),
            crops(2, BOX[0], ShapeError, r"boxes\[None\] for a single image"),
            crops(3, ONE[0], ShapeError, r"'mask' is of shape \(1,\)"),
            crops(2, BOX[..., ::-1], FormatError, "at image 0, place 0; expected finite x1 <= x2"),
            crops(3, None, DtypeError, "'mask' is a NoneType"),
            crops(2, "all", DtypeError, "'boxes' is a str"),
            crops(None, None, DtypeError, "'positive' is a list", positive=[0.5]),
            crops(3, 0 * ONE, FormatError, "no region in any image"),
            crops(4, OBJECTS | {"labels": np.array([[10]])}, FormatError, r"image 0; .* \[0, 10\)"),
            crops(4, OBJECTS | {"boxes": BOX[..., ::-1]}, FormatError, "x2 > x1"),
            crops(None, None, ValueError, "'count' is 0", count=0),
            crops(None, None, ValueError, "'positive' is 2", positive=2.0),
            crops(None, None, ValueError, "'positive_fraction' is -1", positive_fraction=-1.0),
        ),
    ),
    (
        "losses.crop_heads", losses.crop_heads,
        (
            ((OUTPUTS.logits, {}), {}, DtypeError, "expected a CropOutputs"),
            ((OUTPUTS, {"labels": OFFSETS, "offsets": OFFSETS}), {}, DtypeError, r"targets\['labels'\]"),
            ((OUTPUTS, {"labels": LABELS}), {}, DtypeError, "'targets' is without 'offsets'"),
            ((OUTPUTS, LABELS), {}, DtypeError, "expected a dict of labels and offsets"),
            (
                (OUTPUTS._replace(logits=OFFSETS[:, :1]), {"labels": LABELS, "offsets": OFFSETS}),
                {}, ShapeError, "the background first",
            ),
            ((OUTPUTS, {"labels": LABELS[None], "offsets": OFFSETS}), {}, ShapeError, r"expected \(2,\)"),
            ((OUTPUTS, {"labels": LABELS, "offsets": OFFSETS[:1]}), {}, ShapeError, r"expected \(2, 4\)"),
            (
                (OUTPUTS._replace(offsets=OFFSETS), {"labels": LABELS, "offsets": OFFSETS}),
                {}, ShapeError, r"expected \(2, 8\)",
            ),
        ),
    ),
    (
        "models.fast_rcnn.detect", fast_rcnn.detect,
        (
            ((OUTPUTS,), {}, DtypeError, "is a CropOutputs; expected a RegionOutputs"),
            ((REGIONS._replace(mask=ONE),), {}, ShapeError, "'outputs.mask' is of shape"),
            ((REGIONS,), {"score_threshold": 2.0}, ValueError, "'score_threshold' is 2"),
            ((REGIONS,), {"iou_threshold": -1.0}, ValueError, "'iou_threshold' is -1"),
            ((REGIONS,), {"max_outputs": 0}, ValueError, "'max_outputs' is 0"),
            ((REGIONS._asdict(),), {}, DtypeError, "is a dict; expected a RegionOutputs"),
            ((REGIONS._replace(mask=jnp.ones((1, 4))),), {}, ShapeError, "'outputs.mask' is of shape"),
        ),
    ),
)  # fmt: skip
