"""How many members run at once: a measured rule, and what the memory allows."""

import os

import jax

from jaxdl import _checks
from jaxdl.errors import explain

STRATEGIES = ("vmap", "scan", "map")
# Measured on CPU by `python -m bench sweep_strategies`, see "Sweeps" in bench/NOTES.md: members gain by
# running at once while the parameters of all of them stay within the cache of a core, and lose beyond.
AT_ONCE_BYTES = 1 * 2**20
# Fewer at once gain nothing over one after another.
FEWEST = 4


def choose(
    strategy: str | None, members_at_once: int | None, members: int, *, member_bytes: int, large: bool
) -> tuple[str, int]:
    """Return the strategy and the number of members at once that were asked for, or those of the rule."""
    _checks.one_of("sweep", "strategy", strategy, (None, *STRATEGIES))
    if members_at_once is not None:
        _checks.positive_integer("sweep", "members_at_once", members_at_once)
        if strategy in ("vmap", "scan"):
            raise ValueError(
                explain("sweep", "members_at_once", got=f"{members_at_once} with strategy='{strategy}'",
                        expected="strategy='map' or None", fix="leave one of the two out")
            )  # fmt: skip
        return named(min(members_at_once, members), members)
    if strategy == "vmap":
        return strategy, members
    if strategy == "scan":
        return strategy, 1
    width = rule(jax.default_backend(), members, member_bytes, large)
    if strategy == "map":
        return strategy, width
    return named(width, members)


def lanes(platform: str, strategy: str | None, members: int) -> int:
    """Return how many threads of the host run the program, each for its part of the members.

    On CPU one for each core, as long as each has `FEWEST` members: XLA computes small operations of one call
    on one core. ``"vmap"`` is taken by its word: all members are in one call.
    """
    if platform != "cpu" or strategy == "vmap":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, members // FEWEST))


def named(width: int, members: int) -> tuple[str, int]:
    """Return the name of the strategy that runs `width` of all members at once, and the width."""
    if width >= members > 1:
        return "vmap", members
    return ("scan", 1) if width == 1 else ("map", width)


def rule(platform: str, members: int, member_bytes: int, large: bool) -> int:
    """Return how many members at once are fastest: all of them on an accelerator.

    On CPU, as many as have `AT_ONCE_BYTES` of parameters together, a power of two; and one after another
    where that is fewer than `FEWEST`, or where convolutions or the steps of a sequence, whose arrays far
    exceed the parameters, fill the cache alone: 16 LeNets took 1.4 ms a member-step one after another, 2.0
    four at once, 2.4 eight at once; 16 LSTMs of 28 steps 1.0 one after another, 1.8 eight at once.
    """
    if platform != "cpu":
        return members
    most = AT_ONCE_BYTES // max(member_bytes, 1)
    if large or most < FEWEST:
        return 1
    return min(members, 1 << (most.bit_length() - 1))
