"""The pages of the API reference: one a public module, every public name of it, from the docstrings."""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import docstrings

import jaxdl
from jaxdl import kernels

SPECIAL = ("__call__", "__len__", "__getitem__", "__iter__")


def _exported(package: ModuleType) -> list[str]:
    """The names that a package exports: those of its lines `from .x import name as name`."""
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    lines = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return [alias.name for node in lines for alias in node.names if alias.asname == alias.name]


def _own(module: ModuleType) -> list[str]:
    """The functions and classes that a module defines."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _walk(module: ModuleType, name: str, found: dict[str, tuple[str, ...]]) -> None:
    public = _exported(module) if hasattr(module, "__path__") else _own(module)
    below = {part: getattr(module, part) for part in public if inspect.ismodule(getattr(module, part))}
    found[name] = tuple(sorted((part for part in public if part not in below), key=str.lower))
    for part, child in below.items():
        _walk(child, f"{name}.{part}", found)


@functools.cache
def public() -> dict[str, tuple[str, ...]]:
    """Return the public names by module, a module by the name under which it is reached."""
    found: dict[str, tuple[str, ...]] = {}
    _walk(jaxdl, "jaxdl", found)
    for module in pkgutil.iter_modules(kernels.__path__):
        if not module.name.startswith("_"):
            name = f"jaxdl.kernels.{module.name}"
            _walk(importlib.import_module(name), name, found)
    return {name: names for name, names in sorted(found.items()) if names}


def resolve(module: str) -> Any:
    """Return the module that is reached by a dotted name."""
    if module.startswith("jaxdl.kernels."):
        return importlib.import_module(module)
    return functools.reduce(getattr, module.split(".")[1:], jaxdl)


def _is_member(home: type, name: str) -> bool:
    if name.startswith("_") and name not in SPECIAL:
        return False
    owner = next(base for base in home.__mro__ if name in vars(base))
    value = vars(owner)[name]
    kinds = property | classmethod | staticmethod | functools.cached_property | FunctionType
    return owner.__module__.startswith("jaxdl") and isinstance(value, kinds) and bool(value.__doc__)


def members(home: type) -> list[str]:
    """Return the methods and properties of a class that jaxdl wrote and documented, inherited ones too."""
    known = {name for base in home.__mro__ for name in vars(base)}
    return sorted(name for name in known if _is_member(home, name))


@functools.cache
def _first_home() -> dict[int, str]:
    """By the identity of a function or a class, the shortest name under which it is public."""
    homes: dict[int, str] = {}
    for module in sorted(public(), key=lambda module: module.count(".")):
        for name in public()[module]:
            homes.setdefault(id(getattr(resolve(module), name)), f"{module}.{name}")
    return homes


def is_documented(value: Any) -> bool:
    """Return whether it has a docstring of its own: functions and classes do, constants and types do not."""
    return inspect.isfunction(value) or inspect.isclass(value)


def _value(value: Any) -> str:
    """A constant as Python; of functions by name, the names; of a type, without the modules of its parts."""
    if isinstance(value, dict) and any(map(callable, value.values())):
        value = tuple(value)
    return re.sub(r"(?:collections\.abc|typing|jax\.jaxlib\._jax|jaxdl\.[\w.]+)\.(?=\w)", "", repr(value))


def _entry(module: str, name: str) -> list[str]:
    value = getattr(resolve(module), name)
    home = _first_home()[id(value)]
    if is_documented(value) and home != f"{module}.{name}":
        return [f".. py:data:: {name}", "", f"   The same as :py:obj:`{home}`.", ""]
    if inspect.isclass(value):
        listed = members(value)
        kind = "exception" if issubclass(value, BaseException) else "class"
        options = [f"   :members: {', '.join(listed)}", "   :member-order: bysource"] if listed else []
        return [f".. auto{kind}:: {module}.{name}", *options, ""]
    if inspect.isfunction(value):
        return [f".. autofunction:: {module}.{name}", ""]
    # What is neither has no docstring of its own: autodoc would print that of its type.
    return [f".. py:data:: {name}", f"   :value: {_value(value)}", ""]


def _summary(module: str) -> list[str]:
    """A table of the names with the first line of each docstring."""
    rows = [".. list-table::", "   :widths: 30 70", ""]
    for name in public()[module]:
        value = getattr(resolve(module), name)
        if is_documented(value):
            first = docstrings.inline((inspect.getdoc(value) or "").split("\n")[0])
            rows += [f"   * - :py:obj:`~{module}.{name}`", f"     - {first}"]
    return [*rows, ""]


def page(module: str) -> str:
    """Return the page of a module as reStructuredText: what it is for, a table of its names, each name."""
    names = public()[module]
    lines = [module, "=" * len(module), "", f".. py:module:: {module}", ""]
    lines += [f".. automodule:: {resolve(module).__name__}", "   :no-index:", ""]
    lines += [f".. currentmodule:: {module}", "", *_summary(module)]
    for name in names:
        lines += _entry(module, name)
    return "\n".join(lines)


def index() -> str:
    """Return the list of the modules, as MyST."""
    rows = []
    for module in public():
        first = (inspect.getdoc(resolve(module)) or "").splitlines()[0]
        rows.append(f"| {{doc}}`{module} <{module}>` | {first} | {len(public()[module])} |")
    head = ["# Reference", "", "Every public name, from its docstring; the examples run as tests.", ""]
    table = ["| module | what it holds | names |", "| --- | --- | --- |", *rows, ""]
    return "\n".join([*head, *table, "```{toctree}", ":hidden:", "", *public(), "```", ""])


def pages() -> dict[str, str]:
    """Return all pages, by their names in docs/reference."""
    return {f"{module}.rst": page(module) for module in public()} | {"index.md": index()}
