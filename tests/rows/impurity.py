"""Rows of `jaxdl.impurity`."""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import oracles

from jaxdl import impurity
from jaxdl.errors import DtypeError, ShapeError
from rows.common import ELEMENTWISE_BAD, INTEGERS, Bad, Op, X

TINY = np.array([0.0, 1e-40, 1e-7, 0.5, 1 - 1e-7, 1.0], np.float32)
COUNTS = np.array([[0, 0, 0], [0, 0, 5], [1e4, 0, 1e-40], [1e4, 1e4, 1e4], [1e-30, 0, 1]], np.float32)
COUNTS_BAD: tuple[Bad, ...] = (
    ((INTEGERS,), {}, DtypeError, "of dtype int32; expected a floating dtype"),
    (([1.0, 2.0],), {}, DtypeError, "is a list; expected an array"),
    ((jnp.float32(1),), {}, ShapeError, r"\(..., classes\)"),
    ((jnp.ones((3, 0)),), {}, ShapeError, "at least one class"),
)


def shares(rng: np.random.Generator) -> tuple[np.ndarray]:
    return (rng.uniform(0.2, 0.8, (4, 5)),)


def counts(rng: np.random.Generator) -> tuple[np.ndarray]:
    return (rng.uniform(0.5, 9, (6, 4)),)


def children(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(0.5, 9, (6, 3)), rng.uniform(0.5, 9, (6, 3))


def torch_bits(torch: Any, q: Any) -> Any:
    return torch.special.entr(q) / np.log(2)


def torch_shares(c: Any) -> Any:
    return c / c.sum(-1, keepdim=True)


OPS: tuple[Op, ...] = (
    Op(
        "impurity.binary_entropy", impurity.binary_entropy, shares, oracles.binary_entropy, ELEMENTWISE_BAD,
        extremes=((TINY,),), torch=lambda torch, p: torch_bits(torch, p) + torch_bits(torch, 1 - p),
    ),
    Op(
        "impurity.entropy", impurity.entropy, counts, oracles.entropy, COUNTS_BAD, extremes=((COUNTS,),),
        torch=lambda torch, c: torch_bits(torch, torch_shares(c)).sum(-1), length=4,
    ),
    Op(
        "impurity.gini", impurity.gini, counts, oracles.gini, COUNTS_BAD, extremes=((COUNTS,),),
        torch=lambda torch, c: 1 - (torch_shares(c) ** 2).sum(-1), length=4,
    ),
    *(
        Op(
            f"impurity.information_gain:{criterion}",
            partial(impurity.information_gain, criterion=criterion), children,
            partial(oracles.information_gain, impurity=function),
            (
                ((X, INTEGERS), {}, DtypeError, "'right' is of dtype int32"),
                ((X, jnp.ones((4, 4))), {}, ShapeError, "nothing is broadcast"),
                ((X, jnp.ones((4, 1))), {}, ShapeError, "nothing is broadcast"),
                ((jnp.ones(0), jnp.ones(0)), {}, ShapeError, "at least one class"),
            ),
            differentiable=(0, 1), extremes=((COUNTS, COUNTS[::-1]), (COUNTS, 0 * COUNTS)), length=6,
        )
        for criterion, function in (("entropy", oracles.entropy), ("gini", oracles.gini))
    ),
)  # fmt: skip
