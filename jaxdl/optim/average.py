"""Exponentially weighted averages, of number series and of parameters, with bias correction."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdl import _checks, _hyper
from jaxdl.errors import DtypeError, explain
from jaxdl.optim.rate import Scalar


class Average(NamedTuple):
    """An exponentially weighted average under way.

    Attributes:
        raw: v, not corrected; the tree that is averaged, in float32 or wider.
        weight: ``1 - beta^t``, the sum of the weights in v; 0 before the first value.
    """

    raw: Any
    weight: jax.Array


def ema(series: jax.Array, *, decay: Scalar, debias: bool = True) -> jax.Array:
    """Smooth a series: ``v <- beta v + (1 - beta) x``, read as ``v / (1 - beta^t)`` at every t.

    Args:
        series: (time, ...), floating.
        decay: beta, in [0, 1), or a traced scalar; about ``1 / (1 - beta)`` values are averaged.
        debias: divide by ``1 - beta^t`` (bias correction), without which the start is drawn to 0.

    Returns:
        The averages, of the shape and dtype of `series`.

    Raises:
        ShapeError: `series` is a scalar.
        DtypeError: `series` is not floating.
        ValueError: a concrete `decay` out of range.

    Example:
        >>> ema(jnp.array([1.0, 1.0, 4.5]), decay=0.5).tolist()
        [1.0, 1.0, 3.0]
        >>> ema(jnp.array([1.0, 1.0, 4.5]), decay=0.5, debias=False).tolist()
        [0.5, 0.75, 2.625]

    Reference:
        ``optax.ema(decay, debias)``, applied to one value after the other.
    """
    series = _checks.floating("ema", "series", series)
    _checks.rank_at_least("ema", "series", series, 1, "(time, ...)")
    decay = _hyper.decay("ema", "decay", decay)

    def step(average: Average, value: jax.Array) -> tuple[Average, jax.Array]:
        average = update_average(average, value, decay=decay)
        return average, read_average(average, debias=debias)

    start = start_average(jax.ShapeDtypeStruct(series.shape[1:], series.dtype))
    return jax.lax.scan(step, start, series)[1].astype(series.dtype)


def start_average(like: Any) -> Average:
    """Begin an average: ``v = 0``, of weight 0.

    Args:
        like: a floating array, or a tree of them such as parameters, or their shapes.

    Returns:
        `Average`.

    Raises:
        DtypeError: a leaf is not floating.

    Example:
        >>> start_average(jnp.ones(2)).raw.tolist()
        [0.0, 0.0]
    """

    def zeros(leaf: Any) -> jax.Array:
        if not hasattr(leaf, "dtype"):
            leaf = _checks.array("start_average", "like", leaf)
        shape, dtype = leaf.shape, leaf.dtype
        if not jnp.issubdtype(dtype, jnp.floating):
            _checks.floating("start_average", "like", jnp.zeros(shape, dtype))
        return jnp.zeros(shape, jnp.float32 if jnp.finfo(dtype).bits < 32 else dtype)

    return Average(jax.tree.map(zeros, like), jnp.zeros((), jnp.result_type(float)))


def update_average(average: Average, value: Any, *, decay: Scalar) -> Average:
    """Add a value to an average: ``v <- beta v + (1 - beta) x``.

    Args:
        average: what `start_average` or this function returned.
        value: x, an array or tree like the one that is averaged.
        decay: beta, in [0, 1), or a traced scalar; it may change from value to value.

    Returns:
        The new `Average`; v is kept raw, the correction is made on reading.

    Raises:
        ValueError: a concrete `decay` out of range.
        ShapeError: `value` is unlike what is averaged.

    Example:
        >>> average = update_average(start_average(jnp.ones(1)), jnp.full(1, 4.0), decay=0.75)
        >>> average.raw.tolist(), read_average(average).tolist()
        ([1.0], [4.0])
    """
    decay = _hyper.decay("update_average", "decay", decay)

    def mix(raw: jax.Array, new: Any) -> jax.Array:
        new = _checks.array("update_average", "value", new)
        _checks.same_shape("update_average", "average", raw, "value", new)
        beta = jnp.asarray(decay, raw.dtype)
        return beta * raw + (1 - beta) * new.astype(raw.dtype)

    beta = jnp.asarray(decay, average.weight.dtype)
    return Average(jax.tree.map(mix, average.raw, value), beta * average.weight + (1 - beta))


def read_average(average: Average, *, debias: bool = True) -> Any:
    """Read an average: ``v / (1 - beta^t)``.

    Args:
        average: what `update_average` returned.
        debias: False reads v itself, raw.

    Returns:
        The average, like the tree that is averaged; NaN before the first value.

    Raises:
        DtypeError: `average` is no `Average`.

    Example:
        >>> average = update_average(start_average(jnp.ones(1)), jnp.full(1, 4.0), decay=0.75)
        >>> [float(read_average(average, debias=debias)[0]) for debias in (True, False)]
        [4.0, 1.0]
    """
    if not isinstance(average, Average):
        raise DtypeError(
            explain("read_average", "average", got=f"a {type(average).__name__}", expected="an Average",
                    fix="begin with start_average")
        )  # fmt: skip
    if not debias:
        return average.raw
    return jax.tree.map(lambda raw: raw / average.weight.astype(raw.dtype), average.raw)


def track_average(decay: Scalar) -> optax.GradientTransformation:
    """Keep an exponentially weighted average of the parameters; put it last in a chain.

    Args:
        decay: beta, in [0, 1), or a traced scalar.

    Returns:
        An optax transformation that changes no update; `averaged_params` reads it.

    Raises:
        ValueError: a concrete `decay` out of range; an update that is given no parameters.

    Example:
        >>> import optax
        >>> from jaxdl import optim
        >>> rule = optax.chain(optim.sgd(1.0), track_average(0.5))
        >>> w, state = jnp.ones(1), rule.init(jnp.ones(1))
        >>> for _ in range(2):
        ...     update, state = rule.update(jnp.ones(1), state, w)
        ...     w = w + update
        >>> float(w[0]), round(float(averaged_params(state, w)[0]), 3)
        (-1.0, -0.667)

    Reference:
        Polyak and Juditsky (1992), with exponential weights. Equals ``optax.ema`` of the parameters.
    """
    decay = _hyper.decay("track_average", "decay", decay)

    def update(updates: Any, state: Average, params: Any = None) -> tuple[Any, Average]:
        if params is None:
            raise ValueError(
                explain("track_average", "params", got="None", expected="the parameters",
                        fix="rule.update(gradients, state, params)")
            )  # fmt: skip
        return updates, update_average(state, optax.apply_updates(params, updates), decay=decay)

    return optax.GradientTransformation(start_average, update)


def averaged_params(opt_state: Any, params: Any) -> Any:
    """Return the averaged parameters that a `track_average` of the chain keeps.

    Args:
        opt_state: state of the optimizer.
        params: the parameters; those that are frozen are taken from here.

    Returns:
        A tree like `params`.

    Raises:
        ValueError: there is not exactly one average in the state.

    Example:
        >>> rule = track_average(0.9)
        >>> _, state = rule.update(jnp.zeros(1), rule.init(jnp.ones(1)), jnp.ones(1))
        >>> round(float(averaged_params(state, jnp.ones(1))[0]), 3)
        1.0
    """
    parts = jax.tree.leaves(opt_state, is_leaf=lambda part: isinstance(part, Average))
    found = [part for part in parts if isinstance(part, Average)]
    if len(found) != 1:
        raise ValueError(
            explain("averaged_params", "opt_state", got=f"a state with {len(found)} averages",
                    expected="one", fix="optax.chain(rule, optim.track_average(0.999))")
        )  # fmt: skip
    return jax.tree.map(
        lambda own, mean: own if isinstance(mean, optax.MaskedNode) else mean.astype(own.dtype),
        params, read_average(found[0]),
    )  # fmt: skip
