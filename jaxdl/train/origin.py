"""Where a computation first left the finite numbers: the line of code, found by following flags backwards."""

import dataclasses
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend import core

import jaxdl

# Primitives that only call what they hold: followed to the inside.
CALLS = ("jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2", "custom_jvp_call", "custom_vjp_call")
CONSTANT = -1  # in the place of the number of a note, for what no argument enters
OURS = Path(jaxdl.__file__).parent
LIBRARIES = tuple(str(Path(module.__file__).parent) for module in (jax, flax, optax)) + (
    sysconfig.get_path("stdlib"),
)
SITE = sysconfig.get_path("purelib")


@dataclasses.dataclass(frozen=True)
class Origin:
    """The operation that made the first number that is not finite.

    Attributes:
        line: ``file:line in function``, and from where that was called where it is not the user's own code.
        operation: the primitive, such as ``log``; for an argument that was not finite its place, such as
            ``argument [1]['rate']``.
    """

    line: str
    operation: str


@dataclasses.dataclass(frozen=True)
class _Note:
    """One operation as it was traced: where it stands, and what made its operands."""

    operation: str
    frames: tuple[Any, ...]
    makers: frozenset[int]


def first_nonfinite(function: Callable[..., Any], *arguments: Any) -> Origin | None:
    """Find the operation that first made a number that is not finite and reaches an output.

    One call compiles the function once more, with a flag beside every operation. From an output that is not
    finite the flags are followed back to operations all of whose operands were finite; what is guarded by
    `jnp.where`, and so reaches no output, is never named. Inside `scan`, `while` and `cond` nothing is
    flagged: the loop itself is named.

    Args:
        function: a pure function of arrays.
        arguments: what it is called with.

    Returns:
        The `Origin` that comes first in the order of the program; None where every output is finite.

    Example:
        >>> origin = first_nonfinite(lambda x: jnp.sum(0 * jnp.log(x)), jnp.array([1.0, 0.0]))
        >>> origin.operation
        'log'
    """
    traced = jax.make_jaxpr(function)(*arguments)
    paths = jax.tree_util.tree_flatten_with_path(arguments)[0]
    names = [f"argument {jax.tree_util.keystr(path)}" for path, _ in paths]
    notes: list[_Note] = []
    outs: list[int] = []

    def flagged(*leaves: Any) -> tuple[list[jax.Array], list[jax.Array]]:
        notes[:] = [_Note(name, (), frozenset()) for name in names]
        flags = [_bad([leaf]) for leaf in leaves]
        found = _run(traced.jaxpr, traced.consts, list(zip(leaves, range(len(leaves)))), notes, flags)
        outs[:] = [maker for _, maker in found]
        return flags, [_bad([value]) for value, _ in found]

    flags, bad = jax.jit(flagged)(*(leaf for _, leaf in paths))
    roots = _roots(notes, np.array(flags, bool), [maker for maker, wrong in zip(outs, bad) if wrong])
    if not roots:
        return None
    note = notes[min(roots)]
    return Origin(line(note.frames), note.operation)


def _bad(values: Sequence[Any]) -> jax.Array:
    """Tell whether any entry of these arrays is NaN or infinite."""
    floats = [v for v in map(jnp.asarray, values) if jnp.issubdtype(v.dtype, jnp.inexact)]
    return jnp.any(jnp.array([jnp.any(~jnp.isfinite(value)) for value in floats] or [False]))


def _run(
    jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any], notes: list[_Note], flags: list[jax.Array]
) -> list[tuple[Any, int]]:
    """Evaluate a jaxpr on pairs (value, number of the note that made it); append notes and flags."""
    held: dict[Any, tuple[Any, int]] = dict(zip(jaxpr.constvars, [(const, CONSTANT) for const in consts]))
    held |= dict(zip(jaxpr.invars, arguments))

    def read(variable: Any) -> tuple[Any, int]:
        return (variable.val, CONSTANT) if isinstance(variable, core.Literal) else held[variable]

    for equation in jaxpr.eqns:
        operands = [read(variable) for variable in equation.invars]
        inner = _inner(equation)
        if inner is not None:
            results = _run(inner.jaxpr, inner.consts, operands, notes, flags)
        else:
            results = _apply(equation, operands, notes, flags)
        held |= dict(zip(equation.outvars, results))
    return [read(variable) for variable in jaxpr.outvars]


def _inner(equation: Any) -> Any:
    """Return the closed jaxpr that an equation only calls, or None."""
    if equation.primitive.name not in CALLS:
        return None
    found = next((equation.params[n] for n in ("jaxpr", "call_jaxpr", "fun_jaxpr") if n in equation.params), None)
    return core.ClosedJaxpr(found, ()) if isinstance(found, core.Jaxpr) else found


def _apply(equation: Any, operands: Any, notes: list[_Note], flags: list[jax.Array]) -> Any:
    parameters = equation.primitive.get_bind_params(equation.params)
    results = equation.primitive.bind(*(value for value, _ in operands), **parameters)
    results = results if equation.primitive.multiple_results else [results]
    makers = frozenset(maker for _, maker in operands if maker != CONSTANT)
    if operands and not makers:
        return [(value, CONSTANT) for value in results]
    flag = _bad(results)
    if equation.primitive.name == "select_n":
        # A constant that is infinite is meant, as in a mask: nobody is led to it.
        flag &= ~_bad([value for value, maker in operands if maker == CONSTANT])
    trace = equation.source_info.traceback
    notes.append(_Note(equation.primitive.name, tuple(trace.frames) if trace else (), makers))
    flags.append(flag)
    return [(value, len(notes) - 1) for value in results]


def _roots(notes: list[_Note], flags: np.ndarray, begin: Sequence[int]) -> set[int]:
    """Follow operations with bad results back to those without a bad operand."""
    waiting = {number for number in begin if number != CONSTANT and flags[number]}
    seen, roots = set(waiting), set()
    while waiting:
        number = waiting.pop()
        before = {maker for maker in notes[number].makers if flags[maker]}
        if not before:
            roots.add(number)
        waiting |= before - seen
        seen |= before
    return roots


def line(frames: Sequence[Any]) -> str:
    """Word the innermost of these frames that is the user's or ours, and who called it.

    Args:
        frames: with `file_name`, `line_num` and `function_name`, the innermost first.

    Returns:
        ``file:line in function``; for a line of jaxdl also the first line outside of it, up to the trainer.
        Empty where no frame is known.

    Example:
        >>> line(())
        ''
    """
    known = list(_own(frames))
    if not known:
        return ""
    user = next((frame for frame in known if OURS not in Path(frame.file_name).parents), None)
    called = f", called from {_word(user)}" if user is not None and user is not known[0] else ""
    return _word(known[0]) + called


def _own(frames: Sequence[Any]) -> Iterator[Any]:
    """Yield frames outside of the libraries, up to the trainer, which calls every loss and every network."""
    first = True
    for frame in frames:
        inside = any(frame.file_name.startswith(folder) for folder in LIBRARIES)
        if inside and not (frame.file_name.startswith(SITE) and not _library(frame.file_name)):
            continue
        if OURS / "train" in Path(frame.file_name).parents:
            if first:
                yield frame
            return
        first = False
        yield frame


def _library(file: str) -> bool:
    return any(file.startswith(folder) for folder in LIBRARIES[:-1])


def _word(frame: Any) -> str:
    path = Path(frame.file_name)
    short = path.relative_to(OURS.parent) if OURS in path.parents else path
    return f"{short}:{frame.line_num} in {frame.function_name}"
