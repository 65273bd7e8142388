"""Logs on a bad day: cut by a crash, a full disk, another process in the file."""

import os
import resource
from pathlib import Path
from typing import Any

import pytest
from logged import CURVES, each, timeless

from jaxdl.errors import LogError
from jaxdl.train import log
from jaxdl.train.log import writer as writer_module


@each
def test_a_record_cut_short_by_a_crash_is_mended(kind: Any, name: str, tmp_path: Path) -> None:
    whole = kind(tmp_path / f"whole_{name}")
    whole.write(CURVES)
    content = whole.path.read_bytes()
    kind(tmp_path / name).path.parent.mkdir(exist_ok=True)
    for size in range(0, len(content), 37):
        writer = kind(tmp_path / name)
        writer.path.write_bytes(content[:size])
        writer.begin(CURVES, 3, resume=True)
        writer.advance(CURVES, 5)
        assert timeless(writer.path) == timeless(whole.path)


class FullDisk:
    """A disk with room for so many bytes, as the writers see it through `open`."""

    def __init__(self, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = room
        monkeypatch.setattr(writer_module, "open", self.open, raising=False)

    def open(self, *arguments: Any, **options: Any) -> Any:
        file, disk = open(*arguments, **options), self  # noqa: SIM115

        class File:
            def __enter__(self) -> "File":
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def write(self, data: memoryview) -> int:
                if disk.room == 0:
                    raise OSError(28, "No space left on device")
                part = bytes(data[: min(disk.room, 100)])  # a short write, as the kernel may make
                disk.room -= len(part)
                return int(file.write(part))

        return File()


@each
def test_a_full_disk_does_not_stop_the_run(
    kind: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = kind(tmp_path / f"whole_{name}")
    whole.write(CURVES)
    writer = kind(tmp_path / name)
    writer.begin(CURVES)
    writer.advance(CURVES, 1)
    disk = FullDisk(50, monkeypatch)
    with pytest.warns(RuntimeWarning, match=r"No space left on device.*the epochs after 1 are written"):
        writer.advance(CURVES, 2)
    writer.advance(CURVES, 3)  # warned of once
    with pytest.raises(LogError, match=r"holds 1 epochs; .*No space left.*write\(history\)"):
        writer.close()
    disk.room = 10**6
    writer.advance(CURVES, 4)
    assert writer.done == 4
    writer.advance(CURVES, 5)
    writer.close()
    assert timeless(writer.path) == timeless(whole.path)


@each
def test_a_file_that_the_kernel_lets_grow_no_further(kind: Any, name: str, tmp_path: Path) -> None:
    whole, writer = kind(tmp_path / f"whole_{name}"), kind(tmp_path / name)
    whole.write(CURVES)
    writer.begin(CURVES)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole.path.read_bytes()) // 2, limits[1]))
    try:
        with pytest.warns(RuntimeWarning, match=r"File too large.*The run goes on"):
            writer.advance(CURVES, 5)
        assert writer.path.stat().st_size == len(whole.path.read_bytes()) // 2  # a record is cut short
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert writer.done == 0
    writer.close()
    assert writer.done == 5
    assert timeless(writer.path) == timeless(whole.path)


@each
def test_what_a_full_disk_left_out_is_written_afterwards(
    kind: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = kind(tmp_path / name)
    writer.begin(CURVES)
    with monkeypatch.context() as patch:
        FullDisk(300, patch)
        with pytest.warns(RuntimeWarning, match="No space left"):
            writer.advance(CURVES, 5)
        with pytest.raises(LogError):
            writer.close()
    kind(tmp_path / name).write(CURVES)
    kind(tmp_path / f"whole_{name}").write(CURVES)
    assert timeless(writer.path) == timeless(kind(tmp_path / f"whole_{name}").path)


@each
def test_another_process_in_the_file_is_noticed(kind: Any, name: str, tmp_path: Path) -> None:
    writer = kind(tmp_path / name)
    writer.begin(CURVES)
    writer.advance(CURVES, 1)
    with open(writer.path, "ab") as file:
        file.write(b"something else")
    content = writer.path.read_bytes()
    with pytest.warns(RuntimeWarning, match="something else writes to it"):
        writer.advance(CURVES, 2)
    with pytest.raises(LogError, match="something else writes to it"):
        writer.close()
    assert writer.path.read_bytes() == content
    writer.path.unlink()
    with pytest.raises(LogError, match="No such file"):
        writer.close()


def test_the_end_is_forced_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    writer = log.JSONLines(tmp_path / "a.jsonl")
    writer.write(CURVES)
    assert synced == [writer.path.stat().st_ino, tmp_path.stat().st_ino]
