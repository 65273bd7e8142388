"""What a sweep returns."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DivergenceError, DtypeError, explain
from jaxdl.net import Net, Tree
from jaxdl.train.fitted import Fitted, Timing
from jaxdl.train.history import History
from jaxdl.train.session import EARLY
from jaxdl.train.stopping import Stopping
from jaxdl.train.sweeps.members import Members, end_name
from jaxdl.train.sweeps.table import Table

FINISHED, STOPPED, INTERRUPTED, DIVERGED = STATUSES = "finished", "stopped", "interrupted", "diverged"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """All members of a sweep, trained.

    Attributes:
        net: the network.
        params: trained parameters, each leaf with the members in front; NaN where a member diverged.
        state: running statistics, likewise.
        opt_state: states of the optimizer, likewise.
        history: what was recorded by name, (members, epochs, ...); NaN from where a member ended.
        members: hyperparameters by name, seed and number of the point of each member.
        status: ``"finished"``, ``"stopped"`` early, ``"interrupted"`` or ``"diverged"`` by member.
        epochs: epochs that each member trained for, (members,).
        errors: by member, the `DivergenceError` with step, cause and last good state.
        timing: compile time and run time apart; examples per second of all members together.
        strategy: ``"vmap"``, ``"scan"`` or ``"map"``.
        members_at_once: members that were vmapped together; 1 is one after another.
        scaling: scaling of the inputs, or None.
        classes: class names, or None.
        reduction: of the losses, as trained.
        average: the averaged parameters, where ``average=`` asked for them, else None.
        stopping: where early stopping ended, or None.
        example: shape and dtype of one example of the inputs, a `jax.ShapeDtypeStruct`, or a dict of such.
        labels: what integer targets are, as trained: ``"classes"`` or ``"identities"``.
    """

    net: Net
    params: Tree
    state: Tree
    opt_state: Any
    history: Mapping[str, np.ndarray]
    members: Members
    status: tuple[str, ...]
    epochs: np.ndarray
    errors: Mapping[int, DivergenceError]
    timing: Timing
    strategy: str
    members_at_once: int
    scaling: Any = None
    classes: tuple[str, ...] | None = None
    reduction: str = "mean"
    average: Tree | None = None
    stopping: Stopping | None = None
    example: Any = None
    labels: str = "classes"

    def __repr__(self) -> str:
        counts = {status: self.status.count(status) for status in STATUSES}
        ends = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        names = ", ".join([*self.hyper, "seed"])
        return f"Sweep({len(self)} members by {names}: {ends}; recorded: {', '.join(self.history)})"

    @property
    def hyper(self) -> dict[str, np.ndarray]:
        """Hyperparameters by name, (members,)."""
        return self.members.hyper

    @property
    def seeds(self) -> np.ndarray:
        """Seeds, (members,)."""
        return self.members.seeds

    def __len__(self) -> int:
        return len(self.status)

    def __iter__(self) -> Iterator[Fitted]:
        return (self.member(i) for i in range(len(self)))

    def member(self, index: int) -> Fitted:
        """Return one member as `fit` would have returned it: it predicts, evaluates and saves.

        Raises:
            DtypeError: `index` is no whole number.
            IndexError: no such member.
            DivergenceError: that member diverged.
        """
        if isinstance(index, bool) or not isinstance(index, int | np.integer):
            raise DtypeError(
                explain("Sweep.member", "index", got=repr(index), expected="a whole number",
                        fix="`table()` numbers the members")
            )  # fmt: skip
        if not -len(self) <= index < len(self):
            raise IndexError(
                explain("Sweep.member", "index", got=index, expected=f"below {len(self)}",
                        fix="`table()` numbers the members")
            )  # fmt: skip
        index %= len(self)
        if index in self.errors:
            raise self.errors[index]
        params, state, opt_state, average, stopping = jax.tree.map(
            lambda leaf: leaf[index], (self.params, self.state, self.opt_state, self.average, self.stopping)
        )
        history = History({name: v[index, : self.epochs[index]] for name, v in self.history.items()})
        hyper = {name: jnp.asarray(values[index]) for name, values in self.hyper.items()}
        stopped = {STOPPED: EARLY, INTERRUPTED: INTERRUPTED}.get(self.status[index])
        return Fitted(self.net, params, state, opt_state, history, self.timing, hyper, self.scaling,
                      self.classes, self.reduction, average, stopping, stopped,
                      self.example, self.labels)  # fmt: skip

    def final(self, name: str) -> np.ndarray:
        """Return the value of a curve that belongs to the parameters of each member, (members,).

        It is that of the last epoch, or of the best one where early stopping restored it; NaN where a member
        diverged.

        Raises:
            KeyError: `name` was not recorded.
            ValueError: it has more than one value an epoch.
        """
        values, at = self._curves(name), self.epochs - 1
        if self.stopping is not None and self.stopping.kept is not None:
            best = np.asarray(self.stopping.epoch)
            at = np.where(best < 0, at, best)
        found = values[np.arange(len(self)), np.maximum(at, 0)]
        return np.where(self._diverged, np.nan, found)

    def index(self, name: str = "valid_loss", *, mode: str | None = None) -> int:
        """Return which member has the best final value; those that diverged never win.

        Args:
            name: of a curve.
            mode: ``"min"`` or ``"max"``; None means ``"min"`` for losses, and must be said for all else.

        Raises:
            KeyError: `name` was not recorded.
            ValueError: unknown mode, or every value is NaN.
        """
        values = self.final(name)
        mode = _mode("Sweep.index", name, mode)
        if np.isnan(values).all():
            raise ValueError(f"Sweep.index: '{name}' is NaN for every member")
        return int(np.nanargmin(values) if mode == "min" else np.nanargmax(values))

    def best(self, name: str = "valid_loss", *, mode: str | None = None) -> Fitted:
        """Return the member with the best final value; see `index` and `member`."""
        return self.member(self.index(name, mode=mode))

    def table(self, sort: str | None = None, *, mode: str | None = None) -> Table:
        """Return a row for each member: hyperparameters, seed, status, epochs, and each curve's end.

        Each curve has its final value under its name, and the least of its values (losses) or the greatest
        (all else) as ``min_<name>`` or ``max_<name>``.

        Args:
            sort: a column; the best member comes first, those that diverged last.
            mode: ``"min"`` or ``"max"`` first; None means ``"max"`` for ``max_<name>``, and ``"min"`` for
                losses and columns that are no curve.

        Raises:
            ValueError: no such column, or a metric without its mode.
        """
        columns = {"member": np.arange(len(self)), **self.hyper, "seed": self.seeds,
                   "status": np.array(self.status), "epochs": self.epochs}  # fmt: skip
        for name in self.curves:
            end = end_name(name)
            columns[name] = self.final(name)
            columns[end] = (np.fmin if end.startswith("min_") else np.fmax).reduce(self.history[name], axis=1)
        found = Table(columns)
        if sort is None:
            return found
        if mode is None and sort in self.curves:
            mode = _mode("Sweep.table", sort, None)
        greatest = sort.startswith("max_") and sort in map(end_name, self.curves)
        return found.sorted(sort, mode=mode or ("max" if greatest else "min"), last=self._diverged)

    def over_seeds(self, name: str = "valid_loss") -> Table:
        """Return a row for each point: mean, standard deviation and count of the final values over its seeds.

        Members that diverged are counted in their own column and are left out of the mean; the standard
        deviation is that of a sample, NaN for fewer than two.
        """
        values, count = self.final(name), int(self.members.points.max()) + 1
        groups = [np.flatnonzero(self.members.points == point) for point in range(count)]
        good = [values[group][~np.isnan(values[group])] for group in groups]
        columns = {key: value[[group[0] for group in groups]] for key, value in self.hyper.items()}
        columns |= {
            name: np.array([group.mean() if len(group) else np.nan for group in good]),
            f"std_{name}": np.array([group.std(ddof=1) if len(group) > 1 else np.nan for group in good]),
            "members": np.array([len(group) for group in groups]),
            "diverged": np.array([sum(int(i) in self.errors for i in group) for group in groups]),
        }
        return Table(columns)

    @property
    def curves(self) -> tuple[str, ...]:
        """Names of what was recorded with one value an epoch."""
        return tuple(name for name, values in self.history.items() if values.ndim == 2)

    @property
    def _diverged(self) -> np.ndarray:
        return np.array([status == DIVERGED for status in self.status])

    def _curves(self, name: str) -> np.ndarray:
        if name not in self.history:
            raise KeyError(f"Sweep: '{name}' was not recorded; recorded are {', '.join(self.history)}")
        if name not in self.curves:
            raise ValueError(
                explain("Sweep", "name", got=f"'{name}', of shape {self.history[name].shape}",
                        expected="a curve with one value an epoch", fix=f"reduce sweep.history['{name}']")
            )  # fmt: skip
        return self.history[name]


def _mode(op: str, name: str, mode: str | None) -> str:
    if mode is None and not name.endswith("loss"):
        raise ValueError(
            explain(op, "mode", got=f"None for '{name}'", expected="'min' or 'max'",
                    fix="mode='max' for an accuracy, mode='min' for an error")
        )  # fmt: skip
    _checks.one_of(op, "mode", mode or "min", ("min", "max"))
    return mode or "min"
