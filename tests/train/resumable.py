"""A run whose every part matters to its end: batch norm, dropout, Adam, an average, early stopping."""

import hashlib
from pathlib import Path
from typing import Any

import jax
import numpy as np
from common import LOSS, METRICS, X, Y, adam

from jaxdl import net, train
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import EarlyStopping, Spec
from jaxdl.train.checkpoint import Store, manifest

NET = net.functional(lambda rngs: MLP(MLPConfig(sizes=(4, 8, 3), batch_norm=True, dropout="drop"), rngs=rngs))
EPOCHS = 6
HYPER = {"learning_rate": 0.05, "drop": 0.3}
STOPPING = EarlyStopping("valid_loss", patience=2, restore_best=True)


SPEC = Spec(
    EPOCHS, 10, metrics=tuple(METRICS.items()), step_losses=True, early_stopping=STOPPING, average=0.9
)


def run(checkpoint: Any = None, **options: Any) -> train.Fitted:
    """Train; the same program for every call that changes no static option."""
    arguments: dict[str, Any] = {
        "loss": LOSS, "optimizer": adam, "epochs": EPOCHS, "batch_size": 10, "hyper": HYPER,
        "valid": (X[50:], Y[50:]), "metrics": METRICS, "progress": "off", "seed": 3, "step_losses": True,
        "early_stopping": STOPPING, "average": 0.9, "checkpoint": checkpoint,
    }  # fmt: skip
    return train.fit(NET, (X[:50], Y[:50]), **(arguments | options))


def fingerprint(fitted: train.Fitted) -> str:
    """SHA-256 of what a run gave."""
    found = hashlib.sha256()
    parts = (fitted.params, fitted.state, fitted.opt_state, dict(fitted.history.curves), fitted.stopping,
             fitted.average)  # fmt: skip
    for leaf in jax.tree.leaves(parts):
        array = np.asarray(leaf)
        found.update(f"{array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def stored(folder: Path) -> dict[str, str]:
    """SHA-256 of the newest step as it lies on the disk: parameters, optimizer, keys, cursor, history."""
    step = Store(folder, writable=False).steps()[-1]
    body = manifest.read(folder / f"step_{step:08d}")
    manifest.verify(folder / f"step_{step:08d}", body)
    return {name: entry["sha256"] for name, entry in body["buffers"].items()} | {"step": str(step)}
