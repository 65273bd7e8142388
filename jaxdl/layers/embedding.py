"""Rows of a table by number, such as the vectors of tokens."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxdl import _checks, _targets
from jaxdl.errors import explain
from jaxdl.initializers import Initializer, normal


class Embedding(nnx.Embed):
    """A learned vector for each of some numbers: ``y = E[x]``, flax's own for numbers that may be wrong.

    A number outside [0, num_embeddings), negative ones included, is an error where it is known, and inside a
    compiled program makes its own vectors NaN; flax and NumPy read -1 as the last one. It equals the product
    of `E` with a one-hot row. The vectors have the dtype of `E` when it is called, so that those of
    `net.mixed_precision` are of few bits; flax keeps the dtype of the constructor.

    Args:
        num_embeddings: how many numbers there are, such as ``len(vocabulary)``.
        features: size of a vector.
        embedding_init: initialiser of E; N(0, 1) by default, as torch's.
        options: what else `flax.nnx.Embed` takes: `dtype` of the vectors, `param_dtype`, ...
        rngs: the random streams of the constructor.

    Raises:
        DtypeError: sizes that are not whole, or, when called, numbers that are no integers.
        ValueError: a size below 1, or, when called, a concrete number out of range.

    Example:
        >>> layer = Embedding(5, 3, rngs=nnx.Rngs(0))
        >>> layer(jnp.array([[1, 4, 4]])).shape
        (1, 3, 3)
        >>> jax.jit(layer)(jnp.array([2, -1])).sum(-1).round(2).tolist()
        [..., nan]

    Reference:
        Equals ``torch.nn.Embedding``, which raises out of range.
    """

    def __init__(
        self,
        num_embeddings: int,
        features: int,
        *,
        embedding_init: Initializer | None = None,
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        count, size = (
            _checks.positive_integer("Embedding", name, value)
            for name, value in (("num_embeddings", num_embeddings), ("features", features))
        )
        start = embedding_init or normal(stddev=1.0)
        super().__init__(count, size, embedding_init=start, rngs=rngs, **options)
        # flax puts the dtype of the table here, in which a table that is cast later would be looked up.
        self.dtype = options.get("dtype")

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Map numbers (...), integers, to their vectors (..., features)."""
        numbers = _checks.widened(_checks.integer("Embedding", "inputs", inputs))
        if not isinstance(numbers, jax.core.Tracer):
            found = np.asarray(numbers)
            bad = (found < 0) | (found >= self.num_embeddings)
            if bad.any():
                place = tuple(np.argwhere(bad)[0].tolist())
                raise ValueError(
                    explain("Embedding", "inputs", got=f"{found[bad][0]} at {place}",
                            expected=f"within [0, {self.num_embeddings})",
                            fix="number the tokens with the vocabulary that the network was made for")
                )  # fmt: skip
        last = self.num_embeddings - 1
        vectors = super().__call__(jnp.clip(numbers, 0, last))
        return vectors * _targets.within(numbers, 0, last, vectors.dtype)[..., None]
