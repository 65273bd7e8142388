"""Two real processes over loopback train one model, and each of them says and writes what it should."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import HYPER, LOSS, METRICS, NET, X, Y, adam

from jaxdl import train

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT, ROOT / "tests", ROOT / "tests/train")
SECONDS = 120


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextlib.contextmanager
def processes(count: int) -> Iterator[list[subprocess.Popen[str]]]:
    paths = os.pathsep.join(map(str, FOLDERS))
    hurry = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"
    flags = {
        "XLA_FLAGS": hurry,
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": paths,
    }
    command = [
        sys.executable,
        "-W",
        "error",
        str(ROOT / "tests/train/process.py"),
        f"127.0.0.1:{free_port()}",
    ]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [
        subprocess.Popen([*command, str(count), str(index)], env={**os.environ, **flags}, **pipes)
        for index in range(count)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def outputs() -> list[str]:
    with processes(2) as started:
        done = [process.communicate(timeout=SECONDS) for process in started]
        for process, (_, errors) in zip(started, done, strict=True):
            assert process.returncode == 0, errors
    return [output for output, _ in done]


@pytest.fixture(scope="module")
def found(outputs: list[str]) -> list[dict[str, Any]]:
    return [json.loads(output.splitlines()[-1]) for output in outputs]


def test_two_processes_train_what_one_trains(found: list[dict[str, Any]]) -> None:
    alone = train.fit(NET, (X[:50], Y[:50]), valid=(X[50:], Y[50:]), loss=LOSS, optimizer=adam,
                      metrics=METRICS, epochs=5, batch_size=10, hyper=HYPER, progress="off")  # fmt: skip
    for process in found:
        assert process["processes"] == 2
        assert not process["addressable"]
        assert process["history"].keys() == dict(alone.history).keys()
        for name, values in process["history"].items():
            np.testing.assert_allclose(values, alone.history[name], atol=1e-5)
        np.testing.assert_allclose(process["kernel"], alone.params["layers"][0]["kernel"], atol=1e-5)
        np.testing.assert_allclose(process["predicted"], alone.predict(X[:3]), atol=1e-5)
        assert process["evaluated"] == pytest.approx(alone.evaluate((X, Y), loss=LOSS), abs=1e-5)


def test_processes_hold_the_same_bits(found: list[dict[str, Any]]) -> None:
    first, second = found
    for name in ("history", "kernel", "predicted", "evaluated"):
        assert first[name] == second[name]


def test_one_process_shows_the_progress(outputs: list[str]) -> None:
    shown = [output.rpartition("\n{")[0].count("epoch ") for output in outputs]
    assert shown == [5, 0]


def test_one_process_that_stops_stops_all(found: list[dict[str, Any]]) -> None:
    assert [process["stopped"] for process in found] == [["stopped in another process", 1], ["enough", 1]]


def test_processes_that_differ_are_told(found: list[dict[str, Any]]) -> None:
    for process in found:
        for name in ("seeds", "rates"):
            assert "seed, epochs or batch_size' is other in process [1] than in process 0" in process[name]
            assert "the same examples, hyperparameters and seed" in process[name]
        assert "argument 'data' is other in process [1]" in process["examples"]


def test_programs_that_differ_are_told(found: list[dict[str, Any]]) -> None:
    for process in found:
        for name in ("optimizers", "shuffles", "names"):
            assert "process 1 runs another program than process 0: another optimizer, loss" in process[name]


def test_divergence_is_raised_in_every_process(found: list[dict[str, Any]]) -> None:
    first, second = found
    assert first["diverged"] == second["diverged"]
    assert "the run diverged at step" in first["diverged"]


def test_what_is_split_can_be_gathered(found: list[dict[str, Any]]) -> None:
    for process in found:
        assert process["part"] == [16]
        assert process["gathered"]
        assert process["largest"] == [1, 0]


def test_split_parameters_are_saved_once_gathered(found: list[dict[str, Any]]) -> None:
    for process in found:
        for name, message in zip(("save", "export"), process["written"]["refused"], strict=True):
            assert message.startswith(f"{name}: argument 'fitted' is split: 'params/layers/0/kernel' lies")
            assert "params=plan.gathered(fitted.params)) in every process" in message
        for name in ("loaded", "exported"):
            np.testing.assert_allclose(process["written"][name], process["predicted"], atol=1e-6)


def test_every_process_knows_its_memory(found: list[dict[str, Any]]) -> None:
    assert all(process["memory"] > 0 for process in found)


def test_what_takes_one_process_is_refused(found: list[dict[str, Any]]) -> None:
    for process in found:
        assert "expected None with several processes" in process["checkpoint"]
        assert "a Stream in one of 2 processes" in process["stream"]
        assert "start them apart, each with points of its own" in process["members"]
        assert "as 2 processes share 2 devices" in process["fewer"]
