"""Kills processes at random instants and has others go on: `make test-kill`.

A process that has imported everything, and started no device, forks each of them: 1.5 s of one core a kill
in place of 4. (A fork of a process whose devices have started hangs.) What is compiled is cached on the disk.
"""

import argparse
import json
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxdl.train import session
from jaxdl.train.checkpoint import Checkpoint, Store, manifest

Tell = Callable[[str], None]
STEPS = 12


def fit(folder: Path, tell: Tell) -> Any:
    """Train with a checkpoint after every epoch; say "restore" before one is read, "step" after an epoch."""
    import resumable  # it makes keys, which starts the device

    session.CHUNK_SECONDS = 0.0
    restore = Store.restore

    def told(*arguments: Any, **options: Any) -> Any:
        tell("restore")
        return restore(*arguments, **options)

    Store.restore = told  # type: ignore[method-assign]
    fitted = resumable.run(Checkpoint(folder, every=1), resume=True, callbacks=[lambda moment: tell("step")])
    return [resumable.fingerprint(fitted), resumable.stored(folder)]


def store(folder: Path, tell: Tell) -> Any:
    """Iterate a map, in NumPy, and save every step: what is killed is the store alone."""
    like = {"x": np.zeros(3000), "count": np.zeros((), int)}
    with Store(folder, keep=2) as held:
        tell("restore")
        saved = held.restore(like)
        state = {"x": np.linspace(-1, 1, 3000), "count": np.zeros((), int)} if saved is None else saved.tree
        while state["count"] < STEPS:
            state = {"x": np.sin(3 * state["x"] + state["count"]), "count": state["count"] + 1}
            held.save(int(state["count"]), state, {})
            tell("step")
    return [float(state["x"].sum()), manifest.read(folder / f"step_{STEPS:08d}")["buffers"]]


def start(work: Callable[[Path, Tell], Any], folder: Path) -> tuple[int, int]:
    """Fork a process that works; return its number and the end of a pipe that it tells what it does."""
    here, there = os.pipe()
    pid = os.fork()
    if pid:
        os.close(there)
        return pid, here
    try:
        result = work(folder, lambda text: os.write(there, f"{text}\n".encode()) and None)
        os.write(there, f"end {json.dumps(result)}\n".encode())
    except BaseException as error:  # whatever it is, it has to reach the parent
        os.write(there, f"end {json.dumps(f'{type(error).__name__}: {error}')}\n".encode())
    finally:
        os._exit(0)


def watch(pid: int, pipe: int, *, event: str, count: int, delay: float) -> str | None:
    """Kill a process `delay` seconds after the `count`-th `event`, or return what it ended with before."""
    text, limit = "", None
    while limit is None or time.monotonic() < limit:
        wait = 120.0 if limit is None else max(0.0, limit - time.monotonic())
        ready = select.select([pipe], [], [], wait)[0]
        if not ready:
            break
        if not (read := os.read(pipe, 65536)):
            break
        text += read.decode()
        if limit is None and text.count(event) >= count:
            limit = time.monotonic() + delay
        if "end " in text and text.endswith("\n"):
            limit = None
            os.waitpid(pid, 0)
            os.close(pipe)
            return text.partition("end ")[2]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pipe)
    return None


def whole(folder: Path) -> None:
    """Check that the newest step is whole, as a process left it that was killed."""
    found = Store(folder, writable=False).steps()
    for step in found[-1:]:
        path = folder / f"step_{step:08d}"
        manifest.verify(path, manifest.read(path))


def kill_many(work: Callable[[Path, Tell], Any], kills: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill until it was done so often; return how often at what, and the ends of all runs."""
    rng, seen, number = np.random.default_rng(seed), {"restore": 0, "step": 0}, 0
    unbroken = watch(*start(work, folder / "unbroken"), event="never", count=1, delay=0)
    ends = [str(unbroken).strip()]
    while sum(seen.values()) < kills or len(ends) == 1 or (folder / f"run{number}").exists():
        run, event = folder / f"run{number}", "restore" if rng.random() < 0.3 else "step"
        stop = sum(seen.values()) >= kills
        limits = {"event": event, "count": int(rng.integers(1, 4)) if event == "step" else 1}
        end = watch(*start(work, run), **limits, delay=1e9 if stop else rng.uniform(0, 0.1))
        if end is None:
            seen[event] += 1
            whole(run)
        else:
            ends.append(end.strip())
            number += 1
    return {"kills": seen, "ends": ends}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=("fit", "store"))
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from orbax.checkpoint import v1  # noqa: F401  before the forks

    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", f"{folder}/cache")
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        begin = time.monotonic()
        found = kill_many(globals()[options.work], options.kills, options.seed, Path(folder))
    seconds = time.monotonic() - begin
    print(
        json.dumps(found | {"ends": sorted({*found["ends"]}), "runs": len(found["ends"]), "seconds": seconds})
    )
    return 0 if len({*found["ends"]}) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
