"""Attention: a query looks at the steps of a sequence, each with its weight, and gets the weighted sum.

``weights = softmax(scores)`` over the steps that the mask attends, ``context = weights values``. Kinds differ
in their scores. A step that no query attends, and a query that attends none, may hold anything, NaN too:
weights and context are 0 there, and no bit of any other output or gradient depends on it.
"""

import math
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from . import _attention_parts as parts

# Forward and backward on two cores, ms of processor time of plain and xla, at (batch, queries, steps,
# features, heads): (32, 64, 64, 128, 4) 6.4 and 7.5, (64, 1, 30, 128, 1) 0.4 both, (4, 512, 512, 256, 8) 151
# and 291.
IMPLEMENTATIONS = ("plain", "xla", "cudnn")


class Attended(NamedTuple):
    """What attention returns.

    Attributes:
        context: the weighted sums, (batch, queries, value features).
        weights: (batch, queries, steps), or (batch, heads, queries, steps); each row has the sum 1, or is
            all 0 where nothing is attended.
    """

    context: jax.Array
    weights: jax.Array


def attend(scores: jax.Array, values: jax.Array, *, mask: jax.Array | None = None) -> Attended:
    """Weigh values by any scores: ``weights = softmax(scores)``, ``context = weights values``.

    Args:
        scores: (batch, queries, steps), floating. What stands where the mask is False is not read.
        values: (batch, steps, features), floating. NaN is allowed at steps that no query attends.
        mask: boolean, True where attended: (batch, steps) or (batch, queries, steps), where any axis but the
            last may be 1. None attends to all.

    Returns:
        `Attended`: context (batch, queries, features) and weights (batch, queries, steps).

    Raises:
        ValueError: shapes that do not fit each other.
        TypeError: arrays that are not floating, or of different dtypes; a mask that is not boolean.

    Example:
        >>> values = jnp.array([[[1.0], [3.0], [jnp.nan]]])
        >>> attended = attend(jnp.zeros((1, 1, 3)), values, mask=jnp.array([[True, True, False]]))
        >>> attended.context.tolist(), attended.weights.tolist()
        ([[[2.0]]], [[[0.5, 0.5, 0.0]]])
    """
    parts.check_floating("attend", "scores", scores)
    if scores.ndim != 3:
        got, expected = f"of shape {scores.shape}", "(batch, queries, steps)"
        raise ValueError(parts.words("attend", "scores", got, expected, "scores[:, None] for one query"))
    parts.check_floating("attend", "values", values)
    parts.same_dtype("attend", "values", values, scores, of="scores")
    steps = (scores.shape[0], scores.shape[2])
    if values.ndim != 3 or values.shape[:2] != steps or not steps[1]:
        got, expected = f"of shape {values.shape}", f"(batch, steps, features), {steps} those of 'scores'"
        raise ValueError(parts.words("attend", "values", got, expected, "one value a step, at least one"))
    mask = parts.checked_mask("attend", mask, scores, values)
    if mask is not None:
        values = jnp.where(mask.any(1)[..., None], values, 0)
    return _weighted(scores, values, mask)


