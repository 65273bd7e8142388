"""Rows of `jaxdl.models.decision_tree`."""

import jax.numpy as jnp
import numpy as np

from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.models import decision_tree
from rows.common import Bad, Call

INPUTS, TARGETS = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]]), np.array([0, 1, 1])
NAN = np.array([[0.0, 1.0], [np.nan, 1.0], [2.0, 0.0]])

FIT_BAD: tuple[Bad, ...] = (
    ((NAN, TARGETS), {}, FormatError, r"'inputs' is \[nan  1.\] at row 1"),
    ((INPUTS * 1e39, TARGETS), {}, FormatError, "fit float32"),
    (
        (INPUTS, np.array([0, -1, 1])),
        {},
        FormatError,
        r"'targets' is -1 at row 1; expected classes in \[0, 2\)",
    ),
    ((INPUTS, TARGETS), {"classes": 1}, FormatError, "'targets' is 1 at row 1"),
    ((INPUTS, TARGETS), {"classes": 2.0}, DtypeError, "'classes' is 2.0"),
    ((INPUTS, TARGETS / 2), {}, DtypeError, r"targets.astype\(np.int32\)"),
    ((INPUTS, TARGETS[:, None]), {}, ShapeError, r"of shape \(3, 1\); expected \(3,\)"),
    ((INPUTS[0], TARGETS), {}, ShapeError, r"\(examples, features\)"),
    ((INPUTS[:0], TARGETS[:0]), {}, ShapeError, "at least one of each"),
    ((INPUTS[:, :0], TARGETS), {}, ShapeError, "at least one of each"),
    ((INPUTS.tolist(), TARGETS), {}, DtypeError, "'inputs' is a list"),
    ((INPUTS.astype(str), TARGETS), {}, DtypeError, "real numbers"),
    ((INPUTS * 1j, TARGETS), {}, DtypeError, "complex128"),
    ((INPUTS, TARGETS), {"weights": np.array([1, -1, 1])}, FormatError, "'weights' is -1 at row 1"),
    ((INPUTS, TARGETS), {"weights": np.zeros(3)}, FormatError, "not all 0"),
    ((INPUTS, TARGETS), {"weights": np.ones(2)}, ShapeError, "give one an example"),
    ((INPUTS, TARGETS), {"criterion": "log_loss"}, ValueError, "one of 'entropy', 'gini'"),
    ((INPUTS, TARGETS), {"max_depth": 0}, ValueError, "'max_depth' is 0"),
    ((INPUTS, TARGETS), {"min_samples_split": 1}, ValueError, "'min_samples_split' is 1"),
    ((INPUTS, TARGETS), {"min_samples_leaf": 0.5}, DtypeError, "a whole number"),
    ((INPUTS, TARGETS), {"min_gain": -0.1}, ValueError, "'min_gain' is -0.1"),
    ((INPUTS, TARGETS), {"min_gain": jnp.ones(2)}, DtypeError, "a number"),
    ((INPUTS, TARGETS), {"min_gain_of": "root"}, ValueError, "'tree', 'node'"),
)
CALLS: tuple[Call, ...] = (("models.decision_tree.fit", decision_tree.fit, FIT_BAD),)
