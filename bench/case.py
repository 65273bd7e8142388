"""What a workload hands to the harness, and what the harness hands back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Contender:
    """One implementation, built and compiled, ready to be checked and timed."""

    run: Callable[[], object]  # the timed work; returns when all of it is finished
    check: Callable[[], np.ndarray]  # numbers that must agree with those of `ours`
    compile_s: float | None = None  # None: nothing is compiled


@dataclass(frozen=True)
class Case:
    """One size of a workload: ours, and the peers that can do the same work."""

    label: str  # "batch 32, squared loss"
    ours: Callable[[], Contender]
    peers: Mapping[str, Callable[[], Contender]]  # a ModuleNotFoundError names a peer as absent
    units: int  # steps in one run; the seconds of a row are for one of them
    flop: float  # arithmetic of one unit
    unit: str = "step"
    tolerance: float = 1e-4  # relative, for the check
    dtype: str = "float32"  # of the products, and of the ceiling that they are held to
    most_repeats: int | None = None  # where a run takes seconds: rounds, if more are asked for


class Workload(Protocol):
    """A module bench/NAME.py; it is found by its `cases`, and must be cheap to import."""

    NAME: str
    DESCRIPTION: str
    PEERS: tuple[str, ...]

    def cases(self, quick: bool) -> list[Case]: ...


@dataclass(frozen=True)
class Machine:
    """Where a row was measured."""

    device: str
    versions: dict[str, str]
    copy_bytes_per_s: float


@dataclass(frozen=True)
class Row:
    """One peer in one case. Seconds are medians for one unit; ratio is peer / ours."""

    workload: str
    case: str
    peer: str
    unit: str
    ours_s: float
    peer_s: float
    ratio: float
    spread: float
    peer_spread: float
    compile_s: float | None
    peer_compile_s: float | None
    ceiling_share: float
    ceiling_flops: float
    copy_bytes_per_s: float
    repeats: int
    device: str
    versions: dict[str, str]


@dataclass
class Outcome:
    """Rows, and in words what could not become one."""

    rows: list[Row] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)  # peer: why
    errors: list[str] = field(default_factory=list)
