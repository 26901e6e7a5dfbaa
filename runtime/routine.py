"""Routines: what one call looks at and does, as instructions that native code carries out.

`looks.py`, `facts.py`, `acts.py` and `endings.py` have the instructions. A routine becomes a
builtin as CPython's own are (METH_FASTCALL), but made by LLVM: a call costs some 50 ns, and 2 ns
for each instruction. Where `layout` does not know how objects are laid out, the instructions are
carried out in Python, which takes 0.3 us for each.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import acts, cpu, looks
from . import endings as endings  # these two are not named here, but must be known
from . import facts as facts
from .cache import compile_cached
from .instruction import FUNCTIONS, LINE_WORDS, Call, Instruction, python_address
from .layout import ARRAY_FUNCTIONS, LAYOUT_KNOWN, address_of, array_function
from .routine_ir import PYTHON_FUNCTIONS, RECORD, entry_text, instructions_text, module_text
from .threads import pool

_METH_FASTCALL = 0x80


class _Missed:
    """What a routine returns for a call that it is not for."""

    def __repr__(self) -> str:
        return "MISSED"


MISSED = _Missed()


class Routine:
    """Instructions, and how to call them.

    The last one ends the call: it is one of endings.py that returns something.
    """

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self.instructions = list(instructions)
        self._sizes = {
            "pointers": _most(instructions, "place"),
            "numbers": sum(isinstance(each, acts.Number) for each in instructions),
            "owned": sum(each.owns for each in instructions),
            "spans": 3 * sum(isinstance(each, looks.Apart) for each in instructions),
            "outputs": _most(instructions, "output"),
        }
        if LAYOUT_KNOWN:
            self._lines = np.zeros((len(self.instructions), LINE_WORDS), np.int64)
            self.replace(0, self.instructions)

    def __str__(self) -> str:
        return "\n".join(map(str, self.instructions))

    def replace(self, first: int, instructions: Sequence[Instruction]) -> None:
        """Put other instructions of the same kinds in the places from `first` on.

        Calls that are under way in other threads carry out either.
        """
        if LAYOUT_KNOWN:
            _native().learn({type(each) for each in instructions})
        for number, instruction in enumerate(instructions, start=first):
            self.instructions[number] = instruction
            if LAYOUT_KNOWN:
                words = [_native().function(type(instruction)), *instruction.words()]
                self._lines[number, : len(words)] = words

    def call(self, first: int = 0) -> Callable[..., Any]:
        """Return a function that carries the instructions out from `first` on.

        It takes the arguments, and returns what the last instruction says, or MISSED.
        """
        if not LAYOUT_KNOWN:
            return lambda *arguments: self._carry_out(first, arguments)
        record = np.zeros(len(RECORD), np.int64).view(_Record)
        record[:] = [address_of(self._lines[first:]), *self._sizes.values()]
        record.keeps = self
        return _native().bind(record)

    def _carry_out(self, first: int, arguments: tuple[Any, ...]) -> Any:
        """Do in Python what native code does."""
        call = Call(arguments, self._sizes["outputs"])
        for instruction in self.instructions[first:]:
            if not instruction.do(call):
                return MISSED
            if call.is_done:
                return call.result
        raise AssertionError("the last instruction of a routine ends the call")


class _Record(np.ndarray[Any, np.dtype[np.int64]]):
    """What native code must know of a routine: see RECORD."""

    keeps: Routine


def _most(instructions: Sequence[Instruction], operand: str) -> int:
    """Return how many places there must be for what this operand numbers."""
    numbers = [getattr(each, operand) for each in instructions if operand in each.operands]
    return max((number + 1 for number in numbers), default=0)


class _MethodDefinition(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


class _Native:
    """The native code of routines, and everything that it refers to by address."""

    def __init__(self) -> None:
        threads = pool()
        self._start = threads.start  # a bound method is a new object each time: keep this one
        self._imports = {
            **{name: python_address(name) for name in PYTHON_FUNCTIONS},
            **{name: array_function(place) for name, place in ARRAY_FUNCTIONS.items()},
            "jitnet_control": threads.control_address,
            "jitnet_call": threads.address("jitnet_call"),
            "jitnet_start": id(self._start),
            "jitnet_missed": id(MISSED),
            "jitnet_ndarray": id(np.ndarray),
            "jitnet_none": id(None),
            "jitnet_true": id(True),
            "jitnet_false": id(False),
        }
        self._modules: list[cpu.NativeModule] = []
        self._functions: dict[type[Instruction], int] = {}
        new = ctypes.pythonapi.PyCFunction_NewEx
        new.argtypes = (ctypes.POINTER(_MethodDefinition), ctypes.py_object, ctypes.c_void_p)
        new.restype = ctypes.py_object
        self._new = new

    def learn(self, kinds: Collection[type[Instruction]]) -> None:
        """Compile the functions of those instructions that no routine had before.

        A program has half of all kinds, which LLVM compiles in 4 ms less.
        """
        with cpu.llvm_lock:  # it is nobody's while a process is copied
            unknown = [kind for kind in FUNCTIONS if kind in kinds and kind not in self._functions]
            if not unknown:
                return
            parts = [instructions_text(unknown)]
            if not self._modules:
                parts.append(entry_text(8 * LINE_WORDS))
            target = cpu.host_target()
            text = module_text(target.triple, parts)
            object_code, _ = compile_cached(text, target, cpu.FAST_COMPILE)
            module = cpu.load(object_code, self._imports)
            table = ctypes.c_int64 * len(unknown)
            functions = table.from_address(module.address("jitnet_instructions"))
            self._functions.update(zip(unknown, functions, strict=True))
            self._modules.append(module)

    @cached_property
    def _definition(self) -> _MethodDefinition:
        entry = self._modules[0].address("jitnet_routine")
        return _MethodDefinition(b"call", entry, _METH_FASTCALL, b"Run a routine.")

    def function(self, kind: type[Instruction]) -> int:
        """Return the address of an instruction's function."""
        return self._functions[kind]

    def bind(self, record: NDArray[Any]) -> Callable[..., Any]:
        """Return a builtin that carries out the routine of a record; it keeps the record."""
        call: Callable[..., Any] = self._new(ctypes.byref(self._definition), record, None)
        return call


@cache
def _native() -> _Native:
    return _Native()
