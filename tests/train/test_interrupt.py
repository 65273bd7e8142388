"""Real signals: the first ends a run after its chunk with nothing lost, the second ends it at once."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import HYPER, LOSS, X, Y, sgd

from jaxdl import net
from jaxdl.errors import DtypeError, Interrupted, LogError
from jaxdl.train import Fitted, Moment, fit, log, session
from jaxdl.train.ending import end
from jaxdl.train.interrupt import StopSignal

SOFTMAX = net.from_pair(
    lambda key: {"w": jnp.zeros((4, 3)), "b": jnp.zeros(3)}, lambda p, x: x @ p["w"] + p["b"][None]
)
EPOCHS = 100_000


def run(**change: Any) -> Fitted:
    options = {"loss": LOSS, "optimizer": sgd, "hyper": HYPER, "epochs": EPOCHS, "batch_size": 50,
               "progress": "off", **change}  # fmt: skip
    return fit(SOFTMAX, (X[:50], Y[:50]), **options)


def send(name: str, at: int = 1) -> Any:
    """Return a callback that sends a signal to this process once `at` epochs are over."""

    def callback(moment: Moment) -> None:
        if moment.epoch >= at:
            os.kill(os.getpid(), signal.Signals[name])

    return callback


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Assert that every test leaves the handlers as they were."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(("name", "stop_on"), [("SIGINT", ("SIGINT",)), ("SIGTERM", ["SIGINT", "SIGTERM"])])
def test_the_first_signal_lets_the_chunk_end(
    name: str, stop_on: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(session, "CHUNK_SECONDS", 0.0)
    with pytest.raises(Interrupted, match=rf"{name} stopped the run after epoch \d+ of {EPOCHS}") as caught:
        run(stop_on=stop_on, callbacks=[send(name, at=3)], log=tmp_path / "a.jsonl")
    error = caught.value
    assert isinstance(error, KeyboardInterrupt)
    assert not isinstance(error, Exception)
    assert error.epoch == 3
    assert error.fitted.stopped == name
    assert error.fitted.history.epochs == log.read(tmp_path / "a.jsonl").epochs == error.epoch
    assert "Fix: fit(..., checkpoint='runs/a') saves it, and resume=True goes on" in str(error)
    assert error.fitted.predict(X).shape == (70, 3)
    until = run(callbacks=[lambda moment: "here" if moment.epoch == 3 else None])
    jax.tree.map(np.testing.assert_array_equal, until.params, error.fitted.params)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_goes_on_as_its_message_says(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(session, "CHUNK_SECONDS", 0.0)

    def logs(folder: Path) -> list[Any]:
        return [folder / "a.jsonl", folder / "a.csv", log.TensorBoard(folder)]

    def enough(moment: Moment) -> str | None:
        return "enough" if moment.epoch == 12 else None

    whole = run(callbacks=[enough], log=logs(tmp_path / "whole"))
    broken = {"checkpoint": tmp_path / "saved", "log": logs(tmp_path / "broken"), "stop_on": [name]}
    with pytest.raises(Interrupted, match=re.escape(f"checkpoint={str(tmp_path / 'saved')!r}, resume=True")):
        run(**broken, callbacks=[send(name, at=5)])
    with pytest.raises(ValueError, match="with a run of 5 epochs"):
        run(**broken, callbacks=[enough])
    again = run(**broken, callbacks=[enough], resume=True)
    jax.tree.map(np.testing.assert_array_equal, again.params, whole.params)
    for file in ("a.jsonl", "a.csv"):
        content = (tmp_path / "whole" / file).read_bytes()
        assert (tmp_path / "broken" / file).read_bytes() == content
        assert content.count(b"\n") == 12 + (file == "a.csv")
    sizes = [
        len(writer.path.read_bytes()) for writer in (logs(tmp_path / part)[2] for part in ("whole", "broken"))
    ]
    assert sizes[0] == sizes[1]


def test_a_signal_from_outside_comes_while_a_chunk_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CHUNK_SECONDS", 0.05)
    seen: list[int] = []

    def begin(moment: Moment) -> None:
        seen.append(moment.epoch)
        if len(seen) == 2:
            threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(Interrupted) as caught:
        run(callbacks=[begin])
    assert caught.value.epoch == seen[-1] > seen[1]


def test_the_second_signal_stops_at_once(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setattr(session, "CHUNK_SECONDS", 1e9)  # the second chunk is all the rest
    seen: list[int] = []
    over = threading.Event()

    def insist() -> None:
        # Two that come at the same time are one to the process.
        for _ in range(2):
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
            while not seen[1:] and not over.is_set() and "again" not in capfd.readouterr().err:
                time.sleep(0.01)
            seen.append(0)

    thread = threading.Thread(target=insist)

    def begin(moment: Moment) -> None:
        seen.append(moment.epoch)
        thread.start()

    with pytest.raises(KeyboardInterrupt, match="stopped at once by a second SIGINT") as caught:
        run(callbacks=[begin])
    over.set()
    thread.join()
    assert type(caught.value) is KeyboardInterrupt
    assert [epoch for epoch in seen if epoch] == [1]


def test_without_signals_to_stop_on_ctrl_c_is_as_ever() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        run(stop_on=(), callbacks=[send("SIGINT")])
    assert type(caught.value) is KeyboardInterrupt


def test_a_signal_in_the_last_chunk_is_not_swallowed() -> None:
    def last(moment: Moment) -> None:
        if moment.epoch == moment.epochs:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="after epoch 100000 of 100000") as caught:
        run(callbacks=[last])
    assert caught.value.fitted.history.epochs == EPOCHS


def test_the_handlers_of_others_come_back() -> None:
    calls: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    mine = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(Interrupted):
            run(callbacks=[send("SIGINT")])
        assert signal.getsignal(signal.SIGINT) is mine
        with pytest.raises(RuntimeError, match="of the callback"):
            run(callbacks=[fail])
        assert signal.getsignal(signal.SIGINT) is mine
        assert calls == []
    finally:
        signal.signal(signal.SIGINT, before)


def fail(moment: Moment) -> None:
    raise RuntimeError("of the callback")


def test_a_signal_that_the_process_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        fitted = run(callbacks=[send("SIGINT"), lambda moment: "enough" if moment.epoch > 1 else None])
        assert fitted.stopped == "enough"
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_installs_no_handler() -> None:
    found: list[Any] = []

    def work() -> None:
        found.append(
            run(callbacks=[lambda moment: found.append(signal.getsignal(signal.SIGINT)) or "enough"])
        )

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0] is signal.getsignal(signal.SIGINT)
    assert found[1].stopped == "enough"


def test_a_fit_within_a_callback_of_a_fit_hands_the_signal_to_the_inner_one() -> None:
    def inner(moment: Moment) -> None:
        with pytest.raises(Interrupted):
            run(callbacks=[send("SIGINT")])
        raise RuntimeError("of the callback")

    with pytest.raises(RuntimeError, match="of the callback"):
        run(callbacks=[inner])


class Saver:
    """Stands for the hook of checkpoints."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.saved: list[int] = []
        self.fault = fault

    def __call__(self, moment: Moment) -> None:
        return None

    def save(self, moment: Moment) -> None:
        if self.fault is not None:
            raise self.fault
        self.saved.append(moment.epoch)


