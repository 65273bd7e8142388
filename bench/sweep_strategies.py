"""How many members of a sweep to run at once: the rule's choice against fixed numbers, by size of network."""

from functools import partial

import numpy as np

from bench import mlp, sweep
from bench.case import Case

NAME = "sweep_strategies"
DESCRIPTION = "64 members of 10 KB to 2.7 MB each: the rule's choice against 1, 4, 16 and all 64 at once"
AT_ONCE = (1, 4, 16, 64)
PEERS = tuple(f"at_once_{count}" for count in AT_ONCE)
SIZES = ((64, 32, 10), (784, 16, 16, 10), (784, 64, 10), (784, 256, 10), (784, 512, 512, 10))
MEMBERS, BATCH = 64, 32


def _problem(sizes: tuple[int, ...], quick: bool) -> sweep.Problem:
    inputs, labels = mlp.make_digits(64 if quick else 512, np.random.default_rng(0))
    first = mlp.Problem(inputs[:, : sizes[0]], labels, [], BATCH, 0.1, "cross_entropy", sizes)
    return sweep.Problem(first, 4 if quick else MEMBERS)


def _case(sizes: tuple[int, ...], quick: bool) -> Case:
    problem = _problem(sizes, quick)
    case = sweep.make_case(problem, ())
    fixed = {
        f"at_once_{count}": partial(sweep.contender, partial(sweep.Ours, problem, None, count), problem)
        for count in AT_ONCE
    }
    return Case(case.label, case.ours, fixed, case.units, case.flop, case.unit, tolerance=1e-3)


def cases(quick: bool) -> list[Case]:
    """Every size; the trial run takes one."""
    return [_case(sizes, quick) for sizes in (SIZES[:1] if quick else SIZES)]
