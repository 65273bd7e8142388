"""`sweep`: many runs as one program, each with hyperparameters and a seed of its own."""

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import _checks
from jaxdl.data import Dataset
from jaxdl.errors import DivergenceWarning, Interrupted, explain
from jaxdl.net import Net
from jaxdl.train import door
from jaxdl.train.fitted import Timing
from jaxdl.train.interrupt import StopSignal
from jaxdl.train.parts import check_parts, example_of
from jaxdl.train.shard import Plan as ShardPlan
from jaxdl.train.spec import Loss, Metric, Optimizer, Penalty
from jaxdl.train.sweeps import memory as memories
from jaxdl.train.sweeps.members import Seeds, check_ranges, members
from jaxdl.train.sweeps.plan import Parts, Plan
from jaxdl.train.sweeps.points import Points
from jaxdl.train.sweeps.population import Population
from jaxdl.train.sweeps.reporter import SweepReporter
from jaxdl.train.sweeps.result import DIVERGED, FINISHED, INTERRUPTED, STOPPED, Sweep
from jaxdl.train.sweeps.session import Session

BATCHES = ("shared", "independent")
TOLD = 3


def sweep(
    net: Net,
    data: Dataset | tuple[Any, Any],
    *,
    loss: Loss,
    optimizer: Optimizer | optax.GradientTransformation,
    epochs: int,
    batch_size: int,
    hyper: Points | Mapping[str, Any] | None = None,
    seeds: Seeds = 0,
    strategy: str | None = None,
    members_at_once: int | None = None,
    batches: str = "shared",
    valid: Dataset | tuple[Any, Any] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    penalty: Penalty | None = None,
    scaling: Any = None,
    compact: bool = False,
    shard: ShardPlan | None = None,
    memory: int | None = None,
    progress: str = "bar",
    stop_on: Sequence[str] = ("SIGINT",),
    **options: Any,
) -> Sweep:
    """Train many members, each with hyperparameters and a seed of its own, as one compiled program.

    Every point is trained with every seed. Members that share their batches share the fetching too, and their
    first layers are one wide product. Each member is what `fit` gives for its values up to rounding (with
    ``strategy="scan"``, bit by bit on CPU) where it has its own order of examples, which is so for the first
    of `seeds`, and for all with ``batches="independent"``. A member that leaves the finite numbers changes no
    bit of the others; it is warned of, marked in the table, and its `DivergenceError` is in `Sweep.errors`.
    The state of all members at the start of a chunk is kept until the chunk is found healthy, which costs the
    memory of one more.

    Args:
        net: the network.
        data: a `Dataset`, or (inputs, targets), arrays with examples first, or dicts of such, as in `fit`.
        loss: ``loss(outputs, targets) -> (batch, ...)``; it also receives `hyper` if it has such a parameter.
        optimizer: ``optimizer(hyper) -> optax transformation``, or a transformation.
        epochs: passes over the examples.
        batch_size: examples a step.
        hyper: what `train.points` builds, or a dict of arrays (members,) and of numbers for all members.
        seeds: whole numbers in [0, 2^32), each for every point.
        strategy: ``"vmap"`` (all at once), ``"scan"`` (one after another), ``"map"`` (blocks of
            `members_at_once`, the last one filled with copies whose results are dropped), or None for the
            measured rule of `jaxdl.train.sweeps.strategy`. On CPU all but ``"vmap"`` run in a thread for each
            core, each with its part of the members.
        members_at_once: members of a block; None for the rule.
        batches: ``"shared"``: all members see the same batches, in the order of the first seed;
            ``"independent"``: each in the order of its own seed.
        valid: validation examples, measured after every epoch.
        metrics: functions by name, ``metric(outputs, targets)`` one value per example.
        penalty: ``penalty(params, hyper) -> scalar``, added in training only.
        scaling: applied to the inputs inside the step.
        compact: between chunks, let members that are over leave the program once half of its slots are idle
            (widths are powers of two, each compiled once). A narrower program rounds differently:
            the results are not bit-identical to those without.
        shard: a plan of `train.shard.members` that splits the members over devices, each with blocks of its
            own; the last ones are filled with copies whose results are dropped. None stays on one.
        memory: bytes that may be taken on a device; None takes four fifths of what is free.
        progress: ``"bar"``, ``"lines"`` or ``"off"``.
        stop_on: signals that end the sweep after the chunk under way, with `Interrupted`; a second one raises
            `KeyboardInterrupt` at once, as in `fit`; ``()`` leaves Ctrl-C as it is.
        options: further fields of `Spec`, such as `early_stopping`, `augment`, `average`, `train_metrics`.

    Returns:
        `Sweep`: parameters and history of all members, a table, the best one.

    Raises:
        FormatError, ShapeError, DtypeError: data or hyperparameters that do not fit.
        ValueError: an argument out of range, or a hyperparameter that varies and that nothing reads.
        MemoryError: more memory than there is; the message offers how many members at once fit.
        DivergenceError: all members diverged.
        Interrupted: Ctrl-C, or another signal of `stop_on`; its `fitted` is the `Sweep` so far.

    Example:
        >>> from jaxdl import losses, net, optim, train
        >>> line = net.from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
        >>> found = sweep(line, (x, 3 * x), loss=losses.squared_error,
        ...               optimizer=lambda hyper: optim.sgd(hyper["rate"]),
        ...               hyper=train.points.grid(rate=[0.0, 0.1, 0.5]), epochs=20, batch_size=8,
        ...               progress="off")
        >>> found.index("loss"), [round(float(w), 2) for w in found.params["w"].ravel()]
        (2, [0.0, 2.99, 3.0])
    """
    check_parts(net, loss, optimizer, penalty)
    _checks.one_of("sweep", "batches", batches, BATCHES)
    spec = door.spec(epochs, batch_size, metrics, valid, options, op="sweep")
    if shard is not None and (not isinstance(shard, ShardPlan) or shard.kind != "members"):
        raise ValueError(
            explain("sweep", "shard", got=f"a {getattr(shard, 'kind', type(shard).__name__)}",
                    expected="a plan for members, or None", fix="shard=train.shard.members()")
        )  # fmt: skip
    found, signals = members(hyper, seeds), StopSignal(stop_on, op="sweep")
    arrays = door.arrays(net, data, valid, scaling, found.first, labels=spec.labels,
                         shuffle=spec.shuffle)  # fmt: skip
    check_ranges(found, net, arrays, optimizer)
    plan = Plan(Parts(net, loss, optimizer, spec, penalty), arrays, found,
                shared=batches == "shared", shard=shard)  # fmt: skip
    limit = memories.available() if memory is None else _checks.positive_integer("sweep", "memory", memory)
    with SweepReporter(progress, epochs) as reporter:
        begin = time.perf_counter()
        plan.choose(strategy, members_at_once, limit, reporter.say)
        population = _start(plan)
        compile_s = time.perf_counter() - begin
        reporter.compiled(compile_s)
        session = Session(population, plan.runner, plan.arrays, spec, found, reporter, signals)
        with signals:
            session.run(compact=compact)
    _warn(session.errors, len(found))
    classes = data.classes if isinstance(data, Dataset) else None
    return _end(_result(plan, session, compile_s, classes), session)


