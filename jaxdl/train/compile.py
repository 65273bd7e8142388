"""Ahead of time: the programs of a run, compiled before there are data."""

import dataclasses
import inspect
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxdl import _checks
from jaxdl.data import Dataset
from jaxdl.data._named import Named, check_pair, count, each
from jaxdl.errors import DtypeError, explain
from jaxdl.net import Net
from jaxdl.train import door
from jaxdl.train.fit import fit
from jaxdl.train.order import steps_per_epoch
from jaxdl.train.parts import check_parts, examples_of
from jaxdl.train.progress import STYLES, Spinner
from jaxdl.train.runner import Runner, runner_of
from jaxdl.train.shard import Plan
from jaxdl.train.spec import Arrays, Carry, Hyper, Loss, Metric, Optimizer, Penalty, Spec


class Bytes(NamedTuple):
    """Memory of a chunk of epochs on one device, in bytes.

    Attributes:
        arguments: examples, state of the run and hyperparameters.
        outputs: the state after it.
        temporaries: what it holds in between, a copy of the examples in the order of the epoch included.
        code: the program itself.
    """

    arguments: int
    outputs: int
    temporaries: int
    code: int

    @property
    def total(self) -> int:
        """All of it: what the device must have free."""
        return sum(self)


@dataclasses.dataclass(frozen=True)
class Compiled:
    """What `compile` made; `fit` finds it by itself.

    Attributes:
        seconds: what compiling took, near 0 when it was there already.
        steps: steps an epoch.
        program: the compiled chunk of epochs, a `jax.stages.Compiled`.
        step: a single step, lowered when it is first asked for.
    """

    seconds: float
    steps: int
    program: jax.stages.Compiled
    step: Callable[[], jax.stages.Lowered]

    @cached_property
    def flops_per_step(self) -> float:
        """Arithmetic of a step: forward, backward and update, as the compiler counts it before fusing."""
        found = self.step().cost_analysis()
        return float(found["flops"]) if found else float("nan")

    @property
    def flops_per_epoch(self) -> float:
        """Arithmetic of the steps of an epoch; validation, shuffling and augmentation apart."""
        return self.steps * self.flops_per_step

    @property
    def bytes(self) -> Bytes:
        """Memory on the device; see `Bytes`.

        Raises:
            NotImplementedError: the platform does not say.
        """
        found = self.program.memory_analysis()
        if found is None:
            raise NotImplementedError(f"Compiled.bytes: the platform {jax.default_backend()} does not say")
        return Bytes(found.argument_size_in_bytes, found.output_size_in_bytes, found.temp_size_in_bytes,
                     found.generated_code_size_in_bytes)  # fmt: skip

    def text(self) -> str:
        """Return the program after all optimizations, as XLA writes it."""
        return self.program.as_text() or ""


def compile(
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
    progress: str = "bar",
    **options: Any,
) -> Compiled:
    """Compile all that `fit` will run, ahead of time; a `fit` of the same arguments then compiles nothing.

    What counts is that the functions are the same objects and the shapes the same; values of data and
    hyperparameters may differ. A `Stream` is compiled by `fit` alone, from its first batch. Where
    `compilation_cache` is on, the next process finds the programs too.

    Args:
        net: the network.
        data: as in `fit`, or shapes alone, ``(jax.ShapeDtypeStruct((60_000, 784), "uint8"), ...)``: no
            example is read, and none is put on the device.
        loss: as in `fit`, as are the following.
        optimizer: a function of `hyper`, or a transformation.
        epochs: passes over the examples.
        batch_size: examples a step.
        hyper: scalars by name; their values are not compiled in.
        valid: validation examples, or their shapes.
        metrics: functions by name.
        penalty: ``penalty(params, hyper) -> scalar``.
        scaling: applied to the inputs inside the step.
        progress: ``"off"`` for no spinner.
        options: as in `fit`; `seed`, `callbacks` and what else is of the host are taken, and have no meaning
            here.

    Returns:
        `Compiled`: seconds, arithmetic and memory of the program, and its text.

    Raises:
        ShapeError, DtypeError: shapes that do not fit each other or the network; the checks are those of
            `fit`, and most messages begin with its name.
        ValueError: an argument out of range.

    Example:
        >>> from jaxdl import losses, net, optim
        >>> line = net.from_pair(lambda key: {"w": np.zeros((1, 1), "f4")}, lambda params, x: x @ params["w"])
        >>> settings = {"loss": losses.squared_error, "optimizer": optim.sgd(0.5), "epochs": 20,
        ...             "batch_size": 8, "progress": "off"}
        >>> shape = jax.ShapeDtypeStruct((32, 1), "float32")
        >>> compiled = compile(line, (shape, shape), **settings)
        >>> compiled.steps, compiled.bytes.arguments > 2 * 32 * 4
        (4, True)
        >>> from jaxdl.train import fit
        >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
        >>> fit(line, (x, 3 * x), **settings).timing.compile < compiled.seconds
        True
    """
    check_parts(net, loss, optimizer, penalty)
    _checks.one_of("compile", "progress", progress, STYLES)
    host = inspect.signature(fit).parameters
    spec = door.spec(epochs, batch_size, metrics, valid,
                     {name: value for name, value in options.items() if name not in host},
                     "compile")  # fmt: skip
    values = door.hyper(hyper)
    arrays = _shapes(net, data, valid, scaling, values, spec)
    door.ranges(net, arrays, optimizer, values)
    runner = runner_of(net, loss, optimizer, spec, penalty)
    spinner = Spinner(progress)
    begin = time.perf_counter()
    spinner.start()
    try:
        carry, program = _compiled(runner, arrays, values, spec.layout)
        seconds = time.perf_counter() - begin
    finally:
        spinner.stop()
    spinner.stop(seconds)
    steps = steps_per_epoch(examples_of(arrays), batch_size)
    return Compiled(seconds, steps, program, lambda: _step(runner, spec, carry, arrays, values))


