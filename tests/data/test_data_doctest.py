"""The examples in the docstrings run, and no public function goes without one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

from jaxdl import data

MODULES = sorted(module.name for module in pkgutil.iter_modules(data.__path__, "jaxdl.data."))
PUBLIC = sorted(name for name, value in vars(data).items() if callable(value))
EASY = {"cache_folder"}  # its answer depends on the machine


@pytest.mark.parametrize("name", ["jaxdl.data", *MODULES])
def test_docstrings(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_an_example(name):
    documentation = inspect.getdoc(getattr(data, name))
    assert name in EASY or ">>>" in documentation
    assert len(documentation.splitlines()[0]) <= 100
