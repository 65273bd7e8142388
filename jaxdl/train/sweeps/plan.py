"""Before a sweep starts: what its program reads, how many members run at once, and whether they fit."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import explain
from jaxdl.kernels.conv import using
from jaxdl.net import Net
from jaxdl.train.loop import make_program
from jaxdl.train.shard import Plan as ShardPlan
from jaxdl.train.spec import Arrays, Carry, Loss, Optimizer, Penalty, Spec
from jaxdl.train.sweeps import memory, strategy
from jaxdl.train.sweeps.members import Members, check_names
from jaxdl.train.sweeps.program import Form, Runner, runner

PROGRAMS_KEPT = 64
Say = Callable[[str], None]


class Parts(NamedTuple):
    """The static parts of every member."""

    net: Net
    loss: Loss
    optimizer: Optimizer
    spec: Spec
    penalty: Penalty | None


class Facts(NamedTuple):
    """What tracing one member tells.

    Attributes:
        carry: shapes of its state.
        unread: hyperparameters that nothing reads.
        large: whether its arrays far exceed its parameters: it holds a convolution, of XLA's own or as
            products, or a loop within a step, as recurrent networks do.
    """

    carry: Carry
    unread: list[str]
    large: bool


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def _facts(parts: Parts, structure: Any, shapes: Any) -> Facts:
    arrays, hyper = jax.tree.unflatten(structure, shapes)
    program = make_program(*parts[:4], penalty=parts.penalty)
    key = jax.eval_shape(lambda: jax.random.key(0))
    begun, carry = jax.make_jaxpr(program.start, return_shape=True)(key, key, arrays, hyper)
    # Convolutions that run as products are to be seen too.
    with using("xla"):
        traced = jax.make_jaxpr(program.epoch)(jnp.int32(0), carry, arrays, hyper)
    names = sorted(hyper)
    # optax.inject_hyperparams reads them at the start alone, and keeps them in its state.
    idle = [name for name in unread(begun.jaxpr, names) if name in unread(traced.jaxpr, names)]
    # A loop over steps, one over micro-batches where there are any, and one of the network's own.
    recurrent = loops(traced.jaxpr) > 1 + (parts.spec.accumulate > 1)
    return Facts(carry, idle, recurrent or "conv_general_dilated" in str(traced))


def loops(jaxpr: Any) -> int:
    """Return how deep loops lie within each other in what was traced."""
    return max((_loops(equation) for equation in jaxpr.eqns), default=0)


def _loops(equation: Any) -> int:
    inner = [part for value in equation.params.values()
             for part in (value if isinstance(value, tuple | list) else (value,))]  # fmt: skip
    depths = [loops(part) for part in (getattr(one, "jaxpr", one) for one in inner) if hasattr(part, "eqns")]
    return max(depths, default=0) + (equation.primitive.name in ("scan", "while"))


def unread(jaxpr: Any, names: list[str]) -> list[str]:
    """Return which hyperparameters, the last arguments of what was traced, no equation reads nor returns."""
    used = {id(value) for equation in jaxpr.eqns for value in equation.invars}
    used |= {id(value) for value in jaxpr.outvars}
    arguments = jaxpr.invars[len(jaxpr.invars) - len(names) :]
    return [name for name, value in zip(names, arguments, strict=True) if id(value) not in used]


def facts(parts: Parts, arrays: Arrays, members: Members) -> Facts:
    """Trace one member, or raise when a hyperparameter varies that nothing reads, or has a column's name."""
    hyper = {name: jax.ShapeDtypeStruct((), value.dtype) for name, value in members.hyper.items()}
    leaves, structure = jax.tree.flatten((arrays, hyper))
    found = _facts(parts, structure, tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves))
    curves = [name for name, values in found.carry.history.items() if len(values.shape) == 1]
    check_names(members.hyper, curves, dict(parts.spec.metrics))
    idle = [name for name in found.unread if len(np.unique(members.hyper[name])) > 1]
    if idle:
        raise ValueError(
            explain("sweep", "hyper", got=f"with values of '{idle[0]}', which nothing in training reads",
                    expected="names that optimizer, loss, penalty or network read",
                    fix=f"check the spelling of '{idle[0]}'")
        )  # fmt: skip
    return found


