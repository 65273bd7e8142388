"""What is asked of a function that a caller hands over: its arguments by name, one number as its output."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _trees
from jaxdl.errors import DtypeError, ShapeError, explain

NUMBERS = (jax.Array, np.ndarray, np.generic, int, float, complex)


def named_arguments(op: str, f: Any, args: tuple[Any, ...]) -> dict[str, Any]:
    """Return the positional arguments by the names of the parameters that take them."""
    if not callable(f):
        raise TypeError(
            explain(op, "f", got=f"a {type(f).__name__}", expected="a function of arrays",
                    fix="pass the function first, then its arguments")
        )  # fmt: skip
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except ValueError:
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names += [f"argument{index}" for index in range(len(names), len(args))]
    return dict(zip(names, args))


def scalar_output(op: str, f: Callable[..., Any], *args: Any) -> jax.ShapeDtypeStruct:
    """Return the shape and dtype of ``f(*args)``, or raise unless it is one floating number."""
    out = jax.eval_shape(f, *args)
    if not isinstance(out, jax.ShapeDtypeStruct):
        raise DtypeError(
            explain(op, "f", got=f"a function that returns a {type(out).__name__}",
                    expected="one that returns one number", fix="return the loss alone")
        )  # fmt: skip
    if out.shape != ():
        raise ShapeError(
            explain(op, "f", got=f"a function whose output has shape {out.shape}", expected="a scalar output",
                    fix="reduce it, as by jnp.sum or jnp.mean")
        )  # fmt: skip
    if not jnp.issubdtype(out.dtype, jnp.floating):
        raise DtypeError(
            explain(op, "f", got=f"a function whose output is of dtype {out.dtype}",
                    expected="a floating dtype", fix="return the loss, not a count")
        )  # fmt: skip
    return out


def concrete(op: str, tree: Any) -> None:
    """Raise `DtypeError` when a leaf is traced: what is reported must be known numbers."""
    for name, leaf in _trees.named_leaves(tree).items():
        if isinstance(leaf, jax.core.Tracer):
            raise DtypeError(
                explain(op, name, got="traced", expected="known numbers", fix="call it outside jit and grad")
            )  # fmt: skip


def differentiable(op: str, tree: dict[str, Any]) -> None:
    """Raise unless a tree of named arguments has entries, and all of them are floating."""
    leaves = _trees.named_leaves(tree)
    if sum(jnp.size(leaf) for leaf in leaves.values()) == 0:
        raise ValueError(
            explain(op, ", ".join(tree), got="without any entry",
                    expected="at least one number to differentiate by", fix="pass arrays that are not empty")
        )  # fmt: skip
    for name, leaf in leaves.items():
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise DtypeError(
                explain(op, name, got=f"of dtype {jnp.result_type(leaf)}",
                        expected="floating, as it is differentiated by",
                        fix="close over what is no parameter, or leave it out of argnums")
            )  # fmt: skip


def numbers(op: str, tree: Any) -> None:
    """Raise unless every leaf is an array of numbers, and finite where it is known and floating."""
    for name, leaf in _trees.named_leaves(tree).items():
        if not isinstance(leaf, NUMBERS):
            raise DtypeError(
                explain(op, name, got=f"a {type(leaf).__name__}", expected="numbers",
                        fix="close over what is no array: lambda w: f(w, option)")
            )  # fmt: skip
        known = not isinstance(leaf, jax.core.Tracer)
        floating = known and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        # NumPy keeps float64: 1e300 is finite.
        if floating and not np.isfinite(np.asarray(leaf)).all():
            raise ValueError(
                explain(op, name, got="not finite", expected="finite numbers",
                        fix="choose a point where the function is defined")
            )  # fmt: skip