def additive_attention(
    query: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    query_weight: jax.Array,
    key_weight: jax.Array | None,
    vector: jax.Array,
    *,
    mask: jax.Array | None = None,
) -> Attended:
    """Attend by a small network of query and key: ``score = v^T tanh(W s + U a)``.

    Args:
        query: s, (batch, queries, query features), floating.
        keys: a, (batch, steps, key features); or ``U a``, (batch, steps, units), where `key_weight` is None:
            a decoder projects them once, and not at every step.
        values: (batch, steps, value features); often the keys.
        query_weight: W, (query features, units).
        key_weight: U, (key features, units), or None.
        vector: v, (units,).
        mask: boolean, True where attended: (batch, steps) or (batch, queries, steps), where any axis but the
            last may be 1. None attends to all.

    Returns:
        `Attended`: context (batch, queries, value features) and weights (batch, queries, steps).

    Raises:
        ValueError: shapes that do not fit each other.
        TypeError: arrays that are not floating, or of different dtypes; a mask that is not boolean.

    Example:
        >>> keys = jnp.array([[[0.0, 0.0], [9.0, 9.0]]])
        >>> one = jnp.ones((2, 1))
        >>> attended = additive_attention(jnp.zeros((1, 1, 2)), keys, keys, one, one, jnp.array([20.0]))
        >>> attended.context.round(3).tolist()
        [[[9.0, 9.0]]]

    Reference:
        Bahdanau, Cho and Bengio (2015), appendix A.1.2.
    """
    op = "additive_attention"
    parts.check_arrays(op, query, keys, values)
    units = _check_scorer(op, query, keys, query_weight, key_weight, vector)
    mask = parts.checked_mask(op, mask, query, keys)
    query, keys, values = parts.cleaned(query, keys, values, mask)
    asked = parts.product("bqf,fu->bqu", query, query_weight)
    offered = (
        keys.astype(asked.dtype) if key_weight is None else parts.product("bsf,fu->bsu", keys, key_weight)
    )
    hidden = jnp.tanh(asked[:, :, None] + offered[:, None])
    return _weighted(hidden.reshape(*hidden.shape[:3], units) @ vector.astype(hidden.dtype), values, mask)


def dot_attention(
    query: jax.Array, keys: jax.Array, values: jax.Array, *, mask: jax.Array | None = None
) -> Attended:
    """Attend by the dot product of query and key: ``score = s . a``.

    Args:
        query: s, (batch, queries, features), floating.
        keys: a, (batch, steps, features).
        values: (batch, steps, value features).
        mask: boolean, True where attended: (batch, steps) or (batch, queries, steps), where any axis but the
            last may be 1. None attends to all.

    Returns:
        `Attended`: context (batch, queries, value features) and weights (batch, queries, steps).

    Raises:
        ValueError: shapes that do not fit each other.
        TypeError: arrays that are not floating, or of different dtypes; a mask that is not boolean.

    Example:
        >>> keys = jnp.array([[[0.0, 0.0], [9.0, 9.0]]])
        >>> dot_attention(jnp.ones((1, 1, 2)), keys, keys).context.round(3).tolist()
        [[[9.0, 9.0]]]

    Reference:
        Luong, Pham and Manning (2015), section 3.1.
    """
    return _dot("dot_attention", query, keys, values, 1.0, mask)


def scaled_dot_attention(
    query: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    *,
    scale: float | jax.Array | None = None,
    mask: jax.Array | None = None,
) -> Attended:
    """Attend by the scaled dot product of query and key: ``score = s . a / sqrt(features)``.

    Args:
        query: s, (batch, queries, features), floating.
        keys: a, (batch, steps, features).
        values: (batch, steps, value features).
        scale: factor of the products; None for 1 / sqrt(features).
        mask: boolean, True where attended: (batch, steps) or (batch, queries, steps), where any axis but the
            last may be 1. None attends to all.

    Returns:
        `Attended`: context (batch, queries, value features) and weights (batch, queries, steps).

    Raises:
        ValueError: shapes that do not fit each other, or a scale that is not finite.
        TypeError: arrays that are not floating, or of different dtypes; a mask that is not boolean; a scale
            that is no number.

    Example:
        >>> keys = jnp.array([[[0.0, 0.0, 0.0, 0.0], [4.0, 4.0, 4.0, 4.0]]])
        >>> scaled_dot_attention(jnp.ones((1, 1, 4)), keys, keys).weights.round(2).tolist()
        [[[0.0, 1.0]]]

    Reference:
        Vaswani et al. (2017), equation 1. Equals ``torch.nn.functional.scaled_dot_product_attention``.
    """
    op = "scaled_dot_attention"
    parts.check_arrays(op, query, keys, values)
    return _dot(op, query, keys, values, _checked_scale(op, scale, query.shape[-1]), mask)


