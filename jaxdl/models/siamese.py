"""A siamese network: two inputs, one encoder, one set of weights."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.similarity import normalise as to_length_1

SIDES = {"first", "second"}


class Twins(NamedTuple):
    """Embeddings (batch, features) of both sides of each pair: `losses.contrastive(*twins, same)`."""

    first: jax.Array
    second: jax.Array


class Siamese(nnx.Module):
    """Any encoder with weights that both sides of a pair share.

    An array gives embeddings, a dict ``{"first": ..., "second": ...}`` gives `Twins`: both sides go through
    the encoder in one pass, so that batch norm sees them as one batch, and embeddings of single inputs lie in
    the same space. Its model file holds no config: it is loaded by ``train.load(path, net=net)``, with the
    network as it was trained, `normalise` included, which the parameters do not tell.

    Args:
        encoder: a module that maps (batch, ...) to (batch, features), such as an `Embedder`.
        normalise: whether embeddings are brought to length 1.

    Raises:
        DtypeError: an encoder that is no module; when called, something else than an array or such a dict.
        ShapeError: when called, sides of different shapes, or an encoder of other outputs.

    Example:
        >>> from jaxdl.models import MLP, MLPConfig
        >>> def distances(x):
        ...     return Siamese(MLP(MLPConfig(sizes=(4, 3)), rngs=nnx.Rngs(0)), normalise=True)(x)
        >>> nnx.eval_shape(distances, {"first": jnp.ones((2, 4)), "second": jnp.ones((2, 4))}).second.shape
        (2, 3)

    Reference:
        Bromley et al., Signature Verification using a "Siamese" Time Delay Neural Network (1993).
    """

    def __init__(self, encoder: nnx.Module, *, normalise: bool = False) -> None:
        if not isinstance(encoder, nnx.Module):
            raise DtypeError(
                explain("Siamese", "encoder", got=f"a {type(encoder).__name__}", expected="an nnx.Module",
                        fix="Siamese(Embedder(config, rngs=rngs))")
            )  # fmt: skip
        _checks.one_of("Siamese", "normalise", normalise, (True, False))
        self.encoder: Any = encoder
        self.normalise = bool(normalise)

    def __call__(self, x: Any) -> jax.Array | Twins:
        """Map inputs (batch, ...) to embeddings (batch, features), or a dict of two such to `Twins`."""
        if not isinstance(x, Mapping):
            return self._embed(_checks.array("Siamese", "x", x))
        if set(x) != SIDES:
            raise DtypeError(
                explain("Siamese", "x", got=f"a dict of {sorted(map(str, x))}",
                        expected=f"an array, or a dict of {sorted(SIDES)}", fix="name the sides so")
            )  # fmt: skip
        first, second = (_checks.array("Siamese", side, x[side]) for side in ("first", "second"))
        _checks.same_shape("Siamese", "first", first, "second", second)
        both = self._embed(jnp.concatenate([first, second]))
        return Twins(both[: len(first)], both[len(first) :])

    def _embed(self, x: jax.Array) -> jax.Array:
        embeddings = self.encoder(x)
        if jnp.ndim(embeddings) != 2 or len(embeddings) != len(x):
            raise ShapeError(
                explain("Siamese", "encoder", got=f"a network with outputs {jnp.shape(embeddings)}",
                        expected=f"({len(x)}, features)", fix="end it with layers.Flatten and layers.Linear")
            )  # fmt: skip
        return to_length_1(embeddings) if self.normalise else embeddings
