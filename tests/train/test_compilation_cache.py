"""The compilation cache: a second process compiles nothing, and nothing damaged or foreign is loaded."""

import hashlib
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import jax
import pytest

from jaxdl.train import _store, cache
from jaxdl.train._store import Store

ROOT = Path(__file__).parents[2]
# A small program: what is tested is the cache, and every process of this test compiles it.
RUN = """
import collections, hashlib, json, sys, warnings
import jax, jax.numpy as jnp
from jaxdl import train
page = open("docs/compile.md").read().split("```python\\n")
(block,) = (part.split("```")[0] for part in page if "_cache(" in part[:90])
events = collections.Counter()
jax.monitoring.register_event_listener(lambda name, **_: events.update([name.rpartition("/")[2]]))
if sys.argv[2] == "late":
    jnp.ones(3).sum().block_until_ready()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    exec(block)
    assert train.compilation_cache(sys.argv[1]) == folder
    x = jax.jit(lambda x: jnp.tanh(x @ x.T).sum(0))(jnp.linspace(-1, 1, 64).reshape(8, 8))
try:
    train.compilation_cache(sys.argv[1] + "/other")
except ValueError as error:
    events["refused"] += "which this process uses already" in str(error)
print(json.dumps({"hash": hashlib.sha256(x.tobytes()).hexdigest(), "folder": str(folder), **events,
                  "warnings": [str(w.message) for w in caught]}))
"""


def start(folder: Path, when: str = "early") -> subprocess.Popen:
    environment = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    environment |= {"JAXDL_CACHE": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), when],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> dict[str, Any]:
    out, problem = process.communicate()
    assert process.returncode == 0, problem
    return json.loads(out)


def entries(folder: str) -> list[Path]:
    return sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))


def test_cold_at_once_then_warm_then_damaged(tmp_path: Path) -> None:
    both = [start(tmp_path), start(tmp_path)]
    cold, other = map(finish, both)
    assert cold["hash"] == other["hash"]
    assert cold.get("cache_misses", 0) + other.get("cache_misses", 0) > 0
    kept = entries(cold["folder"])
    warm = finish(start(tmp_path, "late"))
    assert (warm["hash"], warm["warnings"], warm["refused"]) == (cold["hash"], [], 1)
    assert warm["cache_hits"] == len({path.name.partition(".")[2] for path in kept})
    assert "cache_misses" not in warm
    first, second, *rest = entries(cold["folder"])
    for path in rest:
        path.unlink()
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    second.write_bytes(second.read_bytes()[:-1])
    again = finish(start(tmp_path))
    assert again["hash"] == cold["hash"]
    assert "cache_hits" not in again
    for text, path in zip(again["warnings"], (first, second), strict=True):
        assert f"{path.name} is damaged; it is removed" in text
    for path in entries(cold["folder"]):
        assert path.name.partition(".")[0] == hashlib.sha256(path.read_bytes()).hexdigest()


def make(folder: Path, **contents: bytes) -> Store:
    store = Store(folder, 10_000)
    for name, content in contents.items():
        (store.own / f"{name}-cache").write_bytes(content)
    return store


def test_an_entry_that_is_not_whole_waits(tmp_path: Path) -> None:
    whole = zlib.compress(bytes(range(256)))
    store = make(tmp_path, one=whole, two=whole[:-1], three=_store.ZSTANDARD + b"cut off")
    store.publish()
    assert [path.name.partition(".")[2] for path in entries(str(tmp_path))] == ["one-cache"]
    (store.own / "two-cache").write_bytes(whole)
    store.close()
    assert [path.name.partition(".")[2] for path in entries(str(tmp_path))] == ["one-cache", "two-cache"]
    assert not store.own.exists()


def test_where_there_are_no_links_it_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(_store.os, "link", refuse)
    make(tmp_path, one=zlib.compress(b"one")).close()
    assert len(entries(str(tmp_path))) == 1
    store = Store(tmp_path, 10_000)
    assert zlib.decompress((store.own / "one-cache").read_bytes()) == b"one"
    store.close()


def test_the_oldest_are_dropped(tmp_path: Path) -> None:
    store = Store(tmp_path, 2_500)
    for number in range(4):
        path = store.own / f"{number}-cache"
        path.write_bytes(zlib.compress(os.urandom(1_000)))
        os.utime(path, (number, number))
        store.publish()
    assert {path.name.partition(".")[2] for path in entries(str(tmp_path))} == {"2-cache", "3-cache"}
    store.close()


def test_a_full_disk_is_said_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make(tmp_path, one=zlib.compress(b"one"))
    monkeypatch.setattr(Store, "_place", lambda *_: (_ for _ in ()).throw(OSError("No space left")))
    with pytest.warns(UserWarning, match="No space left; programs are not kept"):
        store.publish()
    monkeypatch.undo()
    store.close()
    assert len(entries(str(tmp_path))) == 1


def test_folders_of_killed_processes_are_removed(tmp_path: Path) -> None:
    alive = make(tmp_path)
    killed = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True)
    host = alive.own.name.split("@")[1]
    left = tmp_path / f".run@{host}@{int(killed.stdout)}@x"
    far = tmp_path / f".run@another-{host}@{int(killed.stdout)}@x"
    for folder in (left, far):
        folder.mkdir()
    Store(tmp_path, 10_000).close()
    assert (alive.own.exists(), left.exists(), far.exists()) == (True, False, True)
    os.utime(far, (0, 0))
    alive.close()
    Store(tmp_path, 10_000).close()
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_leaves_the_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make(tmp_path, one=zlib.compress(b"one"))
    monkeypatch.setattr(_store.os, "getpid", lambda: -1)
    store.close()
    assert store.own.exists()
    assert entries(str(tmp_path)) == []


def test_the_machine_is_in_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    name = cache.machine()
    assert name.startswith(f"jaxlib-{cache.jaxlib.version.__version__}-{jax.default_backend()}-")
    monkeypatch.setattr(cache, "_cpu", lambda: ["flags: another"])
    assert cache.machine() != name


@pytest.mark.parametrize("folder", ["", Path("")])
def test_an_empty_path_is_refused(folder: str | Path) -> None:
    with pytest.raises(ValueError, match="empty, the current folder"):
        cache.compilation_cache(folder)


def test_a_cache_that_is_set_already_is_named(tmp_path: Path) -> None:
    assert cache._stores == []
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    try:
        with pytest.raises(ValueError, match="expected elsewhere, which this process uses already"):
            cache.compilation_cache(tmp_path)
    finally:
        jax.config.update("jax_compilation_cache_dir", None)
    assert list(tmp_path.iterdir()) == []
