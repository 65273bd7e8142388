"""`fit`: the compiled run in chunks, with a progress bar, a health check and a history."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import optax

from jaxdl.data import Dataset
from jaxdl.net import Net
from jaxdl.train import door, session
from jaxdl.train.checkpoint import Checkpoint, describe
from jaxdl.train.fitted import Fitted, Timing
from jaxdl.train.host import Host
from jaxdl.train.order import steps_per_epoch
from jaxdl.train.parts import check_parts, example_of, examples_of
from jaxdl.train.runner import runner_of
from jaxdl.train.session import Hook
from jaxdl.train.spec import Hyper, Loss, Metric, Optimizer, Penalty
from jaxdl.train.stream import Stream
from jaxdl.train.streamed import fit_stream


def fit(
    net: Net,
    data: Dataset | Stream | tuple[Any, Any],
    *,
    loss: Loss,
    optimizer: Optimizer | optax.GradientTransformation,
    epochs: int,
    batch_size: int | None = None,
    hyper: Hyper | None = None,
    valid: Dataset | tuple[Any, Any] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    penalty: Penalty | None = None,
    scaling: Any = None,
    seed: int = 0,
    progress: str = "bar",
    callbacks: Sequence[Hook] = (),
    log: Any = None,
    stop_on: Sequence[str] = ("SIGINT",),
    checkpoint: str | Path | Checkpoint | None = None,
    resume: bool = False,
    **options: Any,
) -> Fitted:
    """Train a network on a data set.

    The program is that of `make_train`, run in chunks of whole epochs that take at least 0.1 s, so that
    progress is seen and health is checked between them. It is compiled once for a net, a loss, an
    optimizer, shapes and static options: pass the same functions again, with other values of `hyper`,
    and nothing is compiled. The state at the start of a chunk is kept until the chunk is found healthy,
    which costs the memory of one more state. A chunk that diverged is run again with every gradient read,
    and its first bad step once more with every operation watched, so that the error names the exact step, the
    line of code, and the norms by layer. The examples are held once on the device, and once more, shuffled,
    while an epoch runs, when they take up to 4 MiB (256 MiB as bytes, or in small batches).

    Args:
        net: the network.
        data: a `Dataset`, or (inputs, targets), arrays with examples first, checked once, at the door; or a
            `Stream` of batches, for data larger than the device, checked batch by batch. The steps are the
            same: a stream of the batches of `batch_order` trains the same network. Inputs, targets or both
            may be dicts of arrays by name, such as ``{"sequence": ..., "lengths": ...}``: network, scaling,
            augmentation and loss are then given the dict. Labels in a dict of targets are checked where the
            outputs have one of the same name; elsewhere the loss must tell, as those of `jaxdl.losses` do.
        loss: ``loss(outputs, targets) -> (batch, ...)``, such as `losses.softmax_cross_entropy`.
        optimizer: ``optimizer(hyper) -> optax transformation``, or a transformation.
        epochs: passes over the examples.
        batch_size: examples a step; the remainder of an epoch that fills no batch is left out of it. Not
            needed for a `Stream`, whose first batch says it.
        hyper: scalars by name, traced: learning rate, dropout rate, penalty.
        valid: validation examples, measured after every epoch; never trained on.
        metrics: functions by name, ``metric(outputs, targets)`` one value per example.
        penalty: ``penalty(params, hyper) -> scalar``, added in training only.
        scaling: applied to the inputs inside the step, such as ``scaling.pixels()`` for bytes; of a dict of
            inputs, a callable pytree that takes the dict, such as a `jax.tree_util.Partial`.
        seed: a whole number in [0, 2^32); parameters, dropout and order all follow from it.
        progress: ``"bar"``, ``"lines"`` (a bar, and a line an epoch) or ``"off"``.
        callbacks: functions ``callback(moment) -> None or a reason to stop``, called with a `Moment` after
            every healthy chunk, in turn. The string that one returns before the last epoch ends the run, and
            is `Fitted.stopped`; what one raises is raised, after the state was saved where there is a
            checkpoint.
        log: where metrics go, a record an epoch: a path that ends in ``.jsonl`` or ``.csv``, a writer of
            `train.log`, such as ``log.TensorBoard("runs/a")``, or a list of such. It is appended to after
            every chunk; a run that is resumed cuts away later epochs, so that none is written twice.
        stop_on: signals that end the run after the chunk under way, with `Interrupted`; a second one raises
            `KeyboardInterrupt` at once, though the device ends its chunk first. ``("SIGINT", "SIGTERM")`` is
            for machines that are taken away at short notice; ``()`` leaves Ctrl-C as it is. Only the main
            thread catches signals.
        checkpoint: a folder, or a `Checkpoint` that also says how often the run is saved and what is kept;
            `restore` reads it to predict. Refused where the run has several processes.
        resume: go on from the newest good checkpoint, where the folder has one; False refuses such a folder.
            The end is bit by bit that of the unbroken run, whatever chunks both had, on the same versions,
            device and number of cores; where these differ, or the network, the loss, the optimizer or its
            schedule does, a `CheckpointWarning` says so. `epochs` may be larger.
        options: further fields of `Spec`: `shuffle`, `labels`, `reduction`, `train_metrics`, `step_losses`,
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
        Interrupted: Ctrl-C, or another signal of `stop_on`; it holds the `Fitted` so far, and says how to
            go on.
        LogError: the run is whole, and in the error; a log could not be written, as on a full disk. That is
            warned of when it happens, and tried again after every chunk.
        LockError: another process writes into the folder of the checkpoints.
        OSError: a checkpoint cannot be written; those before it are kept.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from jaxdl import losses, net, optim
        >>> line = net.from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
        >>> fitted = fit(line, (x, 3 * x), loss=losses.squared_error, optimizer=optim.sgd(0.5),
        ...              epochs=20, batch_size=8, progress="off")
        >>> round(float(fitted.params["w"][0, 0]), 3)
        3.0
    """
    check_parts(net, loss, optimizer, penalty)
    host = Host(epochs, progress=progress, callbacks=callbacks, log=log, stop_on=stop_on,
                checkpoint=checkpoint, resume=resume)  # fmt: skip
    hyper = door.hyper(hyper)
    if isinstance(data, Stream):
        return fit_stream(net, data, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=batch_size,
                          hyper=hyper, valid=valid, metrics=metrics, penalty=penalty, scaling=scaling,
                          seed=seed, host=host, options=options)  # fmt: skip
    spec = door.spec(epochs, batch_size, metrics, valid, options)
    spec.layout.same((hyper, seed, epochs, batch_size), "hyper, seed, epochs or batch_size")
    arrays = door.arrays(net, data, valid, scaling, hyper, spec.layout, labels=spec.labels,
                         shuffle=spec.shuffle)  # fmt: skip
    door.ranges(net, arrays, optimizer, hyper)
    keys = door.keys(seed)
    runner = runner_of(net, loss, optimizer, spec, penalty)
    spec.layout.same_program(lambda: runner.whole_digest(keys, arrays, hyper))
    with host:
        begin = time.perf_counter()
        carry = jax.block_until_ready(runner.started(keys, arrays, hyper)(*keys, arrays, hyper))
        carry = host.begin(
            carry,
            lambda: describe(
                carry, arrays, hyper, spec, seed=seed, program=runner.digest(carry, arrays, hyper)
            ),
        )
        advance = runner.compiled(carry, arrays, hyper)
        compile_s = time.perf_counter() - begin
        host.reporter.compiled(compile_s)
        first = int(carry.epoch)
        report = partial(runner.report, data=arrays, hyper=hyper)
        with host.stop:
            moment = session.run(advance, runner.replay, carry, arrays, hyper, spec, host.reporter,
                                 host.hooks, report)  # fmt: skip
    seen = (moment.epoch - first) * steps_per_epoch(examples_of(arrays), spec.batch_size) * spec.batch_size
    timing = Timing(compile_s, moment.seconds, seen / moment.seconds if seen else 0.0)
    classes = data.classes if isinstance(data, Dataset) else None
    found = runner.finished(moment.carry)(moment.carry)
    fitted = Fitted(net, found.params, found.state, found.opt_state, moment.history, timing, hyper,
                    arrays.scaling, classes, spec.recorded, found.average, found.stopping, moment.stopped,
                    example_of(arrays), spec.labels)  # fmt: skip
    return host.end(fitted, moment)
