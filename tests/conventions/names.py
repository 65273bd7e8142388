"""Public functions and classes by name, their keywords with several values, and what the code allows."""

import ast
import contextlib
import functools
import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import test_names

import jaxdl

SEVERAL = re.compile(r"(str|bool|Literal\[.*|typing.Literal\[.*|typing.Optional\[.*)( \| .*)?")
FREE = re.compile("Path|Iterable|Sequence|Mapping")
WITHOUT = ("plot",)  # Titles, labels and colours; none of them changes a number.


def homes() -> Iterator[tuple[str, types.ModuleType]]:
    """Yield the public modules: packages and files of jaxdl, kernels, and what `test_names` lists besides."""
    own = [
        name for name, value in vars(jaxdl).items() if inspect.ismodule(value) and not name.startswith("_")
    ]
    for name in dict.fromkeys((*own, *test_names.NAMES)):
        if name.split(".")[0] not in WITHOUT and name not in ("kernels", "errors"):
            yield name, functools.reduce(getattr, name.split("."), jaxdl)


@functools.cache
def public() -> dict[str, Any]:
    """Return every public function and class, each by the first of its names."""
    found: dict[int, tuple[str, Any]] = {}
    for home, module in homes():
        for name, value in vars(module).items():
            callable_ = inspect.isfunction(value) or inspect.isclass(value)
            ours = getattr(value, "__module__", "").startswith("jaxdl")
            here = hasattr(module, "__path__") or getattr(value, "__module__", "") == module.__name__
            if callable_ and ours and here and not name.startswith("_"):
                found.setdefault(id(value), (f"{home}.{name}", value))
    return dict(found.values())


def parameters(value: Any) -> dict[str, inspect.Parameter]:
    """Return the keywords of a function, or of the constructor of a class."""
    door = value.__init__ if inspect.isclass(value) else value
    with contextlib.suppress(ValueError):
        return dict(inspect.signature(door).parameters)
    return {}


def keywords() -> Iterator[tuple[str, str]]:
    """Yield (name, keyword) of every optional argument that is a string, a flag or one of a few values."""
    for name, value in public().items():
        for keyword, parameter in parameters(value).items():
            kind = parameter.annotation
            text = (
                kind
                if isinstance(kind, str)
                else getattr(kind, "__name__", "")
                if isinstance(kind, type)
                else str(kind)
            )
            optional = parameter.default is None or isinstance(parameter.default, str | int)
            if optional and SEVERAL.fullmatch(text) and not FREE.search(text):
                yield name, keyword


def allowed(value: Any, keyword: str) -> list[set[Any]]:
    """Return the sets of values that the code takes: those of its `one_of`, else those of the docstring."""
    if isinstance(parameters(value)[keyword].default, bool):
        return [{False, True}]
    found = [
        {*choices} - {None} for module in _modules(value) for choices in _choices(module).get(keyword, ())
    ]
    return found or [_quoted(value, keyword)]


def _modules(value: Any) -> list[types.ModuleType]:
    own = [one.__module__ for one in (value.__mro__ if inspect.isclass(value) else (value,))]
    homes = [sys.modules[name] for name in own if name.startswith("jaxdl")]
    helpers = [one for home in homes for one in vars(home).values()
               if inspect.ismodule(one) and one.__name__.startswith("jaxdl")]  # fmt: skip
    return [*homes, *helpers]


@functools.cache
def _choices(module: types.ModuleType) -> dict[str, list[tuple[Any, ...]]]:
    """Return the choices of each `one_of` of a module by its argument, those of loops over pairs included."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    tree = ast.parse(Path(str(module.__file__)).read_text()) if module.__file__ else ast.Module([], [])
    for scope in (one for one in ast.walk(tree) if isinstance(one, ast.For | ast.FunctionDef)):
        for call in (one for one in ast.walk(scope) if isinstance(one, ast.Call)):
            if getattr(call.func, "attr", getattr(call.func, "id", "")) == "one_of" and len(call.args) == 4:
                for argument, choices in _read(call, scope, vars(module)):
                    found.setdefault(argument, []).append(choices)
    return found


def _read(call: ast.Call, scope: ast.AST, names: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    rounds: list[dict[str, Any]] = [{}]
    if isinstance(scope, ast.For):
        with contextlib.suppress(Exception):
            values = _evaluated(scope.iter, names, {})
            targets = [one.id for one in ast.walk(scope.target) if isinstance(one, ast.Name)]
            rounds = [dict(zip(targets, one if len(targets) > 1 else (one,))) for one in values]
    if isinstance(call.args[3], ast.Subscript):  # A table of all choices by the names of the arguments.
        with contextlib.suppress(Exception):
            yield from _evaluated(call.args[3].value, names, {}).items()
    for local in rounds:
        with contextlib.suppress(Exception):  # What a caller hands over is not to be read here.
            argument = _evaluated(call.args[1], {}, local)
            yield argument, tuple(_evaluated(call.args[3], names, local))


def _evaluated(node: ast.expr, names: dict[str, Any], local: dict[str, Any]) -> Any:
    return eval(compile(ast.Expression(node), "one_of", "eval"), {**names, **local})


def _quoted(value: Any, keyword: str) -> set[Any]:
    text = inspect.getdoc(value) or ""
    found = re.search(rf"^ {{4}}{keyword}: (.*?)(?=^ {{4}}\w|^\w|\Z)", text, re.S | re.M)
    return set(re.findall(r'``"([^"]*)"``', found.group(1))) if found else set()
