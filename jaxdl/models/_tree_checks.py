"""What `decision_tree.fit` demands of its data."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


def host(argument: str, value: Any) -> np.ndarray:
    # Not through jnp: that would cut 64-bit labels down to 32 bits in silence.
    host = value if isinstance(value, np.ndarray) else np.asarray(_checks.array("fit", argument, value))
    if not any(jnp.issubdtype(host.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
        raise DtypeError(
            explain("fit", argument, got=f"of dtype {host.dtype}", expected="real numbers",
                    fix="encode the values as numbers first")
        )  # fmt: skip
    return host


def check_shapes(inputs: Any, targets: Any, weights: Any = None) -> None:
    if inputs.ndim != 2 or 0 in inputs.shape:
        raise ShapeError(
            explain("fit", "inputs", got=f"of shape {inputs.shape}",
                    expected="(examples, features) with at least one of each",
                    fix="one row an example, one column a feature")
        )  # fmt: skip
    if not np.issubdtype(targets.dtype, np.integer):
        raise DtypeError(
            explain("fit", "targets", got=f"of dtype {targets.dtype}", expected="integer classes",
                    fix="targets.astype(np.int32)")
        )  # fmt: skip
    for name, value in (("targets", targets), ("weights", weights)):
        if value is not None and value.shape != inputs.shape[:1]:
            raise ShapeError(
                explain("fit", name, got=f"of shape {value.shape}", expected=f"{inputs.shape[:1]}",
                        fix="give one an example")
            )  # fmt: skip


def faults(
    inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None, classes: int
) -> dict[str, Any]:
    """Return by argument the examples whose values cannot be used."""
    with np.errstate(over="ignore"):
        single = inputs.astype(np.float32)
    found = {
        "inputs": ~np.isfinite(single).all(axis=1),
        "targets": (targets < 0) | (targets >= classes),
        "weights": np.zeros(0, bool) if weights is None else ~((weights >= 0) & (weights < np.inf)),
    }
    if weights is not None and not found["weights"].any() and not weights.sum() > 0:
        found["weights"] = np.ones(len(weights), bool)
    return found


def check_values(
    inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None, *, classes: int | None
) -> int:
    if classes is None:
        classes = max(int(targets.max()), 0) + 1
    classes = _checks.positive_integer("fit", "classes", classes)
    expected = {
        "inputs": "finite numbers that fit float32",
        "targets": f"classes in [0, {classes})",
        "weights": "finite weights of at least 0 that are not all 0",
    }
    given = {"inputs": inputs, "targets": targets, "weights": weights}
    for name, bad in faults(inputs, targets, weights, classes).items():
        if bad.any():
            row = int(np.argmax(bad))
            value = np.asarray(given[name])[row]
            raise FormatError(
                explain("fit", name, got=f"{value} at row {row}", expected=expected[name],
                        fix="drop or mend those rows")
            )  # fmt: skip
    return classes
