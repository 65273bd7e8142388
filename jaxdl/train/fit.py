"""`fit`: the compiled run in chunks, with a progress bar, a health check and a history."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl.data import Dataset
from jaxdl.errors import DivergenceError, explain
from jaxdl.net import Net, Tree
from jaxdl.train import door, health
from jaxdl.train.history import History
from jaxdl.train.loop import Penalty, Program, check_parts, make_program
from jaxdl.train.order import steps_per_epoch
from jaxdl.train.predict import evaluate, predict
from jaxdl.train.progress import Reporter
from jaxdl.train.spec import Arrays, Carry, Health, Hyper, Loss, Metric, Optimizer, Spec

CHUNK_SECONDS = 0.1
PROGRAMS_KEPT = 16


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of a run: `compile` (near 0 when reused; initial parameters included), `run`, and its speed."""

    compile: float
    run: float
    examples_per_second: float


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained network and all that came with it.

    Attributes:
        net: the network.
        params: trained parameters.
        state: running statistics.
        opt_state: state of the optimizer.
        history: what was recorded, by epoch.
        timing: compile time and run time apart.
        hyper: hyperparameters of the run.
        scaling: scaling of the inputs, or None.
        classes: class names, or None.
        reduction: of the losses, as trained.
    """

    net: Net
    params: Tree
    state: Tree
    opt_state: Any
    history: History
    timing: Timing
    hyper: Hyper
    scaling: Any = None
    classes: tuple[str, ...] | None = None
    reduction: str = "mean"

    def predict(self, inputs: Any, *, batch_size: int = 1024) -> np.ndarray:
        """Return the outputs for raw inputs (examples, ...), scaled as in training; see `train.predict`."""
        return predict(self.net, self.params, self.state, inputs, batch_size=batch_size,
                       scaling=self.scaling, hyper=self.hyper)  # fmt: skip

    def evaluate(
        self, data: Any, *, loss: Loss, metrics: Mapping[str, Metric] | None = None, **options: Any
    ) -> dict[str, float]:
        """Return loss and metrics over a data set, reduced as in training; see `train.evaluate`."""
        options.setdefault("reduction", self.reduction)
        return evaluate(self.net, self.params, self.state, data, loss=loss, metrics=metrics,
                        scaling=self.scaling, hyper=self.hyper, **options)  # fmt: skip


def fit(
    net: Net,
    data: Dataset | tuple[Any, Any],
    *,
    loss: Loss,
    optimizer: Optimizer | optax.GradientTransformation,
    epochs: int,
    batch_size: int,
    hyper: Hyper | None = None,
    valid: Dataset | tuple[Any, Any] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    penalty: Penalty | None = None,
    scaling: Any = None,
    seed: int = 0,
    progress: str = "bar",
    **options: Any,
) -> Fitted:
    """Train a network on a data set.

    The program is that of `make_train`, run in chunks of whole epochs that take at least 0.1 s, so that
    progress is seen and health is checked between them. It is compiled once for a net, a loss, an
    optimizer, shapes and static options: pass the same functions again, with other values of `hyper`,
    and nothing is compiled. The state at the start of a chunk is kept until the chunk is found healthy,
    which costs the memory of one more state. A chunk that diverged is run again with every gradient read,
    so that the error names the exact step. The examples are held once on the device, and once more, shuffled,
    while an epoch runs, when they take up to 4 MiB (256 MiB as bytes, or in small batches).

    Args:
        net: the network.
        data: a `Dataset`, or (inputs, targets), arrays with examples first. Checked once, at the door.
        loss: ``loss(outputs, targets) -> (batch, ...)``, such as `losses.softmax_cross_entropy`.
        optimizer: ``optimizer(hyper) -> optax transformation``, or a transformation.
        epochs: passes over the examples.
        batch_size: examples a step; the remainder of an epoch that fills no batch is left out of it.
        hyper: scalars by name, traced: learning rate, dropout rate, penalty.
        valid: validation examples, measured after every epoch; never trained on.
        metrics: functions by name, ``metric(outputs, targets)`` one value per example.
        penalty: ``penalty(params, hyper) -> scalar``, added in training only.
        scaling: applied to the inputs inside the step, such as ``scaling.pixels()`` for bytes.
        seed: a whole number in [0, 2^32); parameters, dropout and order all follow from it.
        progress: ``"bar"``, ``"lines"`` (a bar, and a line an epoch) or ``"off"``.
        options: further fields of `Spec`: `shuffle`, `reduction`, `train_metrics`,
            `step_losses`, `eval_batch_size`, `record`, `step_records`, `frozen`.

    Returns:
        `Fitted`: parameters, history, timing; it predicts, evaluates and saves.

    Raises:
        FormatError: labels out of range, or features that are not finite.
        ShapeError, DtypeError: arrays that do not fit each other or the network.
        ValueError: an argument out of range.
        DivergenceError: the run left the finite numbers; it names step and cause and holds the last
            good state.

    Example:
        >>> from jaxdl import losses, net, optim
        >>> line = net.from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
        >>> fitted = fit(line, (x, 3 * x), loss=losses.squared_error, optimizer=optim.sgd(0.5),
        ...              epochs=20, batch_size=8, progress="off")
        >>> round(float(fitted.params["w"][0, 0]), 3)
        3.0
    """
    check_parts(net, loss, optimizer, penalty)
    spec = Spec(epochs, batch_size, metrics=tuple((metrics or {}).items()), **options)
    hyper = door.hyper(hyper)
    if metrics and valid is None and not spec.train_metrics:
        raise ValueError(
            explain("fit", "metrics", got=f"{sorted(metrics)} with nothing to measure them on",
                    expected="valid=, or train_metrics=True", fix="pass valid=(inputs, targets)")
        )  # fmt: skip
    arrays = door.arrays(net, data, valid, scaling, hyper)
    door.ranges(net, arrays, optimizer, hyper)
    keys = door.keys(seed)
    runner = _runner(net, loss, optimizer, spec, penalty)
    examples = len(arrays.targets)
    with Reporter(progress, epochs) as reporter:
        begin = time.perf_counter()
        carry = jax.block_until_ready(runner.start(*keys, arrays, hyper))
        advance = runner.compiled(carry, arrays, hyper)
        compile_s = time.perf_counter() - begin
        reporter.compiled(compile_s)
        carry, run_s = _chunks(advance, runner.replay, carry, arrays, hyper, spec, reporter)
    seen = epochs * steps_per_epoch(examples, batch_size) * batch_size
    timing = Timing(compile_s, run_s, seen / run_s)
    classes = data.classes if isinstance(data, Dataset) else None
    return Fitted(net, carry.params, carry.state, carry.opt_state, _history(carry), timing, hyper,
                  arrays.scaling, classes, spec.recorded)  # fmt: skip


def _chunks(
    advance: Callable[..., Carry], replay: Callable[..., Carry], carry: Carry, arrays: Arrays,
    hyper: Hyper, spec: Spec, reporter: Reporter,
) -> tuple[Carry, float]:  # fmt: skip
    steps = steps_per_epoch(len(arrays.targets), spec.batch_size)
    done, chunk, total = 0, 1, 0.0
    while done < spec.epochs:
        stop = min(done + chunk, spec.epochs)
        begin = time.perf_counter()
        after = jax.block_until_ready(advance(carry, jnp.int32(stop), arrays, hyper))
        seconds = time.perf_counter() - begin
        if int(after.health.word):
            found = replay(carry, jnp.int32(stop), arrays, hyper).health
            _raise_diverged(found if int(found.word) else after.health, carry, steps, hyper)
        carry, total = after, total + seconds
        rate = (stop - done) * steps * spec.batch_size / seconds
        reporter.epoch(stop, _history(carry), rate)
        chunk = max(1, int(np.ceil(CHUNK_SECONDS * (stop - done) / seconds)))
        done = stop
    return carry, total


def _history(carry: Carry) -> History:
    return History({name: np.asarray(values) for name, values in carry.history.items()})


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


class _Runner:
    """The programs of one (net, loss, optimizer, spec), compiled once for each set of shapes."""

    def __init__(self, program: Program, thorough: Program) -> None:
        self.start = jax.jit(program.start)
        self.advance = jax.jit(program.advance)
        # Compiled only when a chunk diverged: it reads every gradient, and so finds the first bad step.
        self.replay = jax.jit(thorough.advance)
        self.ready: dict[Any, Callable[..., Carry]] = {}

    def compiled(self, carry: Carry, arrays: Arrays, hyper: Hyper) -> Callable[..., Carry]:
        leaves, structure = jax.tree.flatten((carry, arrays, hyper))
        shapes = (structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        if shapes not in self.ready:
            self.ready[shapes] = self.advance.lower(carry, jnp.int32(1), arrays, hyper).compile()
        return self.ready[shapes]


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def _runner(net: Net, loss: Loss, optimizer: Optimizer, spec: Spec, penalty: Penalty | None) -> _Runner:
    programs = [make_program(net, loss, optimizer, spec, penalty=penalty, thorough=t) for t in (False, True)]
    return _Runner(*programs)
