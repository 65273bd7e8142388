"""The page of benchmarks: a table for every file of bench/results, with the command that repeats it."""

import ast
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results"
WORDS = {
    "alone": "ours, one by one",
    "jax_scan": "plain `lax.scan`",
    "keras": "Keras on JAX",
    "linen": "Linen loop",
    "linen_scan": "Linen in a scan",
    "nnx_jit": "`nnx.jit` loop",
    "numpy": "NumPy, tuned",
    "numpy_plain": "NumPy, plain",
    "separate": "image by image",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
    "torch_channels_last": "PyTorch, channels last",
    "torch_compile": "torch.compile",
    "torchvision": "torchvision",
}
UNITS = ((1.0, "s"), (1e-3, "ms"), (0.0, "us"))
INTRODUCTION = """\
# Benchmarks

Generated from `bench/results/` when the site is built: every file, as it was measured. Times are medians of
interleaved rounds in one process; in brackets stands the ratio to ours: above 1 the peer is slower, below 1
it is faster (printed **bold**). Compiling is not in the times but in a column of its own. The ceiling is
the best matrix product that the machine was seen to do. Run the command to repeat a table on your machine;
peers that are not installed are named. Repeats, spreads and what was learnt stand in the files and in
`bench/NOTES.md`.
"""


def _description(workload: str) -> str:
    """The line DESCRIPTION of a workload, read without importing its peers."""
    tree = ast.parse((ROOT / "bench" / f"{workload}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DESCRIPTION":
            return str(ast.literal_eval(node.value))
    raise ValueError(f"bench/{workload}.py: no DESCRIPTION")


def seconds(value: float) -> str:
    """Return a time in the unit that suits it, with three digits."""
    scale, unit = next((scale or 1e-6, unit) for scale, unit in UNITS if value >= scale)
    return f"{value / scale:.3g} {unit}" if value / scale < 1000 else f"{value / scale:.0f} {unit}"


def _peer(row: dict[str, Any]) -> str:
    ratio = f"{row['ratio']:.2f}" if row["ratio"] < 10 else f"{row['ratio']:.0f}"
    return f"{seconds(row['peer_s'])} ({ratio if row['ratio'] >= 1 else f'**{ratio}**'})"


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows of one file as a table: a line a case, a column a peer."""
    peers = list(dict.fromkeys(row["peer"] for row in rows))
    heads = [
        "case",
        "jaxdl",
        "of the ceiling",
        "compiling",
        *(WORDS.get(peer, f"`{peer}`") for peer in peers),
    ]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for case in dict.fromkeys(row["case"] for row in rows):
        found = {row["peer"]: row for row in rows if row["case"] == case}
        first = next(iter(found.values()))
        cells = [case, f"{seconds(first['ours_s'])} a {first['unit']}", f"{first['ceiling_share']:.1%}"]
        cells += ["-" if not first["compile_s"] else seconds(first["compile_s"])]
        lines.append(
            "| " + " | ".join([*cells, *(_peer(found[p]) if p in found else "" for p in peers)]) + " |"
        )
    return "\n".join(lines)


def section(path: Path) -> str:
    """Return one file as a section: what was timed, the table, the machine, the command."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    first = rows[0]
    found = {
        name: value for name, value in first["versions"].items() if name not in ("threads", "load before")
    }
    versions = ", ".join(f"{name} {value}" for name, value in found.items())
    rest = (
        f"Machine: {first['device']}; ceiling {first['ceiling_flops'] / 1e9:.0f} GFLOP/s; "
        f"threads: {first['versions'].get('threads', 'unknown')}; "
        f"load before: {first['versions'].get('load before', 'unknown')}; {first['repeats']} rounds. "
        f"Versions: {versions}."
    )
    name = first["workload"]
    return "\n\n".join(
        [
            f"## {name} on {first['device']}",
            f"{_description(name)}.",
            table(rows),
            rest,
            f"```\npython -m bench {name}\n```",
        ]
    )


def page() -> str:
    """Return the whole page, as MyST."""
    return "\n\n".join([INTRODUCTION, *(section(path) for path in sorted(RESULTS.glob("*.json")))]) + "\n"