def _start(plan: Plan) -> Population:
    ids, (keys, orders) = plan.ids, plan.members.keys()
    runner = plan.runner(len(ids))
    form = runner.form
    hyper = form.place({name: jnp.asarray(value[ids]) for name, value in plan.members.hyper.items()}, 0)
    keys, orders = form.place((keys[ids], orders[0] if form.shared else orders[ids]), (0, form.axes.order))
    carry = runner.start(keys, orders, plan.arrays, hyper)
    return Population(ids, len(plan.members), jax.block_until_ready(carry), hyper, form)


def _warn(errors: Mapping[int, Exception], count: int) -> None:
    if errors:
        told = [str(error) for error in list(errors.values())[:TOLD]]
        more = [f"and {len(errors) - TOLD} more"] if len(errors) > TOLD else []
        warnings.warn(
            f"{len(errors)} of {count} members diverged; the others are not touched by it.\n"
            + "\n".join([*told, *more]), DivergenceWarning, stacklevel=3,
        )  # fmt: skip


def _end(trained: Sweep, session: Session) -> Sweep:
    """Return what was trained, or raise it where a signal ended the sweep."""
    if session.stop.name is None:
        return trained
    left = trained.status.count(INTERRUPTED)
    raise Interrupted(
        f"sweep: {session.stop.name} stopped the sweep after epoch {session.done} of {session.spec.epochs}, "
        f"with {left} of {len(trained)} members in training. The members so far are in `error.fitted`, a "
        f"Sweep; it cannot go on. Fix: start it again, with fewer members or epochs where it takes too long",
        fitted=trained, epoch=session.done,
    )  # fmt: skip


def _result(plan: Plan, session: Session, compile_s: float, classes: tuple[str, ...] | None) -> Sweep:
    members, spec, errors = plan.members, plan.parts.spec, session.errors
    carry = session.population.whole()
    end = plan.runner(len(plan.ids)).result(carry)
    epochs, stopped = np.full(len(members), session.done), np.zeros(len(members), bool)
    if end.stopping is not None:
        epochs = np.asarray(end.stopping.epochs).astype(epochs.dtype)
        stopped = np.asarray(end.stopping.stopped)
    status = np.where(epochs == spec.epochs, FINISHED, np.where(stopped, STOPPED, INTERRUPTED))
    history = {name: np.array(values) for name, values in carry.history.items()}
    for member, error in errors.items():
        status[member], epochs[member] = DIVERGED, error.epoch
        for values in history.values():
            values[member, error.epoch :] = np.nan
    seen = epochs.sum() * session.steps * spec.batch_size
    timing = Timing(compile_s + session.compile_s, session.run_s, float(seen) / session.run_s)
    return Sweep(
        plan.parts.net, end.params, end.state, end.opt_state, history, members, tuple(status.tolist()),
        epochs, errors, timing, plan.strategy, plan.form.width, plan.arrays.scaling, classes, spec.recorded,
        end.average, end.stopping, example_of(plan.arrays), spec.labels,
    )  # fmt: skip
