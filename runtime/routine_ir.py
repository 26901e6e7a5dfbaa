"""LLVM IR of routines: the function that Python calls, and modules of instructions."""

from __future__ import annotations

from collections.abc import Sequence

from .holders import OFFSETS
from .instruction import STATE, Instruction, function_name, function_text, with_layout
from .pool_layout import THREADS, WORKERS
from .routine_shared import shared_by

# Words of a routine's record, which is `self` of the builtin that Python calls.
RECORD = ("lines", "pointers", "numbers", "owned", "spans", "outputs")
_RECORD_OFFSETS = {f"ROUTINE_{name.upper()}": 8 * place for place, name in enumerate(RECORD)}

PYTHON_FUNCTIONS = (
    "PyCell_Get",
    "PyDict_GetItem",
    "PyErr_Occurred",
    "PyEval_RestoreThread",
    "PyEval_SaveThread",
    "PyFloat_AsDouble",
    "PyList_GetItem",
    "PyList_Size",
    "PyLong_AsLongLong",
    "PyLong_FromLongLong",
    "PyObject_CallNoArgs",
    "PyObject_CallOneArg",
    "PyObject_GetAttr",
    "PyObject_GetItem",
    "PyObject_RichCompareBool",
    "PyObject_Size",
    "PyObject_Vectorcall",
    "PyTuple_New",
    "PyTuple_SetItem",
    "PyType_GenericAlloc",
    "Py_DecRef",
    "Py_IncRef",
)

_DECLARATIONS = """
@jitnet_control = external global i8
@jitnet_false = external global i8
@jitnet_missed = external global i8
@jitnet_ndarray = external global i8
@jitnet_none = external global i8
@jitnet_start = external global i8
@jitnet_true = external global i8
declare i64 @jitnet_call(ptr, ptr)
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare ptr @PyArray_NewFromDescr(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
declare i32 @PyArray_SetBaseObject(ptr, ptr)
declare ptr @PyCell_Get(ptr)
declare ptr @PyDict_GetItem(ptr, ptr)
declare ptr @PyErr_Occurred()
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyEval_SaveThread()
declare double @PyFloat_AsDouble(ptr)
declare ptr @PyList_GetItem(ptr, i64)
declare i64 @PyList_Size(ptr)
declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyObject_CallNoArgs(ptr)
declare ptr @PyObject_CallOneArg(ptr, ptr)
declare ptr @PyObject_GetAttr(ptr, ptr)
declare ptr @PyObject_GetItem(ptr, ptr)
declare i32 @PyObject_RichCompareBool(ptr, ptr, i32)
declare i64 @PyObject_Size(ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare ptr @PyType_GenericAlloc(ptr, i64)
declare void @Py_DecRef(ptr)
declare void @Py_IncRef(ptr)
"""

_ROUTINE = """
; What Python calls: a METH_FASTCALL function whose `self` is the array of a routine's record.
define ptr @jitnet_routine(ptr %self, ptr %arguments, i64 %given) nounwind {
entry:
  %record_at = getelementptr i8, ptr %self, i64 $DATA
  %record = load ptr, ptr %record_at
  %call = alloca [$STATE_WORDS x i64], align 8
  $ALLOCATE
  %state_arguments = getelementptr i8, ptr %call, i64 $ARGUMENTS
  %state_given = getelementptr i8, ptr %call, i64 $GIVEN
  %used_at = getelementptr i8, ptr %call, i64 $USED
  store ptr %arguments, ptr %state_arguments
  store i64 %given, ptr %state_given
  store i64 0, ptr %used_at
  %output_bytes = shl i64 %outputs_count, 3
  call void @llvm.memset.p0.i64(ptr %outputs, i8 0, i64 %output_bytes, i1 false)
  %lines_at = getelementptr i8, ptr %record, i64 $ROUTINE_LINES
  %first = load ptr, ptr %lines_at
  br label %next
next:
  %line = phi ptr [%first, %entry], [%following, %next]
  %function = load ptr, ptr %line
  %answer = call i64 %function(ptr %call, ptr %line)
  %following = getelementptr i8, ptr %line, i64 $LINE_BYTES
  %goes_on = icmp eq i64 %answer, 0
  br i1 %goes_on, label %next, label %end
end:
  %used = load i64, ptr %used_at
  call void @release(ptr %owned, i64 %used)
  call void @release(ptr %outputs, i64 %outputs_count)
  switch i64 %answer, label %error [
    i64 1, label %missed
    i64 3, label %done
  ]
missed:
  call void @Py_IncRef(ptr @jitnet_missed)
  ret ptr @jitnet_missed
done:
  %result_at = getelementptr i8, ptr %call, i64 $RESULT
  %result = load ptr, ptr %result_at
  ret ptr %result
error:
  ret ptr null
}

; Let go of objects; some may be null.
define internal void @release(ptr %objects, i64 %count) nounwind {
entry:
  br label %next
next:
  %number = phi i64 [0, %entry], [%following, %drop]
  %more = icmp slt i64 %number, %count
  br i1 %more, label %drop, label %end
drop:
  %object_at = getelementptr ptr, ptr %objects, i64 %number
  %object = load ptr, ptr %object_at
  call void @Py_DecRef(ptr %object)
  %following = add i64 %number, 1
  br label %next
end:
  ret void
}
"""


def _allocate(name: str) -> str:
    """Return the code that makes room for one of the state's tables, as the record says."""
    return with_layout(
        f"""
  %{name}_count_at = getelementptr i8, ptr %record, i64 $ROUTINE_{name.upper()}
  %{name}_count = load i64, ptr %{name}_count_at
  %{name} = alloca i64, i64 %{name}_count
  %{name}_at = getelementptr i8, ptr %call, i64 ${name.upper()}
  store ptr %{name}, ptr %{name}_at
""",
        **_RECORD_OFFSETS,
    )


def entry_text(line_bytes: int) -> str:
    """Return the IR text of the function that Python calls: `jitnet_routine`."""
    routine = _ROUTINE.replace("$ALLOCATE", "\n".join(map(_allocate, RECORD[1:])))
    sizes = {**_RECORD_OFFSETS, "STATE_WORDS": len(STATE), "LINE_BYTES": line_bytes}
    return with_layout(routine, **sizes)


def instructions_text(kinds: Sequence[type[Instruction]]) -> str:
    """Return the IR text of kinds of instructions, and `jitnet_instructions`: their addresses."""
    more = {**OFFSETS, "THREADS": THREADS, "WORKERS": WORKERS}
    functions = [function_text(kind, more) for kind in kinds]
    names = ", ".join(f"ptr @{function_name(kind)}" for kind in kinds)
    table = f"@jitnet_instructions = constant [{len(kinds)} x ptr] [{names}]"
    return "\n".join([*shared_by("\n".join(functions)), *functions, table])


def module_text(triple: str, parts: Sequence[str]) -> str:
    """Return the IR text of a module with these parts."""
    return "\n".join([f'target triple = "{triple}"', _DECLARATIONS, *parts])
