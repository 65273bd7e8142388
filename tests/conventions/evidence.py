"""What a named test says: whether it is run, and whether it calls a function with a value, by its source."""

import ast
import functools
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
FOLDERS = ("", "select", "train")  # Where tests import helpers from, as in pyproject.toml.
UNCOLLECTED = {"slow", "skip"}  # Markers that keep a test out of `make test`.
THEIRS = {"flax", "keras", "lax", "nnx", "optax", "sklearn", "torch"}  # A name of theirs is not ours.
Place = tuple[Path, str]


@functools.cache
def defined(path: Path) -> dict[str, ast.stmt]:
    """Return what a file defines at its top: functions, classes and constants by name."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id: node for part in targets for one in ast.walk(part) if isinstance(one, ast.Name)}
    return found


@functools.cache
def imported(path: Path) -> dict[str, Place]:
    """Return what a file takes from other files of tests: by its name there, "" for the whole file."""
    found: dict[str, Place] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            pairs = [(one.asname or one.name, one.name, "") for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            pairs = [(one.asname or one.name, f"{node.module}.{one.name}", "") for one in node.names]
            pairs += [(one.asname or one.name, node.module, one.name) for one in node.names]
        else:
            continue
        for alias, module, name in pairs:
            for folder in FOLDERS:
                file = (TESTS / folder / module.replace(".", "/")).with_suffix(".py")
                if file.is_file():
                    found.setdefault(alias, (file, name))
    return found


def collected(test: str) -> bool:
    """Return whether `make test` runs ``file.py::name``: it is there, as pytest names it, and not marked."""
    place, _, name = test.partition("::")
    path = TESTS / place
    if not (path.is_file() and path.name.startswith("test_") and name.startswith("test_")):
        return False
    node = defined(path).get(name)
    if not isinstance(node, ast.FunctionDef):
        return False
    return (
        not {_last(one.func if isinstance(one, ast.Call) else one) for one in node.decorator_list}
        & UNCOLLECTED
    )


@functools.cache
def source(test: str) -> tuple[ast.AST, ...]:
    """Return the test and what it refers to, directly or not: fixtures, parameters, helpers, other files'."""
    file, _, name = test.partition("::")
    first = (TESTS / file, name)
    wanted, seen = [first], {first: None}
    while wanted:
        path, name = wanted.pop()
        for place in _referred(path, defined(path)[name]):
            if place[1] in defined(place[0]) and place not in seen:
                seen[place] = None
                wanted.append(place)
    return tuple(node for path, name in seen for node in ast.walk(defined(path)[name]))


def _referred(path: Path, node: ast.AST) -> Iterator[Place]:
    known = imported(path)
    for one in ast.walk(node):
        if isinstance(one, ast.Name | ast.arg):
            name = one.id if isinstance(one, ast.Name) else one.arg
            yield known.get(name, (path, name))
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id in known:
            yield known[one.value.id][0], one.attr


def mentions(test: str, function: Any, keyword: str, value: Any, default: Any) -> bool:
    """Return whether a test names the function, and the value or a call that leaves it at its default."""
    names = {function.__name__, function.__name__.removesuffix("Config")}
    nodes = [*source(test)]
    nodes += [
        one
        for node in nodes
        if isinstance(node, ast.Attribute)
        for one in _constructor(function, names, node)
    ]
    constants = [one.value for one in nodes if isinstance(one, ast.Constant)]
    fetched = any(isinstance(one, ast.Call) and _last(one.func) == "getattr" for one in nodes)
    if not (names & {_last(one) for one in nodes} or (fetched and names & {*map(str, constants)})):
        return False
    # Many functions are called fit: which one it is, its module says.
    home = function.__module__.rpartition(".")[2]
    if function.__name__ == "fit" and home not in {_last(one) for one in nodes}:
        return False
    pairs = list(_pairs(nodes))
    if any(key == keyword and _is(item, value) for key, item in pairs):
        return True
    # A variable in its place takes each of the values that stand in the test, or in a tuple of the library.
    open_ = any(key == keyword and not isinstance(item, ast.Constant) for key, item in pairs)
    listed = any(type(one) is type(value) and one == value for one in constants)
    listed |= any(value in _tuple(function, _last(node)) for node in nodes)
    if listed and (open_ or isinstance(value, str)):
        return True
    calls = [one for one in nodes if isinstance(one, ast.Call) and names & {*_called(one)}]
    passed = {id(one) for call in calls for one in (call.func, *call.args)}
    alone = any(
        _last(one) in names and id(one) not in passed for one in nodes
    )  # Handed to a loop over functions.
    never = fetched and keyword not in {key for key, _ in pairs}
    return value == default and (
        alone or never or any(keyword not in {one.arg for one in call.keywords} for call in calls)
    )


def _last(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) and _root(node) not in THEIRS else ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _called(call: ast.Call) -> Iterator[str]:
    """Yield the names that a call is of: its own, those of `partial` and of a helper that gets it as text."""
    yield _last(call.func)
    for one in call.args:
        yield one.value if isinstance(one, ast.Constant) and isinstance(one.value, str) else _last(one)


def _pairs(nodes: list[ast.AST]) -> Iterator[tuple[Any, ast.expr | None]]:
    for one in nodes:
        if isinstance(one, ast.keyword):
            yield one.arg, one.value
        elif isinstance(one, ast.Dict):
            yield from (
                (key.value, item) for key, item in zip(one.keys, one.values) if isinstance(key, ast.Constant)
            )


def _is(node: ast.expr | None, value: Any) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is type(value) and node.value == value


def _tuple(function: Any, name: str) -> tuple[Any, ...]:
    found = getattr(sys.modules[function.__module__], name, ()) if name.isupper() else ()
    return tuple(found) if isinstance(found, tuple | dict) else ()


@functools.cache
def _made(function: Any, name: str, method: str) -> tuple[ast.AST, ...]:
    owner = getattr(sys.modules[function.__module__], name, None)
    found = owner.__dict__.get(method) if inspect.isclass(owner) else None
    text = textwrap.dedent(inspect.getsource(found.__func__)) if isinstance(found, classmethod) else ""
    return tuple(ast.walk(ast.parse(text)))


def _constructor(function: Any, names: set[str], node: ast.Attribute) -> Iterator[ast.AST]:
    """Yield the source of a named constructor, ``Model.paper``, that a test calls."""
    if _last(node.value) in names:
        yield from _made(function, _last(node.value), node.attr)


def bound(function: Any) -> Iterator[tuple[str | None, Any]]:
    """Yield what a row's function was made with: keywords of partials, constants and closures of lambdas."""
    if isinstance(function, functools.partial):
        yield from function.keywords.items()
        yield from ((None, one) for one in function.args)
        yield from bound(function.func)
    elif isinstance(function, types.FunctionType) and function.__module__.startswith("rows"):
        yield from ((None, one) for one in _constants(function.__code__))
        for cell in function.__closure__ or ():
            yield None, cell.cell_contents
            if isinstance(cell.cell_contents, dict):
                yield from cell.cell_contents.items()


def _constants(code: types.CodeType) -> Iterator[Any]:
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _constants(one)
        else:
            yield from one if isinstance(one, tuple) else (one,)
