"""Curves and comparisons for the tests of logs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl.train import log
from jaxdl.train.log import events

CURVES = {
    "loss": np.float32([0.1, 1 / 3, np.nan, 1e-45, -0.0]),
    "valid_f1 [macro]": np.float32([1, np.inf, -np.inf, 3.4028235e38, 16777216]),
    "w": np.arange(20, dtype=np.float32).reshape(5, 2, 2) / 7,
    "step_loss": np.arange(15, dtype=np.float32).reshape(5, 3),
}
TEXT = (log.JSONLines, "a.jsonl"), (log.CSV, "a.csv")
KINDS = (*TEXT, (log.TensorBoard, "tb"))
each_text = pytest.mark.parametrize(("kind", "name"), TEXT)
each = pytest.mark.parametrize(("kind", "name"), KINDS)


def equal(a: Any, b: Any) -> bool:
    """Compare curves bit by bit."""
    return list(a) == list(b) and all(a[name].tobytes() == b[name].tobytes() for name in a)


def cut(curves: Any, stop: int) -> dict[str, np.ndarray]:
    return {name: values[:stop] for name, values in curves.items()}


def timeless(path: Path) -> list[bytes]:
    """Return the records of a file, without the times of events."""
    if path.suffix in (".jsonl", ".csv"):
        return path.read_bytes().splitlines(keepends=True)
    frames = log.TensorBoard("").split(path.read_bytes())
    return [frame[events.HEADER + events.TIME : -events.FOOTER] for frame in frames]
