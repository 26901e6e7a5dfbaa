"""Instructions that act: they gather the program's arguments and outputs, and run it.

They come after all those that look, and none of them misses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .holders import Holder, Pattern, Writes
from .instruction import Call, Instruction
from .looks import IsArray
from .memory import Rooms, aligned_empty

Array = NDArray[Any]

# -- the program's arguments --------------------------------------------------------------------


class Pointer(Instruction):
    """An argument of the program is the current array's memory, which is kept until the end."""

    place: int
    owns: ClassVar[int] = 1
    ir = """
  %data_at = getelementptr i8, ptr %current, i64 $DATA
  %data = load ptr, ptr %data_at
  %pointer_at = getelementptr ptr, ptr %pointers, i64 %place
  store ptr %data, ptr %pointer_at
  call void @Py_IncRef(ptr %current)
  call void @own(ptr %call, ptr %current)
  br label %go
"""

    def do(self, call: Call) -> bool:
        call.arrays[self.place] = call.current
        return True


class Subscript(Instruction):
    """The current object is the one before, subscripted."""

    key: Any
    owns: ClassVar[int] = 1
    ir = """
  %found = call ptr @PyObject_GetItem(ptr %current, ptr %key)
  %failed = icmp eq ptr %found, null
  br i1 %failed, label %fail, label %keep
keep:
  store ptr %found, ptr %call
  call void @own(ptr %call, ptr %found)
  br label %go
"""

    def do(self, call: Call) -> bool:
        call.current = call.current[self.key]
        return True


class Number(Instruction):
    """An argument of the program is the current object as a float64."""

    place: int
    number: int  # of the numbers before
    ir = """
  %value = call double @PyFloat_AsDouble(ptr %current)
  %number_at = getelementptr double, ptr %numbers, i64 %number
  store double %value, ptr %number_at
  %pointer_at = getelementptr ptr, ptr %pointers, i64 %place
  store ptr %number_at, ptr %pointer_at
  %doubtful = fcmp oeq double %value, -1.0
  br i1 %doubtful, label %ask, label %go
ask:
  %error = call ptr @PyErr_Occurred()
  %none = icmp eq ptr %error, null
  br i1 %none, label %go, label %fail
"""

    def do(self, call: Call) -> bool:
        call.arrays[self.place] = np.asarray(float(call.current), np.float64)
        return True


class _Holding:
    """Holds an object as a holder holds its gradient."""

    __slots__ = ("held",)
    held: object


def _references() -> int:
    """Return what getrefcount says of an object that one attribute and one variable hold."""
    holding = _Holding()
    holding.held = object()
    held = holding.held
    return getrefcount(held)


_ALONE = _references()


class Reuse(Instruction):
    """An output is the current holder's gradient, if nobody else holds that or its memory.

    And if it fits: `like` says what its array must be.
    """

    output: int
    place: int
    like: IsArray
    holder: Holder
    owns: ClassVar[int] = 1
    ir = """
  %gradient = call ptr @role_of(ptr %current, ptr %holder, i64 $GRADIENT)
  %none = icmp eq ptr %gradient, @jitnet_none
  br i1 %none, label %go, label %look
look:
  %alone = call i1 @is_alone(ptr %gradient)
  %base = call ptr @role_of(ptr %gradient, ptr %holder, i64 $BASE)
  %own_memory = icmp eq ptr %base, @jitnet_none
  %wants = call ptr @role_of(ptr %gradient, ptr %holder, i64 $WANTS_GRADIENT)
  %wants_none = icmp eq ptr %wants, @jitnet_false
  %free = and i1 %alone, %own_memory
  %plain = and i1 %free, %wants_none
  br i1 %plain, label %look_closer, label %go
look_closer:
  %array = call ptr @role_of(ptr %gradient, ptr %holder, i64 $ARRAY)
  %array_alone = call i1 @is_alone(ptr %array)
  br i1 %array_alone, label %compare, label %go
compare:
  %dtype_at = getelementptr i64, ptr %like, i64 0
  %dtype = load ptr, ptr %dtype_at
  %rank_at = getelementptr i64, ptr %like, i64 1
  %rank = load i64, ptr %rank_at
  %sizes_at = getelementptr i64, ptr %like, i64 2
  %sizes = load ptr, ptr %sizes_at
  %fits = call i1 @is_array(ptr %array, ptr %dtype, i64 %rank, ptr %sizes, i64 1)
  br i1 %fits, label %take, label %go
take:
  %data_at = getelementptr i8, ptr %array, i64 $DATA
  %data = load ptr, ptr %data_at
  %pointer_at = getelementptr ptr, ptr %pointers, i64 %place
  store ptr %data, ptr %pointer_at
  %output_at = getelementptr ptr, ptr %outputs, i64 %output
  store ptr %gradient, ptr %output_at
  call void @Py_IncRef(ptr %gradient)
  call void @Py_IncRef(ptr %array)
  call void @own(ptr %call, ptr %array)
  br label %go
"""

    def do(self, call: Call) -> bool:
        gradient = self._free(call.current)
        if gradient is not None:
            call.outputs[self.output] = gradient
            call.arrays[self.place] = self.holder.get(gradient, "array")
        return True

    def _free(self, owner: Any) -> Any:
        get = self.holder.get
        gradient = get(owner, "gradient")
        if gradient is None or getrefcount(gradient) != _ALONE:
            return None
        if get(gradient, "base") is not None or get(gradient, "wants_gradient"):
            return None
        array = get(gradient, "array")
        if getrefcount(array) != _ALONE or not self.like.fits(array):
            return None
        return gradient


