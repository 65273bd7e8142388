"""`python -m bench.recurrent_table`: milliseconds of every layer of `bench.recurrent` by formulation.

A step is value, gradient and update; see `bench.recurrent`. From this table the rule of
`jaxdl/kernels/recurrent.py` is written. Beside the time stands the share of the GEMM ceiling. A formulation
that refuses a shape is marked with a dash, the fastest with a star, and one whose numbers are not those of
the plain scan with WRONG, which also makes the exit code 1.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from bench import recurrent, report, timing
from bench.case import Contender
from bench.conv_table import RULE, choice, timed
from bench.harness import Disagreement, agree

OUTPUT = Console(width=None if sys.stdout.isatty() else 160)


def _admitted(shape: recurrent.Shape, names: Sequence[str]) -> tuple[dict[str, Contender], dict[str, str]]:
    """The formulations that take the shape and agree with the plain scan; and why the others do not."""
    expected = recurrent.contender(shape, "scan").check()
    found, refused = {}, {}
    for name in names:
        try:
            made = recurrent.contender(shape, None if name == RULE else name)
            agree(expected, made.check(), recurrent.tolerance())
            found[name] = made
        except Disagreement as error:
            refused[name] = f"WRONG: {error}"
        except (ValueError, NotImplementedError, TypeError, jax.errors.JaxRuntimeError) as error:
            refused[name] = f"refused: {error}"
    return found, refused


def measure(shape: recurrent.Shape, names: Sequence[str]) -> dict[str, Any]:
    """One line of the table: milliseconds a step, spread and seconds of compilation by formulation."""
    contenders, refused = _admitted(shape, names)
    times = timed(contenders)
    seconds = {name: timing.median(found) / shape.steps for name, found in times.items()}
    return {
        "shape": shape.name,
        "steps": shape.steps,
        "flop": shape.flop,
        "ms": {name: second * 1e3 for name, second in seconds.items()},
        "spread": {name: timing.spread(found) for name, found in times.items()},
        "compile_s": {name: contenders[name].compile_s for name in times},
        "refused": refused,
    }


def _cell(line: dict[str, Any], name: str, ceiling: float) -> str:
    if name not in line["ms"]:
        return "WRONG" if line["refused"][name].startswith("WRONG") else "-"
    ms = line["ms"][name]
    best = min(value for other, value in line["ms"].items() if other != RULE or len(line["ms"]) == 1)
    share = line["flop"] / (ms * 1e-3) / ceiling
    text = f"{ms:.2f} ±{line['spread'][name] / 2:.0%} ({share:.0%})"
    return f"{text} *" if ms <= best and name != RULE else text


def table(lines: list[dict[str, Any]], names: Sequence[str], ceiling: float) -> Table:
    """One row a line; the fastest of several formulations with a star."""
    title = f"milliseconds a step on {report.device()} (share of {ceiling / 1e9:.0f} GFLOP/s)"
    result = Table("shape", title=title)
    for name in names:
        result.add_column(name, justify="right")
    for line in lines:
        result.add_row(line["shape"], *(_cell(line, name, ceiling) for name in names))
    return result


def _parser() -> argparse.ArgumentParser:
    names = (RULE, *recurrent.IMPLEMENTATIONS)
    parser = argparse.ArgumentParser(prog="python -m bench.recurrent_table", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="shapes whose name holds this; see --list"
    )
    parser.add_argument("--list", action="store_true", help="list the shapes")
    text = f"of {', '.join(names)}; with commas between them; default: all"
    parser.add_argument(
        "--implementations", type=choice(names), default=list(names), metavar="NAMES", help=text
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the lines to FILE as well")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 where a formulation computes something else; 2 where the command line is wrong."""
    options, lines = _parser().parse_args(arguments), []
    if options.list:
        print(*(shape.name for shape in recurrent.SHAPES), sep="\n")
        return 0
    for shape in recurrent.SHAPES:
        if not re.search(options.only, shape.name):
            continue
        line = measure(shape, options.implementations)
        lines.append(line)
        figures = "  ".join(f"{name} {value:.2f}" for name, value in line["ms"].items())
        print(f"{shape.name}:  {figures}", flush=True)
        for name, why in line["refused"].items():
            print(f"    {name}: {why}", flush=True)
        if options.json:  # after every line, so that what was measured stays when it is stopped
            options.json.write_text(json.dumps(lines, indent=1) + "\n")
    if not lines:
        print(f"--only {options.only!r}: no shape of --list", file=sys.stderr)
        return 2
    OUTPUT.print(table(lines, options.implementations, timing.gemm_ceiling()))
    return int(any(why.startswith("WRONG") for line in lines for why in line["refused"].values()))


if __name__ == "__main__":
    sys.exit(main())
