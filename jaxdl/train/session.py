"""A run in chunks: what happens on the host between two calls of the compiled program."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import DivergenceError, explain
from jaxdl.train import health
from jaxdl.train.history import History
from jaxdl.train.order import steps_per_epoch
from jaxdl.train.parts import examples_of
from jaxdl.train.progress import Reporter
from jaxdl.train.spec import Arrays, Carry, Health, Hyper, Spec

CHUNK_SECONDS = 0.1
EARLY = "early stopping"


@dataclasses.dataclass(frozen=True)
class Moment:
    """Where a run stands after a healthy chunk, as callbacks see it.

    Attributes:
        epoch: epochs that are over.
        epochs: epochs that were asked for.
        carry: the whole state on the device: ``carry.params``, ``carry.state``, ``carry.opt_state``, ...
        history: what was recorded so far, `epoch` rows.
        seconds: run time so far, compilation apart.
        examples_per_second: speed of the last chunk.
        stopped: why the run ends here, or None while it goes on.
    """

    epoch: int
    epochs: int
    carry: Carry
    history: History
    seconds: float
    examples_per_second: float
    stopped: str | None = None


Hook = Callable[[Moment], str | None]


def run(
    advance: Callable[..., Carry],
    replay: Callable[..., Carry],
    carry: Carry,
    arrays: Arrays,
    hyper: Hyper,
    spec: Spec,
    reporter: Reporter,
    hooks: Sequence[Hook] = (),
) -> Moment:
    """Run chunks of whole epochs up to the last one, early stopping, or a hook that returns a reason.

    Hooks are called in turn after every healthy chunk with the `Moment`; what one returns (a string) ends the
    run with that reason, after the hooks behind it were called.
    """
    steps = steps_per_epoch(examples_of(arrays), spec.batch_size)
    chunk, total = 1, 0.0
    moment = Moment(int(carry.epoch), spec.epochs, carry, history_of(carry), 0.0, 0.0, _early(carry))
    while moment.epoch < spec.epochs and moment.stopped is None:
        stop = min(moment.epoch + chunk, spec.epochs)
        begin = time.perf_counter()
        after = jax.block_until_ready(advance(carry, jnp.int32(stop), arrays, hyper))
        seconds = time.perf_counter() - begin
        if int(after.health.word):
            found = replay(carry, jnp.int32(stop), arrays, hyper).health
            _raise_diverged(found if int(found.word) else after.health, carry, steps, hyper)
        carry, total, done = after, total + seconds, int(after.epoch) - moment.epoch
        speed = done * steps * spec.batch_size / seconds
        moment = Moment(int(carry.epoch), spec.epochs, carry, history_of(carry), total, speed, _early(carry))
        reporter.epoch(moment.epoch, moment.history, speed)
        moment = _called(hooks, moment)
        chunk = max(1, int(np.ceil(CHUNK_SECONDS * done / seconds)))
    return moment


def history_of(carry: Carry) -> History:
    """Return what was recorded in the epochs that are over."""
    return History({name: np.asarray(values)[: int(carry.epoch)] for name, values in carry.history.items()})


def _early(carry: Carry) -> str | None:
    return EARLY if carry.stopping is not None and bool(carry.stopping.stopped) else None


def _called(hooks: Sequence[Hook], moment: Moment) -> Moment:
    for hook in hooks:
        reason: Any = hook(moment)
        if not isinstance(reason, str | None):
            raise TypeError(
                explain("fit", "callbacks", got=f"a function that returned a {type(reason).__name__}",
                        expected="None, or a string that says why the run ends", fix="return 'stop'")
            )  # fmt: skip
        if reason is not None and moment.stopped is None:
            moment = dataclasses.replace(moment, stopped=reason)
    return moment


def _raise_diverged(found: Health, before: Carry, steps: int, hyper: Hyper) -> None:
    step, word = int(found.step), int(found.word)
    cause, epoch = health.cause(word), step // steps
    values = ", ".join(f"{name}={float(value):g}" for name, value in hyper.items())
    raise DivergenceError(
        f"fit: the run diverged at step {step} (epoch {epoch + 1}): {health.SENTENCES[cause]}"
        f"{' with ' + values if values else ''}. The state after {int(before.epoch)} whole epochs is in "
        f"`error.last_good`. Fix: {health.FIXES[cause]}",
        step=step, epoch=epoch, cause=cause, last_good=before,
    )  # fmt: skip
