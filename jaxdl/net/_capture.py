"""Outputs of the modules inside an NNX module, taken while it is called."""

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen, nnx
from flax.errors import TraceContextError

from jaxdl import _trees

_LOCK = threading.RLock()


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LayerOutput:
    """What a module inside a network returned.

    Attributes:
        value: the array, (batch, ...) as a rule.
        kind: name of the module's class, or the activation of a `jaxdl.layers.Activation`: ``"relu"``.
    """

    value: jax.Array
    kind: str = dataclasses.field(metadata={"static": True})


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
    marker = nnx.Variable(True)
    parts = [(path, part) for path, part in nnx.iter_modules(module) if path]
    paths = {id(part): "/".join(map(str, path)) for path, part in parts}

    def keep(part: Any, result: Any) -> None:
        if id(part) in paths and _same_trace(marker):
            kind = str(vars(part).get("kind", type(part).__name__))
            found.extend(arrays(paths[id(part)], kind, result))

    with _LOCK, contextlib.ExitStack() as patches:
        for kind in {type(part) for _, part in parts}:
            if any("__call__" in vars(base) for base in kind.__mro__):
                patches.enter_context(_patched(kind, keep))
        yield found


def arrays(path: str, kind: str, result: Any) -> list[Found]:
    """Return the floating arrays of one output, which may be a tree, by path."""
    leaves = _trees.named_leaves(result).items()
    return [
        Found(f"{path}/{inner}" if inner else path, kind, leaf)
        for inner, leaf in leaves
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating)
    ]


def named(found: list[Found]) -> dict[str, LayerOutput]:
    """Return the outputs by path; a module that was called again appears again, as ``path#2``."""
    outputs: dict[str, LayerOutput] = {}
    seen: dict[str, int] = {}
    for path, kind, value in found:
        seen[path] = seen.get(path, 0) + 1
        name = path if seen[path] == 1 else f"{path}#{seen[path]}"
        outputs[name] = LayerOutput(value, kind)
    return outputs


class LinenCalls:
    """The calls of a Linen module: `keep` is given to flax, which then stores what they return."""

    def __init__(self) -> None:
        self.kinds: dict[tuple[str, ...], str] = {}

    def keep(self, part: linen.Module, method: str) -> bool:
        """Say whether flax is to store the output of this method; only calls are stored."""
        if method == "__call__":
            self.kinds.setdefault(part.path, type(part).__name__)
        return method == "__call__"

    def outputs(self, collection: Mapping[str, Any]) -> list[Found]:
        """Return what flax stored, without the outermost call unless there is no other."""
        found = []
        for path in [path for path in self.kinds if path] or [()]:
            held = functools.reduce(lambda node, part: node[part], path, collection)
            for result in held["__call__"]:
                found += arrays("/".join(path) or "output", self.kinds[path], result)
        return found


@contextlib.contextmanager
def _patched(kind: type, keep: Callable[[Any, Any], None]) -> Iterator[None]:
    original, own = kind.__call__, "__call__" in vars(kind)

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


def _same_trace(marker: nnx.Variable) -> bool:
    """Tell whether we are in the trace that `marker` was made in, not in a scan, remat or jit inside it."""
    try:
        marker.set_value(True)
    except TraceContextError:
        return False
    return True
