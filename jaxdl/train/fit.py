"""`fit`: the compiled run in chunks, with a progress bar, a health check and a history."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import optax

from jaxdl.data import Dataset
from jaxdl.errors import explain
from jaxdl.net import Net
from jaxdl.train import door, session
from jaxdl.train.fitted import Fitted, Timing
from jaxdl.train.order import steps_per_epoch
from jaxdl.train.parts import check_parts
from jaxdl.train.progress import Reporter
from jaxdl.train.runner import runner_of
from jaxdl.train.session import Hook
from jaxdl.train.spec import Hyper, Loss, Metric, Optimizer, Penalty, Spec


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
    callbacks: Sequence[Hook] = (),
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
        callbacks: functions ``callback(moment) -> None or a reason to stop``, called with a `Moment` after
            every healthy chunk.
        options: further fields of `Spec`: `shuffle`, `reduction`, `train_metrics`, `step_losses`,
            `eval_batch_size`, `record`, `step_records`, `frozen`, `early_stopping`, `augment`, `accumulate`,
            `average`, `shard`.

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
    runner = runner_of(net, loss, optimizer, spec, penalty)
    with Reporter(progress, epochs) as reporter:
        begin = time.perf_counter()
        carry = jax.block_until_ready(runner.start(*keys, arrays, hyper))
        advance = runner.compiled(carry, arrays, hyper)
        compile_s = time.perf_counter() - begin
        reporter.compiled(compile_s)
        first = int(carry.epoch)
        moment = session.run(advance, runner.replay, carry, arrays, hyper, spec, reporter, callbacks)
    seen = (moment.epoch - first) * steps_per_epoch(len(arrays.targets), batch_size) * batch_size
    timing = Timing(compile_s, moment.seconds, seen / moment.seconds if seen else 0.0)
    classes = data.classes if isinstance(data, Dataset) else None
    end = runner.result(moment.carry)
    return Fitted(net, end.params, end.state, end.opt_state, moment.history, timing, hyper, arrays.scaling,
                  classes, spec.recorded, end.average, end.stopping, moment.stopped)  # fmt: skip
