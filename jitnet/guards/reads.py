"""What a piece of Python code can read and write: the names in its bytecode.

Code cannot read an attribute, a global or a dict key that it does not name. So the names that
occur in the code that ran while tracing bound what compiled code may depend on.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

_GLOBAL_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_GLOBAL_STORES = frozenset({"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_NAME", "DELETE_NAME"})
_FORMATS = ("FORMAT_", "BUILD_STRING")
_ATTRIBUTE_STORES = frozenset({"STORE_ATTR", "DELETE_ATTR"})


@dataclass(frozen=True)
class Reads:
    """The names of a code object, each with the line that first uses it.

    globals: read as global names.  attributes: read as attributes, or written as string constants
    (keys, getattr).  stored: names that it assigns, globals, cells and attributes.
    """

    globals: dict[str, str]
    attributes: dict[str, str]
    stored: dict[str, str]
    modules: tuple[str, ...]  # imported inside the function
    any_attribute: bool  # whether it may use attributes by computed names


@lru_cache(maxsize=None)
def reads_of(code: CodeType) -> Reads:
    """Return the names that a code object uses (those of functions defined in it not included)."""
    globals_: dict[str, str] = {}
    attributes: dict[str, str] = {}
    stored: dict[str, str] = {}
    modules: list[str] = []
    formats = False
    for instruction, line in _instructions(code):
        name = instruction.argval
        formats |= instruction.opname.startswith(_FORMATS)
        if instruction.opcode in dis.hasname:
            if instruction.opname == "IMPORT_NAME":
                modules.append(name)
            elif instruction.opname in _GLOBAL_LOADS:
                globals_.setdefault(name, line)
            elif instruction.opname in _GLOBAL_STORES | _ATTRIBUTE_STORES:
                stored.setdefault(name, line)
            else:
                attributes.setdefault(name, line)
        elif instruction.opname == "STORE_DEREF":
            stored.setdefault(name, line)
        elif instruction.opcode in dis.hasconst:
            for text in _words(name):
                attributes.setdefault(text, line)
    computed = "getattr" in globals_ and formats
    any_attribute = computed or "vars" in globals_ or "__dict__" in attributes
    return Reads(globals_, attributes, stored, tuple(modules), any_attribute)


def _instructions(code: CodeType) -> Iterator[tuple[dis.Instruction, str]]:
    """Yield each instruction with its place, "model.py:31"."""
    starts = dict(_line_starts(code))
    line = code.co_firstlineno
    file = Path(code.co_filename).name
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset, line)
        yield instruction, f"{file}:{line}"


def _line_starts(code: CodeType) -> Iterator[tuple[int, int]]:
    for offset, line in dis.findlinestarts(code):
        if line is not None:
            yield offset, line


def _words(constant: Any) -> Iterator[str]:
    """Yield the strings of a constant that could name something."""
    if isinstance(constant, str):
        if constant.isidentifier():
            yield constant
    elif isinstance(constant, (tuple, frozenset)):
        for item in constant:
            yield from _words(item)