def multi_head_attention(
    query: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    *,
    num_heads: int,
    mask: jax.Array | None = None,
    causal: bool = False,
    scale: float | None = None,
    implementation: str | None = None,
) -> Attended:
    """Attend with several heads: scaled dot attention of each share of the features for itself.

    Args:
        query: (batch, queries, heads x features), floating.
        keys: (batch, steps, heads x features).
        values: (batch, steps, heads x value features).
        num_heads: how many; it divides the features.
        mask: boolean, True where attended: (batch, steps), (batch, queries, steps) or (batch, heads, queries,
            steps), where any axis but the last may be 1. None attends to all.
        causal: let query i attend to the steps 0 to i alone.
        scale: factor of the products; None for 1 / sqrt(features of a head).
        implementation: ``"plain"``; or ``"xla"`` or ``"cudnn"``, for `jax.nn.dot_product_attention`, which
            takes values as wide as keys, and no float64. ``"cudnn"`` is for NVIDIA GPUs and half precision;
            it keeps no weights, so these are computed beside it where a compiled program uses them. None is
            ``"plain"``.

    Returns:
        `Attended`: context (batch, queries, heads x value features), weights (batch, heads, queries, steps).

    Raises:
        ValueError: shapes that do not fit each other or the heads, a scale that is not finite, an unknown
            implementation, or one that does not take these arrays.
        TypeError: arrays that are not floating, or of different dtypes; a mask that is not boolean; a scale
            that is no number.

    Example:
        >>> x = jnp.ones((2, 5, 6))
        >>> context, weights = multi_head_attention(x, x, x, num_heads=3, causal=True)
        >>> context.shape, weights.shape, weights[0, 0, 1].tolist()
        ((2, 5, 6), (2, 3, 5, 5), [0.5, 0.5, 0.0, 0.0, 0.0])

    Reference:
        Vaswani et al. (2017), section 3.2.2, without the projections.
    """
    op = "multi_head_attention"
    parts.check_arrays(op, query, keys, values)
    parts.check_features(op, query, keys)
    _check_heads(num_heads, query, values)
    factor = _checked_scale(op, scale, query.shape[-1] // num_heads)
    _check_implementation(implementation, query, keys, values)
    mask = parts.checked_mask(op, mask, query, keys, heads=num_heads)
    mask = mask[:, None] if mask is not None and mask.ndim == 3 else mask
    if causal:
        before = jnp.tril(jnp.ones((query.shape[1], keys.shape[1]), bool))[None, None]
        mask = before if mask is None else mask & before
    q, k, v = (
        array.reshape(*array.shape[:2], num_heads, array.shape[2] // num_heads)
        for array in parts.cleaned(query, keys, values, mask)
    )
    scores = parts.product("bqhf,bshf->bhqs", q, k) * factor
    weights = parts.softmax(scores, mask).astype(values.dtype)
    if implementation in (None, "plain"):
        context = parts.product("bhqs,bshf->bqhf", weights, v)
    else:
        how: Literal["xla", "cudnn"] = "cudnn" if implementation == "cudnn" else "xla"
        context = jax.nn.dot_product_attention(q, k, v, mask=mask, scale=factor, implementation=how)
        if mask is not None:
            # Where nothing is attended, jax gives the mean over all steps.
            some = jnp.broadcast_to(mask.any(-1), weights.shape[:-1])
            context = jnp.where(jnp.swapaxes(some, 1, 2)[..., None], context, 0)
    shape = (*query.shape[:2], values.shape[-1])
    return Attended(context.reshape(shape).astype(values.dtype), weights)


def _dot(
    op: str, query: jax.Array, keys: jax.Array, values: jax.Array, scale: Any, mask: jax.Array | None
) -> Attended:
    parts.check_arrays(op, query, keys, values)
    parts.check_features(op, query, keys)
    mask = parts.checked_mask(op, mask, query, keys)
    query, keys, values = parts.cleaned(query, keys, values, mask)
    return _weighted(parts.product("bqf,bsf->bqs", query, keys) * scale, values, mask)


def _weighted(scores: jax.Array, values: jax.Array, mask: jax.Array | None) -> Attended:
    weights = parts.softmax(scores, mask).astype(values.dtype)
    return Attended(parts.product("bqs,bsf->bqf", weights, values).astype(values.dtype), weights)


def _check_scorer(
    op: str, query: jax.Array, keys: jax.Array, query_weight: Any, key_weight: Any, vector: Any
) -> int:
    """Return the units of the small network, or raise where its parameters do not fit."""
    given = {"query_weight": query_weight, "key_weight": key_weight, "vector": vector}
    for name, array in given.items():
        if name != "key_weight" or array is not None:
            parts.check_floating(op, name, array)
            parts.same_dtype(op, name, array, query)
    units = vector.shape[0] if vector.ndim == 1 else 0
    shapes = {"query_weight": (query.shape[-1], units), "vector": (units,)}
    if key_weight is not None:
        shapes["key_weight"] = (keys.shape[-1], units)
    elif keys.shape[-1] != units:
        expected = f"{units} units, those of 'vector', as key_weight=None says that they are projected"
        raise ValueError(parts.words(op, "keys", f"of shape {keys.shape}", expected, "pass key_weight"))
    for name, shape in shapes.items():
        if given[name].shape != shape or units == 0:
            expected = str(shape) if units else f"{shape[:-1]} and at least one unit"
            fix = "(features, units) of query and keys, and (units,)"
            raise ValueError(parts.words(op, name, f"of shape {given[name].shape}", expected, fix))
    return units


def _check_heads(num_heads: Any, query: jax.Array, values: jax.Array) -> None:
    op = "multi_head_attention"
    if not isinstance(num_heads, int) or isinstance(num_heads, bool) or num_heads < 1:
        expected = "a whole number of at least 1"
        raise ValueError(parts.words(op, "num_heads", repr(num_heads), expected, "num_heads=4"))
    for name, array in (("query", query), ("values", values)):
        if array.shape[-1] % num_heads:
            expected = f"a multiple of the {num_heads} heads"
            raise ValueError(
                parts.words(op, name, f"of {array.shape[-1]} features", expected, "other num_heads")
            )


def _checked_scale(op: str, scale: Any, features: int) -> Any:
    if scale is None:
        return 1 / math.sqrt(features)
    if not isinstance(scale, int | float) and not hasattr(scale, "dtype"):
        raise TypeError(parts.words(op, "scale", repr(scale), "a number", "scale=None"))
    if isinstance(scale, int | float) and not math.isfinite(scale):
        raise ValueError(parts.words(op, "scale", repr(scale), "a finite number", "scale=None"))
    return scale


def _check_implementation(implementation: Any, query: jax.Array, keys: jax.Array, values: jax.Array) -> None:
    op = "multi_head_attention"
    if implementation not in (None, *IMPLEMENTATIONS):
        expected = f"None or one of {IMPLEMENTATIONS}"
        raise ValueError(
            parts.words(op, "implementation", repr(implementation), expected, "implementation=None")
        )
    if implementation in ("xla", "cudnn"):
        if query.dtype == jnp.float64:
            got, expected = f"{implementation!r}, with float64", "'plain', as jax rounds to float32"
            raise ValueError(parts.words(op, "implementation", got, expected, "implementation=None"))
        if keys.shape[-1] != values.shape[-1]:
            got = f"{implementation!r}, with {keys.shape[-1]} and {values.shape[-1]} features"
            expected = "'plain', or values as wide as keys"
            raise ValueError(parts.words(op, "implementation", got, expected, "implementation=None"))
