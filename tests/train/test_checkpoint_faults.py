"""Checkpoints that are damaged, and writes that fail: the old state or the new one, and never in silence."""

import contextlib
import errno
import itertools
import os
import resource
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoints import RECORD, same, step_folder, tree

from jaxdl.errors import CheckpointWarning
from jaxdl.train.checkpoint import Store, arrays, files, manifest
from jaxdl.train.checkpoint.manifest import Damaged

MODES = ("flip", "truncate", "delete", "grow")


@contextlib.contextmanager
def damaged(path: Path, mode: str, rng: np.random.Generator) -> Iterator[None]:
    """Damage a file for a moment, in place: what is truncated and written anew is forced to the disk."""
    content = path.read_bytes()
    if mode == "delete":
        aside = path.rename(path.with_name("aside"))
        yield
        aside.rename(path)
        return
    mode = mode if content else "grow"
    place = int(rng.integers(max(1, len(content))))
    with open(path, "r+b") as file:
        if mode == "truncate":
            file.truncate(place)
        else:
            file.seek(place if mode == "flip" else len(content))
            file.write(bytes([content[place] ^ 1 << int(rng.integers(8)) if content else 0]))
    yield
    with open(path, "r+b") as file:
        file.write(content)
        file.truncate()


def test_2000_damages_are_found_before_orbax_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each must be found by the digests; of every 100th the whole way down is gone, to the older step."""
    rng, step = np.random.default_rng(0), step_folder(folder, 2)
    paths, expected, wanted = files.listed(step), tree(1), tree(0)
    load = arrays.load
    for number in range(2000):
        path = paths[rng.integers(len(paths))]
        with damaged(path, MODES[number % len(MODES)], rng):
            with pytest.raises(Damaged, match=path.name):
                manifest.verify(step, manifest.read(step))
            if number % 100 == 0:
                with pytest.warns(CheckpointWarning, match=f"step 2.*{path.name}.*Step 1 is taken"):
                    saved = Store(folder, writable=False).restore(wanted)
                assert same(saved.tree, expected)  # type: ignore[union-attr]
    manifest.verify(step, manifest.read(step))
    # Damage that comes after the digests were compared is found in what Orbax returns.
    monkeypatch.setattr(manifest, "verify", lambda *_: None)
    data = max(paths, key=lambda path: path.stat().st_size)
    found = bytearray(data.read_bytes())
    for place in range(0, len(found), max(1, len(found) // 20)):
        data.write_bytes(bytes([*found[:place], found[place] ^ 16, *found[place + 1 :]]))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            saved = Store(folder, writable=False).restore(wanted)
        assert saved is not None
        assert (saved.step == 1) == bool(caught)
        assert same(saved.tree, tree(saved.step))
    assert arrays.load is load


CALLS = ("open", "write", "fsync", "close", "mkdir", "rename", "replace", "link", "unlink", "rmdir")


class Failing:
    """Makes one call of `os` fail: the `number`-th that writes below a folder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
        self.number, self.code, self.seen = number, code, []
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.seen.append(name)
            if len(self.seen) == self.number:
                if name == "close":
                    call(*arguments, **options)
                raise OSError(self.code, os.strerror(self.code))
            return call(*arguments, **options)

        return wrapped


def cycle(folder: Path) -> None:
    with Store(folder, keep=1) as store:
        store.save(3, {"w": np.full(4, 3.0)}, {})


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_every_write_call_fails_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_arrays: None, code: int
) -> None:
    outcomes = set()
    with Store(tmp_path / "old") as store:
        store.save(2, {"w": np.full(4, 2.0)}, {})
    for number in itertools.count(1):
        folder = shutil.copytree(tmp_path / "old", tmp_path / str(number))
        raised = None
        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", CheckpointWarning)
            failing = Failing(patch, number, code)
            try:
                cycle(folder)
            except OSError as error:
                raised = error
        assert raised is None or raised.errno == code
        newest = Store(folder, writable=False).steps()[-1]
        step = step_folder(folder, newest)
        manifest.verify(step, manifest.read(step))
        assert (step / "arrays" / "data").read_bytes() == np.full(4, float(newest)).tobytes()
        outcomes.add((newest, raised is not None))
        if len(failing.seen) < number:
            break
    # The old state and an error; the new one and an error, as the folder was not forced to the disk; the new.
    assert outcomes == {(2, True), (3, True), (3, False)}
    assert number > 30


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 100, 2000])
def test_a_disk_that_takes_no_more_leaves_the_old_state(
    folder: Path, full_disk: Callable[[int], None], size: int
) -> None:
    """By the limit of the system on the size of a file, so that what Orbax writes fails as well."""
    with Store(folder) as store:
        full_disk(size)
        with pytest.raises(OSError, match="File too large"):
            store.save(3, {"w": np.arange(5000.0)}, RECORD)
        full_disk(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        assert store.steps() == [1, 2]
        assert not [path for path in folder.iterdir() if path.name.startswith(".tmp")]
        store.save(3, tree(3), RECORD)
    found = Store(folder, writable=False).restore(tree(0))
    assert found is not None
    assert found.step == 3
