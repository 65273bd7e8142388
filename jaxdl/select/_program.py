"""One compiled program for many fits: as many at once as the memory allows."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
from jax import lax

from jaxdl import _checks
from jaxdl._keys import settings

PROGRAMS_KEPT = 32
# Intermediate results of all fits that run at once; the data themselves come on top.
MEMORY_LIMIT = 2 * 2**30


class Build(Protocol):
    """Makes the function that fits every point, `batch_size` of them at once; hashable and comparable."""

    def __call__(self, batch_size: int) -> Callable[..., Any]: ...

    def __hash__(self) -> int: ...


class Program(NamedTuple):
    """A compiled program.

    Attributes:
        call: takes the arguments it was compiled for.
        batch_size: fits at once.
        memory: bytes of intermediate results that XLA says it needs, or -1 where it does not say.
    """

    call: Callable[..., Any]
    batch_size: int
    memory: int


def compiled(
    op: str, build: Build, arguments: Any, *, points: int, batch_size: int | None, memory_limit: int
) -> Program:
    """Compile for these arguments, or return the program that was compiled for their like before.

    Without a batch size all points run at once, if the memory that XLA reports for that stays within the
    limit; else it is compiled a second time, with as many at once as fit.
    """
    if batch_size is not None:
        batch_size = min(_checks.positive_integer(op, "batch_size", batch_size), points)
    _checks.positive_integer(op, "memory_limit", memory_limit)
    leaves, structure = jax.tree.flatten(arguments)
    shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
    return _compiled(build, structure, shapes, settings(), points, batch_size, memory_limit)


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def _compiled(
    build: Build,
    structure: Any,
    shapes: Any,
    settings: Any,
    points: int,
    batch_size: int | None,
    memory_limit: int,
) -> Program:
    arguments = jax.tree.unflatten(structure, shapes)

    def attempt(size: int) -> Program:
        program = jax.jit(build(size)).lower(*arguments).compile()
        analysis = program.memory_analysis()
        return Program(program, size, -1 if analysis is None else int(analysis.temp_size_in_bytes))

    if batch_size is not None:
        return attempt(batch_size)
    whole = attempt(points)
    if whole.memory <= memory_limit or points == 1:
        return whole
    return attempt(max(1, points * memory_limit // whole.memory))


def mapped(function: Callable[[Any], Any], points: Any, batch_size: int) -> Any:
    """Map over the leading axis of `points`: all at once, or `batch_size` at a time."""
    count = jax.tree.leaves(points)[0].shape[0]
    if batch_size >= count:
        return jax.vmap(function)(points)
    return lax.map(function, points, batch_size=batch_size)
