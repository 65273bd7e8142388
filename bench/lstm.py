"""An LSTM with a linear head on its last step, trained by SGD: a loop of many small products."""

from bench import sequences
from bench.case import Case

NAME = "lstm"
DESCRIPTION = "LSTM of three sizes with a linear head on the last step, plain SGD, shuffled every epoch"
PEERS = sequences.PEERS
# With the steps of an epoch, which is a round.
SIZES = ((sequences.SMALL, 64), (sequences.MIDDLE, 16), (sequences.LARGE, 4))
# PyTorch compiles a loop step by step: minutes at 100 steps.
LONG = tuple(name for name in PEERS if name != "torch_compile")


def cases(quick: bool) -> list[Case]:
    """Three sizes; a tiny one for the trial run."""
    sizes = ((sequences.TINY, 3),) if quick else SIZES
    return [
        sequences.make_case(
            sequences.make_problem(NAME, size, steps),
            LONG if size.time > sequences.SMALL.time else PEERS,
            most_repeats=9 if size == sequences.LARGE else None,
        )
        for size, steps in sizes
    ]
