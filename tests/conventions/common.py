"""What the table of conventions is written with."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Form:
    """One value of a keyword.

    Attributes:
        value: what is passed.
        equals: the formula, and what of a library or of the texts it is.
        test: ``file.py::name`` below ``tests/``, or ``row <name>`` of `opspec`, whose value is compared with
            its reference, and with torch where the row has a twin.
    """

    value: Any
    equals: str
    test: str


@dataclasses.dataclass(frozen=True)
class Convention:
    """A public function or class, one of its keywords, and all values that the keyword takes.

    Attributes:
        name: such as ``optim.momentum``.
        keyword: the argument.
        forms: every value, in the order of the page.
    """

    name: str
    keyword: str
    forms: tuple[Form, ...]


@dataclasses.dataclass(frozen=True)
class Number:
    """A default that differs between libraries.

    Attributes:
        name: a public function or class.
        keyword: the argument.
        value: its default here.
        theirs: (callable, its argument, its default) in the libraries, looked up where they are installed.
        mind: what a change of library has to mind.
    """

    name: str
    keyword: str
    value: Any
    theirs: tuple[tuple[str, str, Any], ...]
    mind: str = ""


def row(name: str) -> str:
    return f"row {name}"
