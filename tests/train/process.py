"""One of several processes that train one model over loopback; prints JSON for test_processes.py.

Run as ``process.py COORDINATOR PROCESSES INDEX``.
"""

import json
import sys
from typing import Any

import jax
import numpy as np

from jaxdl import train
from jaxdl.errors import DivergenceError
from jaxdl.train import shard


class Trainer:
    """Fits the problem of the tests, whose arrays take a device: imported once the processes are joined."""

    def __init__(self) -> None:
        import common

        self.common = common

    def fit(self, **options: Any) -> train.Fitted:
        common = self.common
        data = options.pop("data", (common.X[:50], common.Y[:50]))
        given = {"valid": (common.X[50:], common.Y[50:]), "loss": common.LOSS, "optimizer": common.adam,
                 "metrics": common.METRICS, "epochs": 5, "batch_size": 10, "hyper": common.HYPER,
                 "progress": "off", "shard": shard.data_parallel()}  # fmt: skip
        return train.fit(common.NET, data, **{**given, **options})

    def message(self, **options: Any) -> str:
        try:
            self.fit(**options)
        except (ValueError, DivergenceError) as error:
            return str(error)
        return "no error"

    def found(self, count: int, index: int) -> dict[str, Any]:
        x, y = self.common.X, self.common.Y
        fitted = self.fit(progress="lines")
        stopped = self.fit(callbacks=[lambda moment: "enough" if index == count - 1 else None])
        kernel = fitted.params["layers"][0]["kernel"]
        split = shard.fsdp(min_size=16)
        part = jax.jit(split.params)(split.place(np.arange(32.0)))
        return {
            "processes": jax.process_count(),
            "addressable": kernel.is_fully_addressable,
            "history": {name: values.tolist() for name, values in fitted.history.items()},
            "kernel": np.asarray(kernel).tolist(),
            "predicted": fitted.predict(x[:3]).tolist(),
            "evaluated": fitted.evaluate((x, y), loss=self.common.LOSS),
            "stopped": [stopped.stopped, stopped.history.epochs],
            "seeds": self.message(seed=index),
            "rates": self.message(hyper={"learning_rate": 0.1 + 0.1 * index}),
            "checkpoint": self.message(checkpoint="runs/never"),
            "stream": self.message(data=train.Stream([(x[:10], y[:10])]), batch_size=None),
            "diverged": self.message(hyper={"learning_rate": 1e30}),
            "part": list(part.addressable_shards[0].data.shape),
            "gathered": np.asarray(split.gathered(part)).tolist() == list(range(32)),
            "largest": split.largest(index, -index),
        }


def main(address: str, count: int, index: int) -> None:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, num_processes=count, process_id=index, initialization_timeout=60)
    print(json.dumps(Trainer().found(count, index)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
