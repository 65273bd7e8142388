"""The members of a sweep: every point with every seed, checked before anything is compiled."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.net import Net
from jaxdl.train import door
from jaxdl.train.spec import Arrays
from jaxdl.train.sweeps.points import Points, column

# Of the tables, beside the hyperparameters and the curves.
COLUMNS = ("member", "seed", "status", "epochs", "members", "diverged")


Seeds = int | Sequence[int] | np.ndarray | jax.Array


@dataclasses.dataclass(frozen=True)
class Members:
    """What each member trains with.

    Attributes:
        hyper: values (members,) by name.
        seeds: (members,).
        points: number of the point of each member, (members,).
    """

    hyper: dict[str, np.ndarray]
    seeds: np.ndarray
    points: np.ndarray

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def first(self) -> dict[str, jax.Array]:
        """The hyperparameters of the first member, on the device."""
        return {name: jnp.asarray(value[0]) for name, value in self.hyper.items()}

    def values(self, member: int) -> dict[str, float]:
        """Return the hyperparameters of one member."""
        return {name: value[member].item() for name, value in self.hyper.items()}

    def words(self, member: int) -> str:
        """Word the hyperparameters and the seed of one member."""
        cells = [f"{name}={value:g}" for name, value in self.values(member).items()]
        return ", ".join([*cells, f"seed={self.seeds[member]}"])

    def keys(self) -> tuple[jax.Array, jax.Array]:
        """Return the keys of the parameters and of the order, each (members,), as `fit` makes them."""
        both = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(self.seeds)
        return both[:, 0], both[:, 1]


def members(hyper: Points | Mapping[str, Any] | None, seeds: Seeds) -> Members:
    """Combine points and seeds, each point with each seed, or raise."""
    columns = _columns(hyper)
    drawn = _seeds(seeds)
    count = max((len(value) for value in columns.values()), default=1)
    spread = {name: np.repeat(np.broadcast_to(value, count), len(drawn)) for name, value in columns.items()}
    return Members(spread, np.tile(drawn, count), np.repeat(np.arange(count), len(drawn)))


def check_ranges(found: Members, net: Net, arrays: Arrays, optimizer: Any) -> None:
    """Check the least and the greatest value of each hyperparameter: in the program they are traced."""
    tried = [found.first]
    for name, value in found.hyper.items():
        ends = [end for end in (value.min(), value.max()) if end != value[0]]
        tried += [found.first | {name: jnp.asarray(end)} for end in ends]
    for values in tried:
        door.ranges(net, arrays, optimizer, values)


def end_name(curve: str) -> str:
    """Return the name of the column with the best of a curve: the least of a loss, else the greatest."""
    return f"{'min' if curve.endswith('loss') else 'max'}_{curve}"


def check_names(hyper: Collection[str], curves: Collection[str], metrics: Collection[str]) -> None:
    """Check that no two columns of a table would have the same name."""
    made = {*COLUMNS, *map(end_name, curves)}
    if taken := sorted(made & set(curves)):
        _refuse("metrics" if taken[0] in metrics else "record", taken[0])
    if taken := sorted((made | set(curves) | {f"std_{curve}" for curve in curves}) & set(hyper)):
        _refuse("hyper", taken[0])


def _refuse(argument: str, name: str) -> None:
    raise ValueError(
        explain("sweep", argument, got=f"with the name '{name}'", expected="names that no table uses",
                fix="choose another name: the table has a column of that name")
    )  # fmt: skip


def _columns(hyper: Points | Mapping[str, Any] | None) -> dict[str, np.ndarray]:
    if not isinstance(hyper, Mapping | None):
        raise DtypeError(
            explain("sweep", "hyper", got=f"a {type(hyper).__name__}",
                    expected="points, or a dict of numbers and arrays (members,)",
                    fix="hyper=train.points.grid(learning_rate=[0.1, 1.0])")
        )  # fmt: skip
    columns = {}
    check_names(hyper or (), (), ())
    for name, value in (hyper or {}).items():
        one = np.ndim(value) == 0
        columns[name] = column("sweep", f"hyper['{name}']", np.reshape(value, 1) if one else value)
        if one and isinstance(value, int | float):
            columns[name] = columns[name].astype(np.float32)
    lengths = {name: len(value) for name, value in columns.items() if np.ndim((hyper or {})[name])}
    if len(set(lengths.values())) > 1:
        raise ShapeError(
            explain("sweep", "hyper", got=f"of lengths {lengths}", expected="equal lengths, or numbers",
                    fix="train.points.grid takes every combination")
        )  # fmt: skip
    return columns


def _seeds(seeds: Seeds) -> np.ndarray:
    if isinstance(seeds, jax.Array) and jnp.issubdtype(seeds.dtype, jnp.integer):
        seeds = np.asarray(seeds)
    if not isinstance(seeds, int | np.integer | Sequence | np.ndarray) or isinstance(seeds, str):
        raise DtypeError(
            explain("sweep", "seeds", got=f"a {type(seeds).__name__}", expected="a whole number or several",
                    fix="seeds=range(4)")
        )  # fmt: skip
    listed = list(seeds) if isinstance(seeds, Sequence) else list(np.atleast_1d(seeds))
    for seed in listed:
        _checks.positive_integer("sweep", "seeds", seed, least=0)
    if not listed or max(listed) >= 2**32 or len(set(listed)) < len(listed):
        raise ValueError(
            explain("sweep", "seeds", got=listed, expected="different whole numbers in [0, 2^32)",
                    fix="seeds=range(4)")
        )  # fmt: skip
    return np.array(listed, np.uint32)
