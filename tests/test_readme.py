"""The README's code runs as it stands, and the files a newcomer looks for are there."""

import doctest
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_readme_runs() -> None:
    failed, attempted = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert attempted > 10
    assert failed == 0


def test_quick_start_is_short() -> None:
    text = (ROOT / "README.md").read_text()
    quick = text.split("## Quick start")[1].split("```python")[1].split("```")[0]
    assert len([line for line in quick.splitlines() if line.startswith((">>>", "..."))]) <= 15


def test_documents_are_there() -> None:
    for name in (
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "kernels/README.md",
        "jaxdl/py.typed",
    ):
        assert (ROOT / name).exists(), name
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 40
    listed = (ROOT / "kernels" / "README.md").read_text()
    for path in (ROOT / "kernels").glob("*.py"):
        assert f"`{path.name}`" in listed


def test_every_example_is_named_and_says_how_it_is_run() -> None:
    listed = (ROOT / "README.md").read_text().split("## Examples")[1].split("\n## ")[0]
    for path in (ROOT / "examples").glob("[!_]*.py"):
        assert f"`{path.stem}`" in listed
        assert f"python examples/{path.name}" in path.read_text().split('"""')[1]
