"""The compiled form of a sweep: blocks of members, each block one vmapped run, one block after another."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxdl._keys import key_of
from jaxdl.net import Net
from jaxdl.train.loop import Program, make_program
from jaxdl.train.shard import Plan as ShardPlan
from jaxdl.train.spec import Arrays, Carry, Hyper, Loss, Optimizer, Penalty, Result, Spec

PROGRAMS_KEPT = 16


class Form(NamedTuple):
    """How members are laid out in a program.

    Attributes:
        width: members of a block, which are vmapped; 1 runs them one after another.
        shared: whether all members see the same batches.
        shard: a plan of `train.shard.members` that splits the members over devices, or None. Each device
            then runs blocks of its own, and nothing is sent between them.
        lanes: threads of the host, each of which runs the program for its part of the members.
    """

    width: int
    shared: bool
    shard: ShardPlan | None = None
    lanes: int = 1

    @property
    def axes(self) -> Carry:
        """The member axis of each part of the carry. What is shared has none, so that x is fetched once."""
        parts: dict[str, Any] = dict.fromkeys(Carry._fields, 0)
        return Carry(**parts | {"order": None if self.shared else 0, "epoch": None})

    @property
    def devices(self) -> int:
        """Number of devices."""
        return 1 if self.shard is None else self.shard.devices

    @property
    def parts(self) -> int:
        """Parts of equal size that the slots are divided into: by devices, or by lanes."""
        return self.devices * self.lanes

    def split(self, tree: Any, axes: Any) -> list[Any]:
        """Divide arrays among the lanes; `axes` has 0 where the members are in front, and None elsewhere."""

        def lane(number: int, axis: int | None, part: Any) -> Any:
            if axis is None:
                return part
            size = jax.tree.leaves(part)[0].shape[0] // self.lanes if jax.tree.leaves(part) else 0
            return jax.tree.map(lambda leaf: leaf[number * size : (number + 1) * size], part)

        return [
            jax.tree.map(functools.partial(lane, number), axes, tree, is_leaf=_is_none)
            for number in range(self.lanes)
        ]

    def join(self, parts: list[Any], axes: Any) -> Any:
        """Put together what `split` has divided."""

        def whole(axis: int | None, *parts: Any) -> Any:
            return parts[0] if axis is None else jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)

        return jax.tree.map(whole, axes, *parts, is_leaf=_is_none)

    def place(self, tree: Any, axes: Any) -> Any:
        """Lay out arrays on the devices; `axes` has 0 where the members are in front, and None elsewhere."""
        if self.shard is None:
            return jax.device_put(tree)
        return jax.device_put(tree, self._shardings(axes))

    def compiled(self, function: Callable[..., Any], axes: tuple[Any, ...], out: Any) -> Any:
        """Jit a function of all members, each device with its own; `axes` are those of its arguments."""
        if self.shard is None:
            return jax.jit(function)
        specs, given = self._specs(axes), self._specs(out)
        split = jax.shard_map(function, mesh=self._mesh, in_specs=specs, out_specs=given, check_vma=False)
        return jax.jit(split, in_shardings=self._shardings(axes), out_shardings=self._shardings(out))

    @property
    def _mesh(self) -> Mesh:
        assert self.shard is not None
        assert self.shard.mesh is not None
        return self.shard.mesh

    def _specs(self, axes: Any) -> Any:
        (axis,) = self._mesh.axis_names
        return jax.tree.map(
            lambda leaf: PartitionSpec() if leaf is None else PartitionSpec(axis), axes, is_leaf=_is_none
        )

    def _shardings(self, axes: Any) -> Any:
        return jax.tree.map(lambda spec: NamedSharding(self._mesh, spec), self._specs(axes))


def _is_none(leaf: Any) -> bool:
    return leaf is None


def make_start(program: Program, form: Form) -> Callable[..., Carry]:
    """Return ``start(keys, orders, data, hyper) -> Carry`` of all members; `orders` is one key if shared."""

    def start(keys: jax.Array, orders: jax.Array, data: Arrays, hyper: Hyper) -> Carry:
        def block(order: Any, item: Any) -> Carry:
            keys, orders, hyper = item
            axes = (0, form.axes.order, None, 0)
            begin = program.start if form.width == 1 else jax.vmap(program.start, axes, form.axes)
            return begin(keys, order if form.shared else orders, data, hyper)

        order, apart = (orders, None) if form.shared else (None, orders)
        return _blocks(block, form, order, (keys, apart, hyper))

    return start


def make_chunk(program: Program, form: Form) -> Callable[..., Carry]:
    """Return ``chunk(carry, active, stop, data, hyper) -> Carry``: members trained up to epoch `stop`.

    Blocks without any active member (members,) are left as they are.
    """

    def chunk(carry: Carry, active: jax.Array, stop: jax.Array, data: Arrays, hyper: Hyper) -> Carry:
        whole, apart = _parted(carry, form)

        def block(whole: Any, item: Any) -> Carry:
            carry, active, hyper = item
            advance = functools.partial(_advance, program, form, stop, data, hyper)
            return lax.cond(jnp.any(active), advance, lambda carry: carry, carry._replace(**whole))

        return _blocks(block, form, whole, (apart, active, hyper))._replace(epoch=stop)

    return chunk


def _advance(
    program: Program, form: Form, stop: jax.Array, data: Arrays, hyper: Hyper, carry: Carry
) -> Carry:
    if form.width == 1:
        return program.advance(carry, stop, data, hyper)
    # The number of the epoch stays outside of vmap: batched, each member would fetch batches of its own.
    epoch = jax.vmap(program.epoch, in_axes=(None, form.axes, None, 0), out_axes=form.axes)
    check = jax.vmap(program.check, in_axes=(form.axes, None), out_axes=form.axes)

    def goes_on(carry: Carry) -> jax.Array:
        left = carry.epoch < stop
        return left if carry.stopping is None else left & ~jnp.all(carry.stopping.stopped)

    carry = lax.while_loop(goes_on, lambda carry: epoch(carry.epoch, carry, data, hyper), carry)
    return check(carry, data)


def _parted(carry: Carry, form: Form) -> tuple[dict[str, Any], Carry]:
    """Return what all members share, by name, and the carry without it."""
    shared = {name: getattr(carry, name) for name in Carry._fields if getattr(form.axes, name) is None}
    nothing: dict[str, Any] = dict.fromkeys(shared)
    return shared, carry._replace(**nothing)


def _blocks(function: Callable[..., Carry], form: Form, whole: Any, members: Any) -> Carry:
    """Map ``function(whole, block)`` over blocks of members; what they share is that of the first block."""
    count = jax.tree.leaves(members)[0].shape[0]
    if count == form.width > 1:
        return function(whole, members)
    if form.width > 1:
        members = jax.tree.map(lambda leaf: leaf.reshape(-1, form.width, *leaf.shape[1:]), members)
    shared, apart = _parted(lax.map(functools.partial(function, whole), members), form)
    if form.width > 1:
        apart = jax.tree.map(lambda leaf: leaf.reshape(count, *leaf.shape[2:]), apart)
    return apart._replace(**jax.tree.map(lambda leaf: leaf[0], shared))


class Runner:
    """The programs of one sweep, compiled once for each set of shapes."""

    def __init__(self, program: Program, thorough: Program, form: Form, spec: Spec) -> None:
        self.program, self.form = program, form
        axes = form.axes
        self.start = form.compiled(make_start(program, form), (0, axes.order, None, 0), axes)
        self.chunk = form.compiled(make_chunk(program, form), (axes, 0, None, None, 0), axes)
        # Compiled only when a member diverged: it reads every gradient, and so finds the first bad step.
        self.replay = form.compiled(make_chunk(thorough, form), (axes, 0, None, None, 0), axes)
        result = jax.vmap(program.result, in_axes=(form.axes,))
        chooses = spec.early_stopping is not None or spec.average is not None
        self.result: Callable[[Carry], Result] = jax.jit(result) if chooses else program.result
        self.ready: dict[Any, Any] = {}
        self._split = jax.jit(functools.partial(form.split, axes=(axes, 0, 0)))
        self._join = jax.jit(functools.partial(form.join, axes=axes))

    def run(
        self, advance: Callable[..., Carry], carry: Carry, active: Any, stop: Any, data: Arrays, hyper: Hyper
    ) -> Carry:
        """Return ``advance(carry, active, stop, data, hyper)``, computed by all lanes at once.

        A call that a thread waits for runs in this thread: so each lane keeps one core busy with small
        operations, which a single call of the program would leave to one core alone.
        """
        if self.form.lanes == 1:
            return jax.block_until_ready(advance(carry, active, stop, data, hyper))
        lanes = self._split((carry, active, hyper))

        def run(lane: Any) -> Carry:
            return jax.block_until_ready(advance(*lane[:2], stop, data, lane[2]))

        with ThreadPoolExecutor(self.form.lanes, thread_name_prefix="sweep") as threads:
            return jax.block_until_ready(self._join(list(threads.map(run, lanes))))

    def compiled(self, carry: Any, active: Any, stop: Any, data: Any, hyper: Any) -> Any:
        """Return the chunk compiled for one lane of arguments of these shapes, abstract or not."""
        arguments = (carry, active, stop, data, hyper)
        if self.form.lanes > 1:
            carry, active, hyper = jax.eval_shape(self._split, (carry, active, hyper))[0]
            arguments = (carry, active, stop, data, hyper)
        key = key_of(*arguments)
        if key not in self.ready:
            self.ready[key] = self.chunk.lower(*arguments).compile()
        return self.ready[key]


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def runner(
    net: Net, loss: Loss, optimizer: Optimizer, spec: Spec, penalty: Penalty | None, form: Form
) -> Runner:
    """Return the programs of a sweep; the same functions and form have them compiled once."""
    plain, thorough = (
        make_program(net, loss, optimizer, spec, penalty=penalty, thorough=t) for t in (False, True)
    )
    return Runner(plain, thorough, form, spec)
