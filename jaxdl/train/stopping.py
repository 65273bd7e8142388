"""Early stopping, decided inside the compiled program: no chunking changes where a run stops."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import DtypeError, explain

MODES = ("min", "max")


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """When a run stops before its last epoch, and which parameters it keeps.

    An epoch is better when the monitored value lies more than `min_delta` below the best one so far (above it
    for ``mode="max"``); NaN is never better. The run stops after `patience` epochs in a row that are not.

    Attributes:
        monitor: name of a recorded value, one number an epoch, such as ``"valid_loss"``.
        patience: epochs without a better one after which the run stops; None never stops it.
        mode: ``"min"`` or ``"max"``.
        min_delta: how much better counts, at least 0, in units of the monitored value.
        restore_best: end with the parameters and the running statistics of the best epoch; holding them
            takes the memory of one more copy.

    Raises:
        ValueError: an entry out of range.
        DtypeError: a patience that is no whole number, or a monitor that is no name.

    Example:
        >>> EarlyStopping("valid_accuracy", patience=3, mode="max").min_delta
        0.0

    Reference:
        Prechelt (1998), "Early stopping - but when?". Stops where Keras's `EarlyStopping` does, NaN apart,
        which Keras takes for the best value when it comes first.
    """

    monitor: str = "valid_loss"
    patience: int | None = 10
    mode: str = "min"
    min_delta: float = 0.0
    restore_best: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.monitor, str):
            raise DtypeError(
                explain("EarlyStopping", "monitor", got=f"a {type(self.monitor).__name__}",
                        expected="the name of a recorded value", fix="monitor='valid_loss'")
            )  # fmt: skip
        if self.patience is not None:
            _checks.positive_integer("EarlyStopping", "patience", self.patience, least=1)
        _checks.one_of("EarlyStopping", "mode", self.mode, MODES)
        _checks.in_range("EarlyStopping", "min_delta", self.min_delta, 0, float("inf"), "[0, inf)")


class Stopping(NamedTuple):
    """Where early stopping stands.

    Attributes:
        best: the best monitored value so far, inf or -inf before there is one.
        epoch: the epoch, counted from 0, that gave it; -1 before there is one.
        wait: epochs since then.
        stopped: whether the run is over.
        epochs: epochs that were run.
        kept: parameters, running statistics and averaged parameters of the best epoch, or None.
    """

    best: jax.Array
    epoch: jax.Array
    wait: jax.Array
    stopped: jax.Array
    epochs: jax.Array
    kept: Any


def start(rule: EarlyStopping, kept: Any) -> Stopping:
    """Return the state before the first epoch; `kept` is what is kept, as it is then."""
    worst = jnp.float32(jnp.inf if rule.mode == "min" else -jnp.inf)
    zero = jnp.int32(0)
    return Stopping(worst, jnp.int32(-1), zero, jnp.bool_(False), zero, kept if rule.restore_best else None)


def update(rule: EarlyStopping, before: Stopping, number: jax.Array, value: jax.Array, now: Any) -> Stopping:
    """Return the state after epoch `number` with this monitored value; `now` is what may be kept."""
    better = (
        value < before.best - rule.min_delta if rule.mode == "min" else value > before.best + rule.min_delta
    )
    wait = jnp.where(better, 0, before.wait + 1)
    stopped = jnp.bool_(False) if rule.patience is None else wait >= rule.patience
    kept = choose(better, now, before.kept) if rule.restore_best else None
    return Stopping(
        jnp.where(better, value, before.best), jnp.where(better, number, before.epoch),
        wait, stopped, before.epochs + 1, kept,
    )  # fmt: skip


def choose(condition: jax.Array, yes: Any, no: Any) -> Any:
    """Return one of two trees alike, by a traced scalar."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
