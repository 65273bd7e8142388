"""Rows of `jaxdl.kernels`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles

from jaxdl.kernels import adaptive_pool, conv, dense, pool, response_norm
from rows.common import EXTREME, INTEGERS, ROWS, Bad, Call, Op, X, normal

WHOLE = (((1,), (0,)), ((), ()))
NHWC = ("NHWC", "HWIO", "NHWC")
IMAGES, KERNEL = jnp.ones((2, 4, 4, 2)), jnp.ones((3, 3, 2, 3))
LEVELS = (np.resize(EXTREME, (1, 3, 5, 2)), *(np.full((1, 3, 5, 2), level) for level in (1e4, -1e4, 0.0)))
NUMBERS = {"alpha": 0.3, "beta": 0.75, "k": 2.0}


def convolved(
    x: Any, w: Any, strides: Any = (2, 1), padding: Any = "SAME", *rest: Any, **options: Any
) -> jax.Array:
    return conv.conv_general_dilated(x, w, strides, padding, *rest, dimension_numbers=NHWC, **options)


def transposed(x: Any, w: Any, strides: Any = (2, 2), padding: Any = "VALID", **options: Any) -> jax.Array:
    return conv.conv_transpose(x, w, strides, padding, dimension_numbers=NHWC, **options)


def transposed_by_loops(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    pads = [(k - 1, k - 1) for k in w.shape[:2]]
    return oracles.convolution(x, w, (1, 1), pads, input_dilation=(2, 2))[0]


def using(implementation: Any) -> None:
    with conv.using(implementation):
        pass


def windowed(kind: Any, size: int) -> Callable[..., jax.Array]:
    def pooled(
        x: Any, window: Any = (size, size), strides: Any = (2, 2), padding: Any = "SAME", **options: Any
    ) -> jax.Array:
        return kind(x, window, strides, padding, **options)

    return pooled


def scattered(rng: np.random.Generator) -> tuple[np.ndarray]:
    """Draw entries that no small step can put in another order."""
    return (rng.permutation(60).reshape(1, 4, 5, 3) / 8.0 - 4,)


CONV_BAD: tuple[Bad, ...] = (
    ((IMAGES, KERNEL), {"implementation": "fast"}, ValueError, "expected None or one of"),
    ((IMAGES, KERNEL, (0, 1)), {}, ValueError, r"'window_strides' is \(0, 1\); expected 2 whole numbers"),
    ((IMAGES, KERNEL), {"rhs_dilation": (1, 0)}, ValueError, r"'rhs_dilation' is \(1, 0\)"),
    ((IMAGES[0], KERNEL), {}, TypeError, "of lax: .* ndim to be equal, got 3 and 4"),
    ((IMAGES, KERNEL[:, :, :1]), {}, ValueError, "of lax: .* feature dimension"),
    ((IMAGES, KERNEL.astype(jnp.int32)), {}, TypeError, "of lax: .* same dtypes, got float32, int32"),
)
POOL_BAD: tuple[Bad, ...] = (
    ((IMAGES, (5, 5), (1, 1), "VALID"), {}, ValueError, "of 4 entries along spatial axis 0, 4 with padding"),
    ((IMAGES, (2, 2), (0, 1)), {}, ValueError, r"argument 'strides' is \(0, 1\); expected 2 whole numbers"),
    ((IMAGES, (2, 2), (2,)), {}, ValueError, r"argument 'strides' is \(2,\); expected 2 whole numbers"),
    ((IMAGES, 2), {}, ValueError, "argument 'window_shape' is 2; expected some whole numbers"),
    ((IMAGES[0, 0],), {}, ValueError, r"shape \(4, 2\); expected \(..., space, space, channels\)"),
    ((IMAGES, (2, 2), None, "FULL"), {}, ValueError, "argument 'padding' is 'FULL'; expected 'SAME'"),
    ((IMAGES, (2, 2), None, ((2, 0), (0, 0))), {}, ValueError, r"pairs \(before, after\) in \[0, window\)"),
    ((IMAGES, (2, 2), None, ((0, 0),)), {}, ValueError, "2 pairs"),
    ((IMAGES.astype(jnp.int32),), {}, TypeError, "of dtype int32; expected a floating array"),
    (([[1.0]],), {}, TypeError, "is a list; expected a floating array"),
    ((IMAGES,), {"implementation": "mask"}, ValueError, "expected None or one of"),
)
ADAPTIVE_BAD: tuple[Bad, ...] = (
    ((IMAGES, (2, 2, 2)), {}, ValueError, "expected a whole number of at least 1, or 2 of them"),
    ((IMAGES, 0), {}, ValueError, "argument 'output_size' is 0"),
    ((IMAGES[0, 0], 2), {}, ValueError, r"expected \(batch, space..., channels\)"),
    ((IMAGES[:, :0], 2), {}, ValueError, "no spatial axis empty"),
    ((INTEGERS[None], 2), {}, TypeError, "of dtype int32"),
    (([1.0], 2), {}, TypeError, "is a list"),
)
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
    Op(
        "kernels.conv.conv_general_dilated", convolved,
        lambda rng: (rng.normal(size=(2, 5, 4, 2)), rng.normal(size=(3, 3, 2, 3))),
        lambda x, w: oracles.convolution(x, w, (2, 1), "SAME")[0], CONV_BAD, differentiable=(0, 1),
        extremes=tuple((level, np.resize(EXTREME, (3, 3, 2, 2))) for level in LEVELS),
        batched=False, length=18,
    ),
    Op(
        "kernels.conv.conv_transpose", transposed,
        lambda rng: (rng.normal(size=(2, 3, 2, 2)), rng.normal(size=(3, 3, 2, 3))), transposed_by_loops,
        (
            ((IMAGES, KERNEL), {"implementation": "fast"}, ValueError, "expected None or one of"),
            ((IMAGES, KERNEL[:, :, :1]), {}, ValueError, "of lax: .* feature dimension"),
            ((IMAGES, KERNEL.astype(jnp.int32)), {}, TypeError, "of lax: .* same dtypes"),
        ),
        differentiable=(0, 1), extremes=tuple((level, np.resize(EXTREME, (2, 2, 2, 1))) for level in LEVELS),
        batched=False, length=18,
    ),
    *(
        Op(
            f"kernels.pool.{kind.__name__}:{size}", windowed(kind, size), scattered,
            lambda x, truth=truth, n=size: truth(x, (n, n), (2, 2), "SAME")[0], POOL_BAD,
            extremes=tuple((level,) for level in LEVELS), length=9,
        )
        for kind, truth, size in (
            (pool.max_pool, oracles.max_pool, 2), (pool.max_pool, oracles.max_pool, 3),
            (pool.avg_pool, oracles.avg_pool, 3),
        )
    ),
    *(
        Op(
            f"kernels.adaptive_pool.{kind.__name__}", lambda x, m=(2, 3), kind=kind: kind(x, m), scattered,
            lambda x, top=maximum: oracles.adaptive_pool(x, (2, 3), maximum=top)[0], ADAPTIVE_BAD,
            extremes=tuple((level,) for level in LEVELS), batched=False, length=4,
        )
        for kind, maximum in (
            (adaptive_pool.adaptive_avg_pool, False), (adaptive_pool.adaptive_max_pool, True),
        )
    ),
    Op(
        "kernels.response_norm.local_response_norm",
        lambda x, size=3, **options: response_norm.local_response_norm(x, size, **(NUMBERS | options)),
        normal(2, 3, 6), lambda x: oracles.local_response_norm(x, 3, **NUMBERS),
        (
            ((X, 0), {}, ValueError, "argument 'size' is 0; expected a whole number of at least 1"),
            ((X, 3), {"k": 0.0}, ValueError, "argument 'k' is 0.0"),
            ((X, 3), {"alpha": -1.0}, ValueError, "argument 'alpha' is -1.0"),
            ((X, 3), {"beta": float("nan")}, ValueError, "argument 'beta' is nan"),
            ((X[0, 0],), {}, ValueError, r"expected \(..., channels\)"),
            ((INTEGERS,), {}, TypeError, "of dtype int32"),
            (([1.0],), {}, TypeError, "is a list"),
        ),
        extremes=((ROWS,),), length=5,
    ),
)  # fmt: skip
CALLS: tuple[Call, ...] = (
    (
        "kernels.conv.using",
        using,
        tuple(((how,), {}, ValueError, "expected None or one of") for how in ("fast", 1, ("xla",))),
    ),
)
