"""Attention as layers: scorers with parameters, and the projections of several heads."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.initializers import xavier
from jaxdl.kernels import _attention_parts as parts
from jaxdl.kernels import attention
from jaxdl.kernels.attention import Attended
from jaxdl.layers import _window
from jaxdl.layers.dense import Linear


class AdditiveAttention(nnx.Module):
    """Attend by a small network of query and key: ``score = v^T tanh(W s + U a)``.

    What all attention layers have in common: they map a query (batch, queries, features), keys (batch, steps,
    features) and values (batch, steps, features) to an `Attended`: the context (batch, queries, features) and
    the weights. A mask is boolean, True where attended: (batch, steps) or (batch, queries, steps), where any
    axis but the last may be 1. Where nothing is attended both are 0; what stands at a step that no query
    attends, NaN included, changes no bit of outputs and gradients.

    Args:
        query_features: size of the last axis of the query.
        key_features: size of the last axis of the keys.
        units: hidden units of the small network.
        rngs: the random streams of the constructor.

    Raises:
        ShapeError: arrays of other shapes, or a mask that does not fit.
        DtypeError: arrays that are not floating, or a mask that is not boolean.
        ValueError: a size below 1.

    Example:
        >>> import jax.numpy as jnp
        >>> layer = AdditiveAttention(4, 6, 5, rngs=nnx.Rngs(0))
        >>> context, weights = layer(jnp.ones((2, 1, 4)), jnp.ones((2, 3, 6)))
        >>> context.shape, weights.shape
        ((2, 1, 6), (2, 1, 3))

    Reference:
        Bahdanau, Cho and Bengio (2015), appendix A.1.2.
    """

    def __init__(self, query_features: int, key_features: int, units: int, *, rngs: nnx.Rngs) -> None:
        given = {"query_features": query_features, "key_features": key_features, "units": units}
        sizes = {name: _checks.positive_integer("AdditiveAttention", name, n) for name, n in given.items()}
        self.key_features = sizes["key_features"]
        units, draw = sizes["units"], xavier()
        self.query_kernel = nnx.Param(draw(rngs.params(), (sizes["query_features"], units)))
        self.key_kernel = nnx.Param(draw(rngs.params(), (self.key_features, units)))
        self.vector = nnx.Param(draw(rngs.params(), (units, 1))[:, 0])

    def project(self, keys: jax.Array, *, mask: jax.Array | None = None) -> jax.Array:
        """Return ``U a`` of keys (batch, steps, key features), for many calls.

        Steps where the mask (batch, steps) is False may hold anything; without one, a NaN in padding would
        come through in the gradient of U.
        """
        op = "AdditiveAttention"
        _check_features(op, "keys", keys, self.key_features)
        with _window.named_errors():
            mask = parts.checked_mask(op, mask, keys[:, :1], keys)
        return (keys if mask is None else jnp.where(mask[:, 0, :, None], keys, 0)) @ self.key_kernel[...]

    def __call__(
        self,
        query: jax.Array,
        keys: jax.Array,
        values: jax.Array | None = None,
        *,
        mask: jax.Array | None = None,
        projected: bool = False,
    ) -> Attended:
        """Attend to values, by default the keys; `projected` keys are what `project` returned."""
        if projected and values is None:
            raise ValueError(
                explain("AdditiveAttention", "values", got="None", expected="values beside projected keys",
                        fix="layer(query, layer.project(keys, mask=mask), keys, mask=mask, projected=True)")
            )  # fmt: skip
        kernel = None if projected else self.key_kernel[...]
        with _window.named_errors():
            return attention.additive_attention(
                query, keys, keys if values is None else values, self.query_kernel[...], kernel,
                self.vector[...], mask=mask,
            )  # fmt: skip


class DotAttention(nnx.Module):
    """Attend by the dot product of query and key: ``score = s . a / sqrt(features)``, no parameters.

    Args:
        scaled: divide by the root of the features; False leaves the product as it is.

    Raises:
        ShapeError: arrays of other shapes, or a mask that does not fit.
        DtypeError: arrays that are not floating, or a mask that is not boolean.
        ValueError: `scaled` is neither True nor False.

    Example:
        >>> import jax.numpy as jnp
        >>> keys = jnp.array([[[0.0, 0.0], [9.0, 9.0]]])
        >>> DotAttention(scaled=False)(jnp.ones((1, 1, 2)), keys).context.round(3).tolist()
        [[[9.0, 9.0]]]

    Reference:
        Luong, Pham and Manning (2015); Vaswani et al. (2017) for the scale.
    """

    def __init__(self, *, scaled: bool = True) -> None:
        _checks.one_of("DotAttention", "scaled", scaled, (True, False))
        self.scaled = scaled

    def __call__(
        self,
        query: jax.Array,
        keys: jax.Array,
        values: jax.Array | None = None,
        *,
        mask: jax.Array | None = None,
    ) -> Attended:
        """Attend to values (batch, steps, features), by default the keys."""
        attend = attention.scaled_dot_attention if self.scaled else attention.dot_attention
        with _window.named_errors():
            return attend(query, keys, keys if values is None else values, mask=mask)


class MultiHeadAttention(nnx.Module):
    """Attend with several heads: project query, keys and values, attend by shares, project the contexts.

    ``y = [head_1; ...; head_n] O`` with ``head_i = softmax(q_i k_i^T / sqrt(features / n)) v_i`` and q, k and
    v the projections of query, keys and values, each with a bias. A query that attends nothing gets 0, not
    the bias. In self-attention, where the call leaves the keys out, a step at which a mask (batch, steps) is
    False is padding and does not ask either; a mask with a row for each query says itself which of them ask.

    Args:
        features: size of the last axis of the query and of the output.
        num_heads: how many; it divides the features.
        key_features: size of the last axis of the keys; None for `features`.
        value_features: size of the last axis of the values; None for that of the keys.
        use_bias: whether the four projections have a bias.
        causal: let query i attend to the steps 0 to i alone.
        implementation: formulation of `jaxdl.kernels.attention.multi_head_attention`.
        rngs: the random streams of the constructor.

    Raises:
        ShapeError: arrays of other shapes, or a mask that does not fit.
        DtypeError: arrays that are not floating, or a mask that is not boolean.
        ValueError: a size below 1, features that the heads do not divide, a flag that is neither True nor
            False, an implementation that is unknown or, when called, does not take these arrays.

    Example:
        >>> import jax.numpy as jnp
        >>> layer = MultiHeadAttention(8, 2, causal=True, rngs=nnx.Rngs(0))
        >>> context, weights = layer(jnp.ones((2, 5, 8)))
        >>> context.shape, weights.shape, weights[0, 0, 1].tolist()
        ((2, 5, 8), (2, 2, 5, 5), [0.5, 0.5, 0.0, 0.0, 0.0])

    Reference:
        Vaswani et al. (2017), section 3.2.2. With its weights equals ``torch.nn.MultiheadAttention(features,
        num_heads, batch_first=True)``, whose masks are True where *not* attended.
    """

    def __init__(
        self,
        features: int,
        num_heads: int,
        *,
        key_features: int | None = None,
        value_features: int | None = None,
        use_bias: bool = True,
        causal: bool = False,
        implementation: str | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        op = "MultiHeadAttention"
        features = _checks.positive_integer(op, "features", features)
        self.num_heads = _checks.positive_integer(op, "num_heads", num_heads)
        if features % num_heads:
            raise ValueError(
                explain(op, "features", got=features, expected=f"a multiple of the {num_heads} heads",
                        fix=f"features={-(-features // num_heads) * num_heads}")
            )  # fmt: skip
        for name, flag in (("use_bias", use_bias), ("causal", causal)):
            _checks.one_of(op, name, flag, (True, False))
        _checks.one_of(op, "implementation", implementation, (None, *attention.IMPLEMENTATIONS))
        self.causal, self.implementation = causal, implementation
        key_features = features if key_features is None else key_features
        self.features, self.key_features = (
            features,
            _checks.positive_integer(op, "key_features", key_features),
        )
        value_features = key_features if value_features is None else value_features
        self.value_features = _checks.positive_integer(op, "value_features", value_features)
        options: dict[str, Any] = {"kernel_init": xavier(), "use_bias": use_bias, "rngs": rngs}
        self.query = Linear(features, features, **options)
        self.key = Linear(self.key_features, features, **options)
        self.value = Linear(self.value_features, features, **options)
        self.out = Linear(features, features, **options)

    def __call__(
        self,
        query: jax.Array,
        keys: jax.Array | None = None,
        values: jax.Array | None = None,
        *,
        mask: jax.Array | None = None,
    ) -> Attended:
        """Attend to values, by default the keys, and these by default the query: self-attention.

        The mask may be (batch, heads, queries, steps) too, and so are the weights that are returned.
        """
        alone = keys is None
        keys = query if keys is None else keys
        values = keys if values is None else values
        sizes = (self.features, self.key_features, self.value_features)
        op = "MultiHeadAttention"
        for name, array, size in zip(("query", "keys", "values"), (query, keys, values), sizes):
            _check_features(op, name, array, size)
        with _window.named_errors():
            parts.check_arrays(op, query, keys, values)
            mask = parts.checked_mask(op, mask, query, keys, heads=self.num_heads)
            mask = self._whole(mask, query.shape[1], keys.shape[1], alone=alone)
            # Before the projections, whose gradients would be NaN from a NaN in the padding.
            query, keys, values = parts.cleaned(query, keys, values, mask)
            context, weights = attention.multi_head_attention(
                self.query(query), self.key(keys), self.value(values), num_heads=self.num_heads, mask=mask,
                implementation=self.implementation,
            )  # fmt: skip
        context = self.out(context)
        if mask is not None:
            asking = (mask.any(1) if mask.ndim == 4 else mask).any(-1)
            context = jnp.where(asking[..., None], context, 0)
        return Attended(context, weights)

    def _whole(self, mask: jax.Array | None, queries: int, steps: int, *, alone: bool) -> jax.Array | None:
        """Return the mask with what `causal` and padding that would ask leave out of it."""
        if mask is not None and alone and mask.shape[-2] == 1:
            there = mask.any(1, keepdims=True) if mask.ndim == 4 else mask
            mask = mask & jnp.swapaxes(there, -1, -2)
        if not self.causal:
            return mask
        before = jnp.tril(jnp.ones((queries, steps), bool))[None]
        return before if mask is None else mask & before


def _check_features(op: str, name: str, array: Any, features: int) -> None:
    array = _checks.floating(op, name, array)
    if array.ndim != 3 or array.shape[-1] != features:
        raise ShapeError(
            explain(op, name, got=f"of shape {array.shape}",
                    expected=f"(batch, steps, {features})", fix="batch first, features last")
        )  # fmt: skip
