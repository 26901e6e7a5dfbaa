"""Instructions that look at anything but the call's arguments: is it what it was?

Objects are compared by identity. None of the instructions changes anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .instruction import ABSENT, Call, Instruction, python_address, shown


class Entry(Instruction):
    """A dict has this very object under a key; ABSENT: none."""

    mapping: dict[Any, Any]
    key: Any
    expected: Any
    ir = """
  %found = call ptr @PyDict_GetItem(ptr %mapping, ptr %key)
  %same = icmp eq ptr %found, %expected
  br i1 %same, label %go, label %miss
"""

    def do(self, call: Call) -> bool:
        return self.mapping.get(self.key, ABSENT) is self.expected


class EntryOr(Instruction):
    """A dict has this very object under a key, or else a function of Python's says yes."""

    mapping: dict[Any, Any]
    key: Any
    expected: Any
    probe: Callable[[], bool]
    ir = """
  %found = call ptr @PyDict_GetItem(ptr %mapping, ptr %key)
  %same = icmp eq ptr %found, %expected
  br i1 %same, label %go, label %ask
ask:
  %answer = call ptr @PyObject_CallNoArgs(ptr %probe)
  %code = call i64 @verdict(ptr %answer)
  ret i64 %code
"""

    def do(self, call: Call) -> bool:
        return self.mapping.get(self.key, ABSENT) is self.expected or self.probe()


class Size(Instruction):
    """A container has so many entries."""

    container: Any
    count: int
    ir = """
  %size = call i64 @PyObject_Size(ptr %container)
  %same = icmp eq i64 %size, %count
  br i1 %same, label %go, label %other
other:
  %failed = icmp slt i64 %size, 0
  br i1 %failed, label %fail, label %miss
"""

    def do(self, call: Call) -> bool:
        return len(self.container) == self.count


class Elements(Instruction):
    """A list has these very elements."""

    sequence: list[Any]
    addresses: NDArray[np.int64]
    count: int
    expected: list[Any]  # whose addresses these are
    ir = """
  %size = call i64 @PyList_Size(ptr %sequence)
  %same_size = icmp eq i64 %size, %count
  br i1 %same_size, label %next, label %miss
next:
  %number = phi i64 [0, %entry], [%following, %look]
  %more = icmp slt i64 %number, %count
  br i1 %more, label %look, label %go
look:
  %element = call ptr @PyList_GetItem(ptr %sequence, i64 %number)
  %wanted_at = getelementptr ptr, ptr %addresses, i64 %number
  %wanted = load ptr, ptr %wanted_at
  %same = icmp eq ptr %element, %wanted
  %following = add i64 %number, 1
  br i1 %same, label %next, label %miss
"""

    def do(self, call: Call) -> bool:
        pairs = zip(self.sequence, self.expected, strict=False)
        return len(self.sequence) == self.count and all(a is b for a, b in pairs)


class Contents(Instruction):
    """A closure's cell holds this very object; ABSENT: none."""

    cell: Any
    expected: Any
    ir = """
  %found = call ptr @PyCell_Get(ptr %cell)
  %same = icmp eq ptr %found, %expected
  %empty = icmp eq ptr %found, null
  br i1 %empty, label %judge, label %release
release:
  call void @Py_DecRef(ptr %found)
  br label %judge
judge:
  br i1 %same, label %go, label %miss
"""

    def do(self, call: Call) -> bool:
        try:
            return self.cell.cell_contents is self.expected
        except ValueError:
            return self.expected is ABSENT


_GETTERS = {
    "__code__": "PyFunction_GetCode",
    "__defaults__": "PyFunction_GetDefaults",
    "__kwdefaults__": "PyFunction_GetKwDefaults",
}


class Part(Instruction):
    """A function has this very code, or these defaults; None where it has no defaults."""

    function: Callable[..., Any]
    attribute: str  # one of _GETTERS
    getter: int
    expected: Any
    ir = """
  %get = inttoptr i64 %getter to ptr
  %found = call ptr %get(ptr %function)
  %empty = icmp eq ptr %found, null
  %part = select i1 %empty, ptr @jitnet_none, ptr %found
  %same = icmp eq ptr %part, %expected
  br i1 %same, label %go, label %miss
"""

    def __repr__(self) -> str:
        return f"Part({self.function.__qualname__}, {self.attribute!r}, {shown(self.expected)})"

    @staticmethod
    def of(function: Callable[..., Any], attribute: str, expected: Any) -> Part:
        """Return the instruction with the function of CPython's that reads the attribute."""
        return Part(function, attribute, python_address(_GETTERS[attribute]), expected)

    def do(self, call: Call) -> bool:
        return getattr(self.function, self.attribute) is self.expected


class Attribute(Instruction):
    """An object has this very attribute."""

    owner: Any
    name: str
    expected: Any
    ir = """
  %found = call ptr @PyObject_GetAttr(ptr %owner, ptr %name)
  %failed = icmp eq ptr %found, null
  br i1 %failed, label %fail, label %compare
compare:
  %same = icmp eq ptr %found, %expected
  call void @Py_DecRef(ptr %found)
  br i1 %same, label %go, label %miss
"""

    def do(self, call: Call) -> bool:
        return getattr(self.owner, self.name) is self.expected


class Holds(Instruction):
    """A function of Python's says yes."""

    probe: Callable[[], bool]
    ir = """
  %answer = call ptr @PyObject_CallNoArgs(ptr %probe)
  %code = call i64 @verdict(ptr %answer)
  ret i64 %code
"""

    def do(self, call: Call) -> bool:
        return self.probe()
