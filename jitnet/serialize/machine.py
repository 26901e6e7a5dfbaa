"""A reader of pickles that can make nothing but what it is given: no import, no call of Python's.

Pickle is a small language for a stack machine. Each instruction that plain data needs is a short
function here; all others do not exist. A name in the file is looked up in a closed table, what is
called is that table's, and only what the table gives a `build` can be filled afterwards.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jitnet.runtime.dtype import DType

from .errors import CheckpointError

_KEYS = (str, int, float, bool, bytes, type(None), DType)
_MISSING = object()


@dataclass(frozen=True)
class Maker:
    """What a name in a pickle stands for, when it is called: our own function."""

    name: str
    make: Callable[..., Any]


@dataclass(frozen=True)
class Vocabulary:
    """All that a pickle may speak of."""

    names: Mapping[str, Any]  # "module.name" -> a Maker, or the value itself
    persistent: Callable[[Any], Any]  # what a persistent id stands for
    build: Callable[[Any, Any], None]  # fill an object with its state, or refuse
    refuse: Callable[[str], CheckpointError]  # the error for a name that is not there


def read_pickle(data: bytes, vocabulary: Vocabulary) -> Any:
    """Return the object that a pickle describes; CheckpointError for one that is not plain."""
    (value,), _ = read_pickles(data, [vocabulary])
    return value


def read_pickles(data: bytes, vocabularies: Sequence[Vocabulary]) -> tuple[list[Any], int]:
    """Return the objects of pickles that stand one behind the other, and where they end."""
    values: list[Any] = []
    position = 0
    for vocabulary in vocabularies:
        machine = _Machine(data, vocabulary, position)
        values.append(machine.run())
        position = machine.position
    return values, position


class _Machine:
    """The stack, the marks in it, the memo, and the place in the data."""

    def __init__(self, data: bytes, vocabulary: Vocabulary, position: int) -> None:
        self.data = data
        self.position = position
        self.vocabulary = vocabulary
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks below each mark
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        while True:
            code = self.take(1)[0]
            if code == _STOP:
                break
            step = _STEPS.get(code)
            if step is None:
                raise CheckpointError(f"pickle instruction {bytes([code])!r} is not for plain data")
            step(self)
        if len(self.stack) != 1 or self.below:
            raise CheckpointError("the pickle ends with no result, or is damaged")
        return _value(self.pop())

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise CheckpointError("the pickle is cut off")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def number(self, format: str) -> Any:
        return struct.unpack("<" + format, self.take(struct.calcsize("<" + format)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise CheckpointError("the pickle is cut off")
        text = _text(self.take(end - self.position))
        self.position = end + 1
        return text

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise CheckpointError("the pickle takes more from its stack than is there")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise CheckpointError(f"the pickle fills a {kind.__name__} where there is none")
        return self.stack[-1]

    def marked(self) -> list[Any]:
        """Return what lies above the last mark, taken off."""
        if not self.below:
            raise CheckpointError("the pickle goes back to a mark that it did not set")
        items, self.stack = self.stack, self.below.pop()
        return items

    def name(self, module: str, name: str) -> None:
        full = f"{_RENAMED.get(module, module)}.{name}"
        found = self.vocabulary.names.get(full, _MISSING)
        if found is _MISSING:
            raise self.vocabulary.refuse(full)
        self.push(found)

    def call(self) -> None:
        args, maker = self.pop(), self.pop()
        if type(maker) is not Maker or type(args) is not tuple:
            raise CheckpointError("the pickle calls what is no function")
        self.push(_guarded(maker.name, maker.make, *args))

    def remember(self, index: int) -> None:
        if not self.stack:
            raise CheckpointError("the pickle remembers what is not there")
        self.memo[index] = self.stack[-1]

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise CheckpointError(f"the pickle recalls {index}, which it did not remember")
        self.push(self.memo[index])

    def fill(self, pairs: list[Any]) -> None:
        """Put keys and values into the dict on top."""
        held = self.top(dict)
        if len(pairs) % 2:
            raise CheckpointError("the pickle has a key without a value")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            held[checked_key(key)] = _value(value)


def _guarded(what: str, function: Callable[..., Any], *args: Any) -> Any:
    """Return what a function makes of a file's values; CheckpointError where it cannot."""
    try:
        return function(*args)
    except CheckpointError:
        raise
    except (TypeError, ValueError, LookupError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"{what} was given wrong arguments: {error}") from error


