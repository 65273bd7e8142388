"""A run in chunks: what happens on the host between two calls of the compiled program."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import DivergenceError, DtypeError, explain
from jaxdl.train import health
from jaxdl.train.history import History
from jaxdl.train.order import steps_per_epoch
from jaxdl.train.parts import examples_of
from jaxdl.train.progress import Reporter
from jaxdl.train.replay import Report
from jaxdl.train.shard import ALONE, Plan
from jaxdl.train.spec import Arrays, Carry, Health, Hyper, Spec

CHUNK_SECONDS = 0.1
EARLY, ELSEWHERE = "early stopping", "stopped in another process"


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
        cursor: steps of the epoch that has begun; always 0 in memory, where chunks are whole epochs.
        source_state: what `Stream.seek` takes to go on here; None in memory, and for a stream that cannot be
            sought.
        step: steps of the whole run that are over.
    """

    epoch: int
    epochs: int
    carry: Carry
    history: History
    seconds: float
    examples_per_second: float
    stopped: str | None = None
    cursor: int = 0
    source_state: Mapping[str, Any] | None = None
    step: int = 0


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
    report: Callable[..., Report] | None = None,
) -> Moment:
    """Run chunks of whole epochs up to the last one, early stopping, or a hook that returns a reason.

    Hooks are called in turn after every healthy chunk with the `Moment`; what one returns (a string) ends the
    run with that reason, after the hooks behind it were called; after the last epoch it is no reason, as the
    run is whole. `report(carry, step, steps)` replays the step
    at which the run diverged. A chunk ends no later than at the epoch that ``hook.until(epoch)`` returns,
    where a hook has such a method.
    """
    steps = steps_per_epoch(examples_of(arrays), spec.batch_size)
    chunk, total = 1, 0.0
    moment = beginning(carry, spec)
    while moment.epoch < spec.epochs and moment.stopped is None:
        stop = _stop(moment, chunk, hooks)
        begin = time.perf_counter()
        after = jax.block_until_ready(advance(carry, jnp.int32(stop), arrays, hyper))
        # Processes decide by the slowest of them, so that all take the same chunks and save at the same ones.
        (seconds,) = spec.layout.largest(time.perf_counter() - begin)
        if int(after.health.word):
            found = replay(carry, jnp.int32(stop), arrays, hyper).health
            found = found if int(found.word) else after.health
            again = None if report is None else partial(report, carry, int(found.step), steps)
            raise_diverged(found, carry, int(found.step) // steps, hyper, again)
        carry, total, done = after, total + seconds, int(after.epoch) - moment.epoch
        speed = done * steps * spec.batch_size / seconds
        moment = Moment(int(carry.epoch), spec.epochs, carry, history_of(carry), total, speed,
                        early(carry, spec), step=int(carry.epoch) * steps)  # fmt: skip
        reporter.epoch(moment.epoch, moment.history, speed)
        moment = called(hooks, moment, spec.layout)
        chunk = max(1, int(np.ceil(CHUNK_SECONDS * done / seconds)))
    return moment


def beginning(carry: Carry, spec: Spec) -> Moment:
    """Return the moment before anything was run."""
    return Moment(int(carry.epoch), spec.epochs, carry, history_of(carry), 0.0, 0.0, early(carry, spec))


def _stop(moment: Moment, chunk: int, hooks: Sequence[Hook]) -> int:
    """Return the epoch up to which the next chunk goes: a hook with `until` may ask for less."""
    wanted = [hook.until(moment.epoch) for hook in hooks if hasattr(hook, "until")]
    return min(moment.epoch + chunk, moment.epochs, *(epoch for epoch in wanted if epoch is not None))


def history_of(carry: Carry) -> History:
    """Return what was recorded in the epochs that are over."""
    return History({name: np.asarray(values)[: int(carry.epoch)] for name, values in carry.history.items()})


def early(carry: Carry, spec: Spec) -> str | None:
    """Say that early stopping has ended a run before its last epoch, or return None."""
    ended = carry.stopping is not None and bool(carry.stopping.stopped)
    return EARLY if ended and int(carry.epoch) < spec.epochs else None


def check_callbacks(callbacks: Any) -> list[Hook]:
    """Return the callbacks of `fit` as a list, or raise `DtypeError`."""
    listed = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    wrong = [entry for entry in listed if not callable(entry)]
    if wrong or not isinstance(callbacks, list | tuple):
        got = f"a list with a {type(wrong[0]).__name__}" if wrong else f"a {type(callbacks).__name__}"
        raise DtypeError(
            explain("fit", "callbacks", got=got, expected="a list of functions of a Moment",
                    fix="callbacks=[lambda moment: print(moment.epoch)]")
        )  # fmt: skip
    return listed


def called(hooks: Sequence[Hook], moment: Moment, plan: Plan = ALONE) -> Moment:
    """Call the hooks in turn; return the moment with the first reason to stop, in this process or another."""
    for hook in hooks:
        if hasattr(hook, "save"):
            moment = _agreed(moment, plan)
        try:
            reason = _reason(hook(moment))
        except Exception as error:
            _save(hooks, hook, moment, error)
            raise
        if reason is not None and moment.stopped is None and moment.epoch < moment.epochs:
            moment = dataclasses.replace(moment, stopped=reason)
    return _agreed(moment, plan)


def _reason(returned: Any) -> str | None:
    if not isinstance(returned, str | None):
        raise TypeError(
            explain("fit", "callbacks", got=f"a function that returned a {type(returned).__name__}",
                    expected="None, or a string that says why the run ends", fix="return 'stop'")
        )  # fmt: skip
    return returned


def _agreed(moment: Moment, plan: Plan) -> Moment:
    """Return the moment, stopped where another process stops: all of them end, and save, together."""
    (ends,) = plan.largest(moment.stopped is not None)
    return dataclasses.replace(moment, stopped=ELSEWHERE) if ends and moment.stopped is None else moment


def _save(hooks: Sequence[Hook], failed: Hook, moment: Moment, error: Exception) -> None:
    """Let the hooks that can save do it, before the error of another hook ends the run."""
    error.add_note(f"fit: raised by a callback after epoch {moment.epoch} of {moment.epochs}")
    for hook in hooks:
        if hook is not failed and hasattr(hook, "save"):
            try:
                hook.save(moment)
            except Exception as fault:
                error.add_note(f"Besides, the state was not saved: {fault}")
            else:
                error.add_note("The state was saved before")


def raise_diverged(
    found: Health, before: Carry, epoch: int, hyper: Hyper, replay: Callable[[], Report] | None = None
) -> None:
    """Raise `DivergenceError` for what was found in an epoch, with the state before its chunk."""
    step, word = int(found.step), int(found.word)
    cause = health.cause(word)
    values = ", ".join(f"{name}={float(value):g}" for name, value in hyper.items())
    report, words = _replayed(replay)
    done = f"{int(before.epoch)} whole epoch{'' if int(before.epoch) == 1 else 's'}"
    raise DivergenceError(
        f"fit: the run diverged at step {step} (epoch {epoch + 1}): {health.SENTENCES[cause]}"
        f"{' with ' + values if values else ''}. {words}The state after {done} is "
        f"in `error.last_good`. Fix: {health.FIXES[cause]}",
        step=step, epoch=epoch, cause=cause, last_good=before,
        line=report.line if report else None, norms=report.norms if report else None,
    )  # fmt: skip


def _replayed(replay: Callable[[], Report] | None) -> tuple[Report | None, str]:
    """Return the report of a step and its words; what fails in the replay must not hide the divergence."""
    if replay is None:
        return None, ""
    try:
        report = replay()
    except Exception as error:
        return None, f"The replay of this step failed ({type(error).__name__}: {error}). "
    return report, report.sentences() + " "
