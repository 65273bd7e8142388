"""Rows of `jaxdl.kernels`."""

import jax.numpy as jnp
import oracles

from jaxdl.kernels import dense
from rows.common import ROWS, Op, X

WHOLE = (((1,), (0,)), ((), ()))
OPS: tuple[Op, ...] = (
    *(
        Op(
            f"kernels.dense.dot_general:{implementation}",
            lambda x, w, i=implementation: dense.dot_general(x, w, WHOLE, implementation=i),
            lambda rng: (rng.normal(size=(6, 5)), rng.normal(size=(5, 3))), oracles.product,
            (
                ((X, X, WHOLE), {"implementation": "fast"}, ValueError, "expected None or one of"),
                ((X, jnp.ones((4, 3)), WHOLE), {}, TypeError, "contracting dimension"),
                ((X, X, (((3,), (0,)), ((), ()))), {}, TypeError, "contracting"),
            ),
            differentiable=(0, 1), extremes=((ROWS, ROWS.T),), batched=False,
            torch=lambda torch, x, w: x @ w, length=5,
        )
        for implementation in dense.IMPLEMENTATIONS
    ),
)  # fmt: skip
