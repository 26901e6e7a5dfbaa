"""What an instruction of a routine is: its operands, its native code, and what it does in Python.

A routine (routine.py) is a list of instructions that one call carries out, one after another, with
a current object that some set and others look at. Each is one class with both its forms: `ir`, the
body of a native function, and `do`, the same in Python for interpreters whose objects are laid out
in a way that is not known.
"""

from __future__ import annotations

import ctypes
import re
from string import Template
from typing import Any, ClassVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from . import layout
from .layout import address_of

# Fields of the state of a native call: an i64 or a pointer each. The current object comes first.
STATE = (
    "current",
    "arguments",  # ptr to ptr: the caller's
    "given",  # i64: how many these are
    "pointers",  # ptr to ptr: one for each argument of the program
    "numbers",  # ptr to double: memory that pointers may lead to
    "owned",  # ptr to ptr: objects to let go of at the end
    "used",  # i64: how many these are
    "spans",  # ptr to [3 x i64]: the arguments so far: whose memory, from where to where
    "outputs",  # ptr to ptr: what the call has made, or null
    "status",  # of the program
    "result",  # ptr: what the call returns
)
_COUNTS = frozenset({"given", "used", "status"})

# What an instruction's native function returns.
ANSWERS = {"go": 0, "miss": 1, "fail": 2, "done": 3}

LINE_WORDS = 8  # of an instruction in memory: its function, then its operands
FUNCTIONS: list[type[Instruction]] = []  # every kind of instruction


class Place(int):
    """Where objects of a class keep an attribute: the offset, and the attribute's name."""

    name: str

    def __new__(cls, offset: int, name: str) -> Place:
        """Return a place; the offset matters to native code only."""
        made = int.__new__(cls, offset)
        made.name = name
        return made


class Call:
    """The state of a call that is carried out in Python."""

    def __init__(self, arguments: tuple[Any, ...], outputs: int) -> None:
        self.arguments = arguments
        self.current: Any = None
        self.arrays: dict[int, NDArray[Any]] = {}  # the program's arguments
        self.spans: list[tuple[Any, int, int]] = []
        self.outputs: list[Any] = [None] * outputs
        self.status = 0
        self.result: Any = None
        self.is_done = False


@dataclass_transform()
class Instruction:
    """One thing that a call looks at or does. The annotated names of a class are its operands.

    `ir` names operands, and fields of the state, as values: an operand annotated int is an i64; an
    NDArray, or the `table` of what has one, is the address of its first element; any other object
    is its own address. It ends at one of the
    labels go, miss, fail and done: the next instruction, the call is not one that the routine is
    for, an exception is set, the state's result is.
    """

    ir: ClassVar[str]
    owns: ClassVar[int] = 0  # references that it adds to the state's
    operands: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls) -> None:
        kinds = cls.__annotations__.items()
        cls.operands = {name: kind for name, kind in kinds if not kind.startswith("ClassVar")}
        assert len(cls.operands) < LINE_WORDS and cls.operands.keys().isdisjoint(STATE)
        FUNCTIONS.append(cls)

    def __init__(self, *values: Any) -> None:
        for name, value in zip(self.operands, values, strict=True):
            setattr(self, name, value)

    def words(self) -> list[int]:
        """Return the operands as native code gets them; they must live as long as it may run."""
        return [_word(getattr(self, name), kind) for name, kind in self.operands.items()]

    def do(self, call: Call) -> bool:
        """Carry it out in Python; False for a miss."""
        raise NotImplementedError

    def __repr__(self) -> str:
        operands = [shown(getattr(self, name)) for name in self.operands]
        return f"{type(self).__name__}({', '.join(operands)})"


_NUMBERS = ("int", "Place")
_TABLES = ("Holder", "IsArray", "Pattern", "Rooms", "Writes")


def _word(value: Any, annotation: str) -> int:
    """Return an operand as native code gets it."""
    if annotation in _NUMBERS:
        return int(value)
    if annotation in _TABLES:
        return address_of(value.table)
    if annotation.startswith("NDArray"):
        return address_of(value)
    return 0 if value is ABSENT else id(value)


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()  # an operand that is no object: a null pointer


def shown(value: Any) -> str:
    """Return an operand in few characters."""
    if isinstance(value, Place):
        return value.name
    if type(value) is np.ndarray and len(value) <= 16:
        return str(value.tolist())
    if isinstance(value, (dict, list, np.ndarray)):
        return f"<{type(value).__name__} of {len(value)}>"
    text = getattr(value, "__qualname__", None) or repr(value).partition("\n")[0]
    return text if len(text) <= 60 else f"{text[:57]}..."


def python_address(name: str) -> int:
    """Return where a function of CPython's lies in this process."""
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert address is not None
    return address


# -- native code --------------------------------------------------------------------------------

_LAYOUT = {
    "TYPE": layout.TYPE_OFFSET,
    "DATA": layout.DATA_OFFSET,
    "REFERENCES": layout.REFERENCES_OFFSET,
    "RANK": layout.RANK_OFFSET,
    "SHAPE": layout.SHAPE_OFFSET,
    "STRIDES": layout.STRIDES_OFFSET,
    "DTYPE": layout.DTYPE_OFFSET,
    "FLAGS": layout.FLAGS_OFFSET,
    "WRITEABLE": layout.WRITEABLE,
    "PACKED": layout.PACKED,
    **{name.upper(): 8 * number for number, name in enumerate(STATE)},
}


def with_layout(text: str, **more: int) -> str:
    """Fill the offsets of objects' and the state's fields into IR text that names them."""
    return Template(text).substitute(_LAYOUT, **more)


def function_name(kind: type[Instruction]) -> str:
    """Return the symbol of an instruction's native function."""
    return f"jitnet_{kind.__name__}"


def function_text(kind: type[Instruction], offsets: dict[str, int]) -> str:
    """Return an instruction's native function: what its body names is loaded first."""
    lines = [f"define internal i64 @{function_name(kind)}(ptr %call, ptr %line) nounwind {{"]
    lines.append("entry:")
    named = frozenset(re.findall(r"%(\w+)", kind.ir))
    for number, name in enumerate(STATE):
        if name in named:
            lines += _load(name, "call", 8 * number, "i64" if name in _COUNTS else "ptr")
    for number, (name, annotation) in enumerate(kind.operands.items(), start=1):
        if name in named:
            type_ = "i64" if annotation in _NUMBERS else "ptr"
            lines += _load(name, "line", 8 * number, type_)
    lines.append(with_layout(kind.ir.strip("\n"), **offsets))
    for label, answer in ANSWERS.items():
        if f"label %{label}" in kind.ir:
            lines += [f"{label}:", f"  ret i64 {answer}"]
    return "\n".join([*lines, "}"])


def _load(name: str, start: str, offset: int, type_: str) -> list[str]:
    return [
        f"  %{name}_place = getelementptr i8, ptr %{start}, i64 {offset}",
        f"  %{name} = load {type_}, ptr %{name}_place",
    ]
