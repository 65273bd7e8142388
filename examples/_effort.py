"""How hard an example works: the whole run, one short enough for the gallery, or a few steps for a test.

An example adds `--effort` to its options, picks its sizes by it, says what it reached, and returns a verdict:

    add(parser)
    options = parser.parse_args(arguments)
    epochs = pick(options, full=20, quick=5, few=1, given=options.epochs)
    reached(f"{accuracy:.1%} of 599 held-out digits")
    return verdict(options, accuracy > 0.97)
"""

import argparse
from typing import Any

EFFORTS = ("full", "quick", "few")
SAME: Any = object()


def add(parser: argparse.ArgumentParser) -> None:
    """Add `--effort`: full is what the first lines of the script tell of, few claims nothing."""
    parser.add_argument(
        "--effort", choices=EFFORTS, default="full", help="the whole run, a short one, or a few steps"
    )


def pick(options: argparse.Namespace, *, full: Any, few: Any, quick: Any = SAME, given: Any = None) -> Any:
    """Return the value of this effort, or the one that was given; without one of its own, quick is full."""
    if given is not None:
        return given
    return {"full": full, "quick": full if quick is SAME else quick, "few": few}[options.effort]


def reached(text: str) -> None:
    """Print the main figure, in words and with its unit, where the gallery looks for it."""
    print(f"reached: {text}")


def verdict(options: argparse.Namespace, holds: bool) -> int:
    """Return the exit status: 1 where what is claimed does not hold; a few steps claim nothing."""
    return 0 if holds or options.effort == "few" else 1
