"""The door of a run: what comes in is checked once, cast, and put on the device."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.boxes._checked import objects
from jaxdl.data import Dataset
from jaxdl.data._named import Named, check_pair, numbers, shape_of, singles
from jaxdl.data._validate import check_labels
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain
from jaxdl.net import Net
from jaxdl.train.by_class import ByClass
from jaxdl.train.health import entry
from jaxdl.train.health import labels as class_labels
from jaxdl.train.parts import rule
from jaxdl.train.shard import ALONE, Plan
from jaxdl.train.spec import Arrays, Hyper, Metric, Spec

Examples = Dataset | tuple[Any, Any]
NAMED = ("epochs", "batch_size", "metrics")  # fields of `Spec` that are arguments of their own


def keys(seed: int) -> tuple[jax.Array, jax.Array]:
    """Return the key of the parameters and the key of the order, both made of `seed`."""
    _checks.positive_integer("fit", "seed", seed, least=0)
    if seed >= 2**32:
        raise ValueError(explain("fit", "seed", got=seed, expected="below 2^32", fix="pass seed % 2**32"))
    parameters, order = jax.random.split(jax.random.key(seed))
    return parameters, order


def spec(
    epochs: int,
    batch_size: int | None,
    metrics: Mapping[str, Metric] | None,
    valid: Any,
    options: dict[str, Any],
    op: str = "fit",
) -> Spec:
    """Return the static part of a run; refuse unknown options, and metrics that nothing is measured on."""
    _check_options(options, op)
    if batch_size is None:
        raise DtypeError(
            explain("fit", "batch_size", got="None", expected="a whole number, for examples in memory",
                    fix="batch_size=32")
        )  # fmt: skip
    found = Spec(epochs, batch_size, metrics=tuple((metrics or {}).items()), **options)
    if metrics and valid is None and not found.train_metrics:
        raise ValueError(
            explain("fit", "metrics", got=f"{sorted(metrics)} with nothing to measure them on",
                    expected="valid=, or train_metrics=True", fix="pass valid=(inputs, targets)")
        )  # fmt: skip
    return found


def _check_options(options: dict[str, Any], op: str) -> None:
    known = [field.name for field in dataclasses.fields(Spec) if field.name not in NAMED]
    for name in options:
        if name not in known:
            raise TypeError(
                explain(op, name, got="unknown",
                        expected=f"the arguments of {op}, or {', '.join(known)}",
                        fix=f"leave {name}= out, or spell it as one of these")
            )  # fmt: skip


def hyper(values: Hyper | None) -> dict[str, Any]:
    """Return hyperparameters on the device: Python numbers and floats as float32, integer arrays as int32."""
    if not isinstance(values, Mapping | None):
        raise DtypeError(
            explain("fit", "hyper", got=f"a {type(values).__name__}", expected="a dict of numbers",
                    fix="hyper={'learning_rate': 0.1}")
        )  # fmt: skip
    return {name: _number(name, value) for name, value in (values or {}).items()}


def examples(data: Examples, name: str) -> tuple[Named, Named]:
    """Return (inputs, targets) of a data set or a pair, each an array or a dict of arrays, checked."""
    if isinstance(data, Dataset):
        return data.inputs, data.targets
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DtypeError(
            explain("fit", name, got=f"a {type(data).__name__}",
                    expected="a Dataset or a pair (inputs, targets)", fix=f"{name}=(inputs, targets)")
        )  # fmt: skip
    inputs, targets = (numbers("fit", f"{name}[{i}]", value) for i, value in enumerate(data))
    check_pair("fit", name, inputs, targets, expected="(examples, ...) with as many targets, at least one",
               fix="give one target an example; one feature is inputs[:, None]")  # fmt: skip
    return singles("fit", f"{name}[0]", inputs), singles("fit", f"{name}[1]", targets)


def arrays(
    net: Net, data: Examples, valid: Examples | None, scaling: Any, hyper: Hyper, plan: Plan = ALONE,
    *, labels: str = "classes", shuffle: Any = None,
) -> Arrays:  # fmt: skip
    """Check every example against the network and put all on the devices of a plan."""
    _check_scaling(scaling)
    parts = [examples(data, "data"), *([] if valid is None else [examples(valid, "valid")])]
    if len(parts) == 2:
        _check_alike(parts[0][0], parts[1][0], "inputs")
    if labels == "classes":
        _check_classes(data, valid)
    if isinstance(shuffle, ByClass):
        shuffle.check_order("fit", parts[0][1])
    if len(parts) == 2:
        _check_alike(parts[0][1], parts[1][1], "targets")
    for name, (inputs, targets) in zip(("data", "valid"), parts):
        _check_fit(net, name, inputs, targets, scaling, hyper, labels)
    held, scaling = plan.place(([part for pair in parts for part in pair], scaling))
    training, validation = held[:2], held[2:] or [None, None]
    return Arrays(training[0], training[1], validation[0], validation[1], scaling)


def _check_classes(data: Examples, valid: Examples | None) -> None:
    if isinstance(data, Dataset) and isinstance(valid, Dataset) and data.classes != valid.classes:
        raise FormatError(
            explain("fit", "valid", got=f"of classes {valid.classes}", expected=f"{data.classes}, as in data",
                    fix="number the classes of both data sets alike")
        )  # fmt: skip


def _check_alike(training: Named, valid: Named, what: str) -> None:
    if shape_of(training) != shape_of(valid):
        expected = f"{'examples' if what == 'inputs' else what} of shape {shape_of(training)}"
        raise ShapeError(
            explain("fit", "valid", got=f"{what} of shape {_shape(valid)}",
                    expected=f"{expected}{' an example' * (what == 'targets')}, as in data",
                    fix="prepare both data sets in the same way")
        )  # fmt: skip


def _shape(value: Named) -> Any:
    return shape_of(value) if isinstance(value, dict) else value.shape


def _check_scaling(scaling: Any) -> None:
    """Raise unless `scaling` is None or callable with nothing but arrays inside: it enters the program."""
    leaves = jax.tree.leaves(scaling)
    numeric = all(isinstance(leaf, jax.Array | np.ndarray | np.generic | int | float) for leaf in leaves)
    if scaling is not None and not (callable(scaling) and numeric):
        raise DtypeError(
            explain("fit", "scaling", got=f"a {type(scaling).__name__}",
                    expected="a jaxdl.scaling.Scaling, or another callable pytree of arrays",
                    fix="scaling=jaxdl.scaling.pixels(); a bare function belongs into the network")
        )  # fmt: skip


def _check_fit(
    net: Net, name: str, inputs: Any, targets: Any, scaling: Any, hyper: Hyper, meaning: str
) -> None:
    outputs = abstract_outputs(net, inputs, scaling, hyper)
    for label, (found, classes) in class_labels(outputs, targets, meaning).items():
        check_labels(found, classes, op="fit", argument=f"{name} targets{entry(label)}")
    if isinstance(targets, Mapping):
        objects("fit", f"{name} targets", targets, getattr(outputs, "num_classes", None))


def ranges(net: Net, arrays: Arrays, optimizer: Any, hyper: Hyper) -> None:
    """Check hyperparameters while they are concrete: inside the compiled program they are traced."""
    rule(optimizer, hyper)
    abstract_outputs(net, arrays.inputs, arrays.scaling, hyper, train=True)


def abstract_outputs(net: Net, inputs: Any, scaling: Any, hyper: Hyper, *, train: bool = False) -> Any:
    """Return shape and dtype of the outputs for a batch of two, without computing them."""
    if scaling is None and not isinstance(inputs, dict) and inputs.dtype == np.uint8:
        _explain_bytes(net, inputs, hyper)
    shaped = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((2, *leaf.shape[1:]), leaf.dtype), inputs)

    def run(x: Any) -> Any:
        key = jax.random.key(0)
        params, state = net.init(key)
        scaled = x if scaling is None else scaling(x)
        return net.apply(params, state, scaled, train=train, key=key if train else None, hyper=hyper)[0]

    return jax.eval_shape(run, shaped)


def _explain_bytes(net: Net, inputs: Any, hyper: Hyper) -> None:
    try:
        abstract_outputs(net, np.zeros((1, *inputs.shape[1:]), np.int32), None, hyper)
    except DtypeError as error:
        raise DtypeError(
            explain("fit", "scaling", got="None for inputs of dtype uint8",
                    expected="a scaling, as this network takes floating inputs",
                    fix="scaling=jaxdl.scaling.pixels()")
        ) from error  # fmt: skip


def _number(name: str, value: Any) -> jax.Array:
    array = _checks.array("fit", f"hyper['{name}']", value)
    if array.ndim:
        raise ShapeError(
            explain("fit", f"hyper['{name}']", got=f"of shape {array.shape}", expected="a number",
                    fix="vmap make_train to train with many values")
        )  # fmt: skip
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise DtypeError(
            explain(
                "fit", f"hyper['{name}']", got="complex", expected="a real number", fix="pass its real part"
            )
        )
    floating = isinstance(value, int | float) or jnp.issubdtype(array.dtype, jnp.floating)
    return jax.device_put(array.astype(jnp.float32 if floating else jnp.int32))
