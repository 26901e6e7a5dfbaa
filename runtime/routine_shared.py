"""What several instructions share: functions in LLVM IR, which go where they are called."""

from __future__ import annotations

import re

from .instruction import with_layout

_SHARED = """
; What a function of Python's has answered: go on, a miss, or an exception.
define internal i64 @verdict(ptr %answer) nounwind {
entry:
  %failed = icmp eq ptr %answer, null
  br i1 %failed, label %error, label %judge
judge:
  %yes = icmp eq ptr %answer, @jitnet_true
  call void @Py_DecRef(ptr %answer)
  %code = select i1 %yes, i64 0, i64 1
  ret i64 %code
error:
  ret i64 2
}

; Let go of an object when the call ends.
define internal void @own(ptr %call, ptr %object) nounwind {
  %count_at = getelementptr i8, ptr %call, i64 $USED
  %owned_at = getelementptr i8, ptr %call, i64 $OWNED
  %count = load i64, ptr %count_at
  %owned = load ptr, ptr %owned_at
  %place = getelementptr ptr, ptr %owned, i64 %count
  store ptr %object, ptr %place
  %following = add i64 %count, 1
  store i64 %following, ptr %count_at
  ret void
}

; The bytes from an array's first element to the end of its last.
define internal i64 @extent_of(ptr %array, i64 %rank, i64 %bytes) nounwind {
entry:
  %shape_at = getelementptr i8, ptr %array, i64 $SHAPE
  %strides_at = getelementptr i8, ptr %array, i64 $STRIDES
  %shape = load ptr, ptr %shape_at
  %strides = load ptr, ptr %strides_at
  br label %next
next:
  %dim = phi i64 [0, %entry], [%following, %reach]
  %extent = phi i64 [%bytes, %entry], [%farther, %reach]
  %following = add i64 %dim, 1
  %more = icmp slt i64 %dim, %rank
  br i1 %more, label %look, label %end
look:
  %size_at = getelementptr i64, ptr %shape, i64 %dim
  %stride_at = getelementptr i64, ptr %strides, i64 %dim
  %size = load i64, ptr %size_at
  %stride = load i64, ptr %stride_at
  %last = sub i64 %size, 1
  %empty = icmp slt i64 %last, 0
  br i1 %empty, label %none, label %reach
reach:
  %distance = mul i64 %last, %stride
  %farther = add i64 %extent, %distance
  br label %next
none:
  ret i64 0
end:
  ret i64 %extent
}

define internal i1 @is_among(ptr %object, ptr %objects, i64 %count) nounwind {
entry:
  br label %next
next:
  %number = phi i64 [0, %entry], [%following, %look]
  %more = icmp slt i64 %number, %count
  br i1 %more, label %look, label %none
look:
  %other_at = getelementptr ptr, ptr %objects, i64 %number
  %other = load ptr, ptr %other_at
  %same = icmp eq ptr %other, %object
  %following = add i64 %number, 1
  br i1 %same, label %found, label %next
found:
  ret i1 true
none:
  ret i1 false
}

; What an object keeps in the slot of a role; borrowed.
define internal ptr @role_of(ptr %object, ptr %holder, i64 %role) nounwind {
  %place_at = getelementptr i8, ptr %holder, i64 %role
  %place = load i64, ptr %place_at
  %slot = getelementptr i8, ptr %object, i64 %place
  %found = load ptr, ptr %slot
  ret ptr %found
}

define internal i1 @is_alone(ptr %object) nounwind {
  %references_at = getelementptr i8, ptr %object, i64 $REFERENCES
  %references = load i32, ptr %references_at
  %one = icmp eq i32 %references, 1
  ret i1 %one
}

; Whether an object is exactly an ndarray with this dtype object, shape, strides and access.
define internal i1 @is_array(ptr %object, ptr %dtype, i64 %rank, ptr %sizes, i64 %writeable)
    nounwind {
entry:
  %type_at = getelementptr i8, ptr %object, i64 $TYPE
  %type = load ptr, ptr %type_at
  %right_type = icmp eq ptr %type, @jitnet_ndarray
  br i1 %right_type, label %look, label %no
look:
  %dtype_at = getelementptr i8, ptr %object, i64 $DTYPE
  %rank_at = getelementptr i8, ptr %object, i64 $RANK
  %flags_at = getelementptr i8, ptr %object, i64 $FLAGS
  %own_dtype = load ptr, ptr %dtype_at
  %own_rank = load i32, ptr %rank_at
  %flags = load i32, ptr %flags_at
  %wide_rank = sext i32 %own_rank to i64
  %wide_flags = zext i32 %flags to i64
  %access = and i64 %wide_flags, $WRITEABLE
  %is_writeable = icmp ne i64 %access, 0
  %wants_writeable = icmp ne i64 %writeable, 0
  %right_dtype = icmp eq ptr %own_dtype, %dtype
  %right_rank = icmp eq i64 %wide_rank, %rank
  %right_access = icmp eq i1 %is_writeable, %wants_writeable
  %right_kind = and i1 %right_dtype, %right_rank
  %right = and i1 %right_kind, %right_access
  br i1 %right, label %measure, label %no
measure:
  %shape_at = getelementptr i8, ptr %object, i64 $SHAPE
  %strides_at = getelementptr i8, ptr %object, i64 $STRIDES
  %shape = load ptr, ptr %shape_at
  %strides = load ptr, ptr %strides_at
  %wanted_strides = getelementptr i64, ptr %sizes, i64 %rank
  br label %next
next:
  %dim = phi i64 [0, %measure], [%following, %compare]
  %more = icmp slt i64 %dim, %rank
  br i1 %more, label %compare, label %yes
compare:
  %size_at = getelementptr i64, ptr %shape, i64 %dim
  %step_at = getelementptr i64, ptr %strides, i64 %dim
  %wanted_size_at = getelementptr i64, ptr %sizes, i64 %dim
  %wanted_step_at = getelementptr i64, ptr %wanted_strides, i64 %dim
  %size = load i64, ptr %size_at
  %step = load i64, ptr %step_at
  %wanted_size = load i64, ptr %wanted_size_at
  %wanted_step = load i64, ptr %wanted_step_at
  %same_size = icmp eq i64 %size, %wanted_size
  %same_step = icmp eq i64 %step, %wanted_step
  %same = and i1 %same_size, %same_step
  %following = add i64 %dim, 1
  br i1 %same, label %next, label %no
yes:
  ret i1 true
no:
  ret i1 false
}

; Whether a room is kept for results, and no array lies in it.
define internal i1 @is_free(ptr %room) nounwind {
entry:
  %absent = icmp eq ptr %room, null
  br i1 %absent, label %no, label %look
look:
  %alone = call i1 @is_alone(ptr %room)
  ret i1 %alone
no:
  ret i1 false
}

; A new C-contiguous array in a room, which takes over the reference to it; see Rooms.
define internal ptr @laid_in(ptr %room, ptr %rooms) nounwind {
entry:
  %dtype_at = getelementptr i64, ptr %rooms, i64 3
  %rank_at = getelementptr i64, ptr %rooms, i64 4
  %shape = getelementptr i64, ptr %rooms, i64 5
  %data_at = getelementptr i8, ptr %room, i64 $DATA
  %dtype = load ptr, ptr %dtype_at
  %rank = load i32, ptr %rank_at
  %data = load ptr, ptr %data_at
  call void @Py_IncRef(ptr %dtype)
  %array = call ptr @PyArray_NewFromDescr(ptr @jitnet_ndarray, ptr %dtype, i32 %rank, ptr %shape,
                                          ptr null, ptr %data, i32 $PACKED, ptr null)
  %failed = icmp eq ptr %array, null
  br i1 %failed, label %drop, label %base
base:
  %refused = call i32 @PyArray_SetBaseObject(ptr %array, ptr %room)
  %wrong = icmp slt i32 %refused, 0
  br i1 %wrong, label %undo, label %done
done:
  ret ptr %array
undo:
  call void @Py_DecRef(ptr %array)
  ret ptr null
drop:
  call void @Py_DecRef(ptr %room)
  ret ptr null
}

; Make an output of an array, the reference to which is taken over; returns what goes on.
define internal i64 @put_out(ptr %call, i64 %output, i64 %place, ptr %pattern, ptr %array)
    nounwind {
entry:
  %made = call ptr @made_like(ptr %pattern, ptr %array)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %error, label %give
give:
  %outputs_at = getelementptr i8, ptr %call, i64 $OUTPUTS
  %pointers_at = getelementptr i8, ptr %call, i64 $POINTERS
  %outputs = load ptr, ptr %outputs_at
  %pointers = load ptr, ptr %pointers_at
  %output_at = getelementptr ptr, ptr %outputs, i64 %output
  %pointer_at = getelementptr ptr, ptr %pointers, i64 %place
  %data_at = getelementptr i8, ptr %array, i64 $DATA
  %data = load ptr, ptr %data_at
  store ptr %made, ptr %output_at
  store ptr %data, ptr %pointer_at
  ret i64 0
error:
  ret i64 2
}

; A new object that shares with another what lies at `count` offsets; null with an exception set.
define internal ptr @shared(ptr %kind, ptr %sample, i64 %count, ptr %offsets) nounwind {
entry:
  %made = call ptr @PyType_GenericAlloc(ptr %kind, i64 0)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %end, label %next
next:
  %number = phi i64 [0, %entry], [%following, %copy]
  %more = icmp slt i64 %number, %count
  br i1 %more, label %copy, label %end
copy:
  %offset_at = getelementptr i64, ptr %offsets, i64 %number
  %offset = load i64, ptr %offset_at
  %from = getelementptr i8, ptr %sample, i64 %offset
  %to = getelementptr i8, ptr %made, i64 %offset
  %value = load ptr, ptr %from
  call void @Py_IncRef(ptr %value)
  store ptr %value, ptr %to
  %following = add i64 %number, 1
  br label %next
end:
  ret ptr %made
}

; A new holder after a Pattern's table, which takes over the reference to its array.
define internal ptr @made_like(ptr %pattern, ptr %array) nounwind {
entry:
  %sample_at = getelementptr i64, ptr %pattern, i64 1
  %array_place_at = getelementptr i64, ptr %pattern, i64 2
  %counter_place_at = getelementptr i64, ptr %pattern, i64 3
  %counter_table_at = getelementptr i64, ptr %pattern, i64 4
  %count_at = getelementptr i64, ptr %pattern, i64 5
  %offsets = getelementptr i64, ptr %pattern, i64 6
  %kind = load ptr, ptr %pattern
  %sample = load ptr, ptr %sample_at
  %count = load i64, ptr %count_at
  %made = call ptr @shared(ptr %kind, ptr %sample, i64 %count, ptr %offsets)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %drop, label %hold
hold:
  %array_place = load i64, ptr %array_place_at
  %array_at = getelementptr i8, ptr %made, i64 %array_place
  store ptr %array, ptr %array_at
  %counter_table = load ptr, ptr %counter_table_at
  %counter_sample_at = getelementptr i64, ptr %counter_table, i64 1
  %counter_offsets = getelementptr i64, ptr %counter_table, i64 2
  %counter_kind = load ptr, ptr %counter_table
  %counter_sample = load ptr, ptr %counter_sample_at
  %counter = call ptr @shared(ptr %counter_kind, ptr %counter_sample, i64 3, ptr %counter_offsets)
  %no_counter = icmp eq ptr %counter, null
  br i1 %no_counter, label %undo, label %keep
keep:
  %counter_place = load i64, ptr %counter_place_at
  %counter_at = getelementptr i8, ptr %made, i64 %counter_place
  store ptr %counter, ptr %counter_at
  ret ptr %made
undo:
  call void @Py_DecRef(ptr %made)
  ret ptr null
drop:
  call void @Py_DecRef(ptr %array)
  ret ptr null
}
"""

_BY_NAME = {text.partition("@")[2].partition("(")[0]: text for text in _SHARED.split("\n\n")}


def shared_by(text: str) -> list[str]:
    """Return the functions that a text calls, and those that these call."""
    needed: set[str] = set()
    waiting = [text]
    while waiting:
        called = set(re.findall(r"@(\w+)\(", waiting.pop())) & _BY_NAME.keys() - needed
        needed |= called
        waiting += [_BY_NAME[name] for name in called]
    return [with_layout(text) for name, text in _BY_NAME.items() if name in needed]
