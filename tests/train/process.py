"""One of several processes that train one model over loopback; prints JSON for test_processes.py.

Run as ``process.py COORDINATOR PROCESSES INDEX``.
"""

import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxdl import optim, train
from jaxdl.errors import DivergenceError
from jaxdl.train import shard
from jaxdl.train.sweeps import memory


def refused(call: Callable[[], Any]) -> str:
    try:
        call()
    except (ValueError, DivergenceError) as error:
        return str(error)
    return "no error"


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
        return refused(lambda: self.fit(**options))

    def written(self, fitted: train.Fitted, plan: shard.Plan) -> dict[str, Any]:
        """Split the parameters as `fsdp` leaves them, and save and export them before and after gathering."""
        split = dataclasses.replace(fitted, params=jax.jit(plan.params)(fitted.params))
        whole = dataclasses.replace(split, params=plan.gathered(split.params))
        x = self.common.X[:3]
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/model.safetensors"
            return {
                "refused": [refused(lambda: train.save(path, split)), refused(lambda: train.export(split))],
                "loaded": train.load(train.save(path, whole)).predict(x).tolist(),
                "exported": train.export(whole)(x).tolist(),
            }

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
            "optimizers": self.message(optimizer=optim.sgd((0.5, 0.1)[index])),
            "shuffles": self.message(shuffle=("permutation", "none")[index]),
            "names": self.message(hyper={**self.common.HYPER, "ab"[index]: 1.0}),
            "rates": self.message(hyper={"learning_rate": 0.1 + 0.1 * index}),
            "examples": self.message(data=(x[index : 50 + index], y[index : 50 + index])),
            "checkpoint": self.message(checkpoint="runs/never"),
            "stream": self.message(data=train.Stream([(x[:10], y[:10])]), batch_size=None),
            "diverged": self.message(hyper={"learning_rate": 1e30}),
            "members": refused(shard.members),
            "fewer": refused(lambda: shard.data_parallel(1)),
            "part": list(part.addressable_shards[0].data.shape),
            "gathered": np.asarray(split.gathered(part)).tolist() == list(range(32)),
            "written": self.written(fitted, split),
            "memory": memory.available(),
            "largest": split.largest(index, -index),
        }


def main(address: str, count: int, index: int) -> None:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, num_processes=count, process_id=index, initialization_timeout=60)
    print(json.dumps(Trainer().found(count, index)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
