"""The reference holds every public name, once, in the form that Sphinx reads."""

import inspect
import re
from pathlib import Path

import docstrings
import pytest
import reference
import written
from test_docstrings import EXPORTED, FLAT
from test_docstrings import NAMES as DOCUMENTED
from test_names import NAMES as LOOKED_FOR

import jaxdl
from jaxdl.layers import RNN
from jaxdl.train import Points


@pytest.mark.parametrize("module", LOOKED_FOR)
def test_names_that_the_field_looks_for_are_there(module: str) -> None:
    assert set(LOOKED_FOR[module].split()) <= set(reference.public()[f"jaxdl.{module}"])


def test_what_must_have_a_docstring_is_there() -> None:
    listed = {
        id(getattr(reference.resolve(module), name))
        for module, names in reference.public().items()
        for name in names
    }
    wanted = {
        name: value
        for name, value in DOCUMENTED.items()
        if id(value) in EXPORTED or (name.split(".")[0] in FLAT and hasattr(jaxdl, name.split(".")[0]))
    }
    assert len(wanted) > 450
    assert not {name for name, value in wanted.items() if id(value) not in listed}


@pytest.mark.parametrize("module", reference.public())
def test_a_page_has_an_entry_for_each_name(module: str) -> None:
    page = reference.page(module)
    assert re.search(rf"^\.\. automodule:: {re.escape(reference.resolve(module).__name__)}$", page, re.M)
    for name in reference.public()[module]:
        entry = rf"^\.\. (auto(function|class|exception):: {re.escape(module)}\.|py:data:: ){name}$"
        assert len(re.findall(entry, page, re.M)) == 1, name
        value = getattr(reference.resolve(module), name)
        if reference.is_documented(value):
            assert f"   * - :py:obj:`~{module}.{name}`\n" in page
            assert inspect.getdoc(value)


def test_every_page_is_listed() -> None:
    pages = reference.pages()
    modules = {name.removesuffix(".rst") for name in pages if name.endswith(".rst")}
    assert set(pages["index.md"].split("{toctree}")[1].split()) >= modules == set(reference.public())
    assert "jaxdl.kernels.nms" in modules
    assert "jaxdl.train.points" in modules


def test_members_are_those_that_we_wrote() -> None:
    assert "__call__" in reference.members(RNN)
    assert {"count", "__len__"} <= set(reference.members(Points)) | {"__len__"}
    assert "sow" not in reference.members(RNN)  # of nnx.Module


def test_docstrings_are_mended() -> None:
    lines = ["Give `x` and `a + b`, ``c d``.", "Returns:", "    (steps, *shape): the first.", "", "Raises:"]
    docstrings.mend(None, "function", "f", None, None, lines)
    assert lines[:2] == ["Give `x` and ``a + b``, ``c d``.", ":returns:"]
    assert lines[2:] == ["    (steps, \\*shape): the first.", "", "Raises:"]


def test_pages_that_have_not_changed_are_not_written_again(tmp_path: Path) -> None:
    written.folder(tmp_path, {"a.md": "one", "b.md": "two"})
    before = (tmp_path / "a.md").stat().st_mtime_ns
    written.folder(tmp_path, {"a.md": "one", "c.md": "three"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.md", "c.md"]
    assert (tmp_path / "a.md").stat().st_mtime_ns == before