class Plan:
    """The form of a sweep, and its runners.

    Attributes:
        strategy: ``"vmap"``, ``"scan"`` or ``"map"``.
        form: how members are laid out.
        arrays: the examples, on each device.
    """

    def __init__(
        self, parts: Parts, arrays: Arrays, members: Members, *, shared: bool, shard: ShardPlan | None = None
    ) -> None:
        self.parts, self.members, self.form = parts, members, Form(1, shared, shard)
        self.arrays = self.form.place(arrays, None)
        self.facts = facts(parts, arrays, members)
        self.strategy = "scan"

    def runner(self, slots: int) -> Runner:
        """Return the programs for a number of slots, which has whole blocks on each device."""
        width = min(self.form.width, slots // self.form.parts)
        return runner(*self.parts, self.form._replace(width=width))

    @property
    def local(self) -> int:
        """Members of a device or a lane, at most."""
        return -(-len(self.members) // self.form.parts)

    @property
    def ids(self) -> np.ndarray:
        """The member of each slot, (slots,): the last blocks are filled with copies of the last member."""
        slots = self.form.parts * self.form.width * -(-self.local // self.form.width)
        return np.minimum(np.arange(slots), len(self.members) - 1)

    def choose(self, name: str | None, members_at_once: int | None, limit: int | None, say: Say) -> None:
        """Fix the strategy; compile the program, and narrow it where it is free to be and does not fit."""
        free = name is None and members_at_once is None
        lanes = (
            strategy.lanes(jax.default_backend(), name, len(self.members)) if self.form.shard is None else 1
        )
        self.form = self.form._replace(lanes=lanes)
        name, width = strategy.choose(
            name, members_at_once, self.local, large=self.facts.large,
            member_bytes=_bytes(self.facts.carry.params),
        )  # fmt: skip
        self._check_held(limit, width)
        while (cost := self.cost(name, width)) is not None and limit is not None and cost.total > limit:
            fitting = min(cost.fitting(limit), max(width // 2, 1))
            if not free or not fitting or width == 1:
                raise _too_much(cost, limit, fitting, len(self.members))
            name, width = strategy.named(fitting, self.local)
            say(f"{cost.at_once} members at once would take {memory.words(cost.total)} of "
                f"{memory.words(limit)}: {fitting} at once are run")  # fmt: skip

    def cost(self, name: str, width: int) -> memory.Cost | None:
        """Compile the program in a form; return what it needs of the memory, where the compiler says so."""
        self.strategy, self.form = name, self.form._replace(width=width)
        slots = len(self.ids)
        carry, hyper = self.abstract(slots)
        arguments = (carry, jnp.zeros(slots, bool), jnp.int32(0), self.arrays, hyper)
        copied = _bytes((self.arrays.inputs, self.arrays.targets)) if self.form.shared else 0
        common = _bytes(self.arrays)
        return memory.cost(self.runner(slots).compiled(*arguments), width, copied, common, self.form.lanes)

    def abstract(self, slots: int) -> tuple[Carry, dict[str, Any]]:
        """Return the shapes of the carry and of the hyperparameters of all slots."""

        def stacked(leaf: Any) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct((slots, *leaf.shape), leaf.dtype)

        parts = [
            part if axis is None else jax.tree.map(stacked, part)
            for part, axis in zip(self.facts.carry, self.form.axes, strict=True)
        ]
        return Carry(*parts), {name: stacked(value[0]) for name, value in self.members.hyper.items()}

    def _check_held(self, limit: int | None, width: int) -> None:
        """Raise before anything is compiled when the states alone, before and after a chunk, do not fit."""
        held = _bytes(self.arrays) + 2 * self.local * _bytes(self.facts.carry)
        if limit is not None and held > limit:
            raise _too_much(memory.Cost(held, 0, 0, width), limit, 0, len(self.members))


def _too_much(cost: memory.Cost, limit: int, fitting: int, members: int) -> MemoryError:
    whole = f"{memory.words(cost.held)} for the states of all {members} members and the examples"
    fix = f"members_at_once={fitting}" if fitting else "sweep over fewer members, or give memory= in bytes"
    return MemoryError(
        explain("sweep", "members_at_once",
                got=f"{cost.at_once}, which takes {memory.words(cost.total)}: {whole}, and "
                f"{memory.words(cost.member)} a member at work",
                expected=f"at most {memory.words(limit)}", fix=fix)
    )  # fmt: skip


def _bytes(tree: Any) -> int:
    return sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