def checked_key(key: Any) -> Any:
    """Return a key of a dict or a member of a set: plain, or a tuple of plain values.

    Hashing a tuple inside a tuple, and so on, would use up the processor's stack.
    """
    parts = key if type(key) is tuple else (key,)
    if all(isinstance(part, _KEYS) for part in parts):
        return key
    raise CheckpointError(f"a key must be a plain value, got a {type(key).__name__}")


def _value(value: Any) -> Any:
    """Return a value of a container; functions are none."""
    if type(value) is Maker:
        raise CheckpointError(f"the file holds the function or class {value.name} as a value")
    return value


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"the pickle has damaged text: {error}") from error


def _append(m: _Machine, items: list[Any]) -> None:
    m.top(list).extend(_value(item) for item in items)


def _tuple(m: _Machine, count: int) -> None:
    items = [m.pop() for _ in range(count)]
    m.push(tuple(items[::-1]))


def _mark(m: _Machine) -> None:
    m.below.append(m.stack)
    m.stack = []


def _discard_mark(m: _Machine) -> None:
    m.marked()


def _build(m: _Machine) -> None:
    state = m.pop()
    held = m.stack[-1] if m.stack else None
    _guarded("an object", m.vocabulary.build, held, state)


def _stack_name(m: _Machine) -> None:
    name, module = m.pop(), m.pop()
    if type(name) is not str or type(module) is not str:
        raise CheckpointError("the pickle has a name that is no text")
    m.name(module, name)


def _set_item(m: _Machine) -> None:
    value, key = m.pop(), m.pop()
    m.fill([key, value])


def _set(m: _Machine) -> None:
    items = m.marked()
    m.top(set).update([checked_key(item) for item in items])


_STOP = ord(".")
_STEPS: dict[int, Callable[[_Machine], None]] = {
    0x80: lambda m: m.number("B"),  # protocol
    0x95: lambda m: m.number("Q"),  # frame: how much to read at once
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("K"): lambda m: m.push(m.number("B")),
    ord("M"): lambda m: m.push(m.number("H")),
    ord("J"): lambda m: m.push(m.number("i")),
    0x8A: lambda m: m.push(int.from_bytes(m.take(m.number("B")), "little", signed=True)),
    0x8B: lambda m: m.push(int.from_bytes(m.take(m.number("I")), "little", signed=True)),
    ord("G"): lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    ord("X"): lambda m: m.push(_text(m.take(m.number("I")))),
    0x8C: lambda m: m.push(_text(m.take(m.number("B")))),
    0x8D: lambda m: m.push(_text(m.take(m.number("Q")))),
    ord("U"): lambda m: m.push(m.take(m.number("B")).decode("latin-1")),
    ord("T"): lambda m: m.push(m.take(m.number("I")).decode("latin-1")),
    ord("C"): lambda m: m.push(m.take(m.number("B"))),
    ord("B"): lambda m: m.push(m.take(m.number("I"))),
    0x8E: lambda m: m.push(m.take(m.number("Q"))),
    0x96: lambda m: m.push(bytearray(m.take(m.number("Q")))),
    ord("]"): lambda m: m.push([]),
    ord("}"): lambda m: m.push({}),
    0x8F: lambda m: m.push(set()),
    ord(")"): lambda m: m.push(()),
    0x85: lambda m: _tuple(m, 1),
    0x86: lambda m: _tuple(m, 2),
    0x87: lambda m: _tuple(m, 3),
    ord("t"): lambda m: m.push(tuple(m.marked())),
    ord("("): _mark,
    ord("0"): lambda m: m.pop(),
    ord("1"): _discard_mark,
    ord("a"): lambda m: _append(m, [m.pop()]),
    ord("e"): lambda m: _append(m, m.marked()),
    ord("s"): _set_item,
    ord("u"): lambda m: m.fill(m.marked()),
    0x90: _set,
    0x91: lambda m: m.push(frozenset([checked_key(item) for item in m.marked()])),
    ord("q"): lambda m: m.remember(m.number("B")),
    ord("r"): lambda m: m.remember(m.number("I")),
    0x94: lambda m: m.remember(len(m.memo)),
    ord("h"): lambda m: m.recall(m.number("B")),
    ord("j"): lambda m: m.recall(m.number("I")),
    ord("c"): lambda m: m.name(m.line(), m.line()),
    0x93: _stack_name,
    ord("R"): lambda m: m.call(),
    0x81: lambda m: m.call(),  # a new object of a class: the table's function all the same
    ord("b"): _build,
    ord("Q"): lambda m: m.push(_guarded("a storage", m.vocabulary.persistent, m.pop())),
}
_RENAMED = {"__builtin__": "builtins", "numpy.core.multiarray": "numpy._core.multiarray"}