def _compiled(runner: Runner, arrays: Arrays, hyper: Hyper, plan: Plan) -> tuple[Carry, jax.stages.Compiled]:
    keys = door.keys(0)
    start = runner.started(keys, arrays, hyper)
    carry = jax.eval_shape(runner.start, *keys, arrays, hyper)
    if plan.mesh is not None:
        carry = jax.tree.map(_laid, carry, start.output_shardings)
    runner.finished(carry)
    return carry, runner.compiled(carry, arrays, hyper)


def _step(runner: Runner, spec: Spec, carry: Carry, arrays: Arrays, hyper: Hyper) -> jax.stages.Lowered:
    """Lower a single step over a data set of one batch, so that shuffling is next to nothing."""

    def batch(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((spec.batch_size, *leaf.shape[1:]), leaf.dtype)

    inputs, targets = jax.tree.map(batch, (arrays.inputs, arrays.targets))
    few = arrays._replace(inputs=inputs, targets=targets)
    index = jax.ShapeDtypeStruct((), np.int32)
    return jax.jit(runner.program.step).lower(carry, index, few, hyper)


def _shapes(net: Net, data: Any, valid: Any, scaling: Any, hyper: Hyper, spec: Spec) -> Arrays:
    """Pass examples of zeros through the door of `fit`, and return what comes out as shapes."""
    pairs = [_pair("data", data), *([] if valid is None else [_pair("valid", valid)])]
    zeros: Any = jax.tree.map(lambda part: np.zeros((1, *part.shape[1:]), part.dtype), pairs)
    found = door.arrays(net, zeros[0], None if valid is None else zeros[1], scaling, hyper, spec.layout,
                        labels=spec.labels)  # fmt: skip
    shaped = found._replace(inputs=_lengthened(found.inputs, pairs[0]),
                            targets=_lengthened(found.targets, pairs[0]))  # fmt: skip
    if valid is None:
        return shaped
    return shaped._replace(valid_inputs=_lengthened(found.valid_inputs, pairs[1]),
                           valid_targets=_lengthened(found.valid_targets, pairs[1]))  # fmt: skip


def _lengthened(arrays: Any, pair: tuple[Named, Named]) -> Any:
    def lengthened(array: jax.Array) -> jax.ShapeDtypeStruct:
        shape = jax.ShapeDtypeStruct((count(pair[0]), *array.shape[1:]), array.dtype)
        # Committed to devices, as the arrays of `fit` will be, or to none.
        return _laid(shape, array.sharding) if array.committed else shape

    return jax.tree.map(lengthened, arrays)


def _laid(shape: jax.ShapeDtypeStruct, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding)


def _pair(name: str, data: Any) -> tuple[Named, Named]:
    parts = (data.inputs, data.targets) if isinstance(data, Dataset) else data
    if not isinstance(parts, tuple | list) or len(parts) != 2:
        raise DtypeError(
            explain("compile", name, got=f"a {type(data).__name__}",
                    expected="a Dataset or a pair (inputs, targets), or their shapes",
                    fix="jax.ShapeDtypeStruct((examples, features), 'float32')")
        )  # fmt: skip
    inputs, targets = (each("compile", f"{name}[{i}]", part, _shaped) for i, part in enumerate(parts))
    check_pair("compile", name, inputs, targets,
               expected="(examples, ...) with as many targets, at least one",
               fix="give one target an example; one feature is inputs[:, None]")  # fmt: skip
    return inputs, targets


def _shaped(_: str, part: Any) -> Any:
    return part if hasattr(part, "dtype") else np.asarray(part)
