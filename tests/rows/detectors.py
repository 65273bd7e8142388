"""Rows of detectors of two stages: their losses and what reads their outputs."""

import jax.numpy as jnp

from jaxdl import losses
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import faster_rcnn
from rows.common import Bad, Call

PLACES = jnp.array([[[0.0, 0, 4, 4], [2, 2, 8, 8]]])
SEEDS = jnp.zeros(1, jnp.uint32)
FIRST = losses.ProposalOutputs(jnp.zeros((1, 2)), jnp.zeros((1, 2, 4)), PLACES, SEEDS)
SECOND = losses.RegionOutputs(
    jnp.zeros((1, 2, 4)), jnp.zeros((1, 2, 12)), PLACES, jnp.ones((1, 2), bool), SEEDS, jnp.full((1, 2), 8.0)
)
BOTH = losses.FasterRCNNOutputs(FIRST, SECOND)
TARGETS = {"boxes": PLACES[:, :1], "labels": jnp.array([[1]]), "mask": jnp.array([[1]])}
TWO = {name: jnp.concatenate([value] * 2) for name, value in TARGETS.items()}
BAD_FIRST: tuple[Bad, ...] = (
    (
        (FIRST._replace(objectness=jnp.zeros((1, 2, 1))), TARGETS),
        {},
        ShapeError,
        r"expected \(batch, anchors\)",
    ),
    (
        (FIRST._replace(offsets=jnp.zeros((1, 3, 4))), TARGETS),
        {},
        ShapeError,
        r"'outputs.offsets' is of shape",
    ),
    ((FIRST._replace(objectness=jnp.zeros((1, 2), int)), TARGETS), {}, DtypeError, "a floating dtype"),
    ((FIRST._replace(seeds=jnp.zeros(2)), TARGETS), {}, ShapeError, "'outputs.seeds'"),
    ((SECOND, TARGETS), {}, DtypeError, "is a RegionOutputs; expected a ProposalOutputs"),
    ((FIRST, TWO), {}, ShapeError, "of 2 images; expected the 1 of the outputs"),
    ((FIRST, TARGETS), {"positive": 1.5}, ValueError, "'positive' is 1.5"),
    ((FIRST, TARGETS), {"positive": 0.5, "negative": 0.6}, ValueError, "at least negative=0.6"),
    ((FIRST, TARGETS), {"count": 0}, ValueError, "'count' is 0"),
    ((FIRST, TARGETS), {"beta": -1.0}, ValueError, "'beta' is -1.0"),
)
BAD_SECOND: tuple[Bad, ...] = (
    ((SECOND._replace(logits=jnp.zeros((1, 2, 1))), TARGETS), {}, ShapeError, "the background first"),
    (
        (SECOND._replace(offsets=jnp.zeros((1, 2, 16))), TARGETS),
        {},
        ShapeError,
        r"\(1, 2, 4\) or \(1, 2, 12\)",
    ),
    ((SECOND._replace(mask=jnp.ones((1, 3))), TARGETS), {}, ShapeError, "'outputs.mask'"),
    ((SECOND._replace(regions="all"), TARGETS), {}, DtypeError, "'outputs.regions' is a str"),
    ((FIRST, TARGETS), {}, DtypeError, "is a ProposalOutputs; expected a RegionOutputs"),
    ((SECOND, TWO), {}, ShapeError, "of 2 images; expected the 1 of the outputs"),
    ((SECOND, TARGETS), {"positive": -0.1}, ValueError, "'positive' is -0.1"),
    ((SECOND, TARGETS), {"positive_fraction": 2.0}, ValueError, "'positive_fraction' is 2.0"),
)
CALLS: tuple[Call, ...] = (
    ("losses.region_proposals", losses.region_proposals, BAD_FIRST),
    ("losses.region_heads", losses.region_heads, BAD_SECOND),
    (
        "losses.faster_rcnn", losses.faster_rcnn,
        (
            ((SECOND, TARGETS), {}, DtypeError, "expected a FasterRCNNOutputs"),
            ((BOTH._replace(proposals=SECOND), TARGETS), {}, DtypeError, "expected a ProposalOutputs"),
            ((BOTH, TWO), {}, ShapeError, "of 2 images"),
            ((BOTH, TARGETS), {"region_count": 0}, ValueError, "'count' is 0"),
        ),
    ),
    (
        "models.faster_rcnn.detect", faster_rcnn.detect,
        (
            ((SECOND,), {}, DtypeError, "is a RegionOutputs; expected a FasterRCNNOutputs"),
            ((BOTH._replace(regions=SECOND._replace(sizes=SEEDS)),), {}, ShapeError, "'outputs.sizes'"),
            ((BOTH,), {"score_threshold": 1.5}, ValueError, "'score_threshold' is 1.5"),
            ((BOTH,), {"iou_threshold": -1}, ValueError, "'iou_threshold' is -1"),
            ((BOTH,), {"max_outputs": 0}, ValueError, "'max_outputs' is 0"),
        ),
    ),
)  # fmt: skip
