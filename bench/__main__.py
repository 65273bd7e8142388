"""`python -m bench`: lists the workloads, or runs some of them and prints a table."""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rich.console import Console

import bench
from bench import report
from bench.case import Machine, Outcome, Workload
from bench.harness import measure

# Wide enough for the table where the output is a file or a log.
OUTPUT = Console(width=None if sys.stdout.isatty() else 140)
PROGRESS = Console(stderr=True)
ELSEWHERE = (
    "On an accelerator, networks of images are timed in bfloat16 as well. Commands of their own: python -m "
    "bench.conv_table, python -m bench.recurrent_table (layers by formulation), python -m bench.scaling."
)


def workloads() -> dict[str, Workload]:
    """The modules of this package that have `cases`, by name."""
    names = [module.name for module in pkgutil.iter_modules(bench.__path__) if not module.ispkg]
    modules = [importlib.import_module(f"bench.{name}") for name in names if name != "__main__"]
    return {module.NAME: cast(Workload, module) for module in modules if hasattr(module, "cases")}


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, epilog=ELSEWHERE)
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads to run")
    parser.add_argument("--list", action="store_true", help="list workloads and their peers")
    parser.add_argument("--peers", help="only these, with commas between them; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE as well")
    parser.add_argument("--repeats", type=_positive, help="rounds (default 15, with --quick 3)")
    parser.add_argument("--quick", action="store_true", help="small data, few rounds: a trial run")
    return parser


def _complain(kind: str, unknown: Sequence[str], known: Sequence[str]) -> int:
    print(f"unknown {kind}: {', '.join(unknown)}; known: {', '.join(known)}", file=sys.stderr)
    return 2


def _list(known: dict[str, Workload]) -> int:
    for name, workload in known.items():
        OUTPUT.print(f"{name}: {workload.DESCRIPTION}", markup=False, highlight=False)
        OUTPUT.print(f"    peers: {', '.join(workload.PEERS)}", markup=False, highlight=False)
    return 0


def _tell(outcome: Outcome) -> None:
    for name in dict.fromkeys(row.workload for row in outcome.rows):
        OUTPUT.print(report.table([row for row in outcome.rows if row.workload == name]))
    for peer, why in outcome.absent.items():
        OUTPUT.print(f"absent: {peer} ({why})", markup=False, highlight=False)
    for error in outcome.errors:
        OUTPUT.print(f"error: {error}", markup=False, highlight=False)


def _warn_of_load(machine: Machine) -> None:
    # On two cores a second process made NumPy's threaded products 100 times slower: the spread
    # stays small, and the ratio is nonsense.
    if float(machine.versions.get("load before", 0)) > 0.5:
        load = machine.versions["load before"]
        PROGRESS.print(f"warning: load average {load} before the start: others are at work here")


def _run(chosen: list[Workload], peers: tuple[str, ...] | None, options: argparse.Namespace) -> int:
    outcome = Outcome()
    repeats = options.repeats or (3 if options.quick else 15)
    with PROGRESS.status("describing the machine") as status:
        machine = report.machine()
        _warn_of_load(machine)
        for workload in chosen:
            for case in workload.cases(quick=options.quick):
                measure(
                    workload.NAME,
                    case,
                    machine,
                    repeats=repeats,
                    out=outcome,
                    peers=peers,
                    say=lambda message, name=workload.NAME: status.update(f"{name}, {message}"),
                )
    _tell(outcome)
    if options.json:
        report.save(outcome.rows, options.json)
    return 1 if outcome.errors else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 where a peer was refused; 2 where the command line is wrong."""
    parser = _parser()
    options = parser.parse_args(arguments)
    known = workloads()
    if options.list:
        return _list(known)
    if not options.names:
        parser.print_usage(sys.stderr)
        return 2
    if unknown := [name for name in options.names if name not in known]:
        return _complain("workload", unknown, list(known))
    chosen = [known[name] for name in dict.fromkeys(options.names)]
    peers = tuple(options.peers.split(",")) if options.peers is not None else None
    offered = list(dict.fromkeys(name for workload in chosen for name in workload.PEERS))
    if unknown := [name for name in peers or () if name not in offered]:
        return _complain("peer", unknown, offered)
    if options.json and not options.json.absolute().parent.is_dir():
        print(f"--json: there is no folder {options.json.parent}", file=sys.stderr)
        return 2
    return _run(chosen, peers, options)


if __name__ == "__main__":
    sys.exit(main())
