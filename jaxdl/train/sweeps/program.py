"""The compiled form of a sweep: blocks of members, each block one vmapped run, one block after another."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl.net import Net
from jaxdl.train.loop import Penalty, Program, make_program
from jaxdl.train.spec import Arrays, Carry, Hyper, Loss, Optimizer, Spec

PROGRAMS_KEPT = 16


class Form(NamedTuple):
    """How members are laid out in a program.

    Attributes:
        width: members of a block, which are vmapped; 1 runs them one after another.
        shared: whether all members see the same batches.
    """

    width: int
    shared: bool

    @property
    def axes(self) -> Carry:
        """The member axis of each part of the carry. What is shared has none: x is then gathered once."""
        order = None if self.shared else 0
        return Carry(params=0, state=0, opt_state=0, key=0, order=order, epoch=None, history=0, health=0)


def make_start(program: Program, form: Form) -> Callable[..., Carry]:
    """Return ``start(keys, orders, data, hyper) -> Carry`` of all members; `orders` is one key if shared."""

    def start(keys: jax.Array, orders: jax.Array, data: Arrays, hyper: Hyper) -> Carry:
        def block(carry: Any, item: Any) -> Carry:
            keys, orders, hyper = item
            axes = (0, form.axes.order, None, 0)
            begin = program.start if form.width == 1 else jax.vmap(program.start, axes, form.axes)
            return begin(keys, carry if form.shared else orders, data, hyper)

        order = orders if form.shared else None
        return _blocks(block, form, order, (keys, None if form.shared else orders, hyper))

    return start


def make_chunk(program: Program, form: Form) -> Callable[..., Carry]:
    """Return ``chunk(carry, active, stop, data, hyper) -> Carry``: members trained up to epoch `stop`.

    Blocks without any active member (members,) are left as they are.
    """

    def chunk(carry: Carry, active: jax.Array, stop: jax.Array, data: Arrays, hyper: Hyper) -> Carry:
        whole, batched = _parted(carry, form)

        def block(shared: Any, item: Any) -> Carry:
            carry, active, hyper = item
            carry = carry._replace(**shared)
            advance = functools.partial(_advance, program, form, stop, data, hyper)
            skip = lambda carry: carry._replace(epoch=jnp.asarray(stop, jnp.int32))  # noqa: E731
            return lax.cond(jnp.any(active), advance, skip, carry)

        return _blocks(block, form, whole, (batched, active, hyper))

    return chunk


def _advance(program: Program, form: Form, stop: jax.Array, data: Arrays, hyper: Hyper, carry: Carry) -> Carry:
    if form.width == 1:
        return program.advance(carry, stop, data, hyper)
    epoch = jax.vmap(_epoch(program), in_axes=(None, form.axes, None, 0), out_axes=form.axes)
    # The epoch's number stays outside of vmap: batched, it would draw the order once for each member.
    return lax.fori_loop(carry.epoch, stop, lambda number, carry: epoch(number, carry, data, hyper), carry)


def _epoch(program: Program) -> Callable[..., Carry]:
    return lambda number, carry, data, hyper: program.advance(
        carry._replace(epoch=number), number + 1, data, hyper
    )


def _parted(carry: Carry, form: Form) -> tuple[dict[str, Any], Carry]:
    """Return what all members share, by name, and the carry without it."""
    shared = {name: getattr(carry, name) for name in Carry._fields if getattr(form.axes, name) is None}
    return shared, carry._replace(**dict.fromkeys(shared))


def _blocks(function: Callable[..., Carry], form: Form, shared: Any, members: Any) -> Carry:
    """Map over blocks of members; what is shared comes out once, as the first block has it."""
    count = jax.tree.leaves(members)[0].shape[0]
    if count == form.width:
        squeezed = members if form.width > 1 else jax.tree.map(lambda leaf: leaf[0], members)
        carry = function(shared, squeezed)
        return carry if form.width > 1 else _stacked(carry, form)
    if form.width > 1:
        members = jax.tree.map(lambda leaf: leaf.reshape(-1, form.width, *leaf.shape[1:]), members)
    blocks = lax.map(functools.partial(function, shared), members)
    whole, batched = _parted(blocks, form)
    if form.width > 1:
        batched = jax.tree.map(lambda leaf: leaf.reshape(count, *leaf.shape[2:]), batched)
    return batched._replace(**jax.tree.map(lambda leaf: leaf[0], whole))


def _stacked(carry: Carry, form: Form) -> Carry:
    whole, batched = _parted(carry, form)
    return jax.tree.map(lambda leaf: leaf[None], batched)._replace(**whole)


class Runner:
    """The programs of one sweep, compiled once for each set of shapes."""

    def __init__(self, program: Program, thorough: Program, form: Form) -> None:
        self.form = form
        self.start = jax.jit(make_start(program, form))
        self._chunk = jax.jit(make_chunk(program, form))
        # Compiled only when a member diverged: it reads every gradient, and so finds the first bad step.
        self.replay = jax.jit(make_chunk(thorough, form))
        self._ready: dict[Any, Any] = {}

    def compiled(self, *arguments: Any) -> Any:
        """Return the chunk compiled for arguments of these shapes, abstract or not."""
        leaves, structure = jax.tree.flatten(arguments)
        shapes = (structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        if shapes not in self._ready:
            self._ready[shapes] = self._chunk.lower(*arguments).compile()
        return self._ready[shapes]


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def runner(
    net: Net, loss: Loss, optimizer: Optimizer, spec: Spec, penalty: Penalty | None, form: Form
) -> Runner:
    """Return the programs of a sweep; the same functions and form have them compiled once."""
    programs = [make_program(net, loss, optimizer, spec, penalty=penalty, thorough=t) for t in (False, True)]
    return Runner(*programs, form)
