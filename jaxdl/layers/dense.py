"""The dense layer."""

from typing import Any

from flax import nnx

from jaxdl.initializers import Initializer, lecun
from jaxdl.kernels.dense import dot_general


class Linear(nnx.Linear):
    """Dense layer ``y = x w + b``: flax's own, with the product of `jaxdl.kernels.dense`.

    Args:
        in_features: size of the last axis of the input.
        out_features: size of the last axis of the output.
        kernel_init: initialiser of w (in, out); variance 1/in by default, as flax's but not truncated.
        options: what else `flax.nnx.Linear` takes: `use_bias`, `bias_init`, `dtype`, `param_dtype`, ...
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> Linear(3, 2, rngs=nnx.Rngs(0))(jnp.ones((5, 3))).shape
        (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        kernel_init: Initializer | None = None,
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        options.setdefault("dot_general", dot_general)
        super().__init__(in_features, out_features, kernel_init=kernel_init or lecun(), rngs=rngs, **options)
