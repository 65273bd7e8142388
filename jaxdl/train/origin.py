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
from jax import lax
from jax.extend import core

import jaxdl

# Primitives that only call what they hold: followed to the inside.
CALLS = (
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "checkpoint",
    "remat2",
    "custom_jvp_call",
    "custom_vjp_call",
)
CONSTANT = -1  # in the place of the number of a note, for what no argument enters
OURS = Path(jaxdl.__file__).parent
LIBRARIES = tuple(str(Path(str(module.__file__)).parent) for module in (jax, flax, optax))
SITE, PYTHON = sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")


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
    """One operation as it was traced: where it stands, what made its operands, what a scan holds inside."""

    operation: str
    frames: tuple[Any, ...] = ()
    makers: frozenset[int] = frozenset()
    inside: tuple["_Note", ...] = ()
    ends: tuple[int, ...] = ()


def first_nonfinite(function: Callable[..., Any], *arguments: Any) -> Origin | None:
    """Find the operation that first made a number that is not finite and reaches an output.

    One call compiles the function once more, with a flag beside every operation. From an output that is not
    finite the flags are followed back to operations all of whose operands were finite; what is guarded by
    `jnp.where`, and so reaches no output, is never named. Inside `while` and `cond` nothing is flagged: the
    loop itself is named. In a `scan` the first bad round is followed back.

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
    return examine(function, *arguments)[1]


def examine(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Origin | None]:
    """Return what a function returns, and its `first_nonfinite`."""
    traced, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
    paths = jax.tree_util.tree_flatten_with_path(arguments)[0]
    names = [f"argument {jax.tree_util.keystr(path)}" for path, _ in paths]
    notes: list[_Note] = []
    makers: list[int] = []

    def flagged(*leaves: Any) -> tuple[list[Any], list[Any], list[jax.Array]]:
        notes[:] = [_Note(name) for name in names]
        flags: list[Any] = [_bad([leaf]) for leaf in leaves]
        found = _run(traced.jaxpr, traced.consts, list(zip(leaves, range(len(leaves)))), notes, flags)
        makers[:] = [maker for _, maker in found]
        values = [value for value, _ in found]
        return values, flags, [_bad([value]) for value in values]

    values, flags, bad = jax.jit(flagged)(*(leaf for _, leaf in paths))
    note = _root(notes, flags, [maker for maker, wrong in zip(makers, bad) if wrong])
    outputs = jax.tree.unflatten(jax.tree.structure(shape), values)
    return outputs, None if note is None else Origin(line(note.frames), note.operation)


def _bad(values: Sequence[Any]) -> jax.Array:
    """Tell whether any entry of these arrays is NaN or infinite."""
    floats = [v for v in map(jnp.asarray, values) if jnp.issubdtype(v.dtype, jnp.inexact)]
    return jnp.any(jnp.array([jnp.any(~jnp.isfinite(value)) for value in floats] or [False]))


def _run(
    jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any], notes: list[_Note], flags: list[Any],
    callers: tuple[Any, ...] = (),
) -> list[tuple[Any, int]]:  # fmt: skip
    """Evaluate a jaxpr on pairs (value, number of the note that made it); append notes and flags."""
    held: dict[Any, tuple[Any, int]] = dict(zip(jaxpr.constvars, [(const, CONSTANT) for const in consts]))
    held |= dict(zip(jaxpr.invars, arguments))

    def read(variable: Any) -> tuple[Any, int]:
        return (variable.val, CONSTANT) if isinstance(variable, core.Literal) else held[variable]

    for equation in jaxpr.eqns:
        operands = [read(variable) for variable in equation.invars]
        inner = _inner(equation)
        # What is called was traced by itself, and at times long before: its frames end at its own edge.
        frames = (*_frames(equation), *callers)
        if inner is not None:
            results = _run(*inner, operands, notes, flags, frames)
        else:
            results = _apply(equation, operands, notes, flags, frames)
        held |= dict(zip(equation.outvars, results))
    return [read(variable) for variable in jaxpr.outvars]


def _inner(equation: Any) -> tuple[Any, Sequence[Any]] | None:
    """Return the jaxpr that an equation only calls, and its constants, or None."""
    if equation.primitive.name not in CALLS:
        return None
    names = ("jaxpr", "call_jaxpr", "fun_jaxpr")
    return next((_opened(equation.params[name]) for name in names if name in equation.params), None)


def _opened(jaxpr: Any) -> tuple[Any, Sequence[Any]]:
    """Return a jaxpr and its constants, whether it was closed or not."""
    return getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())


def _frames(equation: Any) -> tuple[Any, ...]:
    trace = equation.source_info.traceback
    return tuple(trace.frames) if trace else ()


def _apply(
    equation: Any, operands: Any, notes: list[_Note], flags: list[Any], frames: tuple[Any, ...]
) -> Any:
    makers = frozenset(maker for _, maker in operands if maker != CONSTANT)
    name, values = equation.primitive.name, [value for value, _ in operands]
    inside: list[_Note] = []
    ends: list[int] = []
    rounds: Any = None
    if name == "scan" and makers:
        results, rounds = _scan(equation, values, inside, ends, frames)
    else:
        parameters = equation.primitive.get_bind_params(equation.params)
        results = equation.primitive.bind(*values, **parameters)
        results = results if equation.primitive.multiple_results else [results]
    if operands and not makers:
        return [(value, CONSTANT) for value in results]
    flag = _bad(results)
    if name == "select_n":
        # A constant that is infinite is meant, as in a mask: nobody is led to it.
        flag &= ~_bad([value for value, maker in operands if maker == CONSTANT])
    notes.append(_Note(name, frames, makers, tuple(inside), tuple(ends)))
    flags.append(flag if rounds is None else (flag, rounds))
    return [(value, len(notes) - 1) for value in results]


def _scan(
    equation: Any, values: Any, notes: list[_Note], ends: list[int], frames: tuple[Any, ...]
) -> tuple[list[Any], Any]:
    """Run a scan with the flags of its body beside its results, (rounds, operations) each."""
    body, constants = _opened(equation.params["jaxpr"])
    # What is scanned over, and what is stacked, has one axis more outside of the body.
    carried = sum(a.aval.ndim == b.aval.ndim for a, b in zip(equation.outvars, body.outvars))
    first = sum(a.aval.ndim == b.aval.ndim for a, b in zip(equation.invars, body.invars))
    split = first - carried
    consts = values[:split]

    def one(carry: Any, xs: Any) -> Any:
        operands = [*consts, *carry, *xs]
        notes[:] = [_Note("scan") for _ in operands]
        flags: list[Any] = [_bad([operand]) for operand in operands]
        found = _run(body, constants, list(zip(operands, range(len(operands)))), notes, flags, frames)
        ends[:] = [maker for _, maker in found]
        results = [value for value, _ in found]
        return results[:carried], (results[carried:], flags, [_bad([r]) for r in results])

    backwards = equation.params["reverse"]
    carry, (ys, flags, bad) = lax.scan(one, values[split:first], values[first:], reverse=backwards,
                                       length=equation.params["length"])  # fmt: skip
    order = -1 if backwards else 1
    return [*carry, *ys], jax.tree.map(lambda flag: flag[::order], (flags, bad))


def _root(notes: Sequence[_Note], flags: Sequence[Any], begin: Sequence[int]) -> _Note | None:
    """Follow operations with bad results back to the first one without a bad operand."""
    bad = [bool(flag[0] if isinstance(flag, tuple) else flag) for flag in flags]
    waiting = {number for number in begin if number != CONSTANT and bad[number]}
    seen, roots = set(waiting), set()
    while waiting:
        number = waiting.pop()
        before = {maker for maker in notes[number].makers if bad[maker]}
        if not before:
            roots.add(number)
        waiting |= before - seen
        seen |= before
    if not roots:
        return None
    note, flag = notes[min(roots)], flags[min(roots)]
    return (_inside(note, *flag[1]) if isinstance(flag, tuple) else None) or note


def _inside(note: _Note, flags: Any, bad: Any) -> _Note | None:
    """Follow a scan back from the first round in which a result is bad."""
    wrong = np.array(bad, bool)
    number = int(np.argmax(wrong.any(axis=0)))
    begin = [maker for maker, flag in zip(note.ends, wrong[:, number]) if flag]
    return _root(note.inside, jax.tree.map(lambda flag: flag[number], flags), begin)


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
        if _library(frame.file_name):
            continue
        if OURS / "train" in Path(frame.file_name).parents:
            if first:
                yield frame
            return
        first = False
        yield frame


def _library(file: str) -> bool:
    """Tell whether a file is of jax, flax, optax or Python; in other packages there may be networks."""
    python = file.startswith(PYTHON) and not file.startswith(SITE)
    return python or file.startswith(LIBRARIES)


def _word(frame: Any) -> str:
    path = Path(frame.file_name)
    short = path.relative_to(OURS.parent) if OURS in path.parents else path
    return f"{short}:{frame.line_num} in {frame.function_name}"
