"""A sweep over the four forced devices of a process of its own; prints JSON for test_sweep.py."""

import json
import warnings
from typing import Any

import jax
import numpy as np
from common import LOSS, NET, X, Y, sgd

from bench.collectives import collectives
from jaxdl import train
from jaxdl.errors import DivergenceWarning
from jaxdl.train.sweeps.program import Form, runner

RATES = [0.05, 0.1, 1e30, 0.4, 0.8, 1.6]
STOPPING = train.EarlyStopping("loss", patience=1, min_delta=0.02)


def sweep(**change: Any) -> train.Sweep:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)
        return train.sweep(
            NET, (X[:50], Y[:50]), loss=LOSS, optimizer=sgd, epochs=12, batch_size=8,
            hyper={"learning_rate": RATES}, early_stopping=STOPPING, progress="off", **change,
        )  # fmt: skip


def main() -> None:
    plan = train.shard.members()
    one, many = sweep(), sweep(shard=plan, compact=True)
    pairs = zip(jax.tree.leaves(one.params), jax.tree.leaves(many.params), strict=True)
    sane = [i for i in range(len(RATES)) if i != 2]
    spec = train.Spec(12, 8, early_stopping=STOPPING)
    made = runner(NET, LOSS, sgd, spec, None, Form(2, True, plan))
    (chunk,) = [each for shapes, each in made.ready.items() if len(shapes) > 1]
    print(json.dumps({
        "devices": plan.devices,
        "status": [one.status, many.status],
        "epochs": [one.epochs.tolist(), many.epochs.tolist()],
        "steps": [one.errors[2].step, many.errors[2].step],
        "difference": max(float(np.abs(np.asarray(a)[sane] - np.asarray(b)[sane]).max()) for a, b in pairs),
        "collectives": len(collectives(chunk.as_text())),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
