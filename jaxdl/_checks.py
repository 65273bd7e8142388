"""Checks at the door of every public function, made at trace time: the compiled program has none of them."""

import inspect
import numbers
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import DtypeError, ShapeError, explain


def array(op: str, argument: str, value: Any) -> jax.Array:
    """Return `value` as a jax array, or raise `DtypeError` when it is neither an array nor a number."""
    if isinstance(value, jax.Array | np.ndarray | np.generic | numbers.Number):
        if isinstance(value, np.ndarray) and value.dtype.kind not in "biufcV":
            raise DtypeError(
                explain(op, argument, got=f"a NumPy array of dtype {value.dtype}",
                        expected="numbers", fix="encode the values as numbers first")
            )  # fmt: skip
        return jnp.asarray(value)
    raise DtypeError(
        explain(op, argument, got=f"a {type(value).__name__}", expected="an array",
                fix=f"pass jnp.asarray({argument})")
    )  # fmt: skip


def floating(op: str, argument: str, value: Any) -> jax.Array:
    """Return `value` as a floating array, or raise `DtypeError`."""
    out = array(op, argument, value)
    if not jnp.issubdtype(out.dtype, jnp.floating):
        raise DtypeError(
            explain(op, argument, got=f"of dtype {out.dtype}", expected="a floating dtype",
                    fix=f"{argument}.astype(jnp.float32)")
        )  # fmt: skip
    return out


def single(value: jax.Array) -> jax.Array:
    """Return a floating array in float32, or in float64 where it is that already."""
    return value if value.dtype == jnp.float64 else value.astype(jnp.float32)


def integer(op: str, argument: str, value: Any) -> jax.Array:
    """Return `value` as an integer array, or raise `DtypeError`."""
    out = array(op, argument, value)
    if not jnp.issubdtype(out.dtype, jnp.integer):
        raise DtypeError(
            explain(op, argument, got=f"of dtype {out.dtype}", expected="an integer dtype",
                    fix=f"{argument}.astype(jnp.int32)")
        )  # fmt: skip
    return out


def widened(labels: jax.Array) -> jax.Array:
    """Return narrow integers as int32: the number of classes would wrap around in uint8."""
    narrow = jnp.issubdtype(labels.dtype, jnp.integer) and labels.dtype.itemsize < 4
    return labels.astype(jnp.int32) if narrow else labels


def same_shape(op: str, first: str, a: jax.Array, second: str, b: jax.Array) -> None:
    """Raise `ShapeError` unless both shapes are equal: nothing is broadcast in silence."""
    if a.shape != b.shape:
        fix = "make the shapes equal; nothing is broadcast here"
        if a.size == b.size:
            fix = f"{second}.reshape({first}.shape)"
        raise ShapeError(
            explain(op, second, got=f"of shape {b.shape}",
                    expected=f"the shape of '{first}', {a.shape}", fix=fix)
        )  # fmt: skip


def rank_at_least(op: str, argument: str, value: jax.Array, rank: int, axes: str) -> None:
    """Raise `ShapeError` unless `value` has at least `rank` axes, named in `axes`."""
    if value.ndim < rank:
        raise ShapeError(
            explain(op, argument, got=f"of shape {value.shape}",
                    expected=f"at least {rank} axes, {axes}",
                    fix=f"{argument}[None] adds a leading axis")
        )  # fmt: skip


def axis_in(op: str, value: jax.Array, axis: int) -> int:
    """Return `axis` counted from 0, or raise `ShapeError` when the array has no such axis."""
    if not isinstance(axis, int) or not -value.ndim <= axis < value.ndim:
        raise ShapeError(
            explain(op, "axis", got=repr(axis), expected=f"an axis of an array of shape {value.shape}",
                    fix="pass axis=-1 for the last axis")
        )  # fmt: skip
    return axis % value.ndim


def one_of(op: str, argument: str, value: Any, choices: Collection[Any]) -> None:
    """Raise `ValueError` unless `value` is one of `choices`."""
    if not any(value is choice or value == choice for choice in choices):
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(
            explain(op, argument, got=repr(value), expected=f"one of {listed}",
                    fix=f"choose one of them for {argument}=")
        )  # fmt: skip


def positive_integer(op: str, argument: str, value: Any, *, least: int = 1) -> int:
    """Return `value` as an int, or raise when it is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise DtypeError(
            explain(op, argument, got=f"{value!r} ({type(value).__name__})",
                    expected="a whole number", fix=f"{argument}=int(...)")
        )  # fmt: skip
    if value < least:
        raise ValueError(
            explain(op, argument, got=value, expected=f"at least {least}",
                    fix=f"pass {argument}={least} or more")
        )  # fmt: skip
    return int(value)


def height_width(op: str, argument: str, value: Any, *, least: int = 1) -> tuple[int, int]:
    """Return height and width in pixels, or raise; one number is the side of a square."""
    sides = value if isinstance(value, tuple | list) else (value, value)
    if len(sides) != 2:
        raise ShapeError(
            explain(op, argument, got=repr(value), expected="a side, or (height, width), in pixels",
                    fix=f"pass {argument}=96 or {argument}=(96, 128)")
        )  # fmt: skip
    height, width = (positive_integer(op, argument, side, least=least) for side in sides)
    return height, width


def in_range(op: str, argument: str, value: Any, low: float, high: float, text: str) -> None:
    """Raise `ValueError` when a Python number lies outside [low, high); traced scalars pass."""
    if isinstance(value, jax.core.Tracer) and value.ndim == 0:
        return
    span = text[0] in "(["
    if value is None or isinstance(value, str | list | tuple) or np.ndim(value) != 0:
        raise DtypeError(
            explain(op, argument, got="None" if value is None else f"a {type(value).__name__}",
                    expected="a number", fix=f"pass {argument} as {'one number in ' * span}{text}")
        )  # fmt: skip
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not low <= number < high:
        got = value if isinstance(value, int | float) else f"{number:g}"
        raise ValueError(
            explain(
                op, argument, got=got, expected=text, fix=f"pass {argument} {'in' if span else 'as'} {text}"
            )
        )


def augmentation(op: str, argument: str, value: Any) -> None:
    """Raise `DtypeError` unless the function `value` can be called with a key and a batch."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # Some callables of C have none.
        return
    try:
        signature.bind(None, None)
    except TypeError:
        name = getattr(value, "__name__", type(value).__name__)
        fix = _as_augmentation(name, value, list(signature.parameters.values()))
        raise DtypeError(
            explain(op, argument, got=f"{name}({', '.join(signature.parameters)})",
                    expected="a function of two arguments, (key, x) -> y", fix=fix)
        ) from None  # fmt: skip


def _as_augmentation(name: str, value: Any, parameters: list[inspect.Parameter]) -> str:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [one for one in parameters if one.default is one.empty and one.kind not in variadic]
    placed = [one.name for one in needed if one.kind is not one.KEYWORD_ONLY]
    if len(placed) > 2:
        return f"{name} takes {placed[2]} too: call it in a step of your own"
    if getattr(value, "__module__", "").startswith("jaxdl.data.augment"):
        return f"augment.{name}({'...' if needed else ''})"
    return "lambda key, x: ..."


def key(op: str, value: Any) -> jax.Array:
    """Return a typed PRNG key, or raise `DtypeError` that names `jax.random.key`."""
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return value
    raise DtypeError(
        explain(op, "key", got=f"a {type(value).__name__}", expected="a typed PRNG key",
                fix="jax.random.key(seed)")
    )  # fmt: skip
