"""What a sweep takes of the memory, and what there is: asked of the compiler before anything runs."""

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import jax

SHARE = 0.8
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclasses.dataclass(frozen=True)
class Cost:
    """Bytes that a program needs.

    Attributes:
        held: examples, and the states of all members before and after a chunk.
        shared: intermediate results in common: the examples of an epoch in their order, at most.
        apart: intermediate results of the members that run at once.
        at_once: how many these are, in each lane.
    """

    held: int
    shared: int
    apart: int
    at_once: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.held + self.shared + self.apart

    @property
    def member(self) -> float:
        """Intermediate results of one member, in each lane."""
        return self.apart / self.at_once

    def predicted(self, at_once: int) -> int:
        """Predict the total for another number of members at once, from the share of one."""
        return self.held + self.shared + int(self.member * at_once)

    def fitting(self, limit: int) -> int:
        """Return how many members at once should fit into a limit, a power of two; 0 if not one."""
        most = int((limit - self.held - self.shared) // max(self.member, 1))
        return 0 if most < 1 else 1 << (min(most, self.at_once).bit_length() - 1)


def cost(compiled: Any, at_once: int, shared: int, examples: int, lanes: int) -> Cost | None:
    """Return what `lanes` calls of a program need as the compiler reports it, or None where it does not.

    Of its intermediate results up to `shared` bytes are taken for common to all members of a lane. The
    `examples` are held once; with several lanes the states are held once more while they are put together.
    """
    found = compiled.memory_analysis()
    if found is None:
        return None
    states = found.argument_size_in_bytes - examples + found.output_size_in_bytes - found.alias_size_in_bytes
    if lanes > 1:
        states += found.output_size_in_bytes
    working = int(found.temp_size_in_bytes)
    common = min(shared, working)
    return Cost(int(examples + lanes * states), lanes * common, lanes * (working - common), at_once)


def available() -> int | None:
    """Return four fifths of the bytes that are free on the device or the machine, or None if unknown."""
    device = jax.local_devices()[0]  # another process's cannot be asked
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return int(SHARE * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    known = [int(text) for path in CGROUPS if (text := _read(path)).isdigit()]
    free = re.search(r"MemAvailable:\s+(\d+) kB", _read("/proc/meminfo"))
    if free:
        known.append(1024 * int(free[1]))
    elif "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return int(SHARE * min(known)) if known else None


def words(count: float) -> str:
    """Word a number of bytes: ``1.5 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
