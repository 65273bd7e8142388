"""The page on compiling: its code runs as it stands, that on the cache in the tests of the cache."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "compile.md"


def test_the_page_runs() -> None:
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 15
    assert failed == 0
