"""The lock of a folder of checkpoints: one holder at a time, whatever dies or races."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxdl.errors import LockError
from jaxdl.train.checkpoint import Store, lock
from jaxdl.train.checkpoint.lock import Lock

# A process that takes the lock without JAX: `python -c HOLDER folder` says what came of it, then waits.
HOLDER = """
import sys
from pathlib import Path
from jaxdl.train.checkpoint.lock import Lock
held = Lock(Path(sys.argv[1]))
try:
    held.acquire()
    print("held", flush=True)
    sys.stdin.read()
    held.release()
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


def other(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def leave(folder: Path, number: int, **changes: Any) -> Path:
    path = folder / f"lock.{number:06d}"
    path.write_text(json.dumps(lock.ours() | {"nonce": "x", "released": False} | changes))
    return path


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    process = other(tmp_path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockError, match=rf"in use by process {process.pid} on \S+, since .* Fix: choose"):
            Store(tmp_path).__enter__()
        # Killed, and not waited for: a zombie holds nothing.
        process.kill()
        for _ in range(200):
            if lock._started(process.pid) is None:
                break
            time.sleep(0.01)
        with Store(tmp_path):
            assert [path.name for path in tmp_path.iterdir()] == ["lock.000002"]
    finally:
        process.kill()
        process.communicate()


def test_a_second_store_of_the_same_process_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path):
        with pytest.raises(LockError, match=f"process {os.getpid()}"):
            Store(tmp_path).__enter__()
        assert Store(tmp_path, writable=False).steps() == []
    with Store(tmp_path):
        pass


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": 2**22 + 1},  # no such process
        {"pid": 1},  # another process has its number now
        {"released": True},
    ],
)
def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path, changes: dict[str, Any]) -> None:
    leave(tmp_path, 7, **changes)
    with Store(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["lock.000008"]


@pytest.mark.parametrize("text", [None, "", '{"half'])
def test_a_lock_of_another_machine_counts_by_its_time(tmp_path: Path, text: str | None) -> None:
    path = leave(tmp_path, 1, boot="another machine", host="elsewhere", pid=4)
    if text is not None:
        path.write_text(text)
    with pytest.raises(LockError, match=r"in use by process 4 on elsewhere|just taking it"):
        Store(tmp_path).__enter__()
    before = time.time() - 2 * lock.STALE_S
    os.utime(path, (before, before))
    with Store(tmp_path):
        pass


def test_a_holder_shows_that_it_lives(tmp_path: Path) -> None:
    held = Lock(tmp_path, beat=0.01)
    held.acquire()
    path = tmp_path / "lock.000001"
    os.utime(path, (0, 0))
    for _ in range(500):
        if path.stat().st_mtime > 1:
            break
        time.sleep(0.01)
    assert path.stat().st_mtime > 1
    held.release()
    assert json.loads(path.read_text())["released"]


def test_who_lost_the_lock_writes_nothing(tmp_path: Path, small_arrays: None) -> None:
    with Store(tmp_path) as store:
        store.save(1, {"w": np.ones(1)}, {})
        leave(tmp_path, 2, pid=1)
        with pytest.raises(LockError, match="was lost"):
            store.save(2, {"w": np.ones(1)}, {})
        assert store.steps() == [1]
    assert not json.loads((tmp_path / "lock.000002").read_text())["released"]


@pytest.mark.parametrize("links", [True, False])
def test_of_many_takers_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        leave(folder, 3, pid=2**22 + 1)
        takers = [Lock(folder) for _ in range(8)]
        start, won = threading.Barrier(len(takers)), []

        def take(taker: Lock, start: threading.Barrier = start, won: list[Lock] = won) -> None:
            start.wait()
            try:
                taker.acquire()
                won.append(taker)
            except LockError:
                pass

        threads = [threading.Thread(target=take, args=(taker,)) for taker in takers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        won[0].check()
        won[0].release()


def test_a_taker_that_comes_late_steps_back(tmp_path: Path) -> None:
    leave(tmp_path, 5)
    assert not Lock(tmp_path)._claim(3)
    assert [path.name for path in tmp_path.iterdir()] == ["lock.000005"]