def test_an_error_of_a_callback_comes_through_after_the_state_was_saved(tmp_path: Path) -> None:
    saver = Saver()
    with pytest.raises(RuntimeError, match="of the callback") as caught:
        run(callbacks=[saver, fail], log=tmp_path / "a.csv")
    assert saver.saved == [1] == [log.read(tmp_path / "a.csv").epochs]
    notes = ["fit: raised by a callback after epoch 1 of 100000", "The state was saved before"]
    assert caught.value.__notes__ == notes
    with pytest.raises(RuntimeError, match="of the callback") as caught:
        run(callbacks=[fail, Saver(OSError("no space"))])
    assert caught.value.__notes__[1] == "Besides, the state was not saved: no space"


def test_a_log_that_cannot_be_written_raises_at_the_end_with_the_run_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"

    def spoil(moment: Moment) -> None:
        if moment.epoch == 1:
            path.unlink()

    enough = {"callbacks": [spoil, lambda moment: "enough" if moment.epoch > 1 else None]}
    with pytest.warns(RuntimeWarning, match="The run goes on"), pytest.raises(LogError) as caught:
        run(log=[path, tmp_path / "b.csv"], **enough)
    fitted = caught.value.fitted
    assert fitted.stopped == "enough"
    assert log.read(tmp_path / "b.csv").epochs == fitted.history.epochs > 1
    log.JSONLines(path).write(fitted.history)
    np.testing.assert_array_equal(log.read(path)["loss"], fitted.history["loss"])

    def both(moment: Moment) -> None:
        spoil(moment)
        if moment.epoch > 1:
            raise RuntimeError("of the callback")

    path.unlink()
    with pytest.warns(RuntimeWarning, match="The run goes on"), pytest.raises(RuntimeError) as caught:
        run(log=path, callbacks=[both])
    assert "Besides, log: " in caught.value.__notes__[-1]


