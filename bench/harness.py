"""Checks the peers of a case against ours, then times all of them in one interleaved run."""

from collections.abc import Callable

import numpy as np

from bench import timing
from bench.case import Case, Contender, Machine, Outcome, Row

OURS = "ours"

Say = Callable[[str], None]


class Disagreement(Exception):
    """A contender's check differs from ours."""


def agree(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> None:
    """Raises Disagreement at the first place where theirs is not ours within the tolerance."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if not np.isfinite(ours).all():
        raise Disagreement("our own result is not finite, so there is nothing to compare with")
    if ours.shape != theirs.shape:
        raise Disagreement(f"its result has shape {theirs.shape}, ours {ours.shape}")
    # Written so that a nan of theirs counts as wrong.
    wrong = ~(np.abs(theirs - ours) <= tolerance * np.abs(ours))
    if wrong.any():
        place = int(np.argmax(wrong))
        raise Disagreement(
            f"its result {theirs.flat[place]:.8g} at index {place} is not our "
            f"{ours.flat[place]:.8g} (relative tolerance {tolerance:g})"
        )


def _admit(
    case: Case, names: list[str], expected: np.ndarray, out: Outcome, say: Say
) -> dict[str, Contender]:
    admitted: dict[str, Contender] = {}
    for name in names:
        say(f"{case.label}: checking {name}")
        try:
            contender = case.peers[name]()
            agree(expected, contender.check(), case.tolerance)
        except ModuleNotFoundError as error:
            out.absent[name] = str(error)
        except Disagreement as error:
            out.errors.append(f"{case.label}: {name} was not timed: {error}")
        except Exception as error:  # one peer's failure must not lose the others' rows
            text = f"it failed with {type(error).__name__}: {error}"
            out.errors.append(f"{case.label}: {name} was not timed: {text}")
        else:
            admitted[name] = contender
    return admitted


def _rows(
    workload: str,
    case: Case,
    contenders: dict[str, Contender],
    times: dict[str, list[float]],
    ceiling: float,
    machine: Machine,
) -> list[Row]:
    seconds = {name: timing.median(list_) / case.units for name, list_ in times.items()}
    return [
        Row(
            workload=workload,
            case=case.label,
            peer=peer,
            unit=case.unit,
            ours_s=seconds[OURS],
            peer_s=seconds[peer],
            ratio=seconds[peer] / seconds[OURS],
            spread=timing.spread(times[OURS]),
            peer_spread=timing.spread(times[peer]),
            compile_s=contenders[OURS].compile_s,
            peer_compile_s=contenders[peer].compile_s,
            ceiling_share=case.flop / seconds[OURS] / ceiling,
            ceiling_flops=ceiling,
            copy_bytes_per_s=machine.copy_bytes_per_s,
            repeats=len(times[OURS]),
            device=machine.device,
            versions=machine.versions,
        )
        for peer in contenders
        if peer != OURS
    ]


def measure(
    workload: str,
    case: Case,
    machine: Machine,
    *,
    repeats: int,
    out: Outcome,
    peers: tuple[str, ...] | None = None,
    say: Say = lambda message: None,
) -> None:
    """Adds to `out` a row for each peer of the case that is installed and agrees with ours."""
    names = [name for name in case.peers if peers is None or name in peers]
    if not names:
        return
    say(f"{case.label}: compiling ours")
    ours = case.ours()
    admitted = _admit(case, names, ours.check(), out, say)
    if not admitted:
        return
    contenders = {OURS: ours} | admitted
    ceiling = timing.gemm_ceiling(dtype=case.dtype)
    times = timing.interleave(
        {name: contender.run for name, contender in contenders.items()},
        min(repeats, case.most_repeats or repeats),
        lambda message: say(f"{case.label}: {message}"),
    )
    out.rows += _rows(workload, case, contenders, times, ceiling, machine)
