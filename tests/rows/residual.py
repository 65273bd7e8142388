"""Rows of the two layouts of a residual network's parameters."""

import jax.numpy as jnp

from jaxdl.errors import ShapeError
from jaxdl.models import stack_blocks, unstack_blocks
from rows.common import Bad, Call

PLAIN = {"layers": {0: {index: {"kernel": jnp.ones((2, 3))} for index in range(3)}}}
UNEVEN = {"layers": {0: {index: {"kernel": jnp.ones((2, index))} for index in range(3)}}}
BAD: tuple[Bad, ...] = (
    (({"fc": {}},), {}, ShapeError, r"\['fc'\]; expected the params or the state"),
    ((jnp.ones(3),), {}, ShapeError, "stages of blocks under 'layers'"),
    (({"layers": {0: {"kernel": jnp.ones(3)}}},), {}, ShapeError, "what Net.init returns"),
)
CALLS: tuple[Call, ...] = (
    ("models.stack_blocks", stack_blocks, (
        *BAD,
        ((stack_blocks(PLAIN),), {}, ShapeError, "stacked already"),
        ((UNEVEN,), {}, ShapeError, "equal shapes from the second block on"),
    )),
    ("models.unstack_blocks", unstack_blocks, (*BAD, ((PLAIN,), {}, ShapeError, "not stacked"))),
)  # fmt: skip
