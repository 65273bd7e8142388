"""What the functions of model selection take: examples, folds, sizes, values; checked on the host."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


def pair(op: str, argument: str, data: Any) -> tuple[jax.Array, jax.Array]:
    """Return inputs and targets of a `Dataset`, or of a pair of arrays, finite and of one length."""
    if hasattr(data, "inputs") and hasattr(data, "targets"):
        data = (data.inputs, data.targets)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DtypeError(
            explain(op, argument, got=f"a {type(data).__name__}",
                    expected="a data set, or a pair (inputs, targets)", fix=f"{argument}=(inputs, targets)")
        )  # fmt: skip
    inputs, targets = (_checks.array(op, f"{argument} {name}", part)
                       for name, part in zip(("inputs", "targets"), data))  # fmt: skip
    if inputs.ndim < 1 or targets.ndim < 1 or len(inputs) != len(targets) or len(inputs) == 0:
        raise ShapeError(
            explain(op, argument, got=f"of shapes {inputs.shape} and {targets.shape}",
                    expected="as many targets as inputs, at least one", fix="pass one target an example")
        )  # fmt: skip
    for name, part in (("inputs", inputs), ("targets", targets)):
        if jnp.issubdtype(part.dtype, jnp.floating) and not np.isfinite(np.asarray(part)).all():
            raise FormatError(
                explain(op, f"{argument} {name}", got="not finite", expected="finite numbers",
                        fix="drop or fill in those rows")
            )  # fmt: skip
    return inputs, targets


def fold_weights(op: str, folds: Any, examples: int) -> np.ndarray:
    """Return the training weights (folds, examples) of 0 and 1, every fold with both."""
    weights = np.asarray(getattr(folds, "training", folds))
    if weights.dtype.kind not in "biuf" or weights.ndim != 2 or weights.shape[1] != examples:
        raise ShapeError(
            explain(op, "folds", got=f"{weights.dtype} of shape {weights.shape}",
                    expected=f"jaxdl.data.Folds, or weights (folds, {examples})",
                    fix="folds=jaxdl.data.folds(training, 5)")
        )  # fmt: skip
    kept = weights != 0
    if not np.isin(weights, (0, 1)).all() or not kept.any(axis=1).all() or kept.all(axis=1).any():
        raise FormatError(
            explain(op, "folds", got="weights other than 0 and 1, or a fold of one kind alone",
                    expected="in each fold 1 where it trains and 0 where it is held out",
                    fix="folds=jaxdl.data.folds(training, 5)")
        )  # fmt: skip
    return kept


def training_sizes(op: str, sizes: Any, most: int) -> np.ndarray:
    """Return the numbers of training examples (sizes,), each within what every fold has."""
    found = np.atleast_1d(np.asarray(sizes))
    if found.dtype.kind not in "iu" or found.ndim != 1 or found.size == 0:
        raise DtypeError(
            explain(op, "sizes", got=f"{found.dtype} of shape {found.shape}",
                    expected="whole numbers (sizes,)", fix="sizes=np.linspace(20, 200, 10).astype(int)")
        )  # fmt: skip
    if found.min() < 1 or found.max() > most:
        bad = found[(found < 1) | (found > most)][0]
        raise ValueError(
            explain(op, "sizes", got=bad, expected=f"from 1 to the {most} training examples there are",
                    fix="leave that size out")
        )  # fmt: skip
    return found.astype(np.int32)


def value_grid(op: str, values: Any) -> tuple[dict[str, jax.Array], int]:
    """Return arrays by keyword, all of one length, and that length."""
    if not isinstance(values, Mapping) or not values:
        raise DtypeError(
            explain(op, "values", got=f"a {type(values).__name__}" if values else "empty",
                    expected="arrays by the name of a keyword of fit",
                    fix="values={'l2': np.logspace(-3, 3, 20)}")
        )  # fmt: skip
    found = {name: _checks.array(op, f"values['{name}']", np.asarray(v)) for name, v in values.items()}
    lengths = {len(v) if v.ndim else 0 for v in found.values()}
    if len(lengths) != 1 or 0 in lengths:
        shapes = {name: v.shape for name, v in found.items()}
        raise ShapeError(
            explain(op, "values", got=f"of shapes {shapes}", expected="one common first axis, not empty",
                    fix="repeat the shorter ones: the values are taken together, not as a product")
        )  # fmt: skip
    for name, v in found.items():
        if jnp.issubdtype(v.dtype, jnp.floating) and not np.isfinite(np.asarray(v)).all():
            raise FormatError(
                explain(op, f"values['{name}']", got="not finite", expected="finite numbers",
                        fix="leave those values out")
            )  # fmt: skip
    return found, lengths.pop()


def callables(op: str, **functions: Any) -> None:
    """Raise `DtypeError` unless each is a function, and hashable: compiled programs are kept by it."""
    for name, function in functions.items():
        if not callable(function):
            raise DtypeError(
                explain(op, name, got=f"a {type(function).__name__}", expected="a function",
                        fix=f"pass the function itself as {name}")
            )  # fmt: skip
        try:
            hash(function)
        except TypeError as error:
            raise DtypeError(
                explain(op, name, got=f"an unhashable {type(function).__name__}",
                        expected="a hashable function", fix="wrap it in a def")
            ) from error  # fmt: skip


def rows(op: str, values: Any, examples: int) -> jax.Array:
    """Return losses (examples,), or raise when they are not one value an example."""
    found = _checks.array(op, "loss()", values)
    if found.shape != (examples,):
        raise ShapeError(
            explain(op, "loss()", got=f"of shape {found.shape}",
                    expected=f"one value per example, ({examples},)",
                    fix="do not reduce over the examples")
        )  # fmt: skip
    return found


def weighted_mean(values: jax.Array, weights: jax.Array) -> jax.Array:
    """Mean of values (examples,); what has no weight may be NaN."""
    return jnp.sum(jnp.where(weights > 0, weights * values, 0)) / jnp.sum(weights)
