"""The part of pickle that torch writes state dicts in, read as data: nothing is looked up, nothing is called.

A pickle is a program for a small machine. Opcodes that are not listed here are refused by their number, and
names of classes or functions that the caller did not list by name; those listed stand for functions of the
caller, which make inert values.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

MAX_BYTES = 4 * 2**20  # torchvision's largest state dicts have 150 KB
_LONGEST_NAME = 200
_PROTOCOL = 5
_CONSTANTS = {b"N": None, b"\x88": True, b"\x89": False}
_CONTAINERS: dict[bytes, Callable[[], Any]] = {b"}": dict, b"]": list, b")": tuple}
_NUMBERS = {b"J": "<i", b"K": "<B", b"M": "<H", b"G": ">d"}
# The last two are what Python 2 wrote, as it did for files that are still published.
_TEXTS = {b"X": "<I", b"\x8c": "<B", b"\x8d": "<Q", b"U": "<B", b"T": "<i"}
_TUPLES = {b"\x85": 1, b"\x86": 2, b"\x87": 3}
_GETS = {b"h": "<B", b"j": "<I"}
_PUTS = {b"q": "<B", b"r": "<I"}

Calls = Mapping[str, Callable[..., Any] | None]


class Name(str):
    """The name of a class or function: ``module.name``."""


class Machine:
    """Runs one pickle after another from the same bytes.

    Args:
        content: the bytes.
        calls: names that may occur; the value makes what a call of the name stands for, from arguments that
            it must check, or is None where it may not be called.
        persistent: makes what a persistent identifier stands for.
    """

    def __init__(self, content: memoryview, calls: Calls, persistent: Callable[[Any], Any]) -> None:
        self.content, self.calls, self.persistent = content, calls, persistent
        self.position = 0

    def run(self) -> Any:
        """Return the value of the next pickle.

        Raises:
            ValueError: no pickle, or one with something that is not allowed; it says what and where.
        """
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.end = min(len(self.content), self.position + MAX_BYTES)
        while (code := bytes(self.take(1))) != b".":
            try:
                self._step(code)
            except (IndexError, KeyError, OverflowError, RecursionError) as error:
                raise ValueError(
                    f"the pickle is malformed at byte {self.position}: {type(error).__name__}"
                ) from error
        if len(self.stack) != 1 or self.marked:
            raise ValueError("the pickle does not end in one value")
        return self.stack.pop()

    def take(self, size: int) -> memoryview:
        """Return the next `size` bytes."""
        start, self.position = self.position, self.position + size
        if size < 0 or self.position > self.end:
            raise ValueError(f"the pickle breaks off at byte {start}, or is larger than {MAX_BYTES} bytes")
        return self.content[start : self.position]

    def _step(self, code: bytes) -> None:
        if code in _CONSTANTS:
            self.stack.append(_CONSTANTS[code])
        elif code in _CONTAINERS:
            self.stack.append(_CONTAINERS[code]())
        elif code in _NUMBERS:
            self.stack.append(self._number(_NUMBERS[code]))
        elif code in _TEXTS:
            self.stack.append(str(self.take(self._number(_TEXTS[code])), "utf-8"))
        elif code in _TUPLES:
            self.stack.append(tuple(self._pop(_TUPLES[code])))
        elif code in _GETS:
            self.stack.append(self.memo[self._number(_GETS[code])])
        elif code in _PUTS:
            self.memo[self._number(_PUTS[code])] = self.stack[-1]
        elif code in _OTHERS:
            _OTHERS[code](self)
        else:
            raise ValueError(f"the pickle has the opcode {code!r} at byte {self.position - 1}, "
                             "which no state dict needs")  # fmt: skip

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def _pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise IndexError
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def _to_mark(self) -> list[Any]:
        taken, self.stack = self.stack, self.marked.pop()
        return taken

    def _protocol(self) -> None:
        if (version := self._number("<B")) > _PROTOCOL:
            raise ValueError(f"the pickle is of protocol {version}; up to {_PROTOCOL} is read")

    def _frame(self) -> None:
        self.take(8)  # how much to read ahead

    def _mark(self) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def _tuple(self) -> None:
        items = tuple(self._to_mark())
        self.stack.append(items)

    def _long(self) -> None:
        self.stack.append(int.from_bytes(self.take(self._number("<B")), "little", signed=True))

    def _memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _global(self) -> None:
        self._name(self._line(), self._line())

    def _stack_global(self) -> None:
        self._name(*self._pop(2))

    def _name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise ValueError("the pickle names something by what is no text")
        full = f"{module}.{name}"
        if full not in self.calls:
            raise ValueError(f"the pickle asks for {full[:80]!r}, which no state dict needs; nothing was run")
        self.stack.append(Name(full))

    def _line(self) -> str:
        ahead = bytes(self.content[self.position : self.position + _LONGEST_NAME])
        if b"\n" not in ahead:
            raise ValueError(f"the pickle names something in more than {_LONGEST_NAME} letters")
        return bytes(self.take(ahead.index(b"\n") + 1)[:-1]).decode()

    def _call(self) -> None:
        function, arguments = self._pop(2)
        call = self.calls[function] if type(function) is Name else None
        if call is None or type(arguments) is not tuple:
            raise ValueError("the pickle calls what is no function that a state dict needs; nothing was run")
        try:
            self.stack.append(call(*arguments))
        except TypeError as error:
            raise ValueError(f"the pickle calls '{function}' with wrong arguments") from error

    def _build(self) -> None:
        # torch hangs versions of modules on the dict, which say nothing about the arrays.
        target, attributes = self.stack[-2], self.stack.pop()
        if type(target) is not dict or type(attributes) is not dict:
            raise ValueError("the pickle sets attributes of what is no dict")

    def _identifier(self) -> None:
        self.stack.append(self.persistent(self.stack.pop()))

    def _item(self) -> None:
        self._fill(self._pop(2))

    def _items(self) -> None:
        self._fill(self._to_mark())

    def _fill(self, pairs: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(pairs) % 2:
            raise ValueError("the pickle sets items of what is no dict")
        insert(target, zip(pairs[::2], pairs[1::2]))

    def _append(self) -> None:
        self._extend(self._pop(1))

    def _appends(self) -> None:
        self._extend(self._to_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise ValueError("the pickle appends to what is no list")
        target.extend(items)


def insert(target: dict[Any, Any], pairs: Any) -> None:
    """Put pairs into a dict with text as keys, each once; numbers could be chosen to collide."""
    for key, value in pairs:
        if type(key) is not str:
            raise ValueError(f"the pickle has a {type(key).__name__} as a key, so it is no state dict alone")
        if key in target:
            raise ValueError(f"the pickle has the key {key[:80]!r} twice")
        target[key] = value


_OTHERS: dict[bytes, Callable[[Machine], None]] = {
    b"\x80": Machine._protocol, b"\x95": Machine._frame, b"(": Machine._mark, b"t": Machine._tuple,
    b"\x8a": Machine._long, b"\x94": Machine._memoize, b"c": Machine._global, b"\x93": Machine._stack_global,
    b"R": Machine._call, b"b": Machine._build, b"Q": Machine._identifier, b"s": Machine._item,
    b"u": Machine._items, b"a": Machine._append, b"e": Machine._appends,
}  # fmt: skip
