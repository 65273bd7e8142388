"""A GRU that resets after the product, as its peers' do, with a linear head on its last step."""

from bench import sequences
from bench.case import Case

NAME = "gru"
DESCRIPTION = (
    "GRU (reset after) of 28 steps with a linear head on the last step, plain SGD, shuffled every epoch"
)
PEERS = sequences.PEERS


def cases(quick: bool) -> list[Case]:
    """One size; a tiny one for the trial run."""
    size, steps = (sequences.TINY, 3) if quick else (sequences.SMALL, 64)
    return [sequences.make_case(sequences.make_problem(NAME, size, steps), PEERS)]
