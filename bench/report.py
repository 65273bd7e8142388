"""The table, the JSON file, and the description of the machine."""

import dataclasses
import importlib.metadata
import json
import os
import platform
from pathlib import Path

import jax
from rich.table import Table

from bench import timing
from bench.case import Machine, Row

DISTRIBUTIONS = ("jax", "jaxlib", "flax", "optax", "numpy", "torch", "keras", "scikit-learn")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def device() -> str:
    """The default jax device in words: the GPU's name, or the processor and its core count."""
    first = jax.devices()[0]
    if first.platform != "cpu":
        return str(first.device_kind)
    return f"cpu ({_processor()}, {os.cpu_count()} cores)"


def _threads() -> str:
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return f"unknown, of {os.cpu_count()} cores"
    pools = {f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()}
    return ", ".join(sorted(pools)) or f"no pool, of {os.cpu_count()} cores"


def load() -> float:
    """What other processes have kept busy of late, in cores, asked before our own work starts."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def versions() -> dict[str, str]:
    """Versions of what may be timed, the thread pools (left at their defaults), and the load."""
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found | {"threads": _threads(), "load before": f"{load():.1f}"}


def machine() -> Machine:
    """Describes this machine; measures its copy bandwidth."""
    return Machine(device(), versions(), timing.copy_bandwidth())


def _microseconds(value: float, spread: float) -> str:
    return f"{value * 1e6:.1f} ±{spread / 2:.0%}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def table(rows: list[Row]) -> Table:
    """One line a row; all rows of one workload and one machine."""
    first = rows[0]
    caption = (
        f"median of {first.repeats} interleaved rounds, ± half the interquartile range; "
        f"GEMM ceiling {first.ceiling_flops / 1e9:.0f} GFLOP/s, "
        f"copy {first.copy_bytes_per_s / 1e9:.1f} GB/s\n"
        + ", ".join(f"{name} {version}" for name, version in first.versions.items())
    )
    result = Table(title=f"{first.workload} on {first.device}", caption=caption)
    result.add_column("case")
    result.add_column("peer")
    for name in ("ours", "peer's"):
        result.add_column(f"{name} µs a {first.unit}", justify="right")
    for name in ("ratio", "ceiling", "compile s", "peer's"):
        result.add_column(name, justify="right")
    for row in rows:
        result.add_row(
            row.case,
            row.peer,
            _microseconds(row.ours_s, row.spread),
            _microseconds(row.peer_s, row.peer_spread),
            f"{row.ratio:.2f}",
            f"{row.ceiling_share:.1%}",
            _seconds(row.compile_s),
            _seconds(row.peer_compile_s),
        )
    return result


def save(rows: list[Row], path: Path) -> None:
    """Writes the rows as a JSON list."""
    text = json.dumps([dataclasses.asdict(row) for row in rows], indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
