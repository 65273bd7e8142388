"""Rows of `jaxdl.features`, `jaxdl.descent` and the linear models."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import descent, features
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.models import linear_regression, logistic_regression, perceptron, softmax_regression
from rows import linear_oracles as oracles
from rows.common import Bad, Call, Op, normal

X, Y, LABELS = np.eye(4, 2, dtype=np.float32), np.arange(4.0, dtype=np.float32), np.array([0, 1, 1, 0])
NAN = np.array([np.nan, 1, 2, 3], np.float32)
FEATURE_BAD: tuple[Bad, ...] = (
    ((jnp.ones((4, 5), jnp.int32),), {}, DtypeError, "of dtype int32; expected a floating dtype"),
    (([[1.0]],), {}, DtypeError, "is a list; expected an array"),
    ((jnp.float32(1),), {}, ShapeError, "at least 1 axes"),
)
EXTREMES = ((np.array([[1e4, -1e4, 1e-40], [0, 0, 0]], np.float32),),)
CUBIC = {"degree": 3, "include_bias": False}
CROSSED = {"degree": 3, "interaction_only": True}
OPS: tuple[Op, ...] = (
    *(
        Op(f"features.polynomial{name}", partial(features.polynomial, **options), normal(5, 3),
           partial(oracles.polynomial, **options), bad, extremes=EXTREMES, length=8)
        for name, options, bad in (
            ("", {"degree": 2}, (
                *FEATURE_BAD,
                ((X,), {"degree": 0}, ValueError, "'degree' is 0; expected at least 1"),
                ((X,), {"degree": 2.0}, DtypeError, "a whole number"),
                ((X,), {"include_bias": 1}, DtypeError, "True or False"),
            )),
            (":cubic", CUBIC, FEATURE_BAD),
            (":crossed", CROSSED, FEATURE_BAD),
        )
    ),
    Op("features.circle", features.circle, normal(5, 3), oracles.circle, FEATURE_BAD, extremes=EXTREMES,
       length=8),
    Op("features.ellipse", features.ellipse, normal(5, 3), oracles.ellipse, FEATURE_BAD, extremes=EXTREMES,
       length=8),
)  # fmt: skip

FIT_BAD: tuple[Bad, ...] = (
    ((X, Y[:3]), {}, ShapeError, r"'targets' is of shape \(3,\); expected \(4,\)"),
    ((X[:, 0], Y), {}, ShapeError, r"'inputs' is of shape \(4,\)"),
    ((np.zeros((0, 2)), np.zeros(0)), {}, ShapeError, "neither of them 0"),
    (("x", Y), {}, DtypeError, "'inputs' is a str"),
    ((X, Y), {"weights": np.ones(3)}, ShapeError, "give one weight an example"),
    ((X, Y), {"weights": -np.ones(4)}, ValueError, "weights >= 0"),
    ((X, Y), {"weights": np.zeros(4)}, ValueError, "one of them positive"),
    ((X * np.nan, Y), {}, FormatError, "'inputs' is not finite"),
    ((X, NAN), {}, FormatError, "'targets' is not finite"),
    ((X + 1j, Y), {}, DtypeError, "'inputs' is of dtype complex64; expected real numbers"),
    ((X, Y + 1j), {}, DtypeError, "'targets' is of dtype complex64; expected real numbers"),
    ((X, Y), {"l2": -1.0}, ValueError, "'l2' is -1.0"),
    ((X, Y), {"tolerance": -1.0}, ValueError, "'tolerance' is -1.0"),
    ((X, Y), {"max_steps": 0}, ValueError, "'max_steps' is 0"),
)


def cost(w: jnp.ndarray) -> jnp.ndarray:
    return jnp.sum(w * w)


START, RATE = jnp.ones(2), {"learning_rate": 0.1}
CALLS: tuple[Call, ...] = (
    (
        "descent.descend", descent.descend,
        (
            ((cost, START), {}, ValueError, "exactly one of the two"),
            ((cost, START), {"learning_rate": 0.1, "optimizer": optax.sgd(0.1)}, ValueError, "exactly one"),
            ((cost, START), {"optimizer": "adam"}, DtypeError, "an optax transformation"),
            ((cost, START), {"learning_rate": -0.1}, ValueError, "'learning_rate' is -0.1"),
            ((cost, START), {"learning_rate": 0}, ValueError, r"'learning_rate' is 0; expected \(0, inf\)"),
            ((cost, START), RATE | {"tolerance": -1.0}, ValueError, "'tolerance'"),
            ((cost, START), RATE | {"max_steps": 0}, ValueError, "'max_steps'"),
            ((cost, START), RATE | {"patience": 0}, ValueError, "'patience'"),
            ((cost, jnp.ones(2, int)), RATE, DtypeError, "'params' is of dtype int32"),
            ((cost, {}), RATE, ShapeError, "'params' is empty"),
            ((lambda w: w, START), RATE, ShapeError, "expected a scalar"),
            ((1.0, START), RATE, DtypeError, "expected a function"),
        ),
    ),
    (
        "descent.describe", descent.describe,
        (
            ((6,), {}, ValueError, "numbers from 0 to 5"),
            ((-1,), {}, ValueError, "numbers from 0 to 5"),
            ((0.5,), {}, DtypeError, "expected an integer dtype"),
        ),
    ),
    (
        "models.linear_regression.fit", linear_regression.fit,
        (
            *FIT_BAD,
            ((X, Y), {"method": "qr"}, ValueError, "'closed_form', 'descent'"),
            ((X, Y), {"learning_rate": -1.0}, ValueError, "'learning_rate'"),
            ((X, Y), {"learning_rate": 0.0}, ValueError, "'learning_rate'"),
        ),
    ),
    (
        "models.linear_regression.lasso", partial(linear_regression.lasso, l1=1.0),
        (
            *FIT_BAD,
            ((X, Y), {"l1": -1.0}, ValueError, "'l1' is -1.0"),
            ((X, np.ones((4, 2))), {}, ShapeError, "vmap it over the outputs"),
        ),
    ),
    (
        "models.linear_regression.line", linear_regression.line,
        (
            ((Y, Y[:3]), {}, ShapeError, "nothing is broadcast"),
            ((X, X), {}, ShapeError, "'inputs' is of shape"),
            ((np.ones(4), Y), {}, ValueError, "at least two different values"),
            ((Y, NAN), {}, FormatError, "not finite"),
            ((Y, Y), {"weights": np.eye(4)[0]}, ValueError, "at least two different values"),
        ),
    ),
    (
        "models.perceptron.fit", perceptron.fit,
        (
            *(bad for bad in FIT_BAD if not bad[1].keys() & {"l2", "tolerance", "max_steps"}),
            ((X, LABELS * 2), {}, FormatError, "from 0 to 2; expected 0 and 1"),
            ((X, np.ones((4, 2))), {}, ShapeError, "vmap it over the labels"),
            ((X, LABELS), {"learning_rate": 0}, ValueError, "'learning_rate' is 0"),
            ((X, LABELS), {"max_epochs": 0}, ValueError, "'max_epochs' is 0"),
            ((X, LABELS), {"on_boundary": "class_1"}, ValueError, "'mistake', 'class_0'"),
        ),
    ),
    (
        "models.perceptron.gate", perceptron.gate,
        tuple(((name,), {}, ValueError, "'AND', 'NAND', 'OR'") for name in ("XOR", "and", 1)),
    ),
    (
        "models.perceptron.xor", perceptron.xor,
        (
            ((np.ones(2),), {}, ShapeError, r"expected \(batch, 2\)"),
            ((np.ones((4, 3)),), {}, ShapeError, r"expected \(batch, 2\)"),
            (([[0, 1]],), {}, DtypeError, "is a list"),
        ),
    ),
    (
        "models.softmax_regression.fit", softmax_regression.fit,
        (
            *((args if args[-1].dtype != np.float32 or len(args[-1]) != 4 or np.isnan(args[-1]).any()
               else (args[0], LABELS), *rest) for args, *rest in FIT_BAD),
            ((X, Y), {}, DtypeError, "'targets' is of dtype float32"),
            ((X, np.eye(4, dtype=int)), {}, ShapeError, "of one-hot rows"),
            ((X, LABELS - 1), {"classes": 2}, FormatError, r"from -1 to 0; expected .* \[0, 2\)"),
            ((X, LABELS), {"classes": 1}, ValueError, "'classes' is 1"),
            ((X, LABELS + 2), {"classes": 3}, FormatError, "from 2 to 3"),
            ((X, LABELS), {"method": "lbfgs"}, ValueError, "'newton', 'descent'"),
            ((X, LABELS), {"learning_rate": -1.0}, ValueError, "'learning_rate'"),
            ((X, LABELS), {"learning_rate": 0.0}, ValueError, "'learning_rate'"),
        ),
    ),
    (
        "models.logistic_regression.fit", logistic_regression.fit,
        (
            *FIT_BAD,
            ((X, LABELS * 2 - 1), {}, FormatError, "from -1 to 1; expected 0 and 1"),
            ((X, LABELS), {"method": "lbfgs"}, ValueError, "'newton', 'descent'"),
            ((X, LABELS), {"learning_rate": 0.0}, ValueError, "'learning_rate'"),
            ((X, LABELS), {"class_weights": np.ones(3)}, ShapeError, "one factor a class"),
            ((X, LABELS), {"class_weights": -np.ones(2)}, ValueError, "factors >= 0"),
        ),
    ),
)  # fmt: skip
