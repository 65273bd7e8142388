"""Rows of `jaxdl.scaling`."""

import numpy as np

from jaxdl import scaling
from jaxdl.errors import DtypeError, FormatError, ShapeError
from rows.common import Bad, Call

FIT_BAD: tuple[Bad, ...] = (
    ((np.zeros((0, 3)),), {}, ShapeError, "at least one example"),
    ((np.float64(1),), {}, ShapeError, "at least one example"),
    ((np.array([["a"]]),), {}, DtypeError, "numbers"),
    ((np.array([[np.nan], [1.0]]),), {}, FormatError, "finite"),
)
CALLS: tuple[Call, ...] = (
    (
        "scaling.pixels", scaling.pixels,
        tuple(((), {"highest": v}, ValueError, "highest") for v in (0, -1, float("inf"))),
    ),
    (
        "scaling.imagenet", scaling.imagenet,
        (
            ((), {"highest": 0.0}, ValueError, "highest"),
            ((), {"mean": (0.5,)}, ValueError, "'std' is of 3 channels"),
            ((), {"mean": (), "std": ()}, ValueError, "one at least"),
            ((), {"std": (1.0, 0.0, 1.0)}, ValueError, "'std' is 0"),
            ((), {"mean": (float("nan"), 0.0, 0.0)}, ValueError, "'mean' is nan"),
        ),
    ),
    (
        "scaling.min_max", scaling.min_max,
        (
            *FIT_BAD,
            ((np.array([[0.0], [1e-40]]),), {}, FormatError, "float32"),
            ((np.ones((2, 1)),), {"low": 1.0}, ValueError, "'high' is 1.0"),
            ((np.ones((2, 1)),), {"low": float("nan")}, ValueError, "'low' is nan"),
            ((np.ones((2, 1)),), {"high": float("inf")}, ValueError, "'high' is inf"),
        ),
    ),
    ("scaling.decimal", scaling.decimal, (*FIT_BAD, ((np.full((1, 1), 1e39),), {}, FormatError, "float32"))),
    (
        "scaling.mean_normalisation", scaling.mean_normalisation,
        (*FIT_BAD, ((np.array([[0.0], [1e-40]]),), {}, FormatError, "float32")),
    ),
    (
        "scaling.z_score", scaling.z_score,
        (
            *FIT_BAD,
            ((np.array([[0.0], [1e-40]]),), {}, FormatError, "float32"),
        ),
    ),
)  # fmt: skip
