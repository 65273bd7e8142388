"""Many devices: where the examples, the batches, the parameters and the members of a run lie.

A plan changes no number of a run beyond rounding: the program is that of one device, with its arrays laid
out over a mesh of devices, and XLA adds the communication. Batch norm therefore sees the statistics of the
whole batch, and dropout draws the mask of the whole batch, whatever the number of devices.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from types import NoneType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxdl import _checks, _trees
from jaxdl.errors import ShapeError, explain
from jaxdl.train.prefetching import here

KINDS = ("data_parallel", "fsdp", "members", "alone")
SPLIT_BATCHES = ("data_parallel", "fsdp")
# The parts of a `Carry` that have the shapes of parameters.
SPLIT_PARTS = ("params", "opt_state", "stopping")
AXIS = "devices"
# Elements from which a leaf is split: below, one more message costs more than the memory is worth.
SMALLEST_SPLIT = 4096


@dataclasses.dataclass(frozen=True)
class Plan:
    """A layout of a run over devices, made by `data_parallel`, `fsdp` or `members`; hashable, so static.

    Every device holds all examples: a shuffled batch is then gathered without communication, each device
    its own part. (Split over the devices, XLA's CPU compiler gathers all examples on every device at every
    epoch, which saves no memory at the peak.)

    Attributes:
        kind: ``"data_parallel"``, ``"fsdp"`` or ``"members"``; ``"alone"`` where there is no plan.
        mesh: the devices, along one axis; None for ``"alone"``.
        min_size: elements from which `fsdp` splits a leaf.
    """

    kind: str
    mesh: Mesh | None
    min_size: int = SMALLEST_SPLIT

    def __post_init__(self) -> None:
        _checks.one_of("Plan", "kind", self.kind, KINDS)
        _checks.positive_integer("Plan", "min_size", self.min_size)
        if not isinstance(self.mesh, NoneType if self.kind == "alone" else Mesh):
            raise ValueError(
                explain("Plan", "mesh", got=repr(self.mesh),
                        expected="None" if self.kind == "alone" else "the mesh of the devices",
                        fix=f"train.shard.{self.kind}()" if self.kind != "alone" else "shard=None")
            )  # fmt: skip

    @property
    def devices(self) -> int:
        """Number of devices."""
        return 1 if self.mesh is None else self.mesh.size

    def spec(self, shape: tuple[int, ...]) -> PartitionSpec:
        """Return how parameters of a shape are split: by their largest axis that the devices divide."""
        size = int(np.prod(shape))
        axes = [axis for axis, length in enumerate(shape) if length and length % self.devices == 0]
        if self.kind != "fsdp" or size < self.min_size or not axes:
            return PartitionSpec()
        longest = max(axes, key=lambda axis: shape[axis])
        return PartitionSpec(*[None] * longest, AXIS)

    def batch(self, tree: Any, *, axis: int = 0) -> Any:
        """Split a batch along an axis that the devices divide, as a constraint inside the program."""
        divided = all(leaf.shape[axis] % self.devices == 0 for leaf in jax.tree.leaves(tree))
        return self._constrain(tree, PartitionSpec(*[None] * axis, AXIS)) if divided else tree

    def whole(self, tree: Any) -> Any:
        """Hold every leaf whole on every device, as a constraint inside the program."""
        return self._constrain(tree, PartitionSpec())

    def params(self, tree: Any) -> Any:
        """Lay out parameters, or what has their shapes (gradients, moments, averages), inside the program."""
        return jax.tree.map(lambda leaf: self._constrain(leaf, self.spec(jnp.shape(leaf))), tree)

    def learner(self, learner: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        """Lay out (params, state, opt_state) after a step, inside the program."""
        params, state, opt_state = learner
        return self.params(params), self.whole(state), self.params(opt_state)

    def carry(self, carry: Any) -> Any:
        """Lay out a `Carry`, inside the program: the same at the start and after every chunk."""
        laid = {
            name: self.params(part) if name in SPLIT_PARTS else self.whole(part)
            for name, part in carry._asdict().items()
        }
        return carry._replace(**laid)

    def rows(self, count: int) -> int:
        """Return how many examples of at most `count` a batch of the evaluation takes, to be split evenly."""
        return count // self.devices * self.devices or count

    def check(self, batch_size: int, accumulate: int = 1) -> None:
        """Raise `ValueError` unless every device gets as many examples of a (micro-)batch as the others."""
        if self.kind == "members":
            raise ValueError(
                explain("Spec", "shard", got="a plan for the members of a sweep",
                        expected="train.shard.data_parallel() or train.shard.fsdp()",
                        fix="pass train.shard.members() to train.sweep")
            )  # fmt: skip
        share = self.devices * accumulate
        if batch_size % share:
            parts = f"{self.devices} devices" + (f" x {accumulate} micro-batches" if accumulate > 1 else "")
            raise ValueError(
                explain("Spec", "batch_size", got=batch_size, expected=f"a multiple of {share} ({parts})",
                        fix=f"batch_size={max(1, round(batch_size / share)) * share}")
            )  # fmt: skip

    def place(self, tree: Any) -> Any:
        """Put arrays whole on every device, those of other processes included; checked to be the same there.

        Raises:
            ValueError: processes hold other values, such as data sets read in another order.
        """
        if self.mesh is None:
            return jax.device_put(tree)
        host = jax.tree.map(np.asarray, tree)
        self.same(host)
        return jax.tree.map(lambda leaf: self._put(leaf, PartitionSpec()), host)

    def place_carry(self, carry: Any) -> Any:
        """Lay out a `Carry` that was read from a file, or left by another number of devices."""

        def put(leaf: Any, spec: PartitionSpec) -> jax.Array:
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                data = self._put(np.asarray(jax.random.key_data(leaf)), PartitionSpec())
                return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
            return self._put(np.asarray(leaf), spec)

        if self.mesh is None:
            return jax.device_put(carry)
        parts = carry._asdict()
        for name, part in parts.items():
            spec = self.spec if name in SPLIT_PARTS else lambda shape: PartitionSpec()
            parts[name] = jax.tree.map(lambda leaf, spec=spec: put(leaf, spec(jnp.shape(leaf))), part)
        return carry._replace(**parts)

    def batches(self) -> Any:
        """Return where stacked batches (steps, batch, ...) of the host are put, each split over devices."""
        if self.mesh is None:
            return here()
        return self._sharding(PartitionSpec(None, AXIS))

    def place_members(self, tree: Any) -> Any:
        """Split arrays (members, ...) over the devices; keys are taken too.

        Raises:
            ShapeError: a number of members that the devices do not divide.
        """
        for leaf in jax.tree.leaves(tree):
            count = jnp.shape(leaf)[0] if jnp.ndim(leaf) else 0
            if count == 0 or count % self.devices:
                more = -(-max(count, 1) // self.devices) * self.devices
                raise ShapeError(
                    explain("members", "members", got=count, expected=f"a multiple of {self.devices} devices",
                            fix=f"{more} members, or fewer devices")
                )  # fmt: skip
        return jax.device_put(tree, self._sharding(PartitionSpec(AXIS)))

    def same(self, tree: Any, argument: str = "data") -> None:
        """Raise `ValueError` unless every process holds these same values; all processes call it together."""
        if self.mesh is None or jax.process_count() == 1:
            return
        digest = hashlib.sha256()
        for leaf in map(np.asarray, jax.tree.leaves(tree)):
            digest.update(f"{leaf.dtype} {leaf.shape}".encode())
            digest.update(np.ascontiguousarray(leaf).data)
        first, others = self._differing(digest.digest())
        if others:
            raise ValueError(
                explain("fit", argument, got=f"other in process {others} than in process {first}",
                        expected="the same examples, hyperparameters and seed in every process",
                        fix="read the same files in the same order everywhere; each device takes its part")
            )  # fmt: skip

    def same_program(self, digest: Callable[[], str]) -> None:
        """Raise `ValueError` unless all processes run one program, told by its SHA-256; all call it."""
        if self.mesh is None or jax.process_count() == 1:
            return
        first, others = self._differing(bytes.fromhex(digest()))
        if others:
            which = f"process {others[0]} runs" if len(others) == 1 else f"processes {others} run"
            raise ValueError(
                f"fit: {which} another program than process {first}: another optimizer, loss, network or "
                "option. Fix: run one script, with one version and the same settings of jax, in every process"
            )

    def _differing(self, digest: bytes) -> tuple[int, list[int]]:
        """Return the first process, and those that gave another digest than it."""
        assert self.mesh is not None
        words = np.frombuffer(digest, np.uint32)
        rows = self._put(np.tile(words, (self.devices, 1)), PartitionSpec(AXIS))
        found = np.asarray(self.gathered(rows))
        owners = [device.process_index for device in self.mesh.devices.flat]
        return owners[0], sorted({owner for owner, row in zip(owners, found) if (row != found[0]).any()})

    def gathered(self, tree: Any) -> Any:
        """Return a tree with every leaf whole on every device, so that any process can read it.

        All processes call it together. It needs the memory that `fsdp` saved.
        """
        if self.mesh is None:
            return tree
        return jax.jit(lambda tree: tree, out_shardings=self._sharding(PartitionSpec()))(tree)

    def largest(self, *values: float) -> tuple[float, ...]:
        """Return the largest of each value over the processes: what they then all decide by."""
        if self.mesh is None or jax.process_count() == 1:
            return tuple(map(float, values))
        rows = np.tile(np.asarray(values, np.float32), (self.devices, 1))
        return tuple(np.asarray(self.gathered(self._put(rows, PartitionSpec(AXIS)))).max(0).tolist())

    def _put(self, array: np.ndarray, spec: PartitionSpec) -> jax.Array:
        return jax.make_array_from_callback(array.shape, self._sharding(spec), lambda index: array[index])

    def _sharding(self, spec: PartitionSpec) -> NamedSharding:
        assert self.mesh is not None
        return NamedSharding(self.mesh, spec)

    def _constrain(self, tree: Any, spec: PartitionSpec) -> Any:
        if self.kind not in SPLIT_BATCHES:
            return tree
        return jax.tree.map(lambda leaf: lax.with_sharding_constraint(leaf, self._sharding(spec)), tree)


ALONE = Plan("alone", None)


def require_whole(op: str, tree: Any) -> None:
    """Raise `ValueError` where a leaf has parts on devices of other processes: it cannot be read here."""
    for name, leaf in _trees.named_leaves(tree).items():
        if isinstance(leaf, jax.Array) and not (leaf.is_fully_addressable or leaf.is_fully_replicated):
            raise ValueError(
                explain(op, "fitted", got=f"split: '{name}' lies in part on devices of other processes",
                        expected="arrays that this process can read whole",
                        fix="dataclasses.replace(fitted, params=plan.gathered(fitted.params)) in "
                        f"every process, then {op} in one (docs/scaling.md)")
            )  # fmt: skip


def data_parallel(n: int | None = None) -> Plan:
    """Split every batch over devices; each holds all parameters, and the gradients are summed over them.

    Args:
        n: number of devices; None takes all, those of every process included.

    Returns:
        The `Plan`, for ``fit(..., shard=plan)`` or ``Spec(shard=plan)``.

    Raises:
        ValueError: more devices than there are, or fewer than all with several processes.

    Example:
        >>> plan = data_parallel(1)
        >>> plan.kind, plan.devices
        ('data_parallel', 1)

    Reference:
        Goyal et al. (2017), "Accurate, large minibatch SGD"; here with the global statistics in batch norm.
    """
    return Plan("data_parallel", _mesh("data_parallel", n))


def fsdp(n: int | None = None, *, min_size: int = SMALLEST_SPLIT) -> Plan:
    """Split every batch, and the parameters and the optimizer's state too (fully sharded data parallel).

    A leaf of at least `min_size` elements is split along its largest axis that `n` divides; the others are
    held whole. Each step gathers the parameters, and each device updates its own part of them.

    Args:
        n: number of devices; None takes all, those of every process included.
        min_size: elements from which a leaf is split.

    Returns:
        The `Plan`, for ``fit(..., shard=plan)`` or ``Spec(shard=plan)``.

    Raises:
        ValueError: more devices than there are, or fewer than all with several processes.

    Example:
        >>> tuple(fsdp(1, min_size=16).spec((4, 8)))
        (None, 'devices')

    Reference:
        Rajbhandari et al. (2020), "ZeRO"; Zhao et al. (2023), "PyTorch FSDP".
    """
    _checks.positive_integer("fsdp", "min_size", min_size)
    return Plan("fsdp", _mesh("fsdp", n), min_size)


def members(n: int | None = None) -> Plan:
    """Split the members of a sweep over devices: each trains its own, and nothing is sent between them.

    Args:
        n: number of devices; None takes all.

    Returns:
        The `Plan`; `Plan.place_members` lays out what differs by member, `Plan.place` what they share.

    Raises:
        ValueError: more devices than there are, or several processes.

    Example:
        >>> rates = members(1).place_members({"learning_rate": jnp.array([0.1, 0.2])})
        >>> len(rates["learning_rate"].addressable_shards)
        1
    """
    if jax.process_count() > 1:
        raise ValueError(
            explain("members", "n", got=f"{n} in one of {jax.process_count()} processes",
                    expected="one process", fix="start them apart, each with points of its own")
        )  # fmt: skip
    return Plan("members", _mesh("members", n))


def _mesh(op: str, n: int | None) -> Mesh:
    devices = jax.devices()
    count = len(devices) if n is None else _checks.positive_integer(op, "n", n)
    if count > len(devices):
        raise ValueError(
            explain(op, "n", got=count, expected=f"at most {len(devices)}, the devices that jax sees",
                    fix=f"n={len(devices)}; to try it on a CPU, set "
                    f"XLA_FLAGS=--xla_force_host_platform_device_count={count} before jax is imported")
        )  # fmt: skip
    if count < len(devices) and jax.process_count() > 1:
        raise ValueError(
            explain(op, "n", got=count,
                    expected=f"None, as {jax.process_count()} processes share {len(devices)} devices",
                    fix="start fewer processes, or leave n out")
        )  # fmt: skip
    return jax.make_mesh((count,), (AXIS,), devices=devices[:count], axis_types=(AxisType.Auto,))
