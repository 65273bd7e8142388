"""The pages of the families: their code runs, what they name is public, and no example is left out."""

import doctest
import functools
import inspect
import re
from pathlib import Path

import pytest

import jaxdl

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "families").glob("*.md"))
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)]+)\)")
PICTURE = re.compile(r"!\[(\w+)\]\(([^)]+)\)")
NAMED = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@NAMED
def test_code_runs(page: Path) -> None:
    failed, attempted = doctest.testfile(str(page), module_relative=False)
    assert attempted >= 3
    assert failed == 0


@NAMED
def test_links_lead_somewhere_and_names_are_where_they_say(page: Path) -> None:
    links = LINK.findall(page.read_text())
    for words, target in links:
        found = (page.parent / target).resolve()
        # A page that another tool writes, or an example, is there or not; a name is looked up.
        assert found.exists(), target
        if words.startswith("`"):
            value = functools.reduce(getattr, words.strip("`").split("."), jaxdl)
            source = inspect.getsourcefile(value)
            assert source is not None
            assert Path(source).resolve() == found, words
    assert sum(words.startswith("`") for words, _ in links) >= 4


def test_every_example_is_on_one_page_with_its_picture() -> None:
    shown = [(name, target, page) for page in PAGES for name, target in PICTURE.findall(page.read_text())]
    for name, target, page in shown:
        assert (page.parent / target).resolve() == ROOT / "examples" / "gallery" / f"{name}.png"
        assert f"[{name}](../../examples/{name}.py)" in page.read_text()
    examples = {path.stem for path in (ROOT / "examples").glob("[!_]*.py")}
    assert sorted(name for name, *_ in shown) == sorted(examples)


@NAMED
def test_figures_are_those_of_the_readme(page: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    told = re.split(r"^## (?:By the clock|Figures)$", page.read_text(), flags=re.M)[1:]
    for number in re.findall(r"\d[\d,.]*\d", told[0].split("\n## ")[0] if told else ""):
        assert number in readme, number
