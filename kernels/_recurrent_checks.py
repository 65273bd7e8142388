"""What the recurrent kernels demand of their arguments, checked when they are traced."""

from typing import Any

import jax
import jax.numpy as jnp

from ._recurrent_cells import Cell, Weights


def inside(op: str, x: jax.Array, lengths: Any) -> jax.Array | None:
    """Return which steps are valid, (batch, time, 1)."""
    if lengths is None:
        return None
    batch, time, _ = x.shape
    found = jnp.asarray(lengths)
    if found.shape != (batch,) or not jnp.issubdtype(found.dtype, jnp.integer):
        got = f"of dtype {found.dtype} and shape {found.shape}"
        raise _bad(op, "lengths", got, f"integers of shape {(batch,)}", "one length a sequence")
    if not isinstance(lengths, jax.core.Tracer):
        numbers = [int(number) for number in jax.device_get(lengths)]
        if min(numbers, default=0) < 0 or max(numbers, default=0) > time:
            raise _bad(op, "lengths", numbers, f"within [0, {time}]", "pad to the longest")
    return (jnp.arange(time, dtype=jnp.int32)[None] < found[:, None])[..., None]


def check(op: str, cell: Cell, x: Any, carry: Any, weights: Any, axes: tuple[str, ...]) -> None:
    """Raise unless all arrays are of one floating dtype and fit each other."""
    if not isinstance(weights, Weights):
        raise _wrong(op, "weights", f"a {type(weights).__name__}", "recurrent.Weights", "Weights(w, u, b)")
    if cell.kind == "lstm" and not (isinstance(carry, tuple | list) and len(carry) == 2):
        raise _wrong(op, "carry", f"a {type(carry).__name__}", "the pair (h, c)", "carry=(h, c)")
    _check_dtypes(op, x, carry, weights)
    if x.ndim != len(axes) or 0 in x.shape:
        got, fix = f"of shape {x.shape}", "add or take out an axis; at least one step"
        raise _bad(op, "x", got, f"({', '.join(axes)}), none of them 0", fix)
    features = (jnp.shape(weights.recurrent) or (0,))[0]
    state, states = (x.shape[0], features), "carry" if cell.kind == "lstm" else "h"
    if any(jnp.shape(part) != state for part in carry):
        shapes = " and ".join(str(jnp.shape(part)) for part in carry)
        raise _bad(op, states, f"of shape {shapes}", f"(batch, features), here {state}",
                   "one state of every sequence, as wide as the weights")  # fmt: skip
    wide, looks = cell.gates * features, (cell.gates - 1, features)
    expected = ((x.shape[-1], wide), (features, wide), (wide,),
                (features,) if cell.reset == "after" else None,
                looks if cell.kind == "lstm" else None)  # fmt: skip
    for name, array, shape in zip(Weights._fields, weights, expected):
        if array is None and name in ("recurrent_bias", "peephole"):
            continue
        found = None if array is None else array.shape
        if shape is None or found != shape:
            raise _bad(op, f"weights.{name}", f"of shape {found}", f"{shape}" if shape else "None",
                       f"{cell.gates} gates of {features} features, side by side" if shape
                       else "leave it out: this cell has none")  # fmt: skip


def _check_dtypes(op: str, x: Any, carry: Any, weights: Weights) -> None:
    """Raise unless everything is floating and of the dtype of `x`."""
    named = {"x": x, **{f"weights.{part}": array for part, array in weights._asdict().items()}}
    states = carry if isinstance(carry, tuple | list) else (carry,)
    for name, array in [*named.items(), *(("carry", state) for state in states)]:
        if array is None and name != "x":
            continue
        dtype = getattr(array, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating) or dtype != x.dtype:
            got = f"a {type(array).__name__}" if dtype is None else f"of dtype {dtype}"
            expected = f"an array of dtype {x.dtype}, as 'x'" if name != "x" else "a floating array"
            raise _wrong(op, name, got, expected, f"{name}.astype(...): nothing is cast here")


def one_of(op: str, argument: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise unless `value` is one of `choices`."""
    if value not in choices:
        raise _bad(op, argument, repr(value), f"one of {choices}", "choose one of them")


def _bad(op: str, argument: str, got: Any, expected: str, fix: str) -> ValueError:
    return ValueError(f"{op}: argument '{argument}' is {got}; expected {expected}. Fix: {fix}")


def _wrong(op: str, argument: str, got: str, expected: str, fix: str) -> TypeError:
    return TypeError(str(_bad(op, argument, got, expected, fix)))
