"""Rows of `jaxdl.activations`."""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import oracles

from jaxdl import activations
from jaxdl.errors import DtypeError, ShapeError
from rows.common import ELEMENTWISE_BAD, EXTREME, INTEGERS, ROWS, Call, Op, X, away_from_zero, masked, normal

NO_NUMBER: tuple[Any, ...] = (
    (float("nan"), ValueError, "is nan"),
    ("0.1", DtypeError, "is a str; expected a number"),
    (jnp.ones(2), DtypeError, "expected a number"),
)


def with_zeros(rng: np.random.Generator) -> tuple[np.ndarray]:
    return (rng.integers(-2, 3, (4, 5)).astype(np.float64),)


OPS: tuple[Op, ...] = (
    Op(
        "activations.sigmoid", activations.sigmoid, normal(4, 5), oracles.sigmoid, ELEMENTWISE_BAD,
        extremes=((EXTREME,),), torch=lambda torch, x: torch.sigmoid(x),
    ),
    Op(
        "activations.relu", activations.relu, away_from_zero, oracles.relu, ELEMENTWISE_BAD,
        extremes=((EXTREME,),), torch=lambda torch, x: torch.relu(x),
    ),
    *(
        Op(
            f"activations.{name}", function, inputs, oracle,
            (*ELEMENTWISE_BAD, *((((X,), {key: v}, *wrong)) for key in keys for v, *wrong in NO_NUMBER)),
            extremes=((EXTREME,),), torch=twin,
        )
        for name, function, inputs, oracle, keys, twin in (
            ("identity", activations.identity, normal(4, 5), lambda x: x, (), lambda torch, x: x * 1),
            ("tanh", activations.tanh, normal(4, 5), np.tanh, (), lambda torch, x: torch.tanh(x)),
            (
                "scaled_tanh", activations.scaled_tanh, normal(4, 5),
                lambda x: 1.7159 * np.tanh(2 * x / 3), (), None,
            ),
            (
                "softsign", activations.softsign, normal(4, 5), oracles.softsign, (),
                lambda torch, x: torch.nn.functional.softsign(x),
            ),
            (
                "swish", activations.swish, normal(4, 5), oracles.swish, ("beta",),
                lambda torch, x: torch.nn.functional.silu(x),
            ),
            (
                "swish:sharp", partial(activations.swish, beta=3.0), normal(4, 5),
                partial(oracles.swish, beta=3.0), ("beta",), lambda torch, x: x * torch.sigmoid(3 * x),
            ),
            (
                "leaky_relu", activations.leaky_relu, away_from_zero, oracles.prelu, ("slope",),
                lambda torch, x: torch.nn.functional.leaky_relu(x),
            ),
            (
                "leaky_relu:keras", partial(activations.leaky_relu, slope=0.3), away_from_zero,
                partial(oracles.prelu, slope=0.3), ("slope",),
                lambda torch, x: torch.nn.functional.leaky_relu(x, 0.3),
            ),
        )
    ),
    *(
        Op(
            f"activations.step:{at_zero}", partial(activations.step, at_zero=at_zero), with_zeros,
            partial(oracles.step, at_zero=at_zero),
            (*ELEMENTWISE_BAD, *(((X,), {"at_zero": v}, *wrong) for v, *wrong in NO_NUMBER)),
            differentiable=(), extremes=((EXTREME,),),
        )
        for at_zero in (0.0, 0.5, 1.0)
    ),
    *(
        Op(
            f"activations.prelu:{name}", activations.prelu,
            lambda rng, shape=shape: (*away_from_zero(rng), rng.random(shape)), oracles.prelu,
            (
                ((INTEGERS, X[0]), {}, DtypeError, "'x' is of dtype int32"),
                ((X, 1), {}, DtypeError, "'slope' is of dtype int32"),
                ((X, jnp.ones(4)), {}, ShapeError, r"one value a feature, \(5,\)"),
                ((X, X), {}, ShapeError, "each feature on the last axis"),
            ),
            differentiable=(0, 1), extremes=((EXTREME, np.full(shape and (7,), 0.25, np.float32)),),
            batched=False, torch=lambda torch, x, slope: torch.nn.functional.prelu(x, slope), length=20,
        )
        for name, shape in (("shared", ()), ("by_feature", (5,)))
    ),
    Op(
        "activations.softmax", activations.softmax, normal(6, 4), oracles.softmax,
        (
            *ELEMENTWISE_BAD,
            ((jnp.float32(1),), {}, ShapeError, "at least 1 axes"),
            ((X,), {"axis": 2}, ShapeError, "an axis of an array of shape"),
        ),
        extremes=((ROWS,),), torch=lambda torch, x: torch.softmax(x, -1), length=4,
    ),
    Op(
        "activations.softmax:mask", lambda x, where: activations.softmax(x, where=where), masked,
        oracles.softmax,
        (
            ((X, X), {}, DtypeError, "expected bool"),
            ((X, jnp.ones((3,), bool)), {}, ShapeError, "broadcasts to"),
            ((X, [True]), {}, DtypeError, "is a list"),
        ),
        extremes=((ROWS, ROWS > 0), (ROWS, np.zeros_like(ROWS, bool))), length=4,
    ),
)  # fmt: skip
CALLS: tuple[Call, ...] = (
    (
        "activations.output_for", activations.output_for,
        tuple(((task,), {}, ValueError, "'multi_class'") for task in ("softmax", None, 1)),
    ),
)  # fmt: skip
