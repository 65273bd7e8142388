"""The peers: one file each, with one function a workload, imported only when it is asked for."""

import importlib
from collections.abc import Callable
from typing import Any


def load(peer: str, workload: str) -> Callable[..., Any]:
    """The function `workload` of bench/peers/`peer`.py; ModuleNotFoundError without its library."""
    return getattr(importlib.import_module(f"bench.peers.{peer}"), workload)
