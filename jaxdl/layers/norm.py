"""Normalisation with safe defaults."""

from typing import Any

from flax import nnx


class BatchNorm(nnx.BatchNorm):
    """Batch norm ``gamma (z - mean) / sqrt(var + eps) + beta``, flax's own with the two-pass variance.

    flax's one-pass variance (mean of squares less square of mean) is off by thousands at
    mean/std = 1e4. The layer before it should have ``use_bias=False``: beta does its work.

    Args:
        num_features: size of the last axis.
        momentum: m of ``running <- m running + (1 - m) batch``; torch's default 0.1 is 0.9 here.
        options: what else `flax.nnx.BatchNorm` takes.
        rngs: the random streams of the constructor.

    Example:
        >>> import jax.numpy as jnp
        >>> BatchNorm(2, rngs=nnx.Rngs(0))(jnp.array([[1e4, 0.0], [1e4 + 2, 2.0]])).round(2).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]

    Reference:
        Ioffe and Szegedy (2015). Equals ``torch.nn.BatchNorm1d`` in its output; torch keeps the unbiased
        running variance, this layer the biased one.
    """

    def __init__(self, num_features: int, *, momentum: float = 0.9, rngs: nnx.Rngs, **options: Any) -> None:
        options.setdefault("use_fast_variance", False)
        super().__init__(num_features, momentum=momentum, rngs=rngs, **options)
