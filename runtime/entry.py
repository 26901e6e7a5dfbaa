"""The native function that Python calls to run a Program: it reads arrays' pointers by itself.

It is a builtin as CPython's own are (METH_FASTCALL), but made by LLVM: a call costs 0.1 us where
ctypes takes 1 us and more. It needs to know where an array keeps its data; where `layout` does not
know, Programs are called through ctypes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import cpu
from .cache import compile_cached
from .layout import DATA_OFFSET, TYPE_OFFSET
from .pool_ir import RECORD_LIMIT, with_offsets
from .threads import pool

Call = Callable[..., int]
PointerCall = Callable[[Sequence[int]], int]

COUNT_MESSAGE = "this program takes %zd arrays, got %zd"
TYPE_MESSAGE = "argument %zd of a program must be exactly a numpy.ndarray, got %R"

_METH_FASTCALL = 0x80

_DECLARATIONS = """
@jitnet_control = external global i8
@jitnet_ndarray = external global i8
@jitnet_start = external global i8
@PyExc_TypeError = external global ptr
declare i64 @jitnet_call(ptr, ptr)
declare i64 @llvm.smin.i64(i64, i64)
declare ptr @PyErr_Format(ptr, ptr, ...)
declare ptr @PyObject_CallNoArgs(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyLong_FromLongLong(i64)
"""

# `self` is an array too: the record of what to call (see program.py).
_ENTRY = """
define ptr @jitnet_entry(ptr %self, ptr %arguments, i64 %given) nounwind {
entry:
  %record_at = getelementptr i8, ptr %self, i64 $DATA_OFFSET
  %record = load ptr, ptr %record_at
  %count_at = getelementptr i8, ptr %record, i64 $RECORD_COUNT
  %count = load i64, ptr %count_at
  %pointers = alloca ptr, i64 %count
  %right_count = icmp eq i64 %given, %count
  br i1 %right_count, label %check, label %wrong_count
check:
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %read, label %ready
read:
  %number = phi i64 [0, %check], [%number_next, %store]
  %argument_at = getelementptr ptr, ptr %arguments, i64 %number
  %argument = load ptr, ptr %argument_at
  %type_at = getelementptr i8, ptr %argument, i64 $TYPE_OFFSET
  %type = load ptr, ptr %type_at
  %right_type = icmp eq ptr %type, @jitnet_ndarray
  br i1 %right_type, label %store, label %wrong_type
store:
  %data_at = getelementptr i8, ptr %argument, i64 $DATA_OFFSET
  %data = load ptr, ptr %data_at
  %pointer_at = getelementptr ptr, ptr %pointers, i64 %number
  store ptr %data, ptr %pointer_at
  %number_next = add i64 %number, 1
  %more = icmp slt i64 %number_next, %count
  br i1 %more, label %read, label %ready
ready:
  %limit_at = getelementptr i8, ptr %record, i64 $RECORD_LIMIT
  %threads_at = getelementptr i8, ptr @jitnet_control, i64 $THREADS
  %workers_at = getelementptr i8, ptr @jitnet_control, i64 $WORKERS
  %limit = load i64, ptr %limit_at
  %allowed = load i64, ptr %threads_at
  %workers = load i64, ptr %workers_at
  %wanted = call i64 @llvm.smin.i64(i64 %limit, i64 %allowed)
  %missing = add i64 %workers, 1
  %lacking = icmp slt i64 %missing, %wanted
  br i1 %lacking, label %start, label %run
start:
  %started = call ptr @PyObject_CallNoArgs(ptr @jitnet_start)
  %failed = icmp eq ptr %started, null
  br i1 %failed, label %error, label %release
release:
  call void @Py_DecRef(ptr %started)
  br label %run
run:
  %python = call ptr @PyEval_SaveThread()
  %code = call i64 @jitnet_call(ptr %record, ptr %pointers)
  call void @PyEval_RestoreThread(ptr %python)
  %result = call ptr @PyLong_FromLongLong(i64 %code)
  ret ptr %result
wrong_count:
  %error_1 = load ptr, ptr @PyExc_TypeError
  call ptr (ptr, ptr, ...) @PyErr_Format(ptr %error_1, ptr @count_message, i64 %count, i64 %given)
  ret ptr null
wrong_type:
  %error_2 = load ptr, ptr @PyExc_TypeError
  call ptr (ptr, ptr, ...) @PyErr_Format(ptr %error_2, ptr @type_message, i64 %number, ptr %type)
  ret ptr null
error:
  ret ptr null
}
"""

_PYTHON_FUNCTIONS = (
    "PyErr_Format",
    "PyObject_CallNoArgs",
    "Py_DecRef",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyLong_FromLongLong",
)


class _MethodDefinition(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


def entry_text(triple: str) -> str:
    """Return the entry's IR text."""
    messages = [
        _string("count_message", COUNT_MESSAGE),
        _string("type_message", TYPE_MESSAGE),
    ]
    body = _ENTRY.replace("$DATA_OFFSET", str(DATA_OFFSET))
    body = with_offsets(body.replace("$TYPE_OFFSET", str(TYPE_OFFSET)))
    return "\n".join([f'target triple = "{triple}"', *messages, _DECLARATIONS, body])


def _string(name: str, text: str) -> str:
    data = text.encode() + b"\0"
    body = "".join(f"\\{byte:02X}" for byte in data)
    return f'@{name} = private unnamed_addr constant [{len(data)} x i8] c"{body}"'


def _imports() -> dict[str, int]:
    """Return where the entry's symbols lie in this process."""
    found = {}
    for name in _PYTHON_FUNCTIONS:
        address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
        assert address is not None
        found[name] = address
    type_error = ctypes.c_void_p.in_dll(ctypes.pythonapi, "PyExc_TypeError")
    found["PyExc_TypeError"] = ctypes.addressof(type_error)
    found["jitnet_ndarray"] = id(np.ndarray)
    return found


class _Entry:
    """The loaded entry, and everything that it refers to by address."""

    def __init__(self) -> None:
        threads, target = pool(), cpu.host_target()
        self._start = threads.start  # a bound method is a new object each time: keep this one
        object_code, _ = compile_cached(entry_text(target.triple), target)
        imports = {
            **_imports(),
            "jitnet_control": threads.control_address,
            "jitnet_call": threads.address("jitnet_call"),
            "jitnet_start": id(self._start),
        }
        self._module = cpu.load(object_code, imports)
        self._definition = _MethodDefinition(
            b"program", self._module.address("jitnet_entry"), _METH_FASTCALL, b"Run a Program."
        )
        new = ctypes.pythonapi.PyCFunction_NewEx
        new.argtypes = (ctypes.POINTER(_MethodDefinition), ctypes.py_object, ctypes.c_void_p)
        new.restype = ctypes.py_object
        self._new = new

    def bind(self, record: NDArray[Any]) -> Call:
        """Return a builtin that calls what the record says."""
        call: Call = self._new(ctypes.byref(self._definition), record, None)
        return call


@cache
def _entry() -> _Entry:
    return _Entry()


def native_call(record: NDArray[Any]) -> Call:
    """Return a builtin that takes arrays and runs the Program of a record; it keeps the record."""
    return _entry().bind(record)


def ctypes_call(record: NDArray[Any], count: int) -> Call:
    """Return a function that does the same without knowing how objects are laid out."""
    call_pointers = pointer_call(record, count)

    def call(*arrays: NDArray[Any]) -> int:
        if len(arrays) != count:
            raise TypeError(COUNT_MESSAGE.replace("%zd", "%d") % (count, len(arrays)))
        for number, array in enumerate(arrays):
            if type(array) is not np.ndarray:
                message = TYPE_MESSAGE.replace("%zd", "%d").replace("%R", "%r")
                raise TypeError(message % (number, type(array)))
        return call_pointers([array.ctypes.data for array in arrays])

    return call


def pointer_call(record: NDArray[Any], count: int) -> PointerCall:
    """Return a function that takes addresses and runs the Program of a record."""
    threads = pool()
    max_threads = int(record[RECORD_LIMIT // record.itemsize])
    prototype = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
    native = prototype(threads.address("jitnet_call"))
    table = ctypes.c_void_p * count

    def call(pointers: Sequence[int]) -> int:
        if len(pointers) != count:
            raise TypeError(COUNT_MESSAGE.replace("%zd", "%d") % (count, len(pointers)))
        if max_threads > 1:
            threads.start()
        code: int = native(record.ctypes.data, table(*pointers))
        return code

    return call
