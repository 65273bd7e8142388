"""Write the table of conventions, `docs/conventions.md`, from the code and the table beside the tests.

Run it from anywhere: ``python docs/_conventions.py``; ``--print`` prints the page instead of writing it. What
stands in the page is checked by ``tests/test_conventions.py``.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("", "tests")]

from conventions import detection, layers, losses, models, names, optimizers, similarity  # noqa: E402
from conventions.common import Convention, Form, Number  # noqa: E402
from conventions.numbers import NUMBERS  # noqa: E402

FAMILIES = (losses, optimizers, layers, models, detection, similarity)
HEAD = """# Conventions

Where texts and libraries disagree, both forms stand under one name, and a keyword chooses. This page is made
by `python docs/_conventions.py` from the signatures of the code and a table beside the tests. The tests fail
when a public function has a keyword with several values that is neither here nor among the
[options that are no convention](../tests/conventions/options.py), when a default is another one, and when a
named test is gone or does not name the function with that value. The default is in **bold**; as a rule it
is the libraries' form. `w -= x` stands for `w = w - x`. A test that is named like a function is a
row of the table of operations: its value is compared with a float64 reference, and with torch where there is
a twin.
"""
NUMBERS_HEAD = """
## Numbers that differ

Defaults of numbers, here and in the libraries. Each is looked up in the library where it is installed.

| here | torch | Keras | others | mind |
| --- | --- | --- | --- | --- |"""


def page() -> str:
    """Return the page as text."""
    parts = [HEAD]
    for family in FAMILIES:
        parts.append(f"\n## {family.TITLE}\n\n| keyword | value | is | test |\n| --- | --- | --- | --- |")
        parts.extend(line for convention in family.CONVENTIONS for line in rows(convention))
    parts += [NUMBERS_HEAD, *(number(one) for one in NUMBERS)]
    return "\n".join(parts) + "\n"


def rows(convention: Convention) -> Iterator[str]:
    """Yield a line for each value, the default first in the code's own words and in bold."""
    default = names.parameters(names.public()[convention.name])[convention.keyword].default
    for i, form in enumerate(convention.forms):
        value = f"`{form.value!r}`".replace("'", '"')
        shown = f"**{value}**" if form.value == default else value
        left = f"`{convention.name}({convention.keyword}=)`" if i == 0 else ""
        yield f"| {left} | {shown} | {form.equals} | {link(form)} |"


def link(form: Form) -> str:
    """Return a link to the test; a row of the table of operations is compared by `test_ops.py`."""
    kind, _, name = form.test.partition(" ")
    if kind == "row":
        return f"[`{name}`](../tests/test_ops.py)"
    file, _, function = form.test.partition("::")
    return f"[`{function}`](../tests/{file})"


def number(one: Number) -> str:
    """Return the line of a default."""
    cells: dict[str, list[str]] = {"torch": [], "keras": [], "others": []}
    for path, keyword, value in one.theirs:
        library = path.split(".")[0]
        shown = f"`{path.rpartition('.')[2]}({keyword}={value!r})`"
        cells[library if library in cells else "others"].append(
            shown if library in cells else f"{library} {shown}"
        )
    middle = " | ".join(", ".join(cell) for cell in cells.values())
    return f"| `{one.name}({one.keyword}={one.value!r})` | {middle} | {one.mind} |"


def main() -> None:
    """Write or print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print", action="store_true", help="print the page instead of writing it")
    text = page()
    if parser.parse_args().print:
        sys.stdout.write(text)
    else:
        (ROOT / "docs" / "conventions.md").write_text(text)


if __name__ == "__main__":
    main()
