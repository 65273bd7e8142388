"""Checks of hyperparameters: concrete ones out of range raise, traced ones turn to NaN, never to a number."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain


def arrays(op: str, argument: str, tree: Any) -> Any:
    """Return a tree of arrays, or raise `DtypeError` when a leaf is none."""
    for leaf in jax.tree.leaves(tree):
        if not (hasattr(leaf, "dtype") and hasattr(leaf, "ndim")):
            raise DtypeError(
                explain(op, argument, got=f"a tree with a {type(leaf).__name__}",
                        expected="a tree of arrays", fix="pass parameters, gradients or updates")
            )  # fmt: skip
    return tree


def poisoned(value: Any, low: float, high: float, *, above: bool = False) -> Any:
    """Return an array where it lies in [low, high), with `above` in (low, high), and NaN elsewhere.

    Python numbers are returned as they are, and dtypes stay, weak ones included; integers become weak floats.
    """
    if isinstance(value, int | float):
        return value
    reached = value > low if above else value >= low
    return jnp.where(reached & (value < high), value, jnp.nan)


def number(op: str, name: str, value: Any, low: float, high: float, text: str, *, above: bool = False) -> Any:
    """Return a scalar hyperparameter in [low, high), or (low, high) with `above`; poisoned if traced."""
    if isinstance(value, jax.core.Tracer) and np.ndim(value) != 0:
        raise ShapeError(
            explain(op, name, got=f"of shape {value.shape}", expected="one number",
                    fix=f"vmap over {name} for a sweep")
        )  # fmt: skip
    _checks.in_range(op, name, value, np.nextafter(low, high) if above else low, high, text)
    return poisoned(value, low, high, above=above) if isinstance(value, jax.core.Tracer) else value


def positive(op: str, name: str, value: Any) -> Any:
    """Return a scalar hyperparameter above 0."""
    return number(op, name, value, 0, np.inf, "(0, inf)", above=True)


def not_negative(op: str, name: str, value: Any) -> Any:
    """Return a scalar hyperparameter of at least 0."""
    return number(op, name, value, 0, np.inf, "[0, inf)")


def decay(op: str, name: str, value: Any) -> Any:
    """Return the decay of an exponentially weighted average, in [0, 1)."""
    return number(op, name, value, 0, 1, "[0, 1)")


def rate(op: str, value: Any) -> Any:
    """Return a learning rate: a number of at least 0, or a schedule ``step -> rate`` that can be traced."""
    if not callable(value):
        return not_negative(op, "learning_rate", value)
    try:
        found = jax.eval_shape(lambda step: jnp.asarray(value(step)), jax.ShapeDtypeStruct((), jnp.int32))
    except TypeError as error:
        raise TypeError(
            explain(op, "learning_rate", got=f"a function that cannot be traced as a schedule ({error})",
                    expected="a function of one traced step count",
                    fix="lambda step: jnp.where(step < 100, 0.1, 0.01), or optim.warmup_cosine")
        ) from error  # fmt: skip
    if found.shape != ():
        raise ShapeError(
            explain(op, "learning_rate", got=f"a schedule that returns shape {found.shape}",
                    expected="a schedule that returns one number", fix="return a scalar")
        )  # fmt: skip
    return value
