"""Every public name explains itself: one line, what it takes, what it gives, an example that runs."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

import jaxdl
from jaxdl import kernels

WITHOUT_EXAMPLE = {"download.cache_folder"}  # of this machine


def public() -> Iterator[tuple[str, Any]]:
    packages = [(jaxdl.__path__, "jaxdl."), (kernels.__path__, "jaxdl.kernels.")]
    for path, prefix in packages:
        for module in pkgutil.walk_packages(path, prefix):
            if any(part.startswith("_") for part in module.name.split(".")):
                continue
            loaded = importlib.import_module(module.name)
            for name, value in vars(loaded).items():
                own = getattr(value, "__module__", None) == module.name and not name.startswith("_")
                if own and (inspect.isfunction(value) or inspect.isclass(value)):
                    yield f"{module.name.rpartition('.')[2]}.{name}", value


NAMES = dict(public())
# What a user calls: exported from a package, or defined in a public module beside the packages.
PACKAGES = [value for value in vars(jaxdl).values() if inspect.ismodule(value) and hasattr(value, "__path__")]
PACKAGES.append(jaxdl.data.augment)
EXPORTED = {id(value) for package in PACKAGES for value in vars(package).values()}
FLAT = {
    module.name
    for path in (jaxdl.__path__, kernels.__path__)
    for module in pkgutil.iter_modules(path)
    if not module.ispkg
} - {"errors"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_first_line_is_one_sentence(name: str) -> None:
    first = (inspect.getdoc(NAMES[name]) or "").splitlines()[0]
    assert first.endswith(".")
    assert len(first) <= 110


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, value in NAMES.items()
        if (id(value) in EXPORTED or name.split(".")[0] in FLAT) and inspect.isfunction(value)
    ),
)
def test_functions_say_what_they_take_give_and_show(name: str) -> None:
    text = inspect.getdoc(NAMES[name]) or ""
    parameters = inspect.signature(NAMES[name]).parameters
    assert "Returns:" in text
    for parameter in parameters:
        assert f"{parameter}:" in text or f"{parameter} " in text or f"`{parameter}`" in text, parameter
    assert ">>>" in text or name in WITHOUT_EXAMPLE
