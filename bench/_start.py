"""Fresh starts: `python -m bench._start` answers each line, a job as JSON, with what a new process found.

The server has imported all and computed nothing; each job is a fork of it. So what is timed is the start
apart from the imports, which no cache shortens.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from typing import IO, Any, cast

import numpy as np

from jaxdl import losses, metrics, net, optim, train
from jaxdl.models import MLP, MLPConfig

EXAMPLES, VALID, BATCH = 512, 128, 32


class Server:
    """The server as a child of this process."""

    def __init__(self, config: MLPConfig) -> None:
        self._config = config
        self._filled = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "bench._start"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._jobs, self._answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)

    def start(self, kind: str) -> dict[str, Any]:
        """Start a process, let it train for an epoch, and return what it said.

        The cache is "warm" (kept from start to start), "filling" (an empty one) or "off".
        """
        with tempfile.TemporaryDirectory() as empty:
            folder = {"warm": self._filled.name, "filling": empty, "off": None}[kind]
            self._jobs.write(
                json.dumps({"config": dataclasses.asdict(self._config), "folder": folder}) + "\n"
            )
            self._jobs.flush()
            answer = self._answers.readline()
        if not answer:
            raise RuntimeError("the started process failed; its message is above")
        return json.loads(answer)

    def close(self) -> None:
        """End the server."""
        self._jobs.close()
        self._process.wait()
        self._answers.close()
        self._filled.cleanup()


def run(config: dict[str, Any], folder: str | None) -> dict[str, Any]:
    """What a started process does: one epoch of `fit`, with validation; the history and what it compiled."""
    events: list[str] = []
    import jax

    jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
    if folder is not None:
        train.compilation_cache(folder)
    model = MLPConfig(**config)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(EXAMPLES + VALID, 64)).astype(np.float32)
    labels = rng.integers(0, 10, len(inputs), dtype=np.int32)
    fitted = train.fit(
        net.functional(lambda rngs: MLP(model, rngs=rngs)),
        (inputs[:EXAMPLES], labels[:EXAMPLES]),
        valid=(inputs[EXAMPLES:], labels[EXAMPLES:]),
        loss=losses.softmax_cross_entropy,
        optimizer=lambda hyper: optim.adam(hyper["learning_rate"]),
        hyper={"learning_rate": 1e-3, "dropout": 0.1},
        metrics={"accuracy": metrics.accuracy},
        epochs=1,
        batch_size=BATCH,
        progress="off",
    )
    hits = events.count("/jax/compilation_cache/cache_hits")
    misses = events.count("/jax/compilation_cache/cache_misses")
    return {
        "losses": [float(fitted.history[name][0]) for name in fitted.history],
        "hits": hits,
        "misses": misses,
    }


def serve() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print(json.dumps(run(**json.loads(line))), flush=True)
            return
        if os.waitpid(child, 0)[1]:
            return  # closes the pipe, which says that it failed


if __name__ == "__main__":
    serve()
