"""`python -m bench.conv_table`: GFLOP/s of every convolution of `bench.conv` by formulation, pass and place.

From this table the rule of `jaxdl/kernels/conv.py` is written. XLA's own convolution may take seconds for a
run in a scan, so all of it takes long: --only, --places, --passes and --implementations choose. A
formulation that refuses a shape is marked with a dash, the fastest with a star, and one whose numbers are
not those of the others with WRONG, which also makes the exit code 1.
"""

import argparse
import itertools
import json
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

from bench import conv, report, timing
from bench.case import Contender
from bench.harness import Disagreement, agree

RULE = "rule"
ROUNDS, ROUND_S, SLOW_S = 5, 0.05, 1.0
OUTPUT = Console(width=None if sys.stdout.isatty() else 160)


def _admitted(
    shape: conv.Shape, place: str, passes: str, names: Sequence[str], dtype: Any
) -> tuple[dict[str, Contender], dict[str, str]]:
    """The formulations that take the shape and agree with XLA's, and what is to be said of the others."""
    expected = conv.contender(shape, place, passes, "xla", dtype).check() if place == "call" else None
    found, refused = {}, {}
    for name in names:
        try:
            made = conv.contender(shape, place, passes, None if name == RULE else name, dtype)
            result = made.check()
            # In a scan XLA's own would take minutes, so there the first to answer is the measure.
            expected = result if expected is None else expected
            agree(expected, result, conv.tolerance(dtype))
            found[name] = made
        except Disagreement as error:
            refused[name] = f"WRONG: {error}"
        except (ValueError, NotImplementedError, TypeError) as error:
            refused[name] = f"refused: {error}"
    return found, refused


def timed(contenders: dict[str, Contender]) -> dict[str, list[float]]:
    """Seconds of a run by formulation, interleaved; one that takes longer than SLOW_S is run once."""
    first = {name: timing.seconds(made.run) for name, made in contenders.items()}
    times = {name: [second] for name, second in first.items()}
    for name in [name for _ in range(ROUNDS) for name, second in first.items() if second < SLOW_S]:
        runs = max(1, int(ROUND_S / first[name]))
        run = contenders[name].run
        run()
        taken = timing.seconds(lambda run=run, runs=runs: [run() for _ in range(runs)])
        times[name] = [*times[name], taken / runs]
    return {name: found[1:] or found for name, found in times.items()}


def measure(
    shape: conv.Shape, place: str, passes: str, names: Sequence[str], dtype: Any = jnp.float32
) -> dict[str, Any]:
    """One line of the table: GFLOP/s, spread and seconds of compilation by formulation."""
    contenders, refused = _admitted(shape, place, passes, names, dtype)
    times = timed(contenders)
    flop = shape.flop(passes) * conv.members(place) * conv.steps(shape, place, passes)
    return {
        "shape": shape.name,
        "batch": shape.batch,
        "place": place,
        "passes": passes,
        "dtype": jnp.dtype(dtype).name,
        "step_flop": shape.flop(passes),
        "gflops": {name: flop / statistics.median(found) / 1e9 for name, found in times.items()},
        "spread": {name: timing.spread(found) for name, found in times.items()},
        "compile_s": {name: contenders[name].compile_s for name in times},
        "refused": refused,
    }


def _cell(line: dict[str, Any], name: str) -> str:
    if name not in line["gflops"]:
        return "WRONG" if line["refused"][name].startswith("WRONG") else "-"
    best = max((value for other, value in line["gflops"].items() if other != RULE), default=0.0)
    text = f"{line['gflops'][name]:.1f} ±{line['spread'][name] / 2:.0%}"
    return f"{text} *" if line["gflops"][name] >= best and name != RULE else text


def table(lines: list[dict[str, Any]], names: Sequence[str], ceiling: float) -> Table:
    """One row a line; the fastest of several formulations with a star."""
    title = f"GFLOP/s on {report.device()}; products of square matrices reach {ceiling / 1e9:.0f}"
    result = Table("shape", "batch", "place", "pass", title=title)
    for name in names:
        result.add_column(name, justify="right")
    for line in lines:
        cells = (_cell(line, name) for name in names)
        result.add_row(line["shape"], str(line["batch"]), line["place"], line["passes"], *cells)
    return result


def chosen(only: str, places: Sequence[str], passes: Sequence[str]) -> Iterator[tuple[conv.Shape, str, str]]:
    """Shapes whose name holds the regular expression, in each of their places that are asked for."""
    shapes = [shape for shape in conv.SHAPES if re.search(only, shape.name)]
    for shape, place, which in itertools.product(shapes, places, passes):
        if place in shape.places:
            yield shape, place, which


def choice(known: Sequence[str]) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return names

    return parse


def _parser() -> argparse.ArgumentParser:
    names = (RULE, *conv.IMPLEMENTATIONS)
    parser = argparse.ArgumentParser(prog="python -m bench.conv_table", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="shapes whose name holds this; see --list"
    )
    parser.add_argument("--list", action="store_true", help="list the shapes")
    for option, known in (("places", conv.PLACES), ("passes", conv.PASSES), ("implementations", names)):
        text = f"of {', '.join(known)}; with commas between them; default: all"
        parser.add_argument(
            f"--{option}", type=choice(known), default=list(known), metavar="NAMES", help=text
        )
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the lines to FILE as well")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 where a formulation computes something else; 2 where the command line is wrong."""
    options = _parser().parse_args(arguments)
    if options.list:
        print(*(shape.name for shape in conv.SHAPES), sep="\n")
        return 0
    dtype, lines = jnp.dtype(options.dtype), []
    for shape, place, passes in chosen(options.only, options.places, options.passes):
        line = measure(shape, place, passes, options.implementations, dtype)
        lines.append(line)
        figures = "  ".join(f"{name} {value:.1f}" for name, value in line["gflops"].items())
        print(f"{shape.name}, batch {shape.batch}, {place}, {passes}:  {figures}", flush=True)
        for name, why in line["refused"].items():
            print(f"    {name}: {why}", flush=True)
        if options.json:  # after every line, so that what was measured stays when it is stopped
            options.json.write_text(json.dumps(lines, indent=1) + "\n")
    if not lines:
        print(f"--only {options.only!r}: no shape of --list in these places", file=sys.stderr)
        return 2
    OUTPUT.print(table(lines, options.implementations, timing.gemm_ceiling(dtype=dtype)))
    return int(any(why.startswith("WRONG") for line in lines for why in line["refused"].values()))


if __name__ == "__main__":
    sys.exit(main())
