"""The table of conventions: complete, true of the code, each form with a test that is run and names it."""

import importlib
import importlib.util
import inspect
from pathlib import Path
from typing import Any

import opspec
import pytest
from conventions import detection, evidence, layers, losses, models, names, optimizers, similarity
from conventions.common import Convention, Form, Number
from conventions.numbers import NUMBERS
from conventions.options import OPTIONS

from jaxdl import layers as layers_
from jaxdl import losses as losses_
from jaxdl import optim
from jaxdl.models import decision_tree

ROOT = Path(__file__).parents[1]
TABLE: tuple[Convention, ...] = tuple(
    one
    for family in (losses, optimizers, layers, models, detection, similarity)
    for one in family.CONVENTIONS
)
ROWS = {op.name: op.function for op in opspec.OPS}


def identity(one: Any) -> str:
    return f"{one.name}({one.keyword})"


def test_every_keyword_with_several_values_is_a_convention_or_says_why_not() -> None:
    known = {(one.name, one.keyword) for one in TABLE}
    assert len(known) == len(TABLE)
    reasons = {
        (name, keyword) for name, keyword in names.keywords() if {keyword, f"{name}.{keyword}"} & {*OPTIONS}
    }
    silent = sorted({*names.keywords()} - known - reasons)
    assert not silent, "list them in tests/conventions, or in options.py with the reason"
    assert not known & reasons


def test_no_option_is_listed_in_vain() -> None:
    used = {word for name, keyword in names.keywords() for word in (keyword, f"{name}.{keyword}")}
    assert {*OPTIONS} <= used


@pytest.mark.parametrize("convention", TABLE, ids=identity)
def test_the_table_is_true_of_the_code(convention: Convention) -> None:
    value = names.public()[convention.name]
    default = names.parameters(value)[convention.keyword].default
    listed = [form.value for form in convention.forms]
    assert default in listed
    assert {*listed} - {None} in names.allowed(value, convention.keyword)
    assert len({*listed}) == len(listed)


@pytest.mark.parametrize(
    ("convention", "form"),
    [pytest.param(one, form, id=f"{identity(one)}={form.value}") for one in TABLE for form in one.forms],
)
def test_the_named_test_is_run_and_names_the_form(
    convention: Convention, form: Form, request: pytest.FixtureRequest
) -> None:
    value = names.public()[convention.name]
    default = names.parameters(value)[convention.keyword].default
    kind, _, name = form.test.partition(" ")
    if kind == "row":
        assert name.partition(":")[0] == convention.name
        bound = dict.fromkeys(keyword for keyword, _ in evidence.bound(ROWS[name]))
        said = [one for keyword, one in evidence.bound(ROWS[name]) if keyword in (None, convention.keyword)]
        left = form.value == default and convention.keyword not in bound
        assert left or any(type(one) is type(form.value) and one == form.value for one in said)
        return
    assert evidence.collected(form.test)
    items = {item.nodeid.partition("[")[0] for item in request.session.items}
    if any(one.startswith(f"tests/{form.test.partition('::')[0]}::") for one in items) and whole(request):
        assert f"tests/{form.test}" in items
    assert evidence.mentions(form.test, value, convention.keyword, form.value, default)


def test_evidence_may_be_wanting() -> None:
    known = "test_optim.py::test_hundred_steps_equal_torch"
    assert evidence.mentions(known, optim.momentum, "form", "heavy_ball", "heavy_ball")
    assert not evidence.mentions(known, optim.momentum, "form", "half_ball", "heavy_ball")
    assert not evidence.mentions(known, losses_.squared_error, "outputs", "mean", "mean")
    assert not evidence.mentions(known, decision_tree.fit, "criterion", "entropy", "entropy")
    theirs = "kernels/test_pool.py::test_response_norm_equals_loops_and_torch"
    assert not evidence.mentions(theirs, layers_.LocalResponseNorm, "alpha_divided", False, False)
    assert evidence.collected(known)
    slow = "models/test_alexnet.py::test_trains_and_survives_its_file"
    for missing in ("test_gone.py::test_x", "test_optim.py::test_gone", "test_optim.py::trajectory", slow):
        assert not evidence.collected(missing)


def whole(request: pytest.FixtureRequest) -> bool:
    """Return whether files were collected whole: by no name of a test, no -k."""
    return not request.config.option.keyword and not any("::" in one for one in request.config.args)


def looked_up(path: str) -> Any:
    module, _, name = path.rpartition(".")
    library = module.split(".")[0]
    pytest.importorskip(library, reason=f"{library} is not installed; its default stands in the table")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("number", NUMBERS, ids=identity)
def test_numbers_are_the_defaults_here(number: Number) -> None:
    assert names.parameters(names.public()[number.name])[number.keyword].default == number.value


@pytest.mark.parametrize(
    ("path", "keyword", "value"),
    [pytest.param(*one, id=".".join(one[:2])) for number in NUMBERS for one in number.theirs],
)
def test_numbers_are_the_defaults_there(
    path: str, keyword: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    found = looked_up(path)
    door = found.__init__ if inspect.isclass(found) else found
    assert inspect.signature(door).parameters[keyword].default == value


def test_the_committed_page_is_what_is_generated() -> None:
    spec = importlib.util.spec_from_file_location("conventions_page", ROOT / "docs" / "_conventions.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.page() == (ROOT / "docs" / "conventions.md").read_text(), "run `python docs/_conventions.py`"
