"""Rows of `jaxdl.scaling`."""

import numpy as np
from rows.common import Call

from jaxdl import scaling
from jaxdl.errors import DtypeError, FormatError, ShapeError

CALLS: tuple[Call, ...] = (
    (
        "scaling.pixels", scaling.pixels,
        tuple(((), {"highest": v}, ValueError, "highest") for v in (0, -1, float("inf"))),
    ),
    (
        "scaling.z_score", scaling.z_score,
        (
            ((np.zeros((0, 3)),), {}, ShapeError, "at least one example"),
            ((np.float64(1),), {}, ShapeError, "at least one example"),
            ((np.array([["a"]]),), {}, DtypeError, "numbers"),
            ((np.array([[np.nan], [1.0]]),), {}, FormatError, "finite"),
            ((np.array([[0.0], [1e-40]]),), {}, FormatError, "float32"),
        ),
    ),
)  # fmt: skip