class Fresh(Instruction):
    """An output is a new holder of new memory, unless it is there already."""

    output: int
    place: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    maker: Callable[[Sequence[int], np.dtype[Any]], Array]
    pattern: Pattern
    ir = """
  %output_at = getelementptr ptr, ptr %outputs, i64 %output
  %before = load ptr, ptr %output_at
  %missing = icmp eq ptr %before, null
  br i1 %missing, label %make, label %go
make:
  %values = alloca [2 x ptr]
  store ptr %shape, ptr %values
  %second = getelementptr ptr, ptr %values, i64 1
  store ptr %dtype, ptr %second
  %array = call ptr @PyObject_Vectorcall(ptr %maker, ptr %values, i64 2, ptr null)
  %no_array = icmp eq ptr %array, null
  br i1 %no_array, label %fail, label %hold
hold:
  %code = call i64 @put_out(ptr %call, i64 %output, i64 %place, ptr %pattern, ptr %array)
  ret i64 %code
"""

    def do(self, call: Call) -> bool:
        if call.outputs[self.output] is None:
            array = self.maker(self.shape, self.dtype)
            call.outputs[self.output] = self.pattern.make(array)
            call.arrays[self.place] = array
        return True


class FreshInRoom(Instruction):
    """The same in memory that is kept: it serves again when nobody has the output any more."""

    output: int
    place: int
    rooms: Rooms
    pattern: Pattern
    ir = """
  %output_at = getelementptr ptr, ptr %outputs, i64 %output
  %before = load ptr, ptr %output_at
  %missing = icmp eq ptr %before, null
  br i1 %missing, label %look, label %go
look:
  %first = load ptr, ptr %rooms
  %first_free = call i1 @is_free(ptr %first)
  br i1 %first_free, label %take, label %look_again
look_again:
  %second_at = getelementptr ptr, ptr %rooms, i64 1
  %second = load ptr, ptr %second_at
  %second_free = call i1 @is_free(ptr %second)
  br i1 %second_free, label %take, label %ask
ask:
  %another_at = getelementptr ptr, ptr %rooms, i64 2
  %another = load ptr, ptr %another_at
  %third = call ptr @PyObject_CallNoArgs(ptr %another)
  %refused = icmp eq ptr %third, null
  br i1 %refused, label %fail, label %lay
take:
  %free = phi ptr [%first, %look], [%second, %look_again]
  call void @Py_IncRef(ptr %free)
  br label %lay
lay:
  %room = phi ptr [%free, %take], [%third, %ask]
  %array = call ptr @laid_in(ptr %room, ptr %rooms)
  %no_array = icmp eq ptr %array, null
  br i1 %no_array, label %fail, label %hold
hold:
  %code = call i64 @put_out(ptr %call, i64 %output, i64 %place, ptr %pattern, ptr %array)
  ret i64 %code
"""

    def do(self, call: Call) -> bool:
        return Fresh(
            self.output,
            self.place,
            self.rooms.shape,
            self.rooms.dtype,
            aligned_empty,
            self.pattern,
        ).do(call)


