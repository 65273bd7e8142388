"""One of several processes that train one model over loopback; prints JSON for test_processes.py.

Run as ``process.py COORDINATOR PROCESSES INDEX``.
"""

import json
import sys

import jax
import numpy as np

address, count, index = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(address, num_processes=count, process_id=index, initialization_timeout=60)

from common import HYPER, LOSS, METRICS, NET, X, Y, adam  # noqa: E402

from jaxdl import train  # noqa: E402
from jaxdl.errors import DivergenceError  # noqa: E402
from jaxdl.train import shard  # noqa: E402


def fit(plan: shard.Plan, **options: object) -> train.Fitted:
    given = {"valid": (X[50:], Y[50:]), "loss": LOSS, "optimizer": adam, "metrics": METRICS, "epochs": 5,
             "batch_size": 10, "hyper": HYPER, "progress": "off", "shard": plan}  # fmt: skip
    return train.fit(NET, (X[:50], Y[:50]), **{**given, **options})


def stop_here(moment: train.Moment) -> str | None:
    return "enough" if index == count - 1 else None


def message(**options: object) -> str:
    try:
        fit(PLAN, **options)
    except (ValueError, DivergenceError) as error:
        return str(error)
    return "no error"


PLAN = shard.data_parallel()
fitted = fit(PLAN, progress="lines")
stopped = fit(PLAN, callbacks=[stop_here])
kernel = fitted.params["layers"][0]["kernel"]
split = shard.fsdp(min_size=16)
part = split.place(np.arange(32.0))
found = {
    "processes": jax.process_count(),
    "addressable": kernel.is_fully_addressable,
    "history": {name: values.tolist() for name, values in fitted.history.items()},
    "kernel": np.asarray(kernel).tolist(),
    "predicted": fitted.predict(X[:3]).tolist(),
    "evaluated": fitted.evaluate((X, Y), loss=LOSS),
    "stopped": [stopped.stopped, stopped.history.epochs],
    "seeds": message(seed=index),
    "rates": message(hyper={"learning_rate": 0.1 + 0.1 * index}),
    "diverged": message(hyper={"learning_rate": 1e30}),
    "gathered": np.asarray(split.gathered(jax.jit(split.params)(part))).tolist() == list(range(32)),
    "largest": split.largest(index, -index),
}
print(json.dumps(found))
