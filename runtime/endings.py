"""Instructions that end a call: what it leaves behind, and what it returns.

They come after the program has run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .holders import Holder
from .instruction import Call, Instruction

# -- what it leaves behind ----------------------------------------------------------------------


class Count(Instruction):
    """Note that the current holder's memory was written."""

    holder: Holder
    ir = """
  %counter = call ptr @role_of(ptr %current, ptr %holder, i64 $COUNTER)
  %count_role = getelementptr i8, ptr %holder, i64 $COUNT
  %count_place = load i64, ptr %count_role
  %count_at = getelementptr i8, ptr %counter, i64 %count_place
  %before = load ptr, ptr %count_at
  %value = call i64 @PyLong_AsLongLong(ptr %before)
  %following = add i64 %value, 1
  %after = call ptr @PyLong_FromLongLong(i64 %following)
  %failed = icmp eq ptr %after, null
  br i1 %failed, label %fail, label %keep
keep:
  store ptr %after, ptr %count_at
  call void @Py_DecRef(ptr %before)
  br label %go
"""

    def do(self, call: Call) -> bool:
        self.holder.get(call.current, "counter").count += 1
        return True


class Give(Instruction):
    """The current holder's gradient is an output from now on."""

    output: int
    holder: Holder
    ir = """
  %output_at = getelementptr ptr, ptr %outputs, i64 %output
  %gradient = load ptr, ptr %output_at
  %role = getelementptr i8, ptr %holder, i64 $GRADIENT
  %place = load i64, ptr %role
  %gradient_at = getelementptr i8, ptr %current, i64 %place
  %before = load ptr, ptr %gradient_at
  call void @Py_IncRef(ptr %gradient)
  store ptr %gradient, ptr %gradient_at
  call void @Py_DecRef(ptr %before)
  br label %go
"""

    def do(self, call: Call) -> bool:
        setattr(call.current, self.holder.slots["gradient"], call.outputs[self.output])
        return True


# -- what it returns -----------------------------------------------------------------------------


class Return(Instruction):
    """Return an output."""

    output: int
    ir = """
  %output_at = getelementptr ptr, ptr %outputs, i64 %output
  %made = load ptr, ptr %output_at
  call void @Py_IncRef(ptr %made)
  %result_at = getelementptr i8, ptr %call, i64 $RESULT
  store ptr %made, ptr %result_at
  br label %done
"""

    def do(self, call: Call) -> bool:
        call.result, call.is_done = call.outputs[self.output], True
        return True


class ReturnTuple(Instruction):
    """Return a tuple of outputs."""

    which: NDArray[np.int64]
    count: int
    ir = """
  %tuple = call ptr @PyTuple_New(i64 %count)
  %failed = icmp eq ptr %tuple, null
  br i1 %failed, label %fail, label %next
next:
  %item = phi i64 [0, %entry], [%following, %set]
  %more = icmp slt i64 %item, %count
  br i1 %more, label %set, label %end
set:
  %number_at = getelementptr i64, ptr %which, i64 %item
  %number = load i64, ptr %number_at
  %output_at = getelementptr ptr, ptr %outputs, i64 %number
  %made = load ptr, ptr %output_at
  call void @Py_IncRef(ptr %made)
  %ignored = call i32 @PyTuple_SetItem(ptr %tuple, i64 %item, ptr %made)
  %following = add i64 %item, 1
  br label %next
end:
  %result_at = getelementptr i8, ptr %call, i64 $RESULT
  store ptr %tuple, ptr %result_at
  br label %done
"""

    def do(self, call: Call) -> bool:
        call.result, call.is_done = tuple(call.outputs[number] for number in self.which), True
        return True


class ReturnThis(Instruction):
    """Return one and the same object."""

    value: Any
    ir = """
  call void @Py_IncRef(ptr %value)
  %result_at = getelementptr i8, ptr %call, i64 $RESULT
  store ptr %value, ptr %result_at
  br label %done
"""

    def do(self, call: Call) -> bool:
        call.result, call.is_done = self.value, True
        return True


class Finish(Instruction):
    """Return what a function of Python's makes of the call's arguments and outputs."""

    function: Callable[..., Any]
    count: int  # of outputs
    ir = """
  %all = add i64 %given, %count
  %values = alloca ptr, i64 %all
  %bytes = shl i64 %given, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %values, ptr %arguments, i64 %bytes, i1 false)
  %rest = getelementptr ptr, ptr %values, i64 %given
  %more_bytes = shl i64 %count, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %rest, ptr %outputs, i64 %more_bytes, i1 false)
  %made = call ptr @PyObject_Vectorcall(ptr %function, ptr %values, i64 %all, ptr null)
  %result_at = getelementptr i8, ptr %call, i64 $RESULT
  store ptr %made, ptr %result_at
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %fail, label %done
"""

    def do(self, call: Call) -> bool:
        call.result, call.is_done = self.function(*call.arguments, *call.outputs), True
        return True


class Status(Instruction):
    """Return the program's status."""

    ir = """
  %number = call ptr @PyLong_FromLongLong(i64 %status)
  %result_at = getelementptr i8, ptr %call, i64 $RESULT
  store ptr %number, ptr %result_at
  br label %done
"""

    def do(self, call: Call) -> bool:
        call.result, call.is_done = call.status, True
        return True
