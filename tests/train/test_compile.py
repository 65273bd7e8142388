"""Ahead of time: after `compile`, `fit` compiles nothing; what it costs is said; the spinner turns."""

import io
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import HYPER, LOSS, METRICS, NET, X, Y, sgd
from rich.console import Console

from jaxdl import net, scaling, train
from jaxdl.data import Dataset
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.train import progress
from jaxdl.train.runner import runner_of

PIXELS = np.clip(64 * X + 128, 0, 255).astype(np.uint8)
DATASET = Dataset(PIXELS[:50], Y[:50], classes=("a", "b", "c"))
SETTINGS: dict[str, Any] = {
    "loss": LOSS, "optimizer": sgd, "hyper": HYPER, "epochs": 3, "batch_size": 10, "metrics": METRICS,
    "scaling": scaling.pixels(), "early_stopping": train.EarlyStopping(patience=2), "average": 0.9,
    "progress": "off",
}  # fmt: skip


def shape(like: np.ndarray, examples: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((examples, *like.shape[1:]), like.dtype)


def compilations(run: Callable[[], Any]) -> int:
    counted: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        counted.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        run()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return counted.count("/jax/core/compile/backend_compile_duration")


@pytest.fixture(scope="module")
def compiled() -> train.Compiled:
    runner_of.cache_clear()
    return train.compile(
        NET, (shape(PIXELS, 50), shape(Y, 50)), valid=(shape(PIXELS, 20), shape(Y, 20)), **SETTINGS
    )


def test_fit_then_compiles_nothing(compiled: train.Compiled) -> None:
    def fit() -> None:
        settings = {**SETTINGS, "hyper": {"learning_rate": 0.01}}
        fitted = train.fit(NET, DATASET, valid=(PIXELS[50:], Y[50:]), seed=3, **settings)
        assert len(fitted.history["valid_accuracy"]) == 3

    assert compilations(fit) == 0
    assert compiled.seconds > 0.01
    assert compilations(lambda: jax.jit(lambda x: x + 1.25)(jnp.ones(3))) > 0  # so that 0 means something


def test_data_do_as_well_as_shapes(compiled: train.Compiled) -> None:
    data: dict[str, Any] = {
        "valid": (PIXELS[50:], Y[50:].astype(np.int64)),
        "seed": 1,
        "callbacks": (),
        "stop_on": (),
    }
    again = train.compile(NET, DATASET, **data, **SETTINGS)
    assert again.seconds < compiled.seconds / 2
    assert again.program is compiled.program


def test_a_plan_for_devices_too() -> None:
    line = net.from_pair(lambda key: {"w": jnp.zeros((4, 3))}, lambda params, x: x @ params["w"])
    settings: dict[str, Any] = {"loss": LOSS, "optimizer": sgd, "hyper": HYPER, "epochs": 1, "batch_size": 10,
                                "shard": train.shard.data_parallel(1), "progress": "off"}  # fmt: skip
    train.compile(line, (shape(X, 50), shape(Y, 50)), **settings)
    assert compilations(lambda: train.fit(line, (X[:50], Y[:50]), **settings)) == 0


def test_arithmetic_is_counted(compiled: train.Compiled) -> None:
    products = 2 * 10 * (2 * 4 * 8 + 3 * 8 * 3)  # no gradient of the inputs
    assert compiled.steps == 5
    assert products < compiled.flops_per_step < 4 * products
    assert compiled.flops_per_epoch == 5 * compiled.flops_per_step


def test_memory_is_that_of_the_arrays(compiled: train.Compiled) -> None:
    examples = 70 * (4 + 4)
    parameters = 4 * (4 * 8 + 8 + 8 * 3 + 3)
    found = compiled.bytes
    assert examples + 3 * parameters < found.arguments < examples + 3 * parameters + 1000
    assert 3 * parameters < found.outputs < 3 * parameters + 1000
    assert found.total == sum(found)
    assert found.temporaries > 0
    assert "while" in compiled.text()


@pytest.mark.parametrize(
    ("data", "change", "error", "words"),
    [
        ((shape(X, 50), shape(Y, 40)), {}, ShapeError, r"inputs \(50, 4\) and targets \(40,\)"),
        ((shape(X, 50), shape(Y, 50)), {"batch_size": 51}, ValueError, "batch_size"),
        ((shape(X, 50), shape(Y, 50)), {"progress": "loud"}, ValueError, "'bar', 'lines', 'off'"),
        ((shape(X, 50), shape(Y, 50)), {"patience": 2}, TypeError, "patience"),
        ((shape(X[:, :3], 50), shape(Y, 50)), {"scaling": None}, Exception, "3"),
        (X, {}, DtypeError, "their shapes"),
    ],
)
def test_refuses(data: Any, change: dict[str, Any], error: type[Exception], words: str) -> None:
    settings = {**SETTINGS, "metrics": None, "early_stopping": None, **change}
    with pytest.raises(error, match=words):
        train.compile(NET, data, **settings)


def test_a_spinner_turns_on_a_terminal() -> None:
    screen = io.StringIO()
    with progress.Reporter(
        "bar", 3, console=Console(file=screen, force_terminal=True, width=100)
    ) as reporter:
        time.sleep(0.25)
        assert "compiling" in screen.getvalue()
        assert "0.2 s" in screen.getvalue()
        assert "epoch" not in screen.getvalue()
        reporter.compiled(0.25)
    assert "epoch" in screen.getvalue()


@pytest.mark.parametrize(
    ("style", "seconds", "lines"), [("bar", 1.5, 1), ("lines", 0.01, 0), ("off", 1.5, 0)]
)
def test_a_log_gets_one_line(style: str, seconds: float, lines: int) -> None:
    screen = io.StringIO()
    spinner = progress.Spinner(style, console=Console(file=screen))
    spinner.start()
    time.sleep(0.15)
    spinner.stop(seconds)
    assert screen.getvalue().splitlines() == ["compiled in 1.5 s"] * lines
