"""Rows of `jaxdl.select`."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import select
from jaxdl.errors import DtypeError, FormatError, ShapeError
from rows.common import Bad, Call

DATA = (np.ones((4, 2)), np.ones(4))
NOT_FINITE = (np.ones((4, 2)) * np.nan, np.ones(4))


def mean(inputs: jax.Array, targets: jax.Array, *, weights: jax.Array) -> object:
    level = jnp.sum(weights * targets) / jnp.sum(weights)
    return lambda x: jnp.full(len(x), level)


def squares(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.square(outputs - targets)


def curve_bad(keyword: str, good: object) -> tuple[Bad, ...]:
    call = {keyword: good}
    return (
        ((3, squares, DATA, DATA), call, DtypeError, "'fit' is a int; expected a function"),
        ((mean, squares, DATA), call, ValueError, "either a validation set or folds"),
        ((mean, squares, NOT_FINITE, DATA), call, FormatError, "'training inputs' is not finite"),
        ((mean, squares, DATA, (np.ones((4, 3)), DATA[1])), call, ShapeError, "examples as in training"),
        ((mean, squares, DATA), call | {"folds": np.ones((2, 3))}, ShapeError, r"\(folds, 4\)"),
    )


RATE = {"rate": select.Range(1e-3, 1.0)}
CALLS: tuple[Call, ...] = (
    ("select.learning_curve", select.learning_curve, curve_bad("sizes", [2])),
    ("select.validation_curve", select.validation_curve, curve_bad("values", {"l2": [1.0]})),
    (
        "select.masked", lambda fit, *call, **options: select.masked(fit)(*call, **options),
        (
            (("fit",), {}, DtypeError, "expected a function"),
            ((mean, *DATA), {"mask": np.ones(3)}, ShapeError, r"one entry a feature, \(2,\)"),
            ((mean, *DATA), {"mask": [1, 1]}, DtypeError, "'mask' is a list"),
        ),
    ),
    (
        "select.choose", select.choose,
        (
            (({}, squares, DATA, DATA), {"test": DATA}, DtypeError, "fits by name"),
            (({"a": mean}, squares, DATA, DATA), {"test": NOT_FINITE}, FormatError, "'test inputs'"),
            (({"a": mean}, squares, DATA), {"test": DATA}, ValueError, "either a validation set or folds"),
        ),
    ),
    (
        "select.diagnose", select.diagnose,
        (
            ((np.nan, 1.0), {"bias_above": 0, "variance_above": 0}, ValueError, "'train_loss' is nan"),
            ((1.0, np.ones(3)), {"bias_above": 0, "variance_above": 0}, ShapeError, "one number"),
            ((1.0, 1.0), {"bias_above": -1, "variance_above": 0}, ValueError, "'bias_above' is -1"),
            ((1.0, "1"), {"bias_above": 0, "variance_above": 0}, DtypeError, "'cv_loss' is a str"),
        ),
    ),
    (
        "select.structural_risk", select.structural_risk,
        (
            (([1, 2], [0, 0], [1]), {"h": 1}, ShapeError, "one error a size"),
            (([0, 2], [0, 0], [1, 1]), {"h": 1}, ValueError, "positive numbers"),
            (([1, 2], [0, 0], [1, 1]), {"h": -1}, ValueError, "'h' is -1"),
        ),
    ),
    (
        "select.random_search", select.random_search,
        (
            ((None, jax.random.key(0), RATE), {}, DtypeError, "'run' is a NoneType"),
            ((max, 0, RATE), {}, DtypeError, "typed PRNG key"),
            ((max, jax.random.key(0), {"rate": (0, 1)}), {}, DtypeError, "a Range by name"),
            ((max, jax.random.key(0), RATE), {"shrink": 2}, ValueError, "'shrink' is 2"),
        ),
    ),
)  # fmt: skip
