"""The pages run as they stand: every block of code is a doctest or a cell."""

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
CONCEPTS = sorted(path.stem for path in (DOCS / "concepts").glob("*.md"))
FENCE = re.compile(r"^```(\{code-cell\} )?python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Pages with tests of their own.
TESTED = {"compile.md": "train/test_compile_page.py", "coming_from.md": "test_coming_from.py"}
# Blocks for a cluster, for a folder of the user, or for data of the reader's own: they are parsed.
PARSED = {"scaling.md", *(f"launch/{path.name}" for path in (DOCS / "launch").glob("*.md"))}


@pytest.mark.parametrize("name", CONCEPTS)
def test_concepts_run(name: str) -> None:
    path = DOCS / "concepts" / f"{name}.md"
    failed, attempted = doctest.testfile(str(path), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert attempted > 5
    assert failed == 0


def test_quick_start_runs() -> None:
    """With fewer epochs and seeds than the page has, which runs whole when the site is built."""
    text = (DOCS / "quick_start.md").read_text()
    cells = [re.sub(r"^:tags:.*\n", "", code) for cell, code in FENCE.findall(text) if cell]
    assert len(cells) == text.count("{code-cell}") >= 6
    code = "\n".join(cell for cell in cells if "%matplotlib" not in cell)
    for long, short in (("epochs=30", "epochs=2"), ("range(4)", "range(1)"), ("8, 32))", "1, 2))")):
        assert code.count(long) == 1
        code = code.replace(long, short)
    found: dict[str, object] = {}
    exec(compile(code, "quick_start.md", "exec"), found)
    assert len(found["sweep"]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("path", sorted(str(path.relative_to(DOCS)) for path in DOCS.glob("**/*.md")))
def test_every_block_of_python_is_run_or_at_least_parsed(path: str) -> None:
    if path in TESTED:
        assert Path(path).stem in (DOCS.parent / "tests" / TESTED[path]).read_text()
        return
    for cell, code in FENCE.findall((DOCS / path).read_text()):
        if not cell and ">>>" not in code:
            assert path in PARSED, code
            compile(code, path, "exec")
