"""The first epoch of a fresh process: from the compilation cache, filling it, and without one."""

import atexit
from functools import partial

import numpy as np

from bench._start import BATCH, EXAMPLES, Server
from bench.case import Case, Contender
from jaxdl.models import MLPConfig

NAME = "compilation"
DESCRIPTION = "a fresh process up to the end of its first epoch, imports apart: programs cached or compiled"
PEERS = ("off", "filling")
CONFIGS = {
    "64-32-10": MLPConfig(sizes=(64, 32, 10)),
    "64-8x64-10, batch norm and dropout": MLPConfig(
        sizes=(64, *(8 * [64]), 10), batch_norm=True, dropout="dropout"
    ),
}


def flop(config: MLPConfig) -> float:
    """Arithmetic of the epoch's products; next to nothing, as a start should be."""
    weights = sum(a * b for a, b in zip(config.sizes, config.sizes[1:], strict=False))
    return 6.0 * EXAMPLES // BATCH * BATCH * weights


class _Servers(dict[str, Server]):
    """One server a configuration, started when it is first needed and shared by the contenders."""

    def __missing__(self, name: str) -> Server:
        self[name] = Server(CONFIGS[name])
        atexit.register(self[name].close)
        return self[name]


_servers = _Servers()


def _contender(name: str, kind: str) -> Contender:
    server = _servers[name]

    def check() -> np.ndarray:
        if kind == "warm":
            server.start(kind)  # fills the cache, the first time
        found = server.start(kind)
        if kind == "warm" and (found["misses"] or not found["hits"]):
            raise AssertionError(f"a warm start compiled {found['misses']} programs")
        return np.array(found["losses"])

    return Contender(run=lambda: server.start(kind), check=check)


def make_case(name: str) -> Case:
    return Case(
        label=f"MLP {name}",
        ours=partial(_contender, name, "warm"),
        peers={kind: partial(_contender, name, kind) for kind in PEERS},
        units=1,
        flop=flop(CONFIGS[name]),
        unit="start",
        tolerance=0.0,  # what comes out of the cache is the same program
    )


def cases(quick: bool) -> list[Case]:
    """A small and a deep network."""
    return [make_case(name) for name in list(CONFIGS)[: 1 if quick else None]]
