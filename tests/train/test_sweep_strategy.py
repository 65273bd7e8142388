"""How many members of a sweep run at once, and in how many lanes, where the caller does not say."""

import os

from jaxdl.train.sweeps import strategy
from jaxdl.train.sweeps.strategy import AT_ONCE_BYTES, rule


def test_a_lane_for_each_core_that_has_enough_members() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert strategy.lanes("cpu", None, 10_000) == cores
    assert [strategy.lanes("cpu", None, count) for count in (1, 4)] == [1, 1]
    assert strategy.lanes("cpu", "vmap", 10_000) == strategy.lanes("gpu", None, 10_000) == 1


def test_rule_of_the_default() -> None:
    assert rule("gpu", 1000, 10**9, True) == 1000
    assert rule("cpu", 1000, AT_ONCE_BYTES // 8, False) == 8
    assert rule("cpu", 5, AT_ONCE_BYTES // 8, False) == 5
    assert rule("cpu", 1000, AT_ONCE_BYTES // 8, True) == 1
    assert rule("cpu", 1000, AT_ONCE_BYTES // 2, False) == 1
