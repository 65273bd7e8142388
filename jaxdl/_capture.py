"""Outputs of the modules inside an NNX module, taken while it is called."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _trees

_LOCK = threading.RLock()


class Found(NamedTuple):
    """One output: where, of what kind of module, and the array."""

    path: str
    kind: str
    value: Any


@contextlib.contextmanager
def outputs(module: nnx.Module) -> Iterator[list[Found]]:
    """Collect the outputs of the modules inside `module`, in the order of the calls, while open.

    flax's own `nnx.capture` passes over methods that a class inherits, and adds state to the modules.
    """
    found: list[Found] = []
    parts = [(path, part) for path, part in nnx.iter_modules(module) if path]
    paths = {id(part): "/".join(map(str, path)) for path, part in parts}

    def keep(part: Any, result: Any) -> None:
        if id(part) in paths:
            kind = str(vars(part).get("kind", type(part).__name__))
            found.extend(arrays(paths[id(part)], kind, result))

    with _LOCK, contextlib.ExitStack() as patches:
        for kind in {type(part) for _, part in parts}:
            if any("__call__" in vars(base) for base in kind.__mro__):
                patches.enter_context(_patched(kind, keep))
        yield found
    found[:] = [item for item in found if _alive(item.value)]


def arrays(path: str, kind: str, result: Any) -> list[Found]:
    """Return the floating arrays of one output, which may be a tree, by path."""
    leaves = _trees.named_leaves(result).items()
    return [
        Found(f"{path}/{inner}" if inner else path, kind, leaf)
        for inner, leaf in leaves
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating)
    ]


def numbered(found: list[Found]) -> dict[str, Found]:
    """Return the outputs by path; a module that was called again appears again, as ``path#2``."""
    named: dict[str, Found] = {}
    for item in found:
        calls = sum(other.path == item.path for other in named.values())
        named[f"{item.path}#{calls + 1}" if calls else item.path] = item
    return named


@contextlib.contextmanager
def _patched(kind: type, keep: Callable[[Any, Any], None]) -> Iterator[None]:
    original, own = kind.__call__, "__call__" in vars(kind)  # type: ignore[operator]

    @functools.wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        # A subclass that calls super() comes by here too, and is kept at its own call.
        if type(self) is kind:
            keep(self, result)
        return result

    type.__setattr__(kind, "__call__", call)
    try:
        yield
    finally:
        if own:
            type.__setattr__(kind, "__call__", original)
        else:
            type.__delattr__(kind, "__call__")


def _alive(value: jax.Array) -> bool:
    """Tell whether a value left the scan, remat or jit inside the network that it was computed in."""
    try:
        jax.lax.neg(value)
    except jax.errors.UnexpectedTracerError:
        return False
    return True
