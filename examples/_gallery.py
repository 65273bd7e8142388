"""The gallery: runs every example quickly, keeps a small picture of each, and writes the walk, README.md.

Run by `make gallery`, or `python examples/_gallery.py [--only NAME ...] [--write]`. `--only` runs some and
keeps what the others reached before; `--write` runs none. What failed is told at the end, with its last
words, and keeps its former entry; the exit status is then 1.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from _rows import ROWS
from _walk import WALK, Stop

HERE = Path(__file__).parent
PICTURES = HERE / "gallery"
WIDTH, BYTES, SECONDS = 640, 64_000, 300
STOPS = {stop.name: stop for section in WALK for stop in section.stops}


def run(stop: Stop, work: Path) -> dict[str, Any] | str:
    """Run an example; return what it reached and the seconds it took, or why there is nothing to keep."""
    out = work / stop.name
    out.mkdir(parents=True, exist_ok=True)
    (out / stop.picture).unlink(missing_ok=True)  # that of an earlier run is no sign of this one
    given = [argument.format(work=work) for argument in stop.arguments]
    command = [sys.executable, HERE / f"{stop.name}.py", "--effort", "quick", "--out", out, *given]
    begin = time.perf_counter()
    try:
        ended = subprocess.run(
            command, cwd=HERE.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not done after {SECONDS} seconds"
    seconds = time.perf_counter() - begin
    (out / "said.txt").write_text(ended.stdout)
    lines = ended.stdout.splitlines()
    if ended.returncode:
        return "\n".join([f"exit status {ended.returncode}; its last words:", *lines[-8:]])
    reached = [line.removeprefix("reached: ") for line in lines if line.startswith("reached: ")]
    if len(reached) != 1:
        return f"said `reached:` {len(reached)} times"
    if not (out / stop.picture).exists():
        return f"drew no {stop.picture}"
    shrink(out / stop.picture, PICTURES / f"{stop.name}.png")
    return {"reached": reached[0], "seconds": round(seconds), "cores": os.cpu_count()}


def shrink(source: Path, target: Path) -> None:
    """Write a picture in few colours and at most 640 pixels wide, so that it takes at most 64 KB."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as opened:
        whole = opened.convert("RGB")
    for width in range(min(WIDTH, whole.width), 0, -64):
        size = width, max(round(whole.height * width / whole.width), 1)
        small = whole.resize(size, Image.Resampling.LANCZOS)
        for colours in (128, 64, 32):
            few = small.quantize(colours, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
            few.save(target, optimize=True)
            if target.stat().st_size <= BYTES:
                return


def place(where: str, *, code: bool = True) -> str:
    """Return a link to the file of a function, in which its name is to be searched for."""
    path, name = where.split(":")
    parts = Path(path).with_suffix("").parts
    owner = (
        parts[-1] if name.islower() and (parts[:2] == ("jaxdl", "models") or len(parts) < 3) else parts[-2]
    )
    shown = f"`{owner}.{name}`" if code else name.removeprefix("test_").replace("_", " ")
    return f"[{shown}](../{path})"


def entry(stop: Stop, figures: dict[str, Any]) -> list[str]:
    """Return the lines of one example."""
    lines = [f"### {stop.name}", "", stop.idea, ""]
    if stop.name in figures:
        found = figures[stop.name]
        cores = f"{found['cores']} core{'s' if found['cores'] != 1 else ''}"
        lines += [f"![{stop.name}](gallery/{stop.name}.png)", "",
                  f"* Reached: {found['reached']}; {found['seconds']} s on {cores}."]  # fmt: skip
    formulas = ", ".join(place(where) for where in stop.places)
    return [*lines, f"* In the code: {formulas}.",
            f"* Run it: `python examples/{stop.name}.py` ([source]({stop.name}.py)).", ""]  # fmt: skip


def shown(where: str) -> tuple[str, str]:
    """Return the cells of a row: the examples that show it, and functions with their tests."""
    names = [name for name in where.split() if ":" not in name]
    places = [name for name in where.split() if ":" in name]
    told = [place(name, code=not name.startswith("tests/")) for name in places]
    examples = ", ".join(f"[{name}](#{name})" for name in names)
    return examples, f"{told[0]}, tested: {told[1]}" if told else ""


def readme(figures: dict[str, Any]) -> str:
    """Return the whole walk as Markdown."""
    lines = [
        "# A walk through the examples",
        "",
        "From the first gate to attention, and on to networks that compare and that play. Each stop is a",
        "script that runs by itself and ends with an error where what it claims does not hold. Figures and",
        "times below are those of the short runs of `make gallery` (`--effort quick`), with starting Python",
        "and compiling; what the whole run reaches, and in what time, stands in the first lines of a script.",
        "This file and its pictures are written by `make gallery`.",
        "",
        *(f"{i}. [{section.title}](#{anchor(section.title)}): " + ", ".join(
            f"[{stop.name}](#{stop.name})" for stop in section.stops) for i, section in enumerate(WALK, 1)),
        f"{len(WALK) + 1}. [Where everything stands](#where-everything-stands): every system of the library",
        "",
    ]  # fmt: skip
    for section in WALK:
        lines += [f"## {section.title}", "", section.about, ""]
        for stop in section.stops:
            lines += entry(stop, figures)
    lines += ["## Where everything stands", ""]
    for topic, rows in ROWS.items():
        lines += [f"**{topic}**", "", "| system | example | else |", "| --- | --- | --- |"]
        lines += [f"| {words} | {' | '.join(shown(where))} |" for words, where in rows]
        lines.append("")
    return "\n".join(lines)


def anchor(title: str) -> str:
    """Return what a heading is linked by."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def kept() -> dict[str, Any]:
    """Return what the examples of the walk reached when they were run last, in the order of the walk."""
    path = PICTURES / "figures.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    return {name: known[name] for name in STOPS if name in known}


def write(figures: dict[str, Any]) -> None:
    """Write what was reached, and the walk with it."""
    figures = {name: figures[name] for name in STOPS if name in figures}
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "figures.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    (HERE / "README.md").write_text(readme(figures))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=tuple(STOPS), metavar="NAME", help="some examples")
    parser.add_argument("--write", action="store_true", help="run nothing, write README.md anew")
    parser.add_argument("--work", type=Path, default=Path("out/gallery"), help="where the examples write")
    options = parser.parse_args(arguments)
    figures = kept()
    chosen = [] if options.write else [STOPS[name] for name in STOPS if name in (options.only or STOPS)]
    failed, begin = {}, time.perf_counter()
    for i, stop in enumerate(chosen, 1):
        print(f"{i:2}/{len(chosen)} {stop.name:20}", end=" ", flush=True)
        found = run(stop, options.work.absolute())
        if isinstance(found, str):
            failed[stop.name] = found
            print("FAILED:", found.splitlines()[0])
            continue
        figures[stop.name] = found
        print(f"{found['seconds']:4} s  {found['reached']}")
        write(figures)
    write(figures)
    if chosen:
        print(
            f"{len(chosen) - len(failed)} of {len(chosen)} examples ran, {time.perf_counter() - begin:.0f} s"
        )
    for name, why in failed.items():
        print(f"\n{name}: {why}\n  all it said: {options.work / name / 'said.txt'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