def test_what_is_wrong_with_a_log_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("my table\n")
    for given, error in (
        (tmp_path / "a.csv", ValueError),
        ("a.txt", ValueError),
        (3, DtypeError),
        (tmp_path / "a.csv" / "b.jsonl", OSError),
    ):
        with pytest.raises(error):
            run(log=given, callbacks=[fail])
    assert (tmp_path / "a.csv").read_text() == "my table\n"


def test_the_message_says_how_to_go_on() -> None:
    moment = Moment(3, 9, None, None, 0.0, 0.0, "SIGINT")  # type: ignore[arg-type]
    stop = StopSignal()
    fitted: Any = object()
    assert end(fitted, moment, stop, None) is fitted
    stop.name = "SIGINT"
    fault = LogError("full")
    with pytest.raises(Interrupted) as caught:
        end(fitted, moment, stop, fault, Path("runs/a"))
    assert str(caught.value) == (
        "fit: SIGINT stopped the run after epoch 3 of 9. It is saved. "
        "Fix: go on with fit(..., checkpoint='runs/a', resume=True)"
    )
    assert caught.value.fitted is fitted
    assert caught.value.__cause__ is fault
    with pytest.raises(Interrupted, match=r"after epoch 3 of 9 and 7 steps of the next\. It is saved"):
        end(fitted, dataclasses.replace(moment, cursor=7), stop, fault, Path("runs/a"))


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        ("SIGINT", DtypeError, "a tuple of names of signals"),
        (None, DtypeError, "a tuple of names of signals"),
        (["SIGKILL"], ValueError, "a signal that can be caught"),
        (["ctrl-c"], ValueError, r"Fix: stop_on=\('SIGINT', 'SIGTERM'\)"),
        ([2], ValueError, "a signal that can be caught"),
    ],
)
def test_wrong_signals(names: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        run(stop_on=names)


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_interrupt import run
run(log={path!r}, callbacks=[lambda moment: print("ready", flush=True)], epochs=10**6)
"""


def test_a_script_that_is_interrupted_says_so_and_fails(tmp_path: Path) -> None:
    code = SCRIPT.format(tests=str(Path(__file__).parent), path=str(tmp_path / "a.jsonl"))
    script = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert script.stdout is not None
    assert script.stdout.readline() == "ready\n"
    time.sleep(0.05)
    script.send_signal(signal.SIGINT)
    _, text = script.communicate(timeout=120)
    assert script.returncode == 1
    assert "SIGINT: the run stops after this chunk" in text
    epochs = log.read(tmp_path / "a.jsonl").epochs
    assert f"Interrupted: fit: SIGINT stopped the run after epoch {epochs} of 1000000." in text