# -- the program --------------------------------------------------------------------------------


class Prepare(Instruction):
    """If there may have been writes into memory that values were made of, make them anew."""

    writes: Writes
    holder: Holder
    renewal: Callable[[], None]  # makes them, and has `writes` remember
    ir = """
  %count_role = getelementptr i8, ptr %holder, i64 $COUNT
  %lent_role = getelementptr i8, ptr %holder, i64 $LENT
  %count_place = load i64, ptr %count_role
  %lent_place = load i64, ptr %lent_role
  %owners = load i64, ptr %writes
  br label %next
next:
  %number = phi i64 [0, %entry], [%following, %look]
  %more = icmp slt i64 %number, %owners
  br i1 %more, label %look, label %go
look:
  %following = add i64 %number, 1
  %after = shl i64 %following, 1
  %seen_at = getelementptr ptr, ptr %writes, i64 %after
  %counter_at = getelementptr ptr, ptr %seen_at, i64 -1
  %counter = load ptr, ptr %counter_at
  %seen = load ptr, ptr %seen_at
  %count_at = getelementptr i8, ptr %counter, i64 %count_place
  %lent_at = getelementptr i8, ptr %counter, i64 %lent_place
  %count = load ptr, ptr %count_at
  %lent = load ptr, ptr %lent_at
  %same_count = icmp eq ptr %count, %seen
  %private = icmp eq ptr %lent, @jitnet_false
  %same = and i1 %same_count, %private
  br i1 %same, label %next, label %renew
renew:
  %read = call ptr @PyObject_CallNoArgs(ptr %renewal)
  %failed = icmp eq ptr %read, null
  br i1 %failed, label %fail, label %made
made:
  call void @Py_DecRef(ptr %read)
  br label %go
"""

    def do(self, call: Call) -> bool:
        if self.writes.happened():
            self.renewal()
        return True


class Run(Instruction):
    """Run the program; other Python threads go on meanwhile."""

    record: NDArray[np.int64]  # see program.py
    limit: int  # threads that it may use
    entry: Callable[..., int]  # the same for Python: takes arrays, returns the status
    ir = """
  %threads_at = getelementptr i8, ptr @jitnet_control, i64 $THREADS
  %workers_at = getelementptr i8, ptr @jitnet_control, i64 $WORKERS
  %allowed = load i64, ptr %threads_at
  %workers = load i64, ptr %workers_at
  %wanted = call i64 @llvm.smin.i64(i64 %limit, i64 %allowed)
  %exist = add i64 %workers, 1
  %lacking = icmp slt i64 %exist, %wanted
  br i1 %lacking, label %start, label %run
start:
  %started = call ptr @PyObject_CallNoArgs(ptr @jitnet_start)
  %failed = icmp eq ptr %started, null
  br i1 %failed, label %fail, label %release
release:
  call void @Py_DecRef(ptr %started)
  br label %run
run:
  %python = call ptr @PyEval_SaveThread()
  %code = call i64 @jitnet_call(ptr %record, ptr %pointers)
  call void @PyEval_RestoreThread(ptr %python)
  %status_at = getelementptr i8, ptr %call, i64 $STATUS
  store i64 %code, ptr %status_at
  br label %go
"""

    def do(self, call: Call) -> bool:
        arrays = [call.arrays[place] for place in range(len(call.arrays))]
        call.status = self.entry(*arrays)
        return True


class Check(Instruction):
    """If the program has reported an error, let Python raise it."""

    fail: Callable[[int], Any]  # takes the status; always raises
    ir = """
  %fine = icmp eq i64 %status, 0
  br i1 %fine, label %go, label %report
report:
  %number = call ptr @PyLong_FromLongLong(i64 %status)
  %raised = call ptr @PyObject_CallOneArg(ptr %fail, ptr %number)
  call void @Py_DecRef(ptr %number)
  ret i64 2
"""

    def do(self, call: Call) -> bool:
        if call.status:
            self.fail(call.status)
        return True
