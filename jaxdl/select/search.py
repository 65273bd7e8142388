"""Coarse-to-fine random search: each stage one call of one compiled program over all members."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.select import _examples, _program

Run = Callable[[jax.Array, dict[str, jax.Array]], jax.Array]
SCALES = ("log", "linear")


@dataclasses.dataclass(frozen=True)
class Range:
    """An interval to draw a hyperparameter from, uniformly in its logarithm or in itself.

    Attributes:
        low: least value; positive on the log scale.
        high: largest value, above `low`.
        scale: ``"log"`` or ``"linear"``.

    Raises:
        ValueError: the bounds are not finite, not in order or, on the log scale, not positive.
        DtypeError: a bound is no number.

    Example:
        >>> Range(1e-4, 1.0).scale
        'log'
    """

    low: float
    high: float
    scale: str = "log"

    def __post_init__(self) -> None:
        _checks.one_of("Range", "scale", self.scale, SCALES)
        least = 1e-30 if self.scale == "log" else -1e30
        text = "(0, inf)" if self.scale == "log" else "(-inf, inf)"
        _checks.in_range("Range", "low", self.low, least, 1e30, text)
        _checks.in_range("Range", "high", self.high, least, 1e30, text)
        if not self.low < self.high:
            raise ValueError(
                explain("Range", "high", got=self.high, expected=f"above low, {self.low}",
                        fix="give the lower bound first, and leave out what is not searched")
            )  # fmt: skip

    @property
    def ends(self) -> tuple[float, float]:
        """The bounds on the scale that is drawn from."""
        return (math.log(self.low), math.log(self.high)) if self.scale == "log" else (self.low, self.high)


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """Every trial of a search, in the order in which they ran.

    Attributes:
        trials: values (trials,) by name of the hyperparameter.
        losses: (trials,); what is not finite never won.
        stages: (trials,) the stage of each trial, from 0.
        ranges: by name, (stages, 2): the bounds that each stage drew from.
        batch_size: members that ran at once.
        memory: bytes of intermediate results that XLA reported for them, or -1.
    """

    trials: dict[str, np.ndarray]
    losses: np.ndarray
    stages: np.ndarray
    ranges: dict[str, np.ndarray]
    batch_size: int
    memory: int

    @property
    def best_index(self) -> int:
        """Index of the trial of least finite loss."""
        return int(np.argmin(np.where(np.isfinite(self.losses), self.losses, np.inf)))

    @property
    def best(self) -> dict[str, float]:
        """The hyperparameters of the best trial, and its loss as ``"loss"``."""
        found = {name: float(values[self.best_index]) for name, values in self.trials.items()}
        return found | {"loss": float(self.losses[self.best_index])}

    @property
    def failed(self) -> np.ndarray:
        """Number of trials of each stage whose loss is not finite, (stages,)."""
        return np.bincount(self.stages, weights=~np.isfinite(self.losses)).astype(int)

    def table(self, count: int = 10) -> str:
        """Write the best trials as lines of text.

        Args:
            count: number of trials, the best first.

        Returns:
            A header and one line a trial.
        """
        order = np.argsort(np.where(np.isfinite(self.losses), self.losses, np.inf), kind="stable")[:count]
        columns = {"loss": self.losses, **self.trials}
        lines = ["  ".join(["stage", *(f"{name:>12}" for name in columns)])]
        for i in order:
            lines.append("  ".join([f"{self.stages[i]:>5}", *(f"{v[i]:>12.5g}" for v in columns.values())]))
        return "\n".join(lines)


def random_search(
    run: Run,
    key: jax.Array,
    ranges: Mapping[str, Range],
    *,
    stages: int = 3,
    members: int = 64,
    shrink: float = 0.3,
    batch_size: int | None = None,
    memory_limit: int = _program.MEMORY_LIMIT,
) -> Search:
    """Draw hyperparameters at random, then again from ranges narrowed around the best, stage by stage.

    Stage s draws from ranges of ``shrink ** s`` of the whole width, on the scale of each, centred on the
    best trial so far and moved to stay inside the whole range. The bounds are traced, so that all stages
    are one compiled program. A loss that is not finite never wins and is counted; while no loss is finite,
    the whole ranges are drawn from again.

    Args:
        run: ``run(key, hyper) -> loss``, pure, a scalar to be minimised: such as
            ``lambda key, hyper: train(key, order, data, hyper).history["valid_loss"][-1]`` with `train` from
            `jaxdl.train.make_train`. The key is another one for every trial. Programs are kept by function.
        key: a key of its own for what is drawn.
        ranges: `Range` by name of the hyperparameter.
        stages: number of stages.
        members: trials a stage.
        shrink: width of a stage's ranges by that of the stage before, in (0, 1].
        batch_size: members at once; None runs all at once if `memory_limit` allows it, else as many as fit.
        memory_limit: bytes of intermediate results, as XLA reports them.

    Returns:
        The `Search`.

    Raises:
        DtypeError: an argument has the wrong type.
        ShapeError: the run gives no scalar.
        ValueError: a number out of range, or no finite loss in any stage.

    Example:
        >>> def run(key, hyper):
        ...     return (jnp.log10(hyper["rate"]) + 2) ** 2
        >>> search = random_search(run, jax.random.key(0), {"rate": Range(1e-5, 1.0)}, stages=4, members=20)
        >>> round(search.best["rate"], 3), len(search.losses), search.failed.tolist()
        (0.01, 80, [0, 0, 0, 0])

    Reference:
        Bergstra and Bengio (2012), Random search for hyper-parameter optimization.
    """
    _examples.callables("random_search", run=run)
    stages, members = (_checks.positive_integer("random_search", name, value)
                       for name, value in (("stages", stages), ("members", members)))  # fmt: skip
    _checks.in_range("random_search", "shrink", shrink, 1e-6, 1 + 1e-9, "(0, 1]")
    _check_ranges(ranges)
    keys = jax.random.split(_checks.key("random_search", key), stages)
    stage = _Stage(run, tuple((name, ranges[name]) for name in ranges), members)
    whole = np.array([entry.ends for entry in ranges.values()])
    program = _program.compiled("random_search", stage, (keys[0], jnp.zeros((len(whole), 2))),
                                points=members, batch_size=batch_size, memory_limit=memory_limit)  # fmt: skip
    drawn: list[np.ndarray] = []
    losses, bounds = np.empty(0), []
    for number in range(stages):
        bounds.append(_narrowed(whole, _best_point(ranges, drawn, losses), shrink**number))
        values, found = program.call(keys[number], jnp.asarray(bounds[-1], jnp.float32))
        drawn.append(np.asarray(values))
        losses = np.append(losses, np.asarray(found))
    if not np.isfinite(losses).any():
        raise ValueError(
            explain("random_search", "run", got=f"a run without a finite loss in {len(losses)} trials",
                    expected="one finite loss", fix="try lower learning rates, or look at a single run")
        )  # fmt: skip
    return _collected(ranges, np.concatenate(drawn), losses, np.array(bounds), program)


@dataclasses.dataclass(frozen=True)
class _Stage:
    """The program of a stage; equal fields are the same program."""

    run: Run
    ranges: tuple[tuple[str, Range], ...]
    members: int

    def __call__(self, batch_size: int) -> Callable[..., Any]:
        def stage(key: jax.Array, bounds: jax.Array) -> tuple[jax.Array, jax.Array]:
            draw, rest = jax.random.split(key)
            part = jax.random.uniform(draw, (self.members, len(self.ranges)))
            low, high = (jnp.broadcast_to(bounds[:, i], part.shape) for i in (0, 1))
            values = self._values(low + part * (high - low))
            keys = jax.random.split(rest, self.members)
            return values, _program.mapped(self._member, (keys, values), batch_size)

        return stage

    def _values(self, points: jax.Array) -> jax.Array:
        columns = []
        for i, (_, entry) in enumerate(self.ranges):
            column = jnp.exp(points[:, i]) if entry.scale == "log" else points[:, i]
            columns.append(jnp.clip(column, entry.low, entry.high))
        return jnp.stack(columns, axis=1)

    def _member(self, point: tuple[jax.Array, jax.Array]) -> jax.Array:
        key, values = point
        loss = jnp.asarray(self.run(key, {name: values[i] for i, (name, _) in enumerate(self.ranges)}))
        if loss.ndim or not jnp.issubdtype(loss.dtype, jnp.floating):
            raise ShapeError(
                explain("random_search", "run()", got=f"{loss.dtype} of shape {loss.shape}",
                        expected="one floating loss", fix="take the last entry of the history")
            )  # fmt: skip
        return loss


def _narrowed(whole: np.ndarray, best: np.ndarray | None, share: float) -> np.ndarray:
    """Return bounds (names, 2) of a share of the whole widths around the best, inside the whole ranges."""
    if best is None:
        return whole
    low, high = whole.T
    width = share * (high - low)
    start = np.clip(best - width / 2, low, high - width)
    return np.stack([start, start + width], axis=1)


def _best_point(ranges: Mapping[str, Range], drawn: list[np.ndarray], losses: np.ndarray) -> Any:
    """Return the best trial so far on the scales that are drawn from, or None."""
    if not np.isfinite(losses).any():
        return None
    values = np.concatenate(drawn)[np.argmin(np.where(np.isfinite(losses), losses, np.inf))]
    logs = [entry.scale == "log" for entry in ranges.values()]
    return np.where(logs, np.log(np.where(logs, values, 1)), values)


def _collected(
    ranges: Mapping[str, Range], values: np.ndarray, losses: np.ndarray, bounds: np.ndarray,
    program: _program.Program,
) -> Search:  # fmt: skip
    trials, shown = {}, {}
    for i, (name, entry) in enumerate(ranges.items()):
        trials[name] = values[:, i]
        shown[name] = np.exp(bounds[:, i]) if entry.scale == "log" else bounds[:, i]
    stages = np.repeat(np.arange(len(bounds)), len(losses) // len(bounds))
    return Search(trials, losses, stages, shown, program.batch_size, program.memory)


def _check_ranges(ranges: Any) -> None:
    wrong = not isinstance(ranges, Mapping) or not ranges
    if wrong or not all(isinstance(entry, Range) for entry in ranges.values()):
        raise DtypeError(
            explain("random_search", "ranges", got=f"{ranges!r}", expected="a Range by name, at least one",
                    fix="ranges={'learning_rate': Range(1e-4, 1.0)}")
        )  # fmt: skip
