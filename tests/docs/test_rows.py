"""The table of systems at the end of the walk: the test that it names beside a function is one of it."""

import ast

import pytest
from conventions import evidence

from _rows import ROWS

PLACES = [
    pytest.param(*places, id=words)
    for rows in ROWS.values()
    for words, where in rows
    if (places := [word for word in where.split() if ":" in word])
]


def named(node: ast.AST) -> object:
    """Return the name that a node says: of a variable, an attribute, or as text for `getattr`."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "value", None)


@pytest.mark.parametrize(("function", "test"), PLACES)
def test_the_named_test_is_run_and_names_the_function(function: str, test: str) -> None:
    file, _, name = test.removeprefix("tests/").partition(":")
    assert evidence.collected(f"{file}::{name}")
    assert function.partition(":")[2] in map(named, evidence.source(f"{file}::{name}"))
