"""A writer of pickles: plain values and containers, and calls of functions that it only names."""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Name:
    """A function, class or constant of the reader's."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """What a function of the reader's returns, filled with a state if there is one."""

    function: Name
    args: tuple[Any, ...] = ()
    state: Any = None


@dataclass(frozen=True)
class Persistent:
    """What the reader finds outside of the pickle, by these words."""

    words: tuple[Any, ...]


def write_pickle(value: Any, describe: Callable[[Any, str], Any]) -> bytes:
    """Return a pickle of protocol 2.

    describe: what any other value is, as a Name, a Call or a container; given its place, for the
    TypeError about what cannot be saved.
    """
    writer = _Writer(describe)
    writer.write(value, "", ())
    return bytes(writer.out) + b"."


class _Writer:
    """Appends instructions; what was written before is recalled by its number."""

    def __init__(self, describe: Callable[[Any, str], Any]) -> None:
        self.out = bytearray(b"\x80\x02")
        self._describe = describe
        self._memo: dict[Any, int] = {}  # an object's id, a text or a name -> its number
        self._kept: list[Any] = []  # so that no id is used twice

    def write(self, value: Any, path: str, above: tuple[int, ...]) -> None:
        """Write one value, which stands at `path`, inside of what has the ids `above`."""
        if id(value) in above:
            raise ValueError(f"cannot save {path or 'it'}: it contains itself")
        if self._recalled(id(value)):
            return
        match value:
            case None:
                self.out += b"N"
            case bool():
                self.out += b"\x88" if value else b"\x89"
            case int():
                self._int(value)
            case float():
                self.out += b"G" + struct.pack(">d", value)
            case str():
                self._text(str(value))
            case Name():
                self._name(value)
            case Call():
                self._call(value, path, above)
            case Persistent():
                self._tuple(value.words, path, above)
                self.out += b"Q"
            case dict():
                self._dict(value, path, (*above, id(value)))
            case _ if type(value) is tuple:
                self._tuple(value, path, (*above, id(value)))
            case _ if type(value) is list:
                self._list(value, path, (*above, id(value)))
            case _:
                self.write(self._describe(value, path), path, (*above, id(value)))
                self._remember(value, id(value))

    def _int(self, value: int) -> None:
        if -(2**31) <= value < 2**31:
            self.out += b"J" + struct.pack("<i", value)
            return
        raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        if len(raw) > 255:
            raise ValueError(f"cannot save a whole number of {len(raw)} bytes")
        self.out += b"\x8a" + bytes([len(raw)]) + raw

    def _text(self, text: str) -> None:
        if not self._recalled(text):
            raw = text.encode("utf-8", "surrogatepass")
            self.out += b"X" + struct.pack("<I", len(raw)) + raw
            self._remember(text, text)

    def _name(self, name: Name) -> None:
        if not self._recalled(name):
            self.out += f"c{name.module}\n{name.name}\n".encode()
            self._remember(name, name)

    def _call(self, call: Call, path: str, above: tuple[int, ...]) -> None:
        self._name(call.function)
        self._tuple(call.args, path, above)
        self.out += b"R"
        if call.state is not None:
            self.write(call.state, path, above)
            self.out += b"b"

    def _tuple(self, items: tuple[Any, ...], path: str, above: tuple[int, ...]) -> None:
        self.out += b"("
        for position, item in enumerate(items):
            self.write(item, _below(path, position), above)
        self.out += b"t"

    def _list(self, items: list[Any], path: str, above: tuple[int, ...]) -> None:
        self.out += b"]"
        self._remember(items, id(items))
        self.out += b"("
        for position, item in enumerate(items):
            self.write(item, _below(path, position), above)
        self.out += b"e"

    def _dict(self, held: dict[Any, Any], path: str, above: tuple[int, ...]) -> None:
        ordered = isinstance(held, OrderedDict)
        if ordered:
            self._call(Call(Name("collections", "OrderedDict")), path, above)
        else:
            self.out += b"}"
        self._remember(held, id(held))
        self.out += b"("
        for key, item in held.items():
            _check_key(key, path)
            self.write(key, path, above)
            self.write(item, _below(path, key), above)
        self.out += b"u"
        if ordered and hasattr(held, "_metadata"):  # PyTorch's versions of a model's modules
            self.write({"_metadata": held._metadata}, path, above)
            self.out += b"b"

    def _remember(self, value: Any, key: Any) -> None:
        """Number what was written last."""
        number = len(self._kept)
        self._memo[key] = number
        self._kept.append(value)
        self.out += b"r" + struct.pack("<I", number)

    def _recalled(self, key: Any) -> bool:
        """Write the value again that was numbered, and say whether there is one."""
        number = self._memo.get(key)
        if number is not None:
            self.out += b"j" + struct.pack("<I", number)
        return number is not None


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _check_key(key: Any, path: str) -> None:
    parts = key if type(key) is tuple else (key,)
    if not all(isinstance(part, bool | int | float | str | bytes | None) for part in parts):
        raise TypeError(
            f"cannot save {path or 'the dict'}: its keys must be plain values, "
            f"got a {type(key).__name__}"
        )
