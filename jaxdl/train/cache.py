"""The persistent compilation cache, switched on by one call."""

import atexit
import hashlib
import json
import os
import platform
import threading
from pathlib import Path
from typing import Any

import jax
import jaxlib.version

from jaxdl import _checks
from jaxdl.errors import explain
from jaxdl.train._store import Store

ENDED = "/jax/core/compile/backend_compile_duration"
SETTINGS: dict[str, Any] = {
    "jax_enable_compilation_cache": True,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
    # XLA's own caches on GPU: their folder would enter the key, and no key would be found again.
    "jax_persistent_cache_enable_xla_caches": "none",
}
_stores: list[Store] = []
_lock = threading.RLock()


def compilation_cache(folder: str | Path | None = None, *, max_bytes: int = 2**28) -> Path:
    """Keep compiled programs on disk from now on, so that the next process starts without compiling them.

    It may be called before or after the first compilation; what was compiled before is not kept. Several
    processes may share the folder. Every entry is verified by its SHA-256 when this is called; a damaged one
    is removed with a warning, and its program compiled again. (jax alone would read what another process is
    still writing, and would never replace a damaged entry; its own checksum is a weak one, or none where the
    package zstandard is installed.) Each entry is in the folder as soon as it is compiled, so that a killed
    process loses none.

    The entries lie in a subfolder made of jaxlib's version, the platform, the devices, and the model,
    instruction sets and cores of the CPU: code for another machine is never loaded from a shared home
    folder. Compiled programs are code: keep the folder to those you trust; it is made readable to you alone.

    This starts jax's backend: with several processes, call ``jax.distributed.initialize`` first.

    Args:
        folder: where to keep them; None for the environment variable `JAXDL_CACHE`, or else a folder in
            the user's cache.
        max_bytes: bytes beyond which the oldest entries are dropped; one that is dropped while still in use
            is compiled and kept again by the next process. All are read at the start: a second a GiB or so.

    Returns:
        The subfolder of this machine.

    Raises:
        ValueError: the process has another cache already; an empty path.
        OSError: the folder cannot be written.

    Example:
        >>> import subprocess, sys, tempfile
        >>> script = "import sys; from jaxdl import train; print(train.compilation_cache(sys.argv[1]).name)"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(subprocess.check_output([sys.executable, "-c", script, folder], text=True))
        jaxlib-...
    """
    _checks.positive_integer("compilation_cache", "max_bytes", max_bytes)
    shared = _root(folder) / machine()
    with _lock:
        if _stores:
            if _stores[0].shared != shared:
                raise _taken(_stores[0].shared, shared)
            _stores[0].max_bytes = max_bytes
            return shared
        if current := jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
            raise _taken(current, shared)
        store = Store(shared, max_bytes)
        _stores.append(store)
    jax.monitoring.register_event_duration_secs_listener(_ended)
    atexit.register(store.close)
    for name, value in {**SETTINGS, "jax_compilation_cache_dir": str(store.own)}.items():
        jax.config.update(name, value)
    return shared


def machine() -> str:
    """Return a name for all that compiled code depends on: jaxlib, platform, devices, CPU and its cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = {
        "devices": sorted({device.device_kind for device in jax.devices()}),
        "machine": platform.machine(),
        "system": platform.system(),
        "cpu": _cpu(),
        "cores": cores,
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"jaxlib-{jaxlib.version.__version__}-{jax.default_backend()}-{digest[:16]}"


def _cpu() -> list[str]:
    """Return model and instruction sets of the CPU; the name of the host where they are not known."""
    wanted = ("model name", "flags", "Features", "CPU part", "CPU implementer", "isa")
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return [platform.processor(), platform.node()]
    return sorted({line for line in lines if line.partition(":")[0].strip() in wanted})


def _root(folder: str | Path | None) -> Path:
    if folder is not None:
        if str(folder) in ("", "."):  # Path("") is "."
            raise ValueError(
                explain("compilation_cache", "folder", got="empty, the current folder",
                        expected="a folder of its own", fix="leave folder out, or name one")
            )  # fmt: skip
        return Path(folder).expanduser().absolute()
    if found := os.environ.get("JAXDL_CACHE"):
        return Path(found).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("jaxdl")) / "compiled"


def _taken(current: Any, wanted: Path) -> ValueError:
    expected = f"{current}, which this process uses already"
    return ValueError(
        explain("compilation_cache", "folder", got=wanted, expected=expected,
                fix="call it once, and leave JAX_COMPILATION_CACHE_DIR unset")
    )  # fmt: skip


def _ended(event: str, duration_secs: float, **_: Any) -> None:
    if event == ENDED:
        with _lock:
            for store in _stores:
                store.publish()
