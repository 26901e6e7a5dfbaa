"""Functions that take arrays and run a Program: by a routine, or through ctypes.

A routine needs to know where an array keeps its data; where `layout` does not know, Programs are
called through ctypes, which takes 1 us and more.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .acts import Pointer, Run
from .endings import Status
from .instruction import Instruction
from .looks import Argument, Arguments, IsOf
from .pool_layout import RECORD_COUNT, RECORD_LIMIT
from .routine import MISSED, Routine
from .threads import pool

Call = Callable[..., int]
PointerCall = Callable[[Sequence[int]], int]

COUNT_MESSAGE = "this program takes {} arrays, got {}"
TYPE_MESSAGE = "argument {} of a program must be exactly a numpy.ndarray, got {!r}"


def run_instruction(record: NDArray[Any]) -> Run:
    """Return the instruction that runs the Program of a record."""
    return Run(record, _word(record, RECORD_LIMIT), ctypes_call(record))


def native_call(record: NDArray[Any]) -> Call:
    """Return a function that takes arrays and runs the Program of a record; it keeps the record."""
    count = _word(record, RECORD_COUNT)
    instructions: list[Instruction] = [Arguments(count)]
    for number in range(count):
        instructions += [Argument(number), IsOf(np.ndarray), Pointer(number)]
    routine = Routine([*instructions, run_instruction(record), Status()]).call()

    def call(*arrays: NDArray[Any]) -> int:
        status: int = routine(*arrays)
        if status is MISSED:  # type: ignore[comparison-overlap]
            _check(arrays, count)
        return status

    return call


def ctypes_call(record: NDArray[Any]) -> Call:
    """Return a function that does the same without knowing how objects are laid out."""
    count = _word(record, RECORD_COUNT)
    call_pointers = pointer_call(record, count)

    def call(*arrays: NDArray[Any]) -> int:
        _check(arrays, count)
        return call_pointers([array.ctypes.data for array in arrays])

    return call


def _word(record: NDArray[Any], offset: int) -> int:
    return int(record[offset // record.itemsize])


def _check(arrays: Sequence[Any], count: int) -> None:
    """Raise TypeError for another number of arguments, and for what is no array."""
    if len(arrays) != count:
        raise TypeError(COUNT_MESSAGE.format(count, len(arrays)))
    for number, array in enumerate(arrays):
        if type(array) is not np.ndarray:
            raise TypeError(TYPE_MESSAGE.format(number, type(array)))


def pointer_call(record: NDArray[Any], count: int) -> PointerCall:
    """Return a function that takes addresses and runs the Program of a record."""
    threads = pool()
    max_threads = _word(record, RECORD_LIMIT)
    prototype = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
    native = prototype(threads.address("jitnet_call"))
    table = ctypes.c_void_p * count

    def call(pointers: Sequence[int]) -> int:
        if len(pointers) != count:
            raise TypeError(COUNT_MESSAGE.format(count, len(pointers)))
        if max_threads > 1:
            threads.start()
        code: int = native(record.ctypes.data, table(*pointers))
        return code

    return call
