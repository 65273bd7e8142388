"""Short runs for the tests of the options of `fit`, the same in any chunks."""

import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import HYPER, LOSS, X, Y, sgd

from jaxdl import net
from jaxdl.train import Fitted, fit, session

CHUNKS = (0.0, 0.002, 1e9)  # seconds: every epoch alone, a few, all after the first at once
# One layer: it compiles in half the time of a module, and its optimum is unique.
SOFTMAX = net.from_pair(
    lambda key: {"w": jnp.zeros((4, 3)), "b": jnp.zeros(3)},
    lambda params, x: x @ params["w"] + params["b"][None],
)
FEW = {"data": (X[:10], Y[:10]), "valid": (X[50:], Y[50:]), "hyper": {"learning_rate": 0.1}}  # overfits
OPTIONS: dict[str, Any] = {"loss": LOSS, "epochs": 4, "batch_size": 8, "progress": "off"}


def run(**change: Any) -> Fitted:
    given = {
        "network": SOFTMAX,
        "data": (X[:50], Y[:50]),
        "optimizer": sgd,
        "hyper": HYPER,
        **OPTIONS,
        **change,
    }
    return fit(given.pop("network"), given.pop("data"), **given)


def digest(fitted: Fitted) -> str:
    """Hash every bit of a run."""
    whole = (fitted.params, fitted.state, fitted.opt_state, dict(fitted.history), fitted.average)
    sha = hashlib.sha256()
    for leaf in jax.tree.leaves(whole):
        sha.update(np.asarray(leaf).tobytes())
    return sha.hexdigest()


def in_any_chunks(monkeypatch: pytest.MonkeyPatch, **change: Any) -> Fitted:
    """Run in several chunkings, assert that all bits agree, and return the last."""
    hashes = set()
    for seconds in CHUNKS:
        monkeypatch.setattr(session, "CHUNK_SECONDS", seconds)
        fitted = run(**change)
        hashes.add(digest(fitted))
    assert len(hashes) == 1
    return fitted
